"""Who is said to speak when people speak in turn, at once, or only type, breathe and play music."""

from __future__ import annotations

from math import log10
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.speakers import RECENT_SPEAKERS, Speakers, SpeakersChanged
from tests.support.speech import (
    FRAME_S,
    Sound,
    Turn,
    conversation,
    delays,
    duration_s,
    false_switches,
    listen,
    monologue,
    sounds,
)

SEEDS = (1, 2, 3)
SECONDS = 120.0


@pytest.mark.parametrize("pause_s", [1.0, 0.3, 0.0])
def test_follows_within_300_ms_who_speaks_after_another(pause_s: float) -> None:
    waited: list[float] = []
    for seed in SEEDS:
        made, turns = conversation(Random(seed), SECONDS, pause_s)
        switches = listen(made, SECONDS)
        assert not false_switches(switches, turns)
        waited += delays(switches, turns)
    assert max(waited) <= 0.3, f"at most {max(waited):.2f} s, half within {median(waited):.2f} s"


def test_who_cuts_in_takes_over_when_the_other_has_stopped() -> None:
    for seed in SEEDS:
        made, turns = conversation(Random(seed), SECONDS, -0.5)
        switches = listen(made, SECONDS)
        assert not false_switches(switches, turns)
        # Half a second of it they talk at once.
        assert max(delays(switches, turns)) <= 0.5 + 0.8


def test_who_has_the_floor_keeps_it_while_another_talks_over_it() -> None:
    for seed in SEEDS:
        random = Random(seed)
        made = monologue(random, "ada", 60, start_s=1, pause_s=0.5) + monologue(
            random, "bob", 60, start_s=3, pause_s=0.5
        )
        assert len(listen(made, 60)) <= 2


@pytest.mark.parametrize("noise", ["keyboard", "music", "breath", "fan", "room"])
def test_noises_are_nobody_speaking(noise: str) -> None:
    """Under one false switch a minute, though their maker is the only other in the room. Said of a speaker's pauses."""
    for seed in SEEDS:
        random = Random(seed)
        made = monologue(random, "ada", SECONDS, start_s=4, pause_s=1.2)
        for start in range(0, int(SECONDS), 20):
            made.append(Sound("bob", start, noise, random.uniform(-3, 3)))
        false = [switch for switch in listen(made, SECONDS) if switch.who == "bob" and switch.at_s > 4]
        assert len(false) < SECONDS / 60


def test_short_words_of_others_rarely_take_over() -> None:
    """Ten a minute, most while the speaker speaks; some hit a pause of 280 ms, and then they are the only voice."""
    taken = 0
    for seed in SEEDS:
        random = Random(seed)
        made = monologue(random, "ada", SECONDS, start_s=1, pause_s=0.5)
        at_s = 3.0
        while at_s < SECONDS - 2:
            made.append(Sound("bob", at_s, random.choice(["bob/yes", "bob/mhm", "bob/right", "cough"]), -3))
            at_s += random.uniform(3, 9)
        taken += sum(switch.who == "bob" for switch in listen(made, SECONDS))
    assert taken / (len(SEEDS) * SECONDS / 60) < 1


def test_who_types_can_be_interrupted() -> None:
    made = [Sound(name, at_s, "keyboard") for name in ("ada", "bob") for at_s in (0.0, 20.0)]
    made += [Sound("ada", 2, "ada/0"), Sound("bob", 7, "bob/1"), Sound("ada", 12, "ada/2")]
    turns = [Turn("ada", 2, 6), Turn("bob", 7, 11), Turn("ada", 12, 16)]
    switches = listen(made, 30)
    assert not false_switches(switches, turns)
    assert max(delays(switches, turns)) <= 0.8


def fed(speakers: Speakers, track: int, sound: str, start_s: float) -> list[SpeakersChanged]:
    changes = []
    for index, level in enumerate(sounds()[sound]):
        now = start_s + index * FRAME_S
        speakers.on_level(track, level, now)
        changes += drained(speakers, now)
    return changes


def drained(speakers: Speakers, now: float) -> list[SpeakersChanged]:
    changes = []
    speakers.on_timeout(now)
    while (change := speakers.poll()) is not None:
        changes.append(change)
    return changes


def test_says_who_spoke_last_and_that_it_has_fallen_silent() -> None:
    speakers = Speakers()
    changes = fed(speakers, 7, "ada/0", 10)
    changes += fed(speakers, 8, "bob/0", 15)
    assert changes == [SpeakersChanged((7,), True), SpeakersChanged((8, 7), True)]
    end_s = 15 + duration_s("bob/0")
    assert drained(speakers, end_s + 1.5) == []
    assert drained(speakers, end_s + 2.1) == [SpeakersChanged((8, 7), False)]
    assert speakers.next_timeout() is None


def test_without_speech_nobody_is_woken() -> None:
    speakers = Speakers()
    fed(speakers, 1, "room", 5)
    assert speakers.next_timeout() is None
    assert speakers.dominant is None


def test_who_is_muted_speaks_no_more_but_has_spoken() -> None:
    speakers = Speakers()
    fed(speakers, 1, "ada/0", 5)
    speakers.forget(1)
    assert speakers.poll() == SpeakersChanged((1,), False)


def test_who_has_left_never_spoke() -> None:
    speakers = Speakers()
    fed(speakers, 1, "ada/0", 5)
    fed(speakers, 2, "bob/0", 10)
    speakers.forget_speaker(1)
    assert speakers.poll() == SpeakersChanged((2,), True)
    speakers.forget_speaker(2)
    drained(speakers, 14)
    assert speakers.dominant is None


def noticed_after_s(arrivals: list[tuple[float, int]]) -> float:
    speakers = Speakers()
    for at_s, level in arrivals:
        speakers.on_level(1, level, 50 + at_s)
        if drained(speakers, 50 + at_s):
            return at_s
    raise AssertionError("not noticed")


def test_packets_that_come_in_bunches_are_the_same_speech() -> None:
    trace = sounds()["ada/0"]
    assert noticed_after_s([(index // 4 * 4 * FRAME_S, level) for index, level in enumerate(trace)]) <= 0.4


@pytest.mark.parametrize("frames", [2, 3])
def test_longer_packets_are_the_same_speech(frames: int) -> None:
    trace = sounds()["ada/0"]
    arrivals = []
    for index in range(0, len(trace) - frames, frames):
        power = sum(10 ** (-level / 10) for level in trace[index : index + frames]) / frames
        arrivals.append((index * FRAME_S, round(-10 * log10(power))))
    assert noticed_after_s(arrivals) <= 0.6


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 127), st.floats(-0.5, 3.0, allow_nan=False)), max_size=200))
def test_any_levels_in_any_order_leave_a_list_of_speakers(fed_levels: list[tuple[int, int, float]]) -> None:
    speakers = Speakers()
    now = 100.0
    for track, level, passed_s in fed_levels:
        now += max(passed_s, 0)
        speakers.on_level(track, level, now + min(passed_s, 0))
        for change in drained(speakers, now):
            assert len(set(change.recent)) == len(change.recent) <= RECENT_SPEAKERS
            assert change.speaking == (speakers.dominant is not None)
            if change.speaking:
                assert change.recent[0] == speakers.dominant
        assert (speakers.next_timeout() or now) <= now + 0.051
