"""The life of a Worker's process, with a clock that is turned by hand: what is done when, and what never."""

from __future__ import annotations

import random

import pytest

from signaling.limits import WorkerLimits
from signaling.supervision import Abort, Beat, HangUp, Kill, Lost, Output, Spawn, State, Supervision

LIMITS = WorkerLimits()


class Watch:
    """A supervision, and what it has wanted since it was last asked."""

    def __init__(self) -> None:
        self.now = 100.0
        self.supervision = Supervision(LIMITS)

    def take(self) -> list[Output]:
        outputs: list[Output] = []
        while (output := self.supervision.poll()) is not None:
            outputs.append(output)
        return outputs

    def start(self) -> list[Output]:
        self.supervision.on_start(self.now)
        return self.take()

    def hello(self) -> None:
        self.supervision.on_hello(self.now)
        assert self.take() == []

    def end(self) -> list[Output]:
        self.supervision.on_link_end("closed", self.now)
        return self.take()

    def exit(self) -> list[Output]:
        self.supervision.on_exit("was ended by SIGKILL", self.now)
        return self.take()

    def stop(self) -> list[Output]:
        self.supervision.on_stop(self.now)
        return self.take()

    def next(self, after_s: float) -> list[Output]:
        """What the timer brings, which is due after this time and not before."""
        due = self.supervision.next_timeout()
        assert due == pytest.approx(self.now + after_s)
        self.supervision.on_timeout(self.now + after_s - 0.001)
        assert self.take() == []
        self.now += after_s + 1e-9
        self.supervision.on_timeout(self.now)
        return self.take()

    def live(self, for_s: float) -> None:
        """Each beat is answered."""
        until = self.now + for_s
        while self.now < until:
            assert self.next(LIMITS.beat_s) == [Beat()]
            self.supervision.on_beat_answered()


@pytest.fixture
def running() -> Watch:
    watch = Watch()
    assert watch.start() == [Spawn()]
    watch.hello()
    return watch


def test_beats_while_they_are_answered(running: Watch) -> None:
    running.live(100.0)
    assert running.supervision.state is State.RUNNING


def test_some_missed_beats_are_forgiven(running: Watch) -> None:
    for _ in range(3):
        for _ in range(LIMITS.beats_missed):
            assert running.next(LIMITS.beat_s) == [Beat()]
        running.supervision.on_beat_answered()


def test_a_hung_process_is_lost_then_aborted_then_killed_and_followed_when_it_is_gone(running: Watch) -> None:
    for _ in range(LIMITS.beats_missed):
        assert running.next(LIMITS.beat_s) == [Beat()]
    assert running.next(LIMITS.beat_s) == [Abort(), Lost("5 beats not answered", served=True)]
    assert running.next(LIMITS.abort_timeout_s) == [Kill()]
    assert running.next(LIMITS.exit_timeout_s) == [Kill()], "until it is gone"
    running.supervision.on_beat_answered()
    assert running.end() == []
    assert running.exit() == [], "it was said already"
    assert running.next(0.0) == [Spawn()]


def test_standing_still_ourselves_is_one_missed_beat(running: Watch) -> None:
    assert running.next(LIMITS.beat_s) == [Beat()]
    running.now += 60.0
    running.supervision.on_timeout(running.now)
    assert running.take() == [Beat()]
    running.supervision.on_beat_answered()
    assert running.next(LIMITS.beat_s) == [Beat()]


def test_a_process_that_dies_is_followed_at_once(running: Watch) -> None:
    running.live(60.0)
    assert running.end() == [Lost("closed", served=True)]
    assert running.exit() == []
    assert running.next(0.0) == [Spawn()]


def test_an_exit_is_enough(running: Watch) -> None:
    assert running.exit() == [Lost("was ended by SIGKILL", served=True)]
    assert running.next(0.0) == [Spawn()]


def test_without_its_link_it_is_killed(running: Watch) -> None:
    assert running.end() == [Lost("closed", served=True)]
    assert running.next(LIMITS.exit_timeout_s) == [Kill()]


