"""The recorder's process, told by orders and fed through its socket as the plane would."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from recorder import control
from recorder.control import Begin, Begun, End, Ended, Failed, Listening, Note, Ping, Pong, Progress
from recorder.journal import JournalReader, Packet, RecordingEnded, TrackMuted, TrackStarted
from recorder.journal.records import Event
from sfu.frame_socket import FrameSocket
from sfu.wire import tap
from sfu.wire.tap import FrameKind, TapFrame

WITHIN_S = 60
W = TypeVar("W", bound=control.AnyWord)


def spawned() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "recorder.process", str(theirs.fileno())]
        return subprocess.Popen(command, pass_fds=(theirs.fileno(),)), ours


class Recorder:
    """A process, and our end of the link to it."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[control.AnyWord] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def start(self) -> None:
        self.process, ours = spawned()
        self.frames = await FrameSocket.over(
            ours,
            lambda frame: self.words.put_nowait(control.decode(frame, control.AnyWord)),
            lambda reason: self.ended.set(),
            pauses=False,
        )

    def say(self, order: control.AnyOrder) -> None:
        self.frames.send(control.encode(order))

    async def hear(self, kind: type[W]) -> W:
        """The next of its kind; what comes before is passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                word = await self.words.get()
                if isinstance(word, kind):
                    return word

    async def stop(self) -> None:
        self.frames.close()
        await asyncio.get_running_loop().run_in_executor(None, self.process.wait)


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    await recorder.start()
    yield recorder
    await recorder.stop()


class Plane:
    """Sends frames to a sink, as the plane does."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")  # a name of the kernel's choice, for the reader to connect back to
        self.socket.connect(address)
        self.number = 0

    def send(self, track: int, *, dropped: int = 0) -> None:
        self.number += 1
        frame = TapFrame(FrameKind.RTP, 0, False, dropped, track, self.number, time.monotonic(), bytes(12) + b"media")
        self.socket.send(tap.pack(frame))

    def close(self) -> None:
        self.socket.close()


def started(name: str) -> TrackStarted:
    return TrackStarted(name, "ada", "audio", "microphone")


async def taken(recorder: Recorder, packets: int) -> Progress:
    """When so many packets have been taken."""
    while (progress := await recorder.hear(Progress)).packets < packets:
        pass
    return progress


def entries(directory: Path) -> list[object]:
    return list(JournalReader(directory / "journal").entries())


async def test_journals_what_comes_of_tracks_it_was_told_of(recorder: Recorder, tmp_path: Path) -> None:
    recorder.say(Begin(recording="REC_1", room="room", directory=str(tmp_path / "REC_1")))
    plane = Plane((await recorder.hear(Begun)).address)
    recorder.say(Note(recording="REC_1", event=started("t1"), track=7))
    recorder.say(Ping())
    await recorder.hear(Pong)
    for _ in range(3):
        plane.send(7)
    assert (await recorder.hear(Listening)).recording == "REC_1"
    plane.send(8)
    assert (await taken(recorder, 3)).failure == ""
    recorder.say(Note(recording="REC_1", event=TrackMuted(True), track=7))
    recorder.say(Ping())
    await recorder.hear(Pong)
    plane.send(7, dropped=2)
    recorder.say(End(recording="REC_1", reason="stopped"))
    await recorder.hear(Ended)
    plane.close()
    found = entries(tmp_path / "REC_1")
    assert [one.track for one in found if isinstance(one, Packet)] == [7, 7, 7]
    last = found[-1]
    assert isinstance(last, Event) and last.event == RecordingEnded("stopped")


async def test_goes_on_with_another_socket_and_after_it_was_killed(recorder: Recorder, tmp_path: Path) -> None:
    begin = Begin(recording="REC_1", room="room", directory=str(tmp_path))
    for count in (1, 2):
        recorder.say(begin)
        plane = Plane((await recorder.hear(Begun)).address)
        recorder.say(Note(recording="REC_1", event=started("t1"), track=count))
        recorder.say(Ping())
        await recorder.hear(Pong)
        plane.send(count)
        plane.close()
        await taken(recorder, count)
    recorder.process.kill()
    await asyncio.get_running_loop().run_in_executor(None, recorder.process.wait)
    await recorder.ended.wait()
    again = Recorder()
    await again.start()
    again.say(begin)
    plane = Plane((await again.hear(Begun)).address)
    again.say(Note(recording="REC_1", event=started("t1"), track=3))
    again.say(Ping())
    await again.hear(Pong)
    plane.send(3)
    plane.close()
    await taken(again, 1)
    await again.stop()  # without an End: its journal has none
    found = entries(tmp_path)
    packets = [one.track for one in found if isinstance(one, Packet)]
    # What had not been written yet may be gone with the first process: a quarter of a second.
    assert packets in ([1, 2, 3], [1, 3], [3]), packets
    assert not any(isinstance(one, Event) and isinstance(one.event, RecordingEnded) for one in found)


async def test_says_so_when_it_cannot_begin(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    recorder.say(Begin(recording="REC_1", room="room", directory=str(tmp_path / "taken")))
    assert (await recorder.hear(Failed)).recording == "REC_1"


def is_ours_alone(directory: Path) -> bool:
    return directory.stat().st_mode & 0o077 == 0


def names_in(directory: Path) -> set[str]:
    return {one.name for one in directory.iterdir()}


async def test_leaves_no_sockets_behind(recorder: Recorder, tmp_path: Path) -> None:
    recorder.say(Begin(recording="REC_1", room="room", directory=str(tmp_path)))
    sockets = Path((await recorder.hear(Begun)).address).parent
    assert is_ours_alone(sockets)
    await recorder.stop()
    assert sockets.name not in names_in(sockets.parent)
    assert recorder.process.returncode == 0
