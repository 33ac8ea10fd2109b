import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtcp, twcc
from sfu.wire.errors import MalformedRtcp
from sfu.wire.twcc import MAX_STATUSES, TransportFeedback
from tests.sfu.wire.captured import captures

TICK_S = 0.00025


def read(packed: bytes) -> TransportFeedback:
    (feedback,) = rtcp.parse(packed).packets
    assert isinstance(feedback, TransportFeedback)
    return feedback


def chunks_and_deltas(packed: bytes) -> str:
    padding = packed[-1] if packed[0] & 0x20 else 0
    return packed[20 : len(packed) - padding].hex()


def ticks(*arrivals: tuple[int, int]) -> list[tuple[int, float]]:
    """Arrivals in 250 µs steps after 64 s, which is a whole number of reference times."""
    return [(number, 64 + tick * TICK_S) for number, tick in arrivals]


@pytest.mark.parametrize(
    ("arrivals", "body"),
    [
        (ticks((0, 0)), "a000 00"),
        (ticks((0, 255)), "a000 ff"),
        (ticks((0, 0), (1, 4), (2, 8)), "b800 00 04 04"),
        (ticks((0, 0), (2, 8)), "a800 00 08"),  # a loss
        (ticks((0, 0), (1, 256)), "d800 00 0100"),  # too far for one byte: two-bit symbols
        (ticks((0, 10), (1, 5)), "d800 0a fffb"),  # overtaken
        (ticks((0, 0), (1, 255), (2, 510)), "b800 00 ff ff"),
        (ticks(*((n, n) for n in range(14))), "200e" + "00" + "01" * 13),  # a run, from 14 on
        (ticks(*((n, n) for n in range(13))), "bffe" + "00" + "01" * 12),
        (ticks((0, 0), (20, 1)), "a000 8080 00 01"),  # two vectors, the second cut off
        (ticks((0, 0), (4000, 1)), "a000 0f92 a000 00 01"),  # a vector of 14, a run of 3986, one more
    ],
)
def test_chooses_chunks_and_deltas(arrivals: list[tuple[int, float]], body: str) -> None:
    assert chunks_and_deltas(twcc.build(1, 2, 3, arrivals)) == body.replace(" ", "")


def test_header_fields() -> None:
    packed = twcc.build(0xAAAAAAAA, 0xBBBBBBBB, 0x103, [(0x1_FFFF, 64.5)])
    #              SSRCs             base count reference (1000 + 7: 64.448 s) and feedback count
    assert (
        packed.hex() == "afcd0005" + "aaaaaaaa" + "bbbbbbbb" + "ffff" + "0001" + "0003ef" + "03" + "a000" + "d0" + "01"
    )
    assert read(packed) == TransportFeedback(0xAAAAAAAA, 0xBBBBBBBB, 0xFFFF, 3, 1007, ((0xFFFF, 64_500_000),))


def test_losses_before_the_first_arrival_are_reported_from_first_on() -> None:
    feedback = read(twcc.build(1, 2, 3, [(12, 64.0)], first=10))
    assert feedback.base_sequence == 10
    assert feedback.packets == ((10, None), (11, None), (12, 64_000_000))


def test_numbers_wrap_within_a_feedback() -> None:
    feedback = read(twcc.build(1, 2, 3, [(65535, 64.0), (65537, 64.0)]))
    assert feedback.packets == ((65535, 64_000_000), (0, None), (1, 64_000_000))


def test_rounding_does_not_add_up() -> None:
    arrivals = [(n, 64 + n * 0.00049) for n in range(2000)]
    feedback = read(twcc.build(1, 2, 3, arrivals))
    for (_, at_us), (_, at_s) in zip(feedback.packets, arrivals, strict=True):
        assert at_us is not None
        assert abs(at_s * 1e6 - at_us) < 125.001


def test_the_reference_time_wraps_every_twelve_days() -> None:
    wrap_s = (1 << 24) * 0.064
    assert read(twcc.build(1, 2, 3, [(0, wrap_s + 64)])).packets == ((0, 64_000_000),)


@pytest.mark.parametrize(
    ("arrivals", "first"),
    [
        ([], None),
        (ticks((0, 0), (1, 0x8000)), None),  # deltas of more than 8.19 s
        (ticks((0, 0x8001), (1, 0)), None),
        (ticks((0, 0), (MAX_STATUSES, 1)), None),
        (ticks((MAX_STATUSES, 0)), 0),
        (ticks((0, 0)), 1),
    ],
)
def test_refuses_what_does_not_fit_one_feedback(arrivals: list[tuple[int, float]], first: int | None) -> None:
    with pytest.raises(ValueError):
        twcc.build(1, 2, 3, arrivals, first)


