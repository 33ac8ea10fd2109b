"""Requests are merged and spaced per Track, repeated until answered, and given up in the end."""

from __future__ import annotations

import itertools
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sfu.core.keyframes import GIVE_UP_AFTER_S, REST_S, KeyFrameRequests

# Machines that run tests are loaded: how long an example takes says nothing.
SPACING_S = 0.5


def drain(requests: KeyFrameRequests, until: float) -> list[tuple[float, int]]:
    """What is requested if we are woken exactly when we asked to be."""
    asked = []
    while (at := requests.next_timeout()) is not None and at <= until:
        layer = requests.due(at)
        if layer is not None:
            asked.append((round(at, 3), layer))
    return asked


def test_ten_subscribers_asking_at_once_give_one_request_per_spacing() -> None:
    requests = KeyFrameRequests(SPACING_S)
    asked = []
    for tick in range(200):  # 2 s; each subscriber asks ten times a second, on any of three layers
        now = tick / 100
        for subscriber in range(10):
            if (tick + subscriber) % 10 == 0:
                requests.wish(subscriber % 3, now)
        layer = requests.due(now)
        if layer is not None:
            asked.append(now)
            requests.on_key_frame(layer)  # answered at once, and asked for again
    assert asked == [0.0, 0.5, 1.0, 1.5]


def test_merges_wishes_and_repeats_until_the_key_frame_arrives() -> None:
    requests = KeyFrameRequests(SPACING_S)
    requests.wish(2, now=0.0)
    requests.wish(2, now=0.1)
    assert drain(requests, until=1.2) == [(0.0, 2), (0.5, 2), (1.0, 2)]
    requests.on_key_frame(1)  # another layer's does not help
    assert requests.next_timeout() == 1.5
    requests.on_key_frame(2)
    assert requests.next_timeout() is None
    assert requests.sent == 3


def test_layers_wait_for_each_other_and_take_turns() -> None:
    requests = KeyFrameRequests(SPACING_S)
    requests.wish(2, now=0.0)
    requests.wish(0, now=0.0)
    assert drain(requests, until=1.6) == [(0.0, 0), (0.5, 2), (1.0, 0), (1.5, 2)]


def test_a_wish_right_after_an_answer_waits_for_its_turn() -> None:
    requests = KeyFrameRequests(SPACING_S)
    requests.wish(0, now=0.0)
    assert requests.due(0.0) == 0
    requests.on_key_frame(0)
    requests.wish(0, now=0.1)
    assert requests.due(0.1) is None
    assert drain(requests, until=0.6) == [(0.5, 0)]


def test_gives_up_rests_and_may_be_asked_again() -> None:
    requests = KeyFrameRequests(SPACING_S)
    requests.wish(0, now=0.0)
    assert len(drain(requests, until=100.0)) == GIVE_UP_AFTER_S / SPACING_S
    requests.wish(0, now=GIVE_UP_AFTER_S + REST_S / 2)
    assert not requests.is_wished(0)
    requests.wish(0, now=GIVE_UP_AFTER_S + REST_S)
    assert drain(requests, until=GIVE_UP_AFTER_S + REST_S) == [(GIVE_UP_AFTER_S + REST_S, 0)]


def test_packets_that_flow_again_end_the_rest() -> None:
    requests = KeyFrameRequests(SPACING_S)
    requests.wish(0, now=0.0)
    drain(requests, until=GIVE_UP_AFTER_S)
    requests.on_resumed(0)
    requests.wish(0, now=GIVE_UP_AFTER_S + 0.5)
    assert requests.is_wished(0)


def test_nothing_is_asked_once_nobody_waits() -> None:
    requests = KeyFrameRequests(SPACING_S)
    requests.wish(0, now=0.0)
    requests.wish(1, now=0.0)
    requests.withdraw(0)
    assert requests.due(0.0) == 1
    requests.withdraw()
    assert requests.next_timeout() is None


class RequestsAreSpacedAndAnswered(RuleBasedStateMachine):
    """Whatever is wished and answered in whatever order: spacing holds, and nobody is asked without a wish."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = KeyFrameRequests(SPACING_S)
        self.now = 0.0
        self.last_request_at = -inf
        self.wished: set[int] = set()

    @rule(layer=st.integers(0, 2))
    def wish(self, layer: int) -> None:
        self.requests.wish(layer, self.now)
        self.wished.add(layer)

    @rule(layer=st.integers(0, 2))
    def key_frame(self, layer: int) -> None:
        self.requests.on_key_frame(layer)
        self.wished.discard(layer)

    @rule(layer=st.integers(0, 2))
    def resumed(self, layer: int) -> None:
        self.requests.on_resumed(layer)

    @rule(wait_s=st.floats(0.0, 3.0))
    def time_passes(self, wait_s: float) -> None:
        self.now += wait_s

    @precondition(lambda self: self.requests.next_timeout() is not None)
    @rule()
    def time_passes_until_due(self) -> None:
        self.now = max(self.now, self.requests.next_timeout() or 0.0)

    @rule()
    def wake(self) -> None:
        layer = self.requests.due(self.now)
        if layer is not None:
            assert self.now - self.last_request_at >= SPACING_S - 1e-9
            assert layer in self.wished
            self.last_request_at = self.now

    @invariant()
    def is_woken_only_while_somebody_waits(self) -> None:
        if self.requests.next_timeout() is not None:
            assert self.wished


TestRequestsAreSpacedAndAnswered = RequestsAreSpacedAndAnswered.TestCase


@given(st.lists(st.tuples(st.floats(0, 0.2), st.integers(0, 2)), min_size=1, max_size=80))
def test_spacing_holds_for_any_pattern_of_wishes(wishes: list[tuple[float, int]]) -> None:
    requests = KeyFrameRequests(SPACING_S)
    now, asked = 0.0, []
    for wait_s, layer in wishes:
        now += wait_s
        requests.wish(layer, now)
        asked += drain(requests, now)
    gaps = [after[0] - before[0] for before, after in itertools.pairwise(asked)]
    assert all(gap >= SPACING_S - 0.002 for gap in gaps)
