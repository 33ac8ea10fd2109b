"""What of counters that only grow is about now."""

from __future__ import annotations

import pytest

from sfu.core.quality.windows import STALLS_REMEMBERED_S, Losses, Stalls, beside


def test_losses_are_those_since_the_last_look() -> None:
    losses = Losses()
    shares = []
    for expected, lost in ((1000, 500), (1100, 510), (1200, 510), (1300, 560)):
        losses.on_totals(expected, lost)
        shares.append(losses.share)
    assert shares == [0.0, 0.1, 0.0, 0.5]


def test_few_packets_say_nothing_until_there_are_enough() -> None:
    losses = Losses()
    for expected, lost, share in ((0, 0, 0.0), (10, 1, 0.0), (19, 1, 0.0), (20, 1, 0.05)):
        losses.on_totals(expected, lost)
        assert losses.share == share


def test_late_packets_and_a_new_source_are_no_negative_loss() -> None:
    losses = Losses()
    losses.on_totals(100, 50)
    losses.on_totals(200, 20)  # what was late has come
    assert losses.share == 0.0
    losses.on_totals(30, 30)  # another SSRC
    losses.on_totals(130, 40)
    assert losses.share == 0.1


def test_stalls_are_forgotten_after_a_while() -> None:
    stalls = Stalls()
    assert stalls.recent == (0, 0.0)
    for second in range(30):
        stalls.on_totals(*((3, 4.0) if second < 5 else (4, 4.5)), now=float(second))
        expected = (1, 0.5) if 5 <= second < 5 + STALLS_REMEMBERED_S else (0, 0.0)
        assert stalls.recent == expected, second


def test_what_comes_after_a_pause_is_looked_at_anew() -> None:
    stalls = Stalls()
    stalls.on_totals(0, 0.0, 0.0)
    stalls.restart()
    stalls.on_totals(1, 60.0, 60.0)
    assert stalls.recent == (0, 0.0)


@pytest.mark.parametrize(
    ("total", "upstream", "rest"),
    [(0.0, 0.0, 0.0), (0.1, 0.0, 0.1), (0.1, 0.1, 0.0), (0.05, 0.1, 0.0), (0.19, 0.1, 0.1), (1.0, 1.0, 0.0)],
)
def test_what_never_reached_the_server_is_not_held_against_the_receiver(
    total: float, upstream: float, rest: float
) -> None:
    assert beside(total, upstream) == pytest.approx(rest)
