"""Reading a local sink of a started plane, of either kind, through real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path as FilePath

import pytest
import pytest_asyncio

from sfu.plane.interface import Event, Path, Plane, PlaneConfig, SinkGone
from sfu.tap import TapReader
from sfu.wire import rtp, tap
from sfu.wire.rtcp import SenderReport, pack_compound
from sfu.wire.tap import FrameKind, TapFrame
from tests.support.ice import until
from tests.support.planes import PLANES
from tests.support.rtp import PUBLISHER_IDS, VIDEO, Remote, VideoSource

TIMEOUT_S = 60
SINK, TRACK = 5, 1
names = (f"@sfu tap test {os.getpid()} {number}" for number in count())


class Running:
    """A started plane and a publisher on a real socket."""

    def __init__(self, name: str, config: PlaneConfig) -> None:
        self.plane: Plane = PLANES[name](["127.0.0.1"], 0, config)
        self.events: list[Event] = []
        self.plane.start(asyncio.get_running_loop(), self.events.extend)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.remote = Remote(Path(0, *self.socket.getsockname()))
        self.plane.add_transport(1)
        self.plane.bind(1, self.remote.path)
        self.plane.set_extensions(1, PUBLISHER_IDS, PUBLISHER_IDS)
        self.plane.set_keys(1, self.remote.keys)
        self.plane.add_track(TRACK, 1, VIDEO)
        self.source = VideoSource(ssrc=3)
        self.sent = 0

    def send(self, count: int) -> None:
        for _ in range(count):
            self.socket.sendto(
                self.remote.protect(*self.source.frame(key=True)).payload, ("127.0.0.1", self.plane.port)
            )
        self.sent += count

    async def settled(self) -> None:
        """The plane has got everything, and done with it."""
        await until(lambda: self.plane.counters.received_rtp == self.sent)
        self.plane.reception(TRACK)  # waits for its thread

    def lost(self) -> int:
        """Frames the plane counts as dropped."""
        return sum(self.plane.counters.dropped.get(reason, 0) for reason in ("sink_full", "sink_gone"))

    def close(self) -> None:
        self.plane.close()
        self.socket.close()


Start = Callable[..., Running]


@pytest_asyncio.fixture(params=sorted(PLANES))
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    started: list[Running] = []

    def start(config: PlaneConfig | None = None) -> Running:
        started.append(Running(request.param, config or PlaneConfig()))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest_asyncio.fixture
async def running(start: Start) -> Running:
    return start()


@pytest.fixture
def reader() -> Iterator[TapReader]:
    with TapReader(next(names)) as reader:
        yield reader


def soon(frame: Awaitable[TapFrame]) -> Awaitable[TapFrame]:
    return asyncio.wait_for(frame, TIMEOUT_S)


async def rest(reader: TapReader) -> list[TapFrame]:
    async with asyncio.timeout(TIMEOUT_S):
        return [frame async for frame in reader]


async def test_packets_and_reports_come_through(running: Running, reader: TapReader) -> None:
    running.plane.add_sink(SINK, reader.address)
    running.plane.set_tap(SINK, TRACK, [0])
    running.send(3)
    numbers = [(await soon(anext(reader))).sequence_number for _ in range(3)]
    assert numbers == [1000, 1001, 1002]
    report = running.remote.protect_rtcp(pack_compound([SenderReport(3, 7, 8, 9, 10)]))
    running.socket.sendto(report.payload, ("127.0.0.1", running.plane.port))
    frame = await soon(anext(reader))
    assert (frame.kind, tap.parse_clock(frame.body)) == (FrameKind.SENDER_REPORT, (7, 8, 3))
    running.plane.remove_track(TRACK)
    running.plane.remove_sink(SINK)
    assert [(frame.kind, frame.track) for frame in await rest(reader)] == [(FrameKind.TRACK_ENDED, TRACK)]
    assert reader.dropped == running.lost() == 0
    assert running.plane.counters.sink_frames == 7


async def test_a_path_will_do_as_well(running: Running, tmp_path: FilePath) -> None:
    with TapReader(str(tmp_path / "tap")) as reader:
        running.plane.add_sink(SINK, reader.address)
        running.plane.set_tap(SINK, TRACK, [0])
        running.send(1)
        assert rtp.parse((await soon(anext(reader))).body).ssrc == 3
        path = reader.address
    with pytest.raises(FileNotFoundError):
        running.plane.add_sink(SINK + 1, path)


async def test_a_burst_waits_for_who_is_busy(running: Running, reader: TapReader) -> None:
    """More than the ten datagrams that the kernel lets wait where nobody connects back."""
    running.plane.add_sink(SINK, reader.address)
    running.plane.set_tap(SINK, TRACK, [0])
    running.send(1)
    await soon(anext(reader))
    running.send(60)
    await running.settled()
    running.plane.remove_sink(SINK)
    assert len(await rest(reader)) == 60
    assert running.lost() == 0


async def test_who_is_slow_loses_frames_and_knows_where_and_how_many(start: Start, reader: TapReader) -> None:
    running = start(PlaneConfig(sink_buffer_bytes=1))  # the kernel makes it a dozen frames
    running.plane.add_sink(SINK, reader.address)
    running.plane.set_tap(SINK, TRACK, [0])
    for _ in range(3):
        running.send(30)
        await running.settled()
    lost = running.lost()
    assert lost > 50
    assert running.plane.counters.dropped == {"sink_full": lost}
    first = [await soon(anext(reader)) for _ in range(90 - lost)]
    assert [frame.sequence_number for frame in first] == [*range(1000, 1000 + len(first))]
    assert reader.dropped == 0
    running.send(5)
    await running.settled()
    running.plane.remove_sink(SINK)
    last = await rest(reader)
    assert [frame.sequence_number for frame in last] == [*range(1090, 1095)]
    assert {frame.dropped for frame in last} == {lost}
    assert len(first) + len(last) + reader.dropped == running.sent
    assert running.lost() == lost


async def test_a_reader_that_dies_is_told_of_once_and_costs_nobody_else_anything(
    running: Running, reader: TapReader
) -> None:
    other = TapReader(next(names))
    for sink, each in ((SINK, other), (SINK + 1, reader)):
        running.plane.add_sink(sink, each.address)
        running.plane.set_tap(sink, TRACK, [0])
    other.close()
    for _ in range(4):
        running.send(2)
        await running.settled()
    assert [(await soon(anext(reader))).sequence_number for _ in range(8)] == [*range(1000, 1008)]
    await until(lambda: SinkGone(SINK) in running.events)
    assert running.plane.counters.dropped == {"sink_gone": 8}
    assert running.events.count(SinkGone(SINK)) == 1
    running.plane.set_tap(SINK, TRACK, [])
    running.plane.remove_sink(SINK)
    assert running.lost() == 10


async def test_where_nobody_is_there_is_no_sink(running: Running) -> None:
    for address in ("@sfu tap test, nobody", "/nonexistent/tap"):
        with pytest.raises(OSError):
            running.plane.add_sink(SINK, address)
    running.plane.remove_sink(SINK)
    with pytest.raises(KeyError):
        running.plane.set_tap(SINK, TRACK, [0])


async def test_the_end_of_the_plane_is_the_end_of_its_sinks(running: Running, reader: TapReader) -> None:
    running.plane.add_sink(SINK, reader.address)
    running.plane.close()
    assert await rest(reader) == []


async def test_a_sink_of_before_the_start_has_no_reader(reader: TapReader) -> None:
    for name in PLANES:
        plane = PLANES[name](["127.0.0.1"], 0, PlaneConfig())
        events: list[Event] = []
        plane.add_sink(SINK, reader.address)
        plane.start(asyncio.get_running_loop(), events.extend)
        await until(partial(events.__contains__, SinkGone(SINK)))
        plane.close()


async def test_closing_ends_the_waiting(reader: TapReader) -> None:
    waiting = asyncio.create_task(rest(reader))
    await asyncio.sleep(0)
    reader.close()
    reader.close()
    assert await waiting == []


async def test_who_gives_up_waiting_loses_no_frame(running: Running, reader: TapReader) -> None:
    running.plane.add_sink(SINK, reader.address)
    running.plane.set_tap(SINK, TRACK, [0])
    numbers: list[int] = []

    async def one() -> int:
        return (await anext(reader)).sequence_number

    for _ in range(100):
        waiting = asyncio.create_task(one())
        await asyncio.sleep(0)
        running.send(1)
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            numbers.append(await waiting)
    await running.settled()
    running.plane.remove_sink(SINK)
    numbers += [frame.sequence_number for frame in await rest(reader)]
    assert numbers == [*range(1000, 1100)]


async def test_strangers_are_not_heard_once_the_plane_was(running: Running, reader: TapReader) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"what is this", "\0" + reader.address[1:])
        running.plane.add_sink(SINK, reader.address)
        running.plane.set_tap(SINK, TRACK, [0])
        running.send(1)
        await soon(anext(reader))
        assert reader.malformed == 1
        with pytest.raises(PermissionError):
            stranger.sendto(b"and this", "\0" + reader.address[1:])