def test_who_dies_again_and_again_is_waited_for_longer_each_time(running: Watch) -> None:
    pauses = []
    for _ in range(7):
        running.end()
        running.exit()
        due = running.supervision.next_timeout()
        assert due is not None
        pauses.append(round(due - running.now, 3))
        assert running.next(due - running.now) == [Spawn()]
        running.hello()
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    running.live(LIMITS.steady_after_s)
    running.end()
    running.exit()
    assert running.next(0.0) == [Spawn()], "after a steady life all is forgotten"


@pytest.mark.parametrize("how", ["too late", "ends", "exits"])
def test_one_that_never_says_hello_has_served_nobody(how: str) -> None:
    watch = Watch()
    watch.start()
    if how == "too late":
        assert watch.next(LIMITS.start_timeout_s) == [Kill(), Lost("no hello within 40 s", served=False)]
    elif how == "ends":
        assert watch.end() == [Lost("closed", served=False)]
    else:
        assert watch.exit() == [Lost("was ended by SIGKILL", served=False)]
    if how != "exits":
        assert watch.exit() == []
    assert watch.next(0.0) == [Spawn()]


def test_a_late_hello_is_not_heard() -> None:
    watch = Watch()
    watch.start()
    watch.next(LIMITS.start_timeout_s)
    watch.hello()
    assert watch.supervision.state is State.ENDING


@pytest.mark.parametrize("starting", [True, False])
def test_stopping_asks_first_and_kills_who_does_not_go(starting: bool) -> None:
    watch = Watch()
    watch.start()
    if not starting:
        watch.hello()
    assert watch.stop() == [HangUp()]
    assert watch.end() == [], "as it should"
    assert watch.next(LIMITS.stop_timeout_s) == [Kill()]
    assert watch.exit() == []
    assert watch.supervision.state is State.STOPPED and watch.supervision.next_timeout() is None


def test_stopping_while_it_ends_or_waits_starts_no_other(running: Watch) -> None:
    running.end()
    assert running.stop() == []
    assert running.next(LIMITS.exit_timeout_s) == [Kill()]
    assert running.exit() == []
    assert running.supervision.state is State.STOPPED


def test_stopped_while_it_waits(running: Watch) -> None:
    running.end()
    running.exit()
    assert running.stop() == [] == running.stop()
    assert running.supervision.state is State.STOPPED and running.supervision.next_timeout() is None


def test_whatever_happens_there_is_at_most_one_process_and_each_loss_is_told_once(seed: int) -> None:
    source = random.Random(seed)
    watch = Watch()
    alive, serving, hung_up = False, False, False
    feeds = ["timer"] * 5 + ["answer"] * 3 + ["hello", "end", "exit", "stop"]
    watch.supervision.on_start(watch.now)
    for step in range(400):
        feed = source.choice(feeds)
        if feed == "timer":
            due = watch.supervision.next_timeout()
            watch.now = max(watch.now, due or 0.0)
            watch.supervision.on_timeout(watch.now)
        elif feed == "answer":
            watch.supervision.on_beat_answered()
        elif feed == "hello" and alive:
            serving = serving or watch.supervision.state is State.STARTING
            watch.supervision.on_hello(watch.now)
        elif feed == "end" and alive:
            watch.supervision.on_link_end("closed", watch.now)
        elif feed == "exit" and alive:
            alive = False
            watch.supervision.on_exit("exit", watch.now)
        elif feed == "stop" and step > 300:
            watch.supervision.on_stop(watch.now)
        for output in watch.take():
            if isinstance(output, Spawn):
                assert not alive and not hung_up, "another only when the one before is gone"
                alive = True
            elif isinstance(output, Lost):
                assert output.served == serving
                serving = False
            elif isinstance(output, HangUp):
                hung_up, serving = True, False
            else:
                assert alive or isinstance(output, Kill)
        assert (watch.supervision.next_timeout() is None) == (watch.supervision.state is State.STOPPED)
