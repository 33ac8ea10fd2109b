"""Whose sound is forwarded, as a table of who makes how much of it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.activity import FRAME_S, SILENT, Activity
from sfu.core.loudest import select
from tests.support.speech import NAMES, conversation, levels

NOW = 20.0
ROOM, QUIET, SPEECH, LOUD = [62] * 100, [62] * 80 + [45] * 20, [62] * 70 + [24] * 30, [62] * 70 + [16] * 30
COUGH, ENDED = [62] * 96 + [14] * 4, [24] * 60 + [62] * 40


def room(*traces: list[int]) -> dict[int, Activity]:
    """Tracks 1, 2, 3, …, each with a trace that ends now."""
    activities = {}
    for track, trace in enumerate(traces, 1):
        activity = activities[track] = Activity()
        for index, level in enumerate(trace):
            activity.on_level(level, NOW - (len(trace) - index - 1) * FRAME_S)
    return activities


CASES = {
    "no more than there are places": ([ROOM, ROOM], set(), {1, 2}),
    "who speaks": ([ROOM, ROOM, SPEECH], {1, 2}, {2, 3}),
    "who speaks keeps the place": ([SPEECH, SPEECH, SPEECH], {1, 3}, {1, 3}),
    "a quiet voice takes the place of silence": ([ROOM, SPEECH, QUIET], {1, 2}, {2, 3}),
    "a louder voice takes the place of a voice": ([SPEECH, SPEECH, LOUD], {1, 2}, {2, 3}),
    "a cough does not": ([SPEECH, SPEECH, COUGH], {1, 2}, {1, 2}),
    "but that of a pause": ([SPEECH, ENDED, COUGH], {1, 2}, {1, 3}),
    "a pause keeps the place": ([ENDED, SPEECH, ROOM], {1, 2}, {1, 2}),
    "a place that is free": ([ROOM, ROOM, ROOM], {2}, {1, 2}),
    "who is gone gives up the place": ([ROOM, ROOM, ROOM], {2, 9}, {1, 2}),
    "places that are no more": ([SPEECH, ROOM, LOUD], {1, 2, 3}, {1, 3}),
    "silence wants no place": ([[SILENT] * 9, [SILENT] * 9, [SILENT] * 9], {2, 3}, {2, 3}),
}


@pytest.mark.parametrize(("traces", "before", "expected"), CASES.values(), ids=CASES.keys())
def test_selects(traces: list[list[int]], before: set[int], expected: set[int]) -> None:
    assert select(2, frozenset(before), room(*traces), NOW) == expected


def test_who_speaks_in_turn_is_heard_from_the_first_tenth_of_a_second_on() -> None:
    made, turns = conversation(Random(5), 90, 0.2)
    heard = levels(made, 90)
    activities = {track: Activity() for track, _ in enumerate(NAMES)}
    chosen: frozenset[int] = frozenset()
    changes = 0
    audible_at: dict[tuple[int, int], bool] = {}
    for index in range(int(90 / FRAME_S)):
        for track, name in enumerate(NAMES):
            activities[track].on_level(heard[name][index], NOW + index * FRAME_S)
        if index % 3 == 0:
            before, chosen = chosen, select(2, chosen, activities, NOW + index * FRAME_S)
            changes += before != chosen
        for track, _ in enumerate(NAMES):
            audible_at[track, index] = track in chosen
    for turn in turns:
        first, last = int((turn.start_s + 0.1) / FRAME_S), int(turn.end_s / FRAME_S)
        assert all(audible_at[NAMES.index(turn.who), index] for index in range(first, last))
    assert changes <= 2 * len(turns)


@given(st.integers(1, 5), st.frozensets(st.integers(1, 9)), st.lists(st.lists(st.integers(0, SILENT), max_size=9)))
def test_every_place_is_taken_by_somebody_who_is_there(
    places: int, before: frozenset[int], traces: list[list[int]]
) -> None:
    activities = room(*traces)
    chosen = select(places, before, activities, NOW)
    assert chosen <= set(activities)
    assert len(chosen) == min(places, len(activities))
    assert select(places, chosen, activities, NOW) == chosen
