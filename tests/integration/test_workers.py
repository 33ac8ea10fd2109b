"""Calls in Workers that are lost: bots over everything real, Workers in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from signaling.client import Room, connect, development_token
from signaling.config import ServerConfig
from signaling.limits import WorkerLimits
from signaling.messages import AnyEvent
from signaling.process import WorkerProcess
from signaling.server import Server, open_server
from tests.support.child import alive, children
from tests.support.cutting import forwarding
from tests.support.ice import until
from tests.support.meeting import PATIENCE_S, metrics
from tests.support.ports import two_free_ports
from tests.support.scene import FAST, Ear, talking, told
from tests.support.server import running_server

# Enough to be hung for, and less than a loaded machine makes anybody wait.
WATCHFUL = WorkerLimits(beat_s=0.3, pause_s=0.2)


@dataclass(slots=True)
class Pair:
    """Two who talk to each other, in a room of their own."""

    rooms: tuple[Room, Room]
    events: tuple[list[AnyEvent], list[AnyEvent]]
    ears: tuple[Ear, Ear]

    async def hear_each_other(self, packets: int = 10) -> None:
        for ear in self.ears:
            await ear.hears(packets)

    async def connected(self) -> None:
        """Until each sees the other so."""
        for one, other in (self.rooms, self.rooms[::-1]):
            await one.until(partial(_seen, one, other.identity), PATIENCE_S)

    def forget(self) -> None:
        for ear, events in zip(self.ears, self.events, strict=True):
            ear.longest_gap_s, ear.missed = 0.0, 0
            events.clear()

    def told(self) -> list[list[str]]:
        return [told(events) for events in self.events]

    def longest_gap_s(self) -> float:
        return max(ear.longest_gap_s for ear in self.ears)

    def missed(self) -> int:
        return sum(ear.missed for ear in self.ears)

    def names(self) -> list[str]:
        """What each knows of the other: identity and tracks."""
        return [
            f"{one.identity} {[track.id for track in one.tracks]}"
            for room in self.rooms
            for one in room.participants.values()
        ]


def _seen(room: Room, identity: str) -> bool:
    return room.participants[identity].state == "connected"


@asynccontextmanager
async def talking_pair(url: str, room: str) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        rooms, events, tracks = [], [], []
        for name in ("Ada", "Bob"):
            token = await development_token(url, name, room)
            heard: list[AnyEvent] = []
            rooms.append(await stack.enter_async_context(connect(url, room, token.token, on_event=heard.append)))
            events.append(heard)
        for one in rooms:
            tracks.append(await stack.enter_async_context(talking(one)))
        ears = Ear(rooms[0], tracks[1]), Ear(rooms[1], tracks[0])
        pair = Pair((rooms[0], rooms[1]), (events[0], events[1]), ears)
        await pair.hear_each_other()
        yield pair


@dataclass(slots=True)
class Scene:
    """Two rooms, each in a Worker of its own."""

    server: Server
    first: Pair
    second: Pair

    def worker_of(self, room: str) -> WorkerProcess:
        link = self.server.workers.link_of(room)
        (worker,) = [one for one in self.server.workers.all if one.link is link]
        assert isinstance(worker, WorkerProcess)
        return worker

    def signal(self, room: str, number: signal.Signals) -> int:
        """To the Worker of this room; returns its pid."""
        hello = self.worker_of(room).hello
        assert hello is not None
        os.kill(hello.pid, number)
        return hello.pid


@asynccontextmanager
async def scene(**options: Any) -> AsyncIterator[Scene]:
    udp_port = two_free_ports(socket.SOCK_DGRAM)
    config = ServerConfig(http_port=0, udp_port=udp_port, dev=True, workers=2, sessions=FAST, supervision=WATCHFUL)
    before = set(children())  # the browser that other tests share, if they ran before
    server = await open_server(replace(config, **options))
    try:
        async with talking_pair(server.url, "first") as first, talking_pair(server.url, "second") as second:
            scene = Scene(server, first, second)
            assert scene.worker_of("first") is not scene.worker_of("second")
            yield scene
    finally:
        await server.close()
        assert before.issuperset(children())


async def test_a_killed_workers_people_are_reset_and_other_rooms_never_notice() -> None:
    async with scene() as here:
        names = here.first.names()
        here.second.forget()
        gaps = []
        for _ in range(3):
            here.first.forget()
            here.signal("first", signal.SIGKILL)
            await here.first.hear_each_other()
            await here.first.connected()
            gaps.append(here.first.longest_gap_s())
            assert here.first.told() == [["reconnecting", "connected"]] * 2
        print(f"Worker killed three times: silent for {', '.join(f'{gap:.2f} s' for gap in gaps)}")
        assert here.first.names() == names
        await here.second.hear_each_other()
        assert here.second.told() == [[], []]
        assert here.second.missed() == 0, "the other Worker went on"
        assert min(gaps) < 8.0, "they are told, and need not notice for ten seconds that nothing comes"
        assert [worker.restarts for worker in here.server.workers.all] == [3, 0]
        figures = await metrics(here.server.url)
        assert figures["sfu_worker_restarts_total"] == 3 and figures["sfu_participants"] == 4
        assert here.server.switchboard.counters.closed == {}


async def test_a_hung_worker_is_replaced_and_a_newcomer_hears_everybody() -> None:
    async with scene() as here:
        here.first.forget()
        here.second.forget()
        pid = here.signal("first", signal.SIGSTOP)
        await until(lambda: here.worker_of("first").restarts == 1)
        await here.first.hear_each_other()
        await here.first.connected()
        assert not alive(pid)
        assert here.first.told() == [["reconnecting", "connected"]] * 2 and here.second.told() == [[], []]
        token = await development_token(here.server.url, "Eve", "first")
        async with connect(here.server.url, "first", token.token) as eve:
            (track, *_) = here.first.rooms[1].participants[here.first.rooms[0].identity].tracks
            await Ear(eve, track.id).hears()


async def test_told_to_terminate_it_says_farewell_and_is_followed() -> None:
    async with scene() as here:
        here.first.forget()
        here.signal("first", signal.SIGTERM)
        await until(lambda: here.worker_of("first").restarts == 1)
        await here.first.hear_each_other()
        await here.first.connected()
        assert here.first.told() == [["reconnecting", "connected"]] * 2


async def test_people_without_a_socket_find_the_new_worker_when_they_are_back() -> None:
    async with (
        scene() as here,
        forwarding(here.server.http_port) as forwarder,
        talking_pair(forwarder.url, "third") as third,
    ):
        third.forget()
        forwarder.refuse()
        forwarder.cut()
        here.signal("third", signal.SIGKILL)
        await until(lambda: here.worker_of("third").restarts == 1)
        forwarder.refuse(False)
        await third.hear_each_other()
        await third.connected()
        assert "left" not in str(third.told())


async def test_a_server_that_stops_leaves_no_process_and_one_that_is_killed_neither() -> None:
    async with running_server("--dev", "--workers=2", "--udp-port=0") as server:
        pids = children(server.process.pid)
        assert len(pids) == 2
        async with talking_pair(server.url, "room"):
            server.process.terminate()
            assert await asyncio.wait_for(server.process.wait(), PATIENCE_S) == 0
        assert not any(map(alive, pids))
    async with running_server("--dev", "--workers=2", "--udp-port=0") as server:
        pids = children(server.process.pid)
        server.process.kill()
        await server.process.wait()
        await until(lambda: not any(map(alive, pids)))
