"""Transport-cc feedback of the client: when, about what, and across outages."""

from __future__ import annotations

from sfu.wire.rtcp import parse
from sfu.wire.twcc import TransportFeedback
from signaling.client.arrivals import INTERVAL_S, Arrivals


def feedback(arrivals: Arrivals, now: float) -> TransportFeedback | None:
    packed = arrivals.feedback(1, 2, now)
    if packed is None:
        return None
    (packet,) = parse(packed).packets
    assert isinstance(packet, TransportFeedback)
    return packet


def test_a_feedback_is_due_an_interval_after_the_first_arrival() -> None:
    assert Arrivals().due_at_s is None
    arrivals = Arrivals()
    arrivals.on_packet(5, 1.0)
    arrivals.on_packet(6, 1.05)
    assert arrivals.due_at_s == 1.0 + INTERVAL_S
    assert feedback(arrivals, 1.05) is None
    report = feedback(arrivals, 1.0 + INTERVAL_S)
    assert report is not None
    assert [number for number, _ in report.packets] == [5, 6]
    assert arrivals.due_at_s is None


def test_each_feedback_goes_on_where_the_last_ended_so_that_losses_are_named() -> None:
    arrivals = Arrivals()
    arrivals.on_packet(65535, 1.0)
    first = feedback(arrivals, 2.0)
    arrivals.on_packet(65537 & 0xFFFF, 2.0)
    second = feedback(arrivals, 3.0)
    assert first is not None and second is not None
    assert [(number, at is not None) for number, at in second.packets] == [(0, False), (1, True)]
    assert (first.feedback_count, second.feedback_count) == (0, 1)


def test_what_was_reported_as_lost_is_not_reported_again() -> None:
    arrivals = Arrivals()
    arrivals.on_packet(1, 1.0)
    arrivals.on_packet(3, 1.0)
    feedback(arrivals, 2.0)
    arrivals.on_packet(2, 2.0)
    assert arrivals.due_at_s is None


def test_an_outage_longer_than_a_feedback_can_span_is_skipped() -> None:
    arrivals = Arrivals()
    arrivals.on_packet(0, 1.0)
    feedback(arrivals, 2.0)
    arrivals.on_packet(20_000, 60.0)
    report = feedback(arrivals, 61.0)
    assert report is not None
    assert [number for number, _ in report.packets] == [20_000]