def test_the_widest_feedback_fits() -> None:
    edge = ticks((0, 0), (1, 0x7FFF), (2, 0x7FFF - 0x8000), (MAX_STATUSES - 1, 0))
    packed = twcc.build(1, 2, 3, edge)
    assert len(packed) < 40
    assert len(read(packed).packets) == MAX_STATUSES


HEADER = "00000001 00000002 0000 {count:04x} 000000 00"


@pytest.mark.parametrize(
    ("count", "rest", "arrived"),
    [
        (1, "2001 04", [1]),
        (2, "0002", [None, None]),
        (2, "4002 0004 fffc", [1, 0]),
        (3, "8000", [None, None, None]),
        (3, "c000", [None, None, None]),
        (7, "e49f ff 04 0004", None),  # symbols 2 1 0 2 1 3 3: reserved
        (2, "3fff 04 04", [1, 2]),  # a run longer than the count
        (15, "8000 2001 04", [None] * 14 + [1]),
        (1, "0000 2001 04", [1]),  # a run of none
        (1, "2001 04 ffffffff", [1]),  # more behind the deltas
        (0, "", None),
        (1, "", None),
        (1, "20", None),
        (1, "2001", None),
        (1, "4001 00", None),
        (15, "8000", None),
        (1, "6001 00", None),
        (MAX_STATUSES, "1fff", [None] * MAX_STATUSES),
        (MAX_STATUSES + 1, "1fff 1fff", None),
        (0xFFFF, "1fff" * 9, None),
    ],
)
def test_reads_any_mixture_of_chunks(count: int, rest: str, arrived: list[int | None] | None) -> None:
    body = bytes.fromhex(HEADER.format(count=count) + rest)
    if arrived is None:
        with pytest.raises(MalformedRtcp):
            twcc.parse(body)
    else:
        at_us = [None if at_ms is None else at_ms * 1000 for at_ms in arrived]
        assert twcc.parse(body).packets == tuple(enumerate(at_us))


@given(
    first=st.integers(0, 1 << 20),
    start=st.integers(0, 1 << 31),
    steps=st.lists(
        st.tuples(st.integers(1, 3) | st.just(1) | st.integers(1, 40), st.integers(-3000, 30000) | st.integers(0, 200)),
        max_size=200,
    ),
    feedback_count=st.integers(0, 255),
)
def test_reads_what_it_built(first: int, start: int, steps: list[tuple[int, int]], feedback_count: int) -> None:
    number, tick = first, start + 3000 * 200
    sent = [(number, tick)]
    for gap, delta in steps:
        number += gap
        tick += delta
        sent.append((number, tick))
    arrivals = [(number, tick * TICK_S) for number, tick in sent]
    packed = twcc.build(1, 2, feedback_count, arrivals)
    feedback = read(packed)
    reference = sent[0][1] // 256
    assert feedback.reference_time == reference & 0xFFFFFF
    assert feedback.feedback_count == feedback_count
    shift_us = (reference >> 24 << 24) * 64_000
    expected = {number & 0xFFFF: tick * 250 - shift_us for number, tick in sent}
    received = {number: at_us for number, at_us in feedback.packets if at_us is not None}
    assert received == expected
    assert [number for number, _ in feedback.packets] == [n & 0xFFFF for n in range(first, number + 1)]
    assert feedback.pack() == packed


def test_chunks_stay_near_the_best_of_one_kind() -> None:
    # 1000 packets, every tenth lost: vectors of 14 symbols, two bytes each
    arrivals = ticks(*((n, n) for n in range(1000) if n % 10))
    assert len(chunks_and_deltas(twcc.build(1, 2, 3, arrivals))) // 2 == 900 + 2 * -(-1000 // 14)


def test_reads_the_feedback_of_chromium() -> None:
    for capture in captures():
        feedbacks = [
            packet
            for compound in capture.of_kind("rtcp")
            for packet in rtcp.parse(compound).packets
            if isinstance(packet, TransportFeedback)
        ]
        assert feedbacks
        assert [feedback.feedback_count for feedback in feedbacks[:3]] == [0, 1, 2]
        assert any(compound[0] & 0x20 for compound in capture.of_kind("rtcp"))  # padded by less than a word
        for feedback in feedbacks:
            at_us = [at_us for _, at_us in feedback.packets if at_us is not None]
            assert at_us == sorted(at_us)
            # The endpoint sent for less than 15 s; feedbacks come every 100 ms or so.
            assert at_us[-1] - at_us[0] < 300_000
            assert 0 <= at_us[0] - feedback.reference_time * 64_000 < 64_000
            assert feedback.pack() == twcc.build(
                feedback.sender_ssrc,
                feedback.media_ssrc,
                feedback.feedback_count,
                [(number, at * 1e-6) for number, at in feedback.packets if at is not None],
                feedback.base_sequence,
            )
