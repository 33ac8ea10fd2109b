"""Loss that is more than usual is congestion; loss that stays becomes usual."""

from __future__ import annotations

import numpy as np

from sfu.core.estimation.loss import ANSWERED_FOR_S, Loss

ROW = np.array([0])
EVERY_S = 0.1


def run(
    loss: Loss, share: float, seconds: float, now: float = 0.0, packets: float = 30.0, *, is_queued: bool = False
) -> float:
    for _ in range(round(seconds / EVERY_S)):
        now += EVERY_S
        lost = np.array([share * packets])
        loss.on_reports(ROW, lost, packets - lost, np.array([is_queued]), np.array([EVERY_S]), now)
    return now


def fresh() -> Loss:
    loss = Loss(1)
    loss.reset(0)
    return loss


def test_little_is_nothing_and_much_is_congestion() -> None:
    for share, congests, grows in ((0.0, False, True), (0.015, False, True), (0.05, False, False), (0.3, True, False)):
        loss = fresh()
        run(loss, share, 1.0)
        assert (bool(loss.is_congestion(ROW)[0]), bool(loss.allows_growth(ROW)[0])) == (congests, grows), share


def test_what_stays_becomes_usual_and_is_forgotten_sooner() -> None:
    loss = fresh()
    now = run(loss, 0.15, 30.0)
    assert not loss.is_congestion(ROW)[0] and loss.allows_growth(ROW)[0]
    now = run(loss, 0.3, 2.0, now)
    assert loss.is_congestion(ROW)[0]
    now = run(loss, 0.0, 6.0, now)
    run(loss, 0.15, 2.0, now)
    assert loss.is_congestion(ROW)[0]


def test_what_falls_off_a_queue_is_never_usual() -> None:
    loss = fresh()
    now = run(loss, 0.12, 30.0, is_queued=True)
    assert loss.is_congestion(ROW)[0] and loss.usual[0] == 0
    loss.on_answered(ROW, np.array([0.1]), now)
    assert loss.usual[0] == 0


def test_what_two_bursts_in_few_packets_would_lose_is_chance_unless_a_queue_stands() -> None:
    for packets, is_queued, congests in ((10.0, False, False), (60.0, False, True), (10.0, True, True)):
        loss = fresh()
        run(loss, 0.14, 2.0, packets=packets, is_queued=is_queued)
        assert bool(loss.is_congestion(ROW)[0]) is congests, (packets, is_queued)


def test_a_few_packets_say_nothing() -> None:
    loss = fresh()
    run(loss, 0.5, 2.0, packets=0.6)
    assert not loss.is_congestion(ROW)[0]


def test_one_burst_soon_after_an_answer_is_no_congestion() -> None:
    loss = fresh()
    now = run(loss, 0.12, 1.0)
    loss.on_answered(ROW, np.array([0.1]), now)
    run(loss, 0.2, EVERY_S, now + ANSWERED_FOR_S)  # six of thirty
    assert not loss.is_congestion(ROW)[0]


def test_what_was_sent_before_an_answer_is_not_answered_again() -> None:
    loss = fresh()
    now = run(loss, 0.5, 1.0)
    loss.on_answered(ROW, np.array([0.3]), now)
    now = run(loss, 0.5, 0.6, now)
    assert not loss.is_congestion(ROW)[0]
    run(loss, 0.5, 1.0, now)
    assert loss.is_congestion(ROW)[0]


def test_packets_that_were_only_late_are_taken_back() -> None:
    loss = fresh()
    calm = np.array([False])
    loss.on_reports(ROW, np.array([30.0]), np.array([70.0]), calm, np.array([0.1]), 0.1)
    loss.on_reports(ROW, np.array([-30.0]), np.array([130.0]), calm, np.array([0.1]), 0.2)
    assert loss.share[0] < 0.02
