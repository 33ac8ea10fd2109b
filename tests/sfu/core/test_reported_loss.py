"""What a path carries by reported loss alone: a table of what is lost and what comes of it."""

from __future__ import annotations

from math import inf

import pytest

from sfu.core.reported_loss import (
    BELOW_FAILED,
    FIRST_HOLD_S,
    GROWS,
    LEAST_BPS,
    LONGEST_HOLD_S,
    MOST_NEW,
    ReportedLoss,
    Totals,
)

PACKETS_PER_S = 200


class Reports:
    """Of one Slot, once a second."""

    def __init__(self) -> None:
        self.loss = ReportedLoss()
        self.now = 100.0
        self.excused = 0.0
        self.tell(0.0, 0)

    def tell(self, share: float, sent_bps: float) -> float:
        before = self.loss._totals.get(1, Totals(0, 1000, 0))
        lost = before.lost + round(share * PACKETS_PER_S)
        totals = Totals(lost, before.highest_number + PACKETS_PER_S, before.octets + round(sent_bps / 8))
        self.now += 1.0
        self.loss.on_totals(1, totals, self.excused, self.now)
        return self.loss.bps


@pytest.mark.parametrize(
    ("shares", "expected_bps"),
    [
        pytest.param([0.0, 0.1], inf, id="nothing is too much"),
        pytest.param([0.4], 1_600_000, id="less by half of what is lost"),
        pytest.param([0.4, 0.9, 0.9], 1_600_000, id="what shows next was lost before that"),
        pytest.param([0.4, 0.0, 0.0, 0.2], 1_440_000, id="then less again"),
        pytest.param([0.4, 0.0, 0.0, 0.05], 1_600_000, id="a little loss changes nothing"),
        pytest.param([0.4, 0.0, 0.0, 0.0], 1_600_000 * GROWS, id="none lets it grow"),
        pytest.param([0.4] + 9 * [0.0], 2_000_000 * BELOW_FAILED, id="not to what was too much"),
        pytest.param([1.0] * 40, LEAST_BPS, id="something is left"),
    ],
)
def test_what_is_lost_decides(shares: list[float], expected_bps: float) -> None:
    reports = Reports()
    for share in shares:
        bps = reports.tell(share, 2_000_000)
    assert bps == pytest.approx(expected_bps)


def test_what_was_too_much_is_tried_again_each_time_later() -> None:
    reports = Reports()
    pauses = []
    for _ in range(6):
        reports.tell(0.3, 2_000_000)
        since = reports.now
        while reports.loss.bps < 2_000_000:
            reports.tell(0.0, 1_000_000)
        pauses.append(reports.now - since)
    assert pauses[0] == pytest.approx(FIRST_HOLD_S, abs=4)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LONGEST_HOLD_S, abs=4)


@pytest.mark.parametrize("highest_number", [0, 2000 + MOST_NEW])
def test_what_another_stream_counted_says_nothing(highest_number: int) -> None:
    reports = Reports()
    reports.loss.on_totals(1, Totals(10_000, highest_number, 10_000_000), 0.0, reports.now + 1.0)
    assert reports.loss.bps == inf


def test_few_packets_say_nothing_until_they_are_more() -> None:
    loss = ReportedLoss()
    for second in range(5):
        loss.on_totals(1, Totals(5 * second, 10 * second, 1000 * second), 0.0, 100.0 + second)
    assert loss.bps < inf


def test_all_slots_count_together() -> None:
    """Sound loses nothing, and is a small part."""
    loss = ReportedLoss()
    for slot in (1, 2):
        loss.on_totals(slot, Totals(0, 0, 0), 0.0, 100.0)
    loss.on_totals(1, Totals(0, 50, 5000), 0.0, 100.9)
    loss.on_totals(2, Totals(100, 200, 195_000), 0.0, 101.0)
    assert loss.bps == pytest.approx(8 * 200_000 * (1 - 100 / 250 / 2))
    loss.forget(2)
    loss.on_totals(2, Totals(0, 0, 0), 0.0, 110.0)  # another Slot under its number
    assert loss.on_totals(2, Totals(0, 200, 200_000), 0.0, 111.0)


def test_what_never_reached_the_server_was_not_lost_on_the_path() -> None:
    reports = Reports()
    reports.excused = 0.4
    assert reports.tell(0.45, 2_000_000) == inf
    assert reports.tell(0.7, 2_000_000) == pytest.approx(1_500_000), "half of what was sent is lost behind it"
