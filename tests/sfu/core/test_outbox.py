"""A receiver's queue: bounded, in order, and only a little of it in the transport's hands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.outbox import LossyOutbox, Outbox, ReliableOutbox


def reliable(limit_bytes: int, ahead_bytes: int) -> Outbox:
    return ReliableOutbox(limit_bytes, ahead_bytes, lambda count: b"lost %d" % count)


def drained(outbox: Outbox) -> list[bytes]:
    """All that comes out of it when the transport keeps up."""
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame)
        outbox.on_drained()
    return frames


@pytest.mark.parametrize("kind", [LossyOutbox, reliable])
def test_hands_out_a_little_ahead_and_more_when_it_has_left(kind: type[Outbox]) -> None:
    outbox = kind(100, 10)
    for frame in (b"12345", b"67890", b"abcde"):
        assert outbox.put(frame) == 0
    assert [outbox.take(), outbox.take(), outbox.take()] == [b"12345", b"67890", None]
    outbox.on_drained()
    assert [outbox.take(), outbox.take()] == [b"abcde", None]


@pytest.mark.parametrize("kind", [LossyOutbox, reliable])
def test_a_frame_larger_than_the_advance_goes_alone(kind: type[Outbox]) -> None:
    outbox = kind(100, 10)
    assert outbox.put(bytes(50)) == outbox.put(b"next") == 0
    assert outbox.take() == bytes(50) and outbox.take() is None


def test_lossy_frames_push_out_the_oldest() -> None:
    outbox = LossyOutbox(10, 1)
    assert [outbox.put(frame) for frame in (b"1234", b"5678", b"abcdef", b"12345")] == [0, 0, 1, 2]
    assert drained(outbox) == [b"12345"]


def test_a_lossy_frame_that_fits_never_is_given_up_itself() -> None:
    outbox = LossyOutbox(10, 1)
    outbox.put(b"1234")
    assert outbox.put(bytes(11)) == 2
    assert outbox.waiting == 0 and outbox.put(b"next") == 0


def test_reliable_frames_that_do_not_fit_leave_one_gap_that_is_seen() -> None:
    outbox = reliable(20, 1)
    assert outbox.put(bytes(15)) == 0
    assert [outbox.put(bytes(10)), outbox.put(b"x"), outbox.put(b"y")] == [1, 1, 1], "one gap, not a hole each"
    assert drained(outbox) == [bytes(15), b"lost 3"]
    assert outbox.put(b"and on") == 0
    assert drained(outbox) == [b"and on"]


def test_a_gap_ends_when_half_of_the_queue_is_free_also_when_nothing_more_is_sent() -> None:
    outbox = reliable(20, 100)
    for _ in range(3):
        outbox.put(bytes(8))
    assert outbox.take() == bytes(8) and outbox.waiting == 1, "half is free, but the notice has not been asked for"
    assert outbox.take() == bytes(8)
    assert outbox.take() == b"lost 1" and outbox.take() is None


Step = bytes | str


@given(st.booleans(), st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.sampled_from(["take", "drained"]))))
def test_nothing_is_repeated_reordered_unseen_or_beyond_the_limit(lossy: bool, steps: list[Step]) -> None:
    outbox = LossyOutbox(64, 16) if lossy else reliable(64, 16)
    put, given_up, taken = 0, 0, list[bytes]()
    for step in steps:
        if isinstance(step, bytes):
            given_up += outbox.put(b"%04d" % put + step)
            put += 1
        elif step == "take":
            frame = outbox.take()
            taken += [] if frame is None else [frame]
        else:
            outbox.on_drained()
        assert outbox._waiting_bytes == sum(map(len, outbox._waiting)) <= 64
    outbox.on_drained()
    taken += drained(outbox)
    numbers = [int(frame[:4]) for frame in taken if not frame.startswith(b"lost")]
    notices = [int(frame[5:]) for frame in taken if frame.startswith(b"lost")]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + given_up == put
    assert lossy or sum(notices) == given_up
