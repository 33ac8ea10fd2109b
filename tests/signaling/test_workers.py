"""Workers in processes of their own, without anybody in a call: how they start, what is told of them, how they end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sfu.control import AnyNotice, AnyReply, CloseTransport, Failed, OpenTransport, TransportChanged, TransportOpened
from sfu.net.ice import index_prefix
from signaling.config import ServerConfig
from signaling.limits import WorkerLimits
from signaling.process import CannotOpen, WorkerProcess
from signaling.server import CannotStart, Server, open_server
from signaling.workers import Workers
from tests.support.child import alive, children
from tests.support.ice import until
from tests.support.ports import two_free_ports

CONFIG = ServerConfig(http_port=0, udp_port=0, bind=("127.0.0.1",), workers=2)
PATIENT = WorkerLimits(beat_s=60.0, stop_timeout_s=0.5)
WAIT_S = 60.0


class Asking:
    """What a switchboard does with its Workers, by hand."""

    def __init__(self, config: ServerConfig) -> None:
        self.notices: list[AnyNotice] = []
        self.workers = Workers(config, self.notices.append)
        self._calls = 0

    def call(self, where: str, command: type[Any], **fields: Any) -> asyncio.Future[AnyReply]:
        self._calls += 1
        answered: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
        self.workers.link_of(where).call(command(call=self._calls, **fields), answered.set_result)
        return answered

    async def open(self, room: str, transport: str | None = None) -> str:
        """Its username fragment. Unless it has a name, it is named like the room."""
        opening = self.call(room, OpenTransport, room=room, participant="ada", transport=transport or room)
        opened = await asyncio.wait_for(opening, WAIT_S)
        assert isinstance(opened, TransportOpened), opened
        return opened.ice.username_fragment

    def process(self, index: int) -> WorkerProcess:
        worker = self.workers.all[index]
        assert isinstance(worker, WorkerProcess)
        return worker

    def pid(self, index: int) -> int:
        hello = self.process(index).hello
        assert hello is not None
        return hello.pid

    def kill(self, index: int, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid(index), number)

    def gone(self) -> list[str]:
        return [one.transport for one in self.notices if isinstance(one, TransportChanged) and one.state == "gone"]


@asynccontextmanager
async def asking(**options: Any) -> AsyncIterator[Asking]:
    one, before = Asking(replace(CONFIG, **options)), set(children())
    try:
        await one.workers.open()
        yield one
    finally:
        await one.workers.close()
        assert before.issuperset(children()), "a browser that other tests share may be there"


async def test_each_has_its_port_and_its_rooms_and_its_fragments() -> None:
    async with asking() as one:
        ports = one.workers.udp_ports
        assert len(set(ports)) == 2 and one.workers.running == 2
        fragments = [await one.open(room) for room in ("a", "b", "c", "d")]
        assert [fragment[:1] for fragment in fragments] == [index_prefix(index)[:1] for index in (0, 1, 0, 1)]
        assert one.workers.link_of("a") is one.workers.link_of("c") is not one.workers.link_of("b")
        one.workers.release("a")


async def test_ports_follow_each_other(unused_ports: int) -> None:
    async with asking(udp_port=unused_ports) as one:
        assert one.workers.udp_ports == [unused_ports, unused_ports + 1]


@pytest.fixture
def unused_ports() -> int:
    """The first of two: for who is killed, too, and comes back on the port that he had."""
    return two_free_ports(socket.SOCK_DGRAM)


async def test_a_killed_one_is_followed_on_the_same_port_and_its_rooms_stay(unused_ports: int) -> None:
    async with asking(udp_port=unused_ports) as one:
        await one.open("a")
        await one.open("b")
        port, pid, other = one.process(0).udp_port, one.pid(0), one.pid(1)
        one.kill(0)
        await until(lambda: one.gone() == ["a"])
        assert one.workers.running == 1
        # Asked at once, answered by the next.
        closed = one.call("a", CloseTransport, transport="a")
        await one.open("a", "a2")
        reply = await asyncio.wait_for(closed, WAIT_S)
        assert isinstance(reply, Failed) and reply.code == "unknown_transport"
        await until(lambda: one.workers.running == 2)
        assert one.process(0).udp_port == port and one.pid(0) != pid and not alive(pid)
        assert (one.process(0).restarts, one.process(1).restarts) == (1, 0)
        assert one.pid(1) == other and one.gone() == ["a"]


async def test_a_hung_one_is_replaced_and_what_it_was_asked_is_refused(unused_ports: int) -> None:
    # The other one may not seem to hang, also where it waits for a core.
    limits = WorkerLimits(beat_s=0.5, beats_missed=6, abort_timeout_s=0.1)
    async with asking(udp_port=unused_ports, supervision=limits) as one:
        await one.open("a")
        pid = one.pid(0)
        one.kill(0, signal.SIGSTOP)
        asked = one.call("a", CloseTransport, transport="unknown")
        reply = await asyncio.wait_for(asked, WAIT_S)
        assert isinstance(reply, Failed) and reply.code == "closed" and one.gone() == ["a"]
        await until(lambda: one.process(0).restarts == 1)
        assert not alive(pid) and one.process(1).restarts == 0
        # And a busy one is not: it is asked more seldom than it takes.
        for room in map(str, range(50)):
            await one.open(room)
        assert one.process(0).restarts == 1


async def test_one_that_does_not_read_is_given_up_before_memory_is(unused_ports: int) -> None:
    async with asking(udp_port=unused_ports, supervision=PATIENT) as one:
        await one.open("a")
        one.kill(0, signal.SIGSTOP)
        calls = 0
        while not one.gone():
            one.call("a", CloseTransport, transport="x" * (1 << 18))
            calls += 1
            assert calls < 100
            await asyncio.sleep(0)
        await until(lambda: one.process(0).restarts == 1)


async def test_rooms_of_one_that_cannot_start_again_go_elsewhere_and_it_comes_back_when_it_can(
    unused_ports: int,
) -> None:
    async with asking(udp_port=unused_ports) as one:
        await one.open("a")
        port = one.process(0).udp_port
        one.kill(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            await until(lambda: _bound(taken, port))
            await until(lambda: one.gone() == ["a"])
            waiting = one.call("a", OpenTransport, room="a", participant="ada", transport="a2")
            await until(lambda: one.gone() == ["a", "a2"])
            reply = await waiting
            assert isinstance(reply, Failed) and reply.code == "closed"
            assert (await one.open("a", "a3")).startswith(index_prefix(1)), "the room has moved"
            assert one.process(0).restarts == 0
        await until(lambda: one.workers.running == 2)
        assert one.process(0).udp_port == port


def _bound(taken: socket.socket, port: int) -> bool:
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


async def test_one_that_cannot_start_keeps_the_server_from_starting(unused_ports: int) -> None:
    before = set(children())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", unused_ports + 1))
        with pytest.raises(CannotOpen, match="in use"):
            async with asking(udp_port=unused_ports):
                pass
        with pytest.raises(CannotStart, match=f"UDP port {unused_ports}: Worker 1: .*in use"):
            await open_server(replace(CONFIG, udp_port=unused_ports, dev=True))
    assert before.issuperset(children())


async def test_one_that_hangs_when_all_stop_is_killed() -> None:
    async with asking(supervision=PATIENT) as one:
        pid = one.pid(0)
        one.kill(0, signal.SIGSTOP)
    assert not alive(pid)


async def test_stopping_while_they_start_leaves_nothing() -> None:
    one, before = Asking(CONFIG), set(children())
    opening = asyncio.create_task(one.workers.open())
    await asyncio.sleep(0)
    await one.workers.close()
    await asyncio.wait([opening])
    assert opening.cancelled() and before.issuperset(children())


# --- what is told of them --------------------------------------------------------------------------------------


async def get(server: Server, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(server.url + path) as response:
        return response.status, await response.text()


async def test_metrics_have_everybodys_figures_and_health_says_how_many_run(unused_ports: int) -> None:
    limits = WorkerLimits(pause_s=60.0, longest_pause_s=60.0)
    server = await open_server(replace(CONFIG, udp_port=unused_ports, dev=True, supervision=limits))
    try:
        status, text = await get(server, "/healthz")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        assert json.loads(text)["workers"] == {"running": 2, "of": 2}
        up = await samples(server)
        for worker in "01":
            assert up["sfu_worker_up", worker] == 1 and up["sfu_worker_restarts_total", worker] == 0
            assert up["sfu_worker_cpu_seconds_total", "control", worker] > 0
            assert up["sfu_forwarded_packets_total", worker] == 0 == up["sfu_rooms", worker]
        assert up["process_open_fds",] > 0 and up["sfu_signaling_sessions",] == 0
        first, second = server.workers.all
        assert isinstance(first, WorkerProcess) and isinstance(second, WorkerProcess)
        for _ in range(2):  # followed at once, then after a minute
            assert first.hello is not None
            os.kill(first.hello.pid, signal.SIGKILL)
            await until(lambda: not first.running)
            if first.restarts == 0:
                await until(lambda: first.running)
        status, text = await get(server, "/healthz")
        assert (status, json.loads(text)["status"]) == (200, "degraded")
        down = await samples(server)
        assert down["sfu_worker_up", "0"] == 0 and down["sfu_worker_restarts_total", "0"] == 1
        assert ("sfu_rooms", "0") not in down and ("sfu_rooms", "1") in down
        assert second.hello is not None
        for _ in range(2):
            os.kill(second.hello.pid, signal.SIGKILL)
            await until(lambda: not second.running)
            if second.restarts == 0:
                await until(lambda: second.running)
        assert (await get(server, "/healthz"))[0] == 503
    finally:
        await server.close()


async def test_a_hung_one_does_not_hold_up_a_scrape() -> None:
    limits = replace(PATIENT, metrics_timeout_s=0.2)
    server = await open_server(replace(CONFIG, dev=True, supervision=limits))
    try:
        worker = server.workers.all[1]
        assert isinstance(worker, WorkerProcess) and worker.hello is not None
        os.kill(worker.hello.pid, signal.SIGSTOP)
        seen = await samples(server)
        assert ("sfu_rooms", "0") in seen and ("sfu_rooms", "1") not in seen
    finally:
        await server.close()


async def samples(server: Server) -> dict[tuple[str, ...], float]:
    """By name and values of labels, the names of which are in alphabetical order."""
    _, text = await get(server, "/metrics")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
