"""People who talk, as the levels of their packets: from the sounds in `tests/sfu/core/speech`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from sfu.core.speakers import Speakers, SpeakersChanged

FRAME_S = 0.02
LOOK_S = 0.05  # as often the Worker looks
ROOM_LEVEL = 62  # a microphone in a quiet room; what `make_levels.py` put under everything
NAMES = ("ada", "bob", "eve", "max")  # Tracks are their positions


@cache
def sounds() -> dict[str, list[int]]:
    loaded: dict[str, list[int]] = json.loads((Path(__file__).parents[1] / "sfu/core/speech/levels.json").read_text())
    return loaded


def duration_s(sound: str) -> float:
    return len(sounds()[sound]) * FRAME_S


@dataclass(frozen=True, slots=True)
class Sound:
    """`who` makes it, from `at_s` on, `gain_db` louder than it was recorded."""

    who: str
    at_s: float
    name: str
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it was, and until when it spoke."""

    who: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Switch:
    at_s: float
    who: str


def levels(made: Iterable[Sound], seconds: float) -> dict[str, list[int]]:
    """What everybody's microphone says; of several sounds the loudest."""
    heard = {name: [ROOM_LEVEL] * int(seconds / FRAME_S) for name in NAMES}
    for sound in made:
        track, start = heard[sound.who], int(sound.at_s / FRAME_S)
        for index, level in enumerate(sounds()[sound.name], start):
            if index < len(track):
                track[index] = min(track[index], round(max(0, level - sound.gain_db)))
    return heard


def listen(made: Iterable[Sound], seconds: float, *, start_s: float = 1000.0) -> list[Switch]:
    """Who became the dominant speaker when, by Speakers that is fed a packet per person every 20 ms."""
    heard = levels(made, seconds)
    speakers = Speakers()
    switches: list[Switch] = []
    look_at = start_s
    for index in range(int(seconds / FRAME_S)):
        now = start_s + index * FRAME_S
        for track, name in enumerate(NAMES):
            speakers.on_level(track, heard[name][index], now)
        if now >= look_at:
            look_at += LOOK_S
            speakers.on_timeout(now)
        while (change := speakers.poll()) is not None:
            _note(switches, change, now - start_s)
    return switches


def _note(switches: list[Switch], change: SpeakersChanged, at_s: float) -> None:
    if change.speaking and (not switches or switches[-1].who != NAMES[change.recent[0]]):
        switches.append(Switch(at_s, NAMES[change.recent[0]]))


def conversation(random: Random, seconds: float, pause_s: float) -> tuple[list[Sound], list[Turn]]:
    """Turns of one to three sentences, each `pause_s` after the last: negative, they talk over its end."""
    made: list[Sound] = []
    turns: list[Turn] = []
    at_s, last = 1.0, ""
    while at_s < seconds - 20:
        who = random.choice([name for name in NAMES if name != last])
        last, start_s, end_s = who, at_s, at_s
        for _ in range(random.randint(1, 3)):
            sentence = f"{who}/{random.randint(0, 3)}"
            made.append(Sound(who, at_s, sentence, random.uniform(-4, 4)))
            end_s = at_s + duration_s(sentence)
            at_s = end_s + random.uniform(0.05, 0.5)
        turns.append(Turn(who, start_s, end_s))
        at_s = end_s + pause_s
    return made, turns


def monologue(random: Random, who: str, seconds: float, *, start_s: float, pause_s: float) -> list[Sound]:
    """Sentences with pauses of up to `pause_s`."""
    made: list[Sound] = []
    at_s = start_s
    while at_s < seconds:
        made.append(Sound(who, at_s, f"{who}/{random.randint(0, 3)}"))
        at_s += duration_s(made[-1].name) + random.uniform(0.1, pause_s)
    return made


def delays(switches: list[Switch], turns: list[Turn]) -> list[float]:
    """How long after each turn's beginning it was noticed. Fails when one was missed."""
    waited = []
    for turn in turns:
        before = [switch for switch in switches if switch.at_s < turn.start_s]
        if before and before[-1].who == turn.who:
            waited.append(0.0)  # of the sentence before: nobody else came between
            continue
        hits = [s.at_s for s in switches if s.who == turn.who and turn.start_s <= s.at_s <= turn.end_s]
        assert hits, f"{turn} was missed"
        waited.append(hits[0] - turn.start_s)
    return waited


def false_switches(switches: list[Switch], turns: list[Turn]) -> list[Switch]:
    """To somebody whose turn it was not, nor is about to have been."""
    return [
        switch
        for switch in switches
        if not any(turn.who == switch.who and turn.start_s <= switch.at_s <= turn.end_s + 0.3 for turn in turns)
    ]
