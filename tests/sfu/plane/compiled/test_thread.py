"""The thread: it needs no GIL, takes no signals, and ends when it is told to."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath

import pytest

from sfu.control import IceParameters
from sfu.plane.interface import ConsentRenewed, Event, PlaneConfig, RtcpReceived, StunReceived
from sfu.wire.feedback import PictureLossIndication
from sfu.wire.rtcp import ReceiverReport, SenderReport, pack_compound
from tests.support.ice import binding_request, read_answer
from tests.support.stage import HOST, TIMEOUT_S, Stage

STUN = b"\x00\x01\x00\x00" + b"\x21\x12\xa4\x42" + bytes(12)


def plane_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sfu-plane"]


def test_media_passes_while_python_keeps_the_gil() -> None:
    interval = sys.getswitchinterval()
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        sys.setswitchinterval(1000)  # whoever has the GIL keeps it
        try:
            stage.send(*stage.source.frame(20, key=True))
            taken = subscriber.take(20)
        finally:
            sys.setswitchinterval(interval)
        assert [received.number for received in taken] == list(range(100, 120))


def test_signals_are_for_other_threads() -> None:
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        stage.send(*stage.source.frame(key=True))
        subscriber.take(1)  # so the thread is running
        (thread,) = plane_threads()
        task = FilePath(f"/proc/self/task/{thread.native_id}")
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        assert status["Name"] == "sfu-plane"
        blocked = int(status["SigBlk"], 16)
        assert all(blocked >> (number - 1) & 1 for number in (1, 2, 10, 14, 15, 17))


def may_have_realtime() -> bool:
    allowed: list[bool] = []

    def attempt() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))  # of this thread
        except PermissionError:
            allowed.append(False)
        else:
            allowed.append(True)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return allowed[0]


@contextmanager
def scheduled(policy: int, priority: int) -> Iterator[None]:
    """This thread, whatever started it."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, policy, os.sched_param(priority))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


SCHEDULINGS = pytest.mark.parametrize(
    ("policy", "priority"),
    [
        pytest.param(os.SCHED_OTHER, 0, id="ordinary"),
        pytest.param(os.SCHED_FIFO, 1, id="real-time"),
    ],
)


@SCHEDULINGS
def test_it_comes_before_what_started_it_where_that_is_permitted(policy: int, priority: int) -> None:
    if not may_have_realtime():
        pytest.skip("real-time priority is not permitted here")
    with scheduled(policy, priority), Stage():
        (thread,) = plane_threads()
        assert thread.native_id is not None
        assert os.sched_getscheduler(thread.native_id) == os.SCHED_RR
        assert os.sched_getparam(thread.native_id).sched_priority == priority + 1
        assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == (policy, priority)  # Python's own


@SCHEDULINGS
def test_a_packet_does_not_wait_for_what_python_computes_on_the_same_core(policy: int, priority: int) -> None:
    if not may_have_realtime():
        pytest.skip("real-time priority is not permitted here")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with scheduled(policy, priority), Stage() as stage:
            subscriber = stage.subscribe(100)
            stage.send(*stage.source.frame(key=True))
            subscriber.take(1)
            for _ in range(50):
                stage.send(*stage.source.frame())
                until = time.monotonic() + 0.002
                while time.monotonic() < until:
                    pass  # without a system call at which the scheduler would have to look
                subscriber.socket.setblocking(False)
                assert subscriber.socket.recv(2048)  # it has been there for long
                subscriber.socket.setblocking(True)
    finally:
        os.sched_setaffinity(0, before)


def test_its_cpu_time_is_told_apart() -> None:
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        before = stage.plane.cpu_s
        stage.send(*stage.source.frame(100, key=True))
        subscriber.take(100)
        assert 0.0 < before < stage.plane.cpu_s < time.process_time()
    assert stage.plane.cpu_s == 0.0


def test_closing_ends_the_thread() -> None:
    stage = Stage()
    with stage:
        assert plane_threads()
    assert not plane_threads()
    stage.plane.close()
    stage.plane.send_dtls(1, b"\x16")  # goes nowhere, and does no harm


