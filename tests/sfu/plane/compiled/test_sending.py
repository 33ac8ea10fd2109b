"""What goes to one remote in a run of equal sizes leaves by one call (UDP GSO), and arrives the same if that fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sfu.plane.interface import Path, PlaneConfig
from tests.support.planes import PLANES, Scene
from tests.support.rtp import VIDEO, VP8, media_packet, vp8_payload
from tests.support.stage import Stage, Subscriber

AT_ONCE = PlaneConfig(history_packets=1024, recovery_burst_s=60.0)  # RTX does not wait: it makes runs at will here
SO_NO_CHECK = 11  # linux: without checksums the kernel refuses GSO with EINVAL


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(AT_ONCE) as stage:
        yield stage


def frames(stage: Stage, sizes: list[int]) -> Subscriber:
    """A subscriber that has been sent one packet of each size."""
    subscriber = stage.subscribe(100)
    for index, size in enumerate(sizes):
        payload = vp8_payload(5, 5, key=index == 0, start=index == 0, size=size)
        stage.send(media_packet(VP8, 1 + index, 9000, 3, payload, mid="0"))
    subscriber.take(len(sizes))
    return subscriber


def test_packets_of_one_size_leave_as_one_run(stage: Stage) -> None:
    subscriber = frames(stage, [1000] * 10)
    subscriber.takes_runs()
    assert stage.plane.retransmit(100, range(100, 110), 1.0) == 10
    run = subscriber.receive()
    assert len(run) == 10
    assert [subscriber.open(payload).header.sequence_number for payload in run] == list(range(100, 110))
    assert stage.plane.counters.sent_datagrams == 20


def test_a_shorter_packet_ends_a_run_and_a_longer_one_begins_the_next(stage: Stage) -> None:
    subscriber = frames(stage, [1000, 1000, 700, 1000, 900, 950])
    subscriber.takes_runs()
    stage.plane.retransmit(100, range(100, 106), 1.0)
    runs = [subscriber.receive() for _ in range(3)]
    assert [len(run) for run in runs] == [3, 2, 1]
    originals = [subscriber.open(payload).payload[:2] for run in runs for payload in run]
    assert originals == [number.to_bytes(2, "big") for number in range(100, 106)]


def test_a_long_run_is_cut_at_what_one_datagram_may_hold(stage: Stage) -> None:
    subscriber = frames(stage, [1300] * 60)
    subscriber.takes_runs()
    stage.plane.retransmit(100, range(100, 160), 1.0)
    first = subscriber.receive()
    assert 40 < len(first) < 60
    assert len(first) + len(subscriber.receive()) == 60


def test_where_the_kernel_refuses_a_run_its_packets_leave_singly(stage: Stage) -> None:
    subscriber = frames(stage, [1000] * 10)
    subscriber.takes_runs()
    (endpoint,) = stage.plane._sockets  # type: ignore[attr-defined]
    endpoint.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    assert stage.plane.retransmit(100, range(100, 110), 1.0) == 10
    assert [len(subscriber.receive()) for _ in range(10)] == [1] * 10
    counters = stage.plane.counters
    assert (counters.sent_datagrams, counters.dropped) == (20, {})


def test_of_what_cannot_be_sent_only_that_is_lost(stage: Stage) -> None:
    """Port 0 is nobody's: the kernel refuses it, and `sendmmsg` stops there."""
    subscriber = frames(stage, [1000])
    nowhere = subscriber.remote.path._replace(port=0)
    stage.plane.bind(100, nowhere)
    stage.plane.select(100, nowhere)
    others = [stage.subscribe(number) for number in (101, 102)]
    stage.send(*stage.source.frame(key=True))
    for other in others:
        (received,) = other.take(1)
        assert received.number == 100
    assert stage.plane.counters.dropped == {"send_error": 1}


def test_more_than_the_outbox_holds_is_sent_in_between() -> None:
    with Stage(AT_ONCE) as stage:
        subscriber = stage.subscribe(100)
        for start in range(0, 600, 30):
            packets = [packet for _ in range(30) for packet in stage.source.frame(key=start == 0)]
            stage.send(*packets)
            subscriber.take(30)
        assert stage.plane.retransmit(100, range(100, 700), 1.0) == 600
        assert stage.plane.counters.sent_datagrams == 1200


def test_many_subscribers_get_everything_in_order(stage: Stage) -> None:
    subscribers = [stage.subscribe(number) for number in range(100, 130)]
    for _ in range(30):
        stage.send(*stage.source.frame(3, key=True))
    for subscriber in subscribers:
        assert [received.number for received in subscriber.take(90)] == list(range(100, 190))


def test_what_python_made_leaves_as_it_is(stage: Stage) -> None:
    stage.plane.send(stage.remote.path, b"\x01\x01 as it is")
    assert stage.publisher.recv(2048) == b"\x01\x01 as it is"
    stage.plane.send_dtls(1, bytes((22,)) * 1400)
    assert stage.publisher.recv(2048) == bytes((22,)) * 1400


def test_what_waited_for_the_start_leaves_once_and_nothing_that_was_taken(stage: Stage) -> None:
    where = stage.open_socket()
    scene = Scene(PLANES["compiled"], VIDEO)
    scene.subscribe()
    path = Path(0, *where.getsockname())
    scene.plane.bind(100, path)
    scene.plane.select(100, path)
    scene.plane.send_dtls(100, b"\x16 waits")
    media = scene.plane.on_datagrams(
        [scene.publisher.protect(packet) for packet in stage.source.frame(2, key=True)], scene.now
    )
    assert len(media) == 2
    scene.plane.start(stage.loop, lambda events: None)
    try:
        assert scene.plane.counters.sent_datagrams == 3
        assert where.recv(2048) == b"\x16 waits"
        with pytest.raises(BlockingIOError):
            where.recv(2048, socket.MSG_DONTWAIT)
    finally:
        scene.plane.close()
