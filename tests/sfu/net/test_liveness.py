"""When a remote counts as connected, reconnecting and gone."""

from __future__ import annotations

import pytest

from sfu.core.types import TransportState
from sfu.net.config import TransportConfig
from sfu.net.liveness import Liveness

CONFIG = TransportConfig()
CONNECTING, CONNECTED, RECONNECTING, GONE = TransportState


def connected(at: float) -> Liveness:
    liveness = Liveness(CONFIG, at)
    liveness.on_remote(at)
    liveness.on_check(at)
    liveness.on_secured()
    return liveness


def run_until(liveness: Liveness, now: float) -> list[tuple[float, TransportState, str]]:
    """Wake it exactly when it asks to be; the changes until `now`."""
    changes = []
    while (deadline := liveness.deadline()) is not None and deadline <= now:
        liveness.on_timeout(deadline)
        changes.append((deadline, liveness.state, liveness.reason))
    return changes


@pytest.mark.parametrize("order", ["check first", "keys first"])
def test_connected_needs_a_check_and_keys(order: str) -> None:
    liveness = Liveness(CONFIG, 0.0)
    liveness.on_remote(0.0)
    steps = [lambda: liveness.on_check(1.0), liveness.on_secured]
    first, second = steps if order == "check first" else reversed(steps)
    first()
    assert liveness.state is CONNECTING
    second()
    assert liveness.state is CONNECTED
    assert liveness.deadline() == 11.0


def test_a_remote_whose_parameters_never_come_is_gone() -> None:
    liveness = Liveness(CONFIG, 100.0)
    liveness.on_check(101.0)
    assert run_until(liveness, 1000.0) == [(130.0, GONE, "never_connected")]


def test_a_handshake_that_never_ends_is_ended() -> None:
    liveness = Liveness(CONFIG, 100.0)
    liveness.on_remote(110.0)
    liveness.on_check(124.0)  # being there is not enough
    assert run_until(liveness, 1000.0) == [(125.0, GONE, "handshake_timeout")]


def test_silence_is_reconnecting_then_gone() -> None:
    liveness = connected(5.0)
    liveness.on_check(20.0)
    assert run_until(liveness, 1000.0) == [(30.0, RECONNECTING, "silent"), (50.0, GONE, "silent")]
    assert liveness.deadline() is None


def test_a_check_ends_the_silence() -> None:
    liveness = connected(0.0)
    assert run_until(liveness, 12.0) == [(10.0, RECONNECTING, "silent")]
    liveness.on_check(12.0)
    assert (liveness.state, liveness.reason, liveness.deadline()) == (CONNECTED, "", 22.0)


def test_rtcp_is_as_good_as_a_check_once_there_is_a_connection() -> None:
    liveness = Liveness(CONFIG, 0.0)
    liveness.on_remote(0.0)
    liveness.on_secured()
    liveness.on_rtcp(1.0)
    assert liveness.state is CONNECTING, "without a check there is no path"
    liveness = connected(0.0)
    for now in range(1, 100, 9):
        assert run_until(liveness, now) == []
        liveness.on_rtcp(now)
    assert run_until(liveness, 112.0) == [(101.0, RECONNECTING, "silent")]
    liveness.on_rtcp(112.0)
    assert (liveness.state, liveness.deadline()) == (CONNECTED, 122.0)
    assert run_until(liveness, 1000.0)[-1] == (142.0, GONE, "silent")
    liveness.on_rtcp(1000.0)
    assert liveness.state is GONE


def test_a_stall_of_ours_does_not_give_anybody_up_at_once() -> None:
    liveness = connected(0.0)
    liveness.on_timeout(40.0)
    assert liveness.state is RECONNECTING
    liveness.on_check(40.0)  # what waited in the socket
    assert liveness.state is CONNECTED


def test_gone_is_final() -> None:
    liveness = connected(0.0)
    liveness.end("closed_by_remote")
    liveness.on_check(1.0)
    liveness.on_secured()
    liveness.on_remote(1.0)
    liveness.on_timeout(100.0)
    assert (liveness.state, liveness.reason, liveness.deadline()) == (GONE, "closed_by_remote", None)


def test_parameters_that_come_again_do_not_start_the_handshake_clock_again() -> None:
    liveness = connected(0.0)
    liveness.on_remote(5.0)
    assert liveness.deadline() == 10.0