def test_known_remotes_come_before_strangers_and_strangers_a_few_at_a_time() -> None:
    with Stage(PlaneConfig(batch_datagrams=16)) as stage:
        stranger = stage.open_socket()
        for _ in range(100):
            stranger.sendto(STUN, ("127.0.0.1", stage.plane.port))
        stage.publisher.sendto(STUN, ("127.0.0.1", stage.plane.port))
        deadline = time.monotonic() + TIMEOUT_S
        while stage.plane.counters.received_stun < 101 and time.monotonic() < deadline:
            time.sleep(0.001)
        stage.loop.call_soon(stage.loop.stop)
        stage.loop.run_forever()  # one turn
        checks = [event.transport for event in stage.events if isinstance(event, StunReceived)]
        assert checks == [1] + [None] * 16
        for _ in range(6):
            stage.loop.call_soon(stage.loop.stop)
            stage.loop.run_forever()
        assert len(stage.events) == 101


def turns_until(stage: Stage, count: int) -> list[Event]:
    """Turns of the event loop until so many events have been told."""
    deadline = time.monotonic() + TIMEOUT_S
    while len(stage.events) < count and time.monotonic() < deadline:
        stage.loop.call_later(0.001, stage.loop.stop)
        stage.loop.run_forever()
    return stage.events


def test_reports_wait_for_something_that_needs_an_answer() -> None:
    with Stage(PlaneConfig(report_patience_s=1e6)) as stage:
        for packet in (ReceiverReport(1, ()).pack(), SenderReport(3, 1, 2, 3, 4).pack()):
            stage.publisher.sendto(stage.remote.protect_rtcp(packet).payload, (HOST, stage.plane.port))
        deadline = time.monotonic() + TIMEOUT_S
        while stage.plane.counters.received_rtcp < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        stage.loop.call_later(0.01, stage.loop.stop)
        stage.loop.run_forever()
        assert stage.events == []
        lost = pack_compound([ReceiverReport(1, ())]) + PictureLossIndication(1, 3).pack()
        stage.publisher.sendto(stage.remote.protect_rtcp(lost).payload, (HOST, stage.plane.port))
        told = turns_until(stage, 3)
        assert [event.payload[1] for event in told if isinstance(event, RtcpReceived)] == [201, 200, 201]


def test_reports_do_not_wait_for_ever() -> None:
    with Stage(PlaneConfig(report_patience_s=0.02)) as stage:
        report = stage.remote.protect_rtcp(ReceiverReport(1, ()).pack())
        stage.publisher.sendto(report.payload, (HOST, stage.plane.port))
        assert len(turns_until(stage, 1)) == 1


def test_consent_is_renewed_while_python_does_not_look_and_told_when_it_does() -> None:
    ice = IceParameters("07abcdefgh", "0123456789abcdef01234567")
    with Stage(PlaneConfig(report_patience_s=1e6)) as stage:
        stage.plane.set_credentials(1, ice.username_fragment, ice.password)
        stage.publisher.settimeout(TIMEOUT_S)
        for _ in range(2):
            stage.publisher.sendto(binding_request(ice), (HOST, stage.plane.port))
            answer = read_answer(stage.publisher.recv(2048), ice)
            assert answer.attributes["XOR-MAPPED-ADDRESS"] == stage.publisher.getsockname()
        assert stage.events == []
        assert stage.plane.take_pending(by=time.monotonic() + 1e5) == []
        assert [type(event) for event in stage.plane.take_pending(by=math.inf)] == [ConsentRenewed] * 2


def test_a_plane_that_nobody_closes_lets_python_end() -> None:
    script = """
        import asyncio, socket
        from sfu.plane import open_plane
        plane = open_plane(["127.0.0.1"])
        loop = asyncio.new_event_loop()
        plane.start(loop, print)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", plane.port))
        loop.close()
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=60)


@pytest.mark.parametrize("name", ["history_packets", "sent_packets", "batch_datagrams", "srtp_window"])
def test_limits_that_would_divide_by_nothing_are_refused(name: str) -> None:
    from sfu.plane.compiled.plane import CompiledPlane

    with pytest.raises(ValueError, match=name):
        CompiledPlane(["127.0.0.1"], 0, PlaneConfig(**{name: 0}))
