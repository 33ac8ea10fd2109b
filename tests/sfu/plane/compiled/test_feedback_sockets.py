"""Feedback has a socket of its own beside each of the plane's, so that nobody is woken for it alone."""

from __future__ import annotations

import select
import socket
import time

import pytest

from sfu.plane.compiled import feedback_sockets
from sfu.plane.compiled.feedback_sockets import open_feedback_socket
from sfu.plane.ports import open_sockets
from tests.support.planes import feedback
from tests.support.stage import HOST, TIMEOUT_S, Stage, Subscriber

TRANSPORT_CC = bytes([0x8F, 205])
BUFFER_BYTES = 1 << 20


@pytest.mark.parametrize(
    ("datagram", "waits"),
    [
        pytest.param(TRANSPORT_CC + bytes(30), True, id="feedback"),
        pytest.param(bytes([0xAF, 205]) + bytes(30), True, id="padded feedback"),
        pytest.param(TRANSPORT_CC, True, id="nothing but that"),
        pytest.param(bytes([0x81, 205]) + bytes(30), False, id="NACK"),
        pytest.param(bytes([0x8F, 206]) + bytes(30), False, id="REMB"),
        pytest.param(bytes([0x81, 201]) + bytes(30), False, id="receiver report"),
        pytest.param(bytes([0x0F, 205]) + bytes(30), False, id="another version"),
        pytest.param(bytes([0x90, 96]) + bytes(30), False, id="RTP"),
        pytest.param(bytes([0, 1]) + bytes(18), False, id="STUN"),
        pytest.param(b"\x8f", False, id="one byte"),
        pytest.param(b"", False, id="no byte"),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_kernel_tells_feedback_from_all_else(address: str, datagram: bytes, waits: bool) -> None:
    try:
        (usual,) = open_sockets([address], 0, BUFFER_BYTES)
    except OSError:
        pytest.skip("no such loopback here")
    beside = open_feedback_socket(usual, BUFFER_BYTES)
    assert beside is not None
    with usual, beside, socket.socket(usual.family, socket.SOCK_DGRAM) as remote:
        for _ in range(10):  # not by chance
            remote.sendto(datagram, usual.getsockname())
            assert select.select([usual, beside], [], [], TIMEOUT_S)[0] == [beside if waits else usual]
            assert (beside if waits else usual).recv(2048) == datagram


def test_a_port_that_is_taken_is_not_shared() -> None:
    (usual,) = open_sockets([HOST], 0, BUFFER_BYTES)
    beside = open_feedback_socket(usual, BUFFER_BYTES)
    assert beside is not None
    with usual, beside, pytest.raises(OSError, match="in use"):
        open_sockets([HOST], usual.getsockname()[1], BUFFER_BYTES)


def reported(stage: Stage, subscriber: Subscriber, first: int, count: int) -> int:
    """How many packets are told to have arrived, after the subscriber has said so."""
    told = feedback({number: 1.0 + number / 1000 for number in range(first, first + count)})
    datagram = subscriber.remote.protect_rtcp(told.pack()).payload
    subscriber.socket.sendto(datagram, (HOST, stage.plane.port))
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        batch = stage.plane.poll_feedback(time.monotonic())
        if len(batch.reports):
            return int(batch.reports["acked_packets"].sum())
        time.sleep(0.001)
    return 0


def test_feedback_that_nobody_was_woken_for_is_read_all_the_same() -> None:
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        stage.send(*stage.source.frame(30, key=True))
        subscriber.take(30)
        assert [reported(stage, subscriber, first, 10) for first in (0, 10, 20)] == [10, 10, 10]


def test_more_feedback_than_one_batch_holds_is_read() -> None:
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        for _ in range(300):
            datagram = subscriber.remote.protect_rtcp(feedback({0: 1.0}).pack()).payload
            subscriber.socket.sendto(datagram, (HOST, stage.plane.port))
        deadline = time.monotonic() + TIMEOUT_S
        while stage.plane.counters.received_rtcp < 300 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert stage.plane.counters.received_rtcp == 300


def test_where_the_kernel_cannot_feedback_comes_with_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_sockets, "_ATTACH_PROGRAM", 9999)
    with Stage() as stage:
        subscriber = stage.subscribe(100)
        stage.send(*stage.source.frame(10, key=True))
        subscriber.take(10)
        assert reported(stage, subscriber, 0, 10) == 10
