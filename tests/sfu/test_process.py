"""A Worker in a process of its own, from exec to exit: how it begins, and every way in which it ends."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace

import pytest

from sfu import control
from sfu.config import WorkerConfig
from sfu.control import Failed, Load, Metrics, OpenTransport, ReadLoad, ReadMetrics, TransportOpened
from sfu.net.ice import index_prefix
from sfu.plane import open_plane
from sfu.startup import Hello, NotStarted
from tests.support.child import ON_LOOPBACK, child

OPEN = OpenTransport(call=1, room="room", participant="ada", transport="t")


async def test_it_says_hello_serves_and_goes_with_the_link() -> None:
    async with child() as worker:
        hello = await worker.hello(replace(ON_LOOPBACK, worker_index=3))
        assert isinstance(hello, Hello)
        assert (hello.pid, hello.addresses, hello.plane) == (worker.process.pid, ("127.0.0.1",), open_plane(()).name)
        opened = await worker.say(OPEN)
        assert isinstance(opened, TransportOpened)
        assert [(one.host, one.port) for one in opened.candidates] == [("127.0.0.1", hello.udp_port)]
        assert opened.ice.username_fragment.startswith(index_prefix(3))
        assert await worker.say(ReadLoad(call=2)) == Load(call=2, forwarded=0)
        worker.link.close()
        status, written = await worker.ended()
        assert status == 0 and "Traceback" not in written
        assert f"worker=3 sfu.worker: Worker on port {hello.udp_port}" in written


async def test_its_figures_pass_to_signaling() -> None:
    async with child() as worker:
        await worker.hello()
        await worker.say(OPEN)
        metrics = await worker.say(ReadMetrics(call=2))
        assert isinstance(metrics, Metrics)
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in metrics.families
            for sample in family.samples
        }
        assert samples["sfu_transports", "connecting"] == 1
        assert samples["sfu_worker_cpu_seconds_total", "control"] > 0
        assert samples["sfu_worker_cpu_seconds_total", "plane"] >= 0


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (WorkerConfig(addresses=("192.0.2.99",)), "assign"),
        (WorkerConfig(addresses=("127.0.0.1",), announce=("example.org",)), "example.org"),
    ],
)
async def test_what_keeps_it_from_starting_is_said(config: WorkerConfig, reason: str) -> None:
    async with child() as worker:
        answer = await worker.hello(config)
        assert isinstance(answer, NotStarted) and reason in answer.reason
        assert (await worker.ended())[0] == 1


async def test_a_taken_port_is_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        async with child() as worker:
            answer = await worker.hello(replace(ON_LOOPBACK, udp_port=taken.getsockname()[1]))
            assert isinstance(answer, NotStarted) and "in use" in answer.reason


async def test_told_to_terminate_it_goes_in_order() -> None:
    async with child() as worker:
        await worker.hello()
        await worker.say(OPEN)
        worker.process.send_signal(signal.SIGINT)  # Ctrl-C, which is not for it
        assert isinstance(await worker.say(ReadLoad(call=2)), Load)
        worker.process.terminate()
        status, written = await worker.ended()
        assert status == 0 and "Traceback" not in written


async def test_a_link_that_ends_before_the_first_word_ends_it() -> None:
    async with child() as worker:
        worker.link.close()
        assert (await worker.ended())[0] == 0


async def test_frames_that_cannot_be_read_harm_nobody() -> None:
    async with child() as worker:
        await worker.send(b"\xff\xff")
        assert isinstance(await worker.hello(), Hello)
        await worker.send(b"\x81\xa4type\xa4Done")
        assert await worker.say(ReadLoad(call=1)) == Load(call=1, forwarded=0)
        worker.link.close()
        status, written = await worker.ended()
        assert status == 0 and written.count("what signaling said cannot be read") == 2


async def test_a_reply_that_would_be_too_long_is_refused() -> None:
    async with child(
        "import sfu.control, sfu.process; sfu.control.MAX_FRAME_BYTES = 500; sfu.process.main()"
    ) as worker:
        await worker.hello()
        failed = await worker.say(ReadMetrics(call=1))
        assert isinstance(failed, Failed) and failed.code == "limit"
        assert isinstance(await worker.say(ReadLoad(call=2)), Load)


HANGING = """
import time, sfu.process, sfu.worker
sfu.process.HANGS_AFTER_S, sfu.process.ALARM_PUT_OFF_EVERY_S, sfu.process.FAREWELL_WITHIN_S = 4.0, 0.1, 1.0
def hang(*_):
    time.sleep(60)
async def hang_too(*_):
    time.sleep(60)
sfu.worker.Worker.on_command = hang
sfu.worker.Worker.aclose = hang_too
sfu.process.main()
"""


@pytest.mark.parametrize("how", ["serving", "ending"])
async def test_one_that_hangs_says_where_and_ends_whether_anybody_watches_or_not(how: str) -> None:
    async with child(HANGING) as worker:
        await worker.hello()
        if how == "serving":
            await worker.send(control.encode(ReadLoad(call=1)))
        else:
            worker.link.close()
        status, written = await worker.ended()
        assert status == -signal.SIGALRM
        assert "in hang" in written


async def test_aborted_it_says_where_it_was() -> None:
    async with child() as worker:
        hello = await worker.hello()
        os.kill(hello.pid, signal.SIGABRT)
        status, written = await worker.ended()
        assert status == -signal.SIGABRT and "Current thread" in written
