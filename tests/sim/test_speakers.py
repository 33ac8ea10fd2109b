"""How long it takes from somebody's first word until signaling is told who speaks, through the real Router and plane.

Speech is that of `tests/sfu/core/speech`, made with espeak-ng. Signaling tells everybody in the turn in which it hears
of it (`Rooms.on_speakers`), so what is measured here is all but the network's delay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from random import Random
from statistics import median

import pytest

from sfu.control import SpeakersChanged
from tests.sim.actors import Publisher
from tests.sim.call import Call
from tests.support.speech import (
    FRAME_S,
    NAMES,
    ROOM_LEVEL,
    Sound,
    Switch,
    Turn,
    conversation,
    delays,
    duration_s,
    false_switches,
    levels,
)

SUSTAINED_S = 0.3  # what is asked of the switch to who keeps speaking
SECONDS = 60.0
SEEDS = (1, 2, 3)
WAY_S = 0.01  # to the server


def alone(random: Random, seconds: float) -> tuple[list[Sound], list[Turn]]:
    """One person, who begins each time out of a silence in which nobody is said to speak any more."""
    made: list[Sound] = []
    turns: list[Turn] = []
    at_s = 2.0
    while at_s < seconds - 8.0:
        made.append(Sound("ada", at_s, f"ada/{random.randint(0, 3)}", random.uniform(-4, 4)))
        turns.append(Turn("ada", at_s, at_s + duration_s(made[-1].name)))
        at_s = turns[-1].end_s + random.uniform(2.5, 4.5)
    return made, turns


class Talk:
    """Who was said to speak when, and how often Python was woken for it."""

    def __init__(self, made: Iterable[Sound], seconds: float, names: Sequence[str], seed: int) -> None:
        self.call = Call(seed, delay_s=WAY_S)
        self.call.run(self.call.random.random())  # or all would begin with one of the server's rounds
        heard = levels(made, seconds)
        for name in names:
            publisher = Publisher(self.call, name, rids=())
            publisher.levels = chain(heard[name], repeat(ROOM_LEVEL))
            publisher.speak()
        self.began_at = self.call.now
        self.switches: list[Switch] = []
        self.beginnings: list[float] = []  # when nobody spoke before
        self.looks = 0
        poll = self.call.plane.poll_levels

        def looked() -> object:
            self.looks += 1
            return poll()

        self.call.plane.poll_levels = looked  # type: ignore[method-assign, assignment]
        self._run(seconds)

    def _run(self, seconds: float) -> None:
        was_speaking, seen = False, 0
        while self.call.now < self.began_at + seconds:
            self.call.run(FRAME_S / 4)
            at_s = self.call.now - self.began_at
            for notice in self.call.notices[seen:]:
                if isinstance(notice, SpeakersChanged):
                    if notice.speaking and not was_speaking:
                        self.beginnings.append(at_s)
                    if notice.speaking and (not self.switches or self.switches[-1].who != notice.recent[0]):
                        self.switches.append(Switch(at_s, notice.recent[0]))
                    was_speaking = notice.speaking
            seen = len(self.call.notices)


def waited_alone(seed: int) -> tuple[list[float], Talk]:
    made, turns = alone(Random(seed), SECONDS)
    talk = Talk(made, SECONDS, ["ada"], seed)
    assert len(talk.beginnings) == len(turns), "each is a beginning, and nothing else is"
    waited = [at_s - turn.start_s for turn, at_s in zip(turns, talk.beginnings, strict=True)]
    return waited, talk


def test_who_speaks_alone_is_shown_within_300_ms_though_levels_are_rarely_looked_at() -> None:
    waited: list[float] = []
    for seed in SEEDS:
        times, talk = waited_alone(seed)
        waited += times
        assert talk.looks / SECONDS < 4.5, "four a second, and two or three more at a beginning"
    assert 0.0 < max(waited) <= SUSTAINED_S, f"at most {max(waited):.2f} s, half within {median(waited):.2f} s"


@pytest.mark.parametrize(("pause_s", "most_s"), [(1.0, SUSTAINED_S), (0.0, 0.35), (-0.5, 0.5 + 0.8)])
def test_who_speaks_after_another_is_shown(pause_s: float, most_s: float) -> None:
    """Not before the other has been silent for 280 ms is it known to have ended; who cuts in waits for that, too."""
    waited: list[float] = []
    for seed in SEEDS:
        made, turns = conversation(Random(seed), SECONDS, pause_s)
        talk = Talk(made, SECONDS, NAMES, seed)
        assert not false_switches(talk.switches, turns)
        waited += delays(talk.switches, turns)
    assert max(waited) <= most_s, f"at most {max(waited):.2f} s, half within {median(waited):.2f} s"


@pytest.mark.parametrize("noise", ["keyboard", "music", "breath", "fan", "room"])
def test_noise_in_a_single_microphone_hardly_wakes_anybody(noise: str) -> None:
    made = [Sound("ada", at_s, noise) for at_s in (1.0, 21.0, 41.0)]
    assert Talk(made, SECONDS, ["ada"], 1).looks / SECONDS < 6.5
