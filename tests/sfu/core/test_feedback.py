"""Feedback names every number once as lost at most wrongly, and each report fits one packet."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sfu.core.feedback import MAX_ARRIVALS, MAX_SPAN, ArrivalFeedback, FeedbackReport
from sfu.wire import rtcp, twcc
from sfu.wire.twcc import TransportFeedback


def parsed(report: FeedbackReport) -> TransportFeedback:
    """Through the wire format: whatever the core cuts must fit it."""
    packed = twcc.build(1, 2, report.feedback_count, report.arrivals, first=report.first)
    assert len(packed) <= 1200
    (feedback,) = rtcp.parse(packed).packets
    assert isinstance(feedback, TransportFeedback)
    return feedback


def received(report: FeedbackReport) -> dict[int, bool]:
    return {number: at_us is not None for number, at_us in parsed(report).packets}


def test_nothing_arrived_nothing_reported() -> None:
    assert ArrivalFeedback().reports([]) == []


def test_a_report_begins_where_the_last_one_ended_so_that_losses_between_are_named() -> None:
    feedback = ArrivalFeedback()
    (first,) = feedback.reports([(10, 0.0), (12, 0.01)])
    (second,) = feedback.reports([(15, 0.08)])
    assert received(first) == {10: True, 11: False, 12: True}
    assert received(second) == {13: False, 14: False, 15: True}
    assert [first.feedback_count, second.feedback_count] == [0, 1]


def test_a_late_packet_is_reported_with_its_surroundings_as_they_were() -> None:
    feedback = ArrivalFeedback()
    feedback.reports([(1, 0.0), (2, 0.01), (5, 0.02)])
    late, on_time = feedback.reports([(3, 0.08), (6, 0.09), (7, 0.1)])
    assert received(late) == {3: True}
    assert received(on_time) == {6: True, 7: True}
    (both,) = feedback.reports([(0, 0.15), (4, 0.15)])
    assert received(both) == {0: True, 1: True, 2: True, 3: True, 4: True}
    (after,) = feedback.reports([(8, 0.2)])
    assert received(after) == {8: True}


def test_what_does_not_fit_one_packet_is_split() -> None:
    arrivals = [(number, number / 10_000) for number in range(MAX_ARRIVALS * 2 + 1)]
    reports = ArrivalFeedback().reports(arrivals)
    assert [len(report.arrivals) for report in reports] == [MAX_ARRIVALS, MAX_ARRIVALS, 1]
    assert [report.feedback_count for report in reports] == [0, 1, 2]
    assert all(all(received(report).values()) for report in reports)


def test_an_outage_begins_a_report_of_its_own_and_its_losses_are_not_listed() -> None:
    feedback = ArrivalFeedback()
    far = 1 + 2 * MAX_SPAN
    (before, after) = feedback.reports([(1, 0.0), (far, 0.05)])
    assert received(before) == {1: True} and received(after) == {far: True}
    (long_after,) = feedback.reports([(far + 1, 30.0)])
    assert received(long_after) == {far + 1: True}
    apart = feedback.reports([(far + 2, 31.0), (far + 3, 45.0)])
    assert [len(report.arrivals) for report in apart] == [1, 1]


def test_the_count_wraps_at_eight_bits() -> None:
    feedback = ArrivalFeedback()
    counts = [feedback.reports([(n, n * 0.07)])[0].feedback_count for n in range(258)]
    assert counts[254:] == [254, 255, 0, 1]


@given(st.integers(0, 1 << 32), st.floats(0.0, 0.5), st.integers(1, 400))
def test_a_sender_that_hears_all_reports_knows_exactly_what_arrived(seed: int, loss: float, rate: int) -> None:
    draw = random.Random(seed)
    feedback = ArrivalFeedback()
    acknowledged: dict[int, int] = {}
    arrivals: dict[int, float] = {}
    pending: list[tuple[int, float]] = []
    number = 65_000
    for tick in range(30):
        now = tick * 0.07
        for _ in range(draw.randrange(rate)):
            number += 1
            if draw.random() >= loss:
                pending.append((number, now + draw.random() * 0.06))
        held_back = [arrival for arrival in pending if draw.random() < 0.05] if tick < 29 else []
        taken = sorted(set(pending) - set(held_back))
        pending = held_back
        arrivals |= dict(taken)
        for report in feedback.reports(taken):
            for (_, at_us), unwrapped in zip(parsed(report).packets, range(report.first, number + 1), strict=False):
                if at_us is not None:
                    acknowledged[unwrapped] = at_us
    assert set(acknowledged) == set(arrivals)
    assert all(abs(at_us / 1e6 - arrivals[number]) < 0.0003 for number, at_us in acknowledged.items())
