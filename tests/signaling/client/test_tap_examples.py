"""The examples that listen: utterances are cut where people pause, activity is drawn where somebody spoke."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from signaling.client import AudioFrame
from signaling.client.examples.activity import COLUMN_S, COLUMNS, FLOOR_DB, Activity, drawn, level_db
from signaling.client.examples.captions import ENGINE_RATE, LONGEST_S, Utterances, mono

FRAME = 960


def tone(count: int = FRAME, amplitude: int = 8000) -> NDArray[np.int16]:
    wave = (amplitude * np.sin(np.arange(count) * 2 * np.pi * 440 / 48_000)).astype(np.int16)
    return np.repeat(wave[:, np.newaxis], 2, axis=1)


def heard(*spans: tuple[float, float, bool]) -> list[NDArray[np.int16]]:
    """What utterances there are when (from, to) there is speech, or quiet."""
    cut, found = Utterances(), []
    for from_s, to_s, speech in spans:
        for number in range(int(from_s * 50), int(to_s * 50)):
            samples = tone() if speech else np.zeros((FRAME, 2), np.int16)
            said = cut.on_frame(AudioFrame("ada", "t", "microphone", number / 50, number * FRAME, samples))
            found += [] if said is None else [said]
    last = cut.finish()
    return found + ([] if last is None else [last])


def seconds(utterances: list[NDArray[np.int16]]) -> list[float]:
    return [round(len(one) / ENGINE_RATE, 1) for one in utterances]


def test_an_utterance_ends_with_a_pause_that_was_sent_or_not() -> None:
    assert seconds(heard((0, 2, True), (2, 4, False), (4, 5, True))) == [2.6, 1.0]
    assert seconds(heard((0, 2, True), (4, 5, True))) == [2.0, 1.0]  # DTX
    assert seconds(heard((0, 1, True), (1, 1.3, False), (1.3, 2, True))) == [2.0]
    assert heard((0, 3, False)) == []


def test_who_talks_on_and_on_is_read_in_pieces() -> None:
    pieces = seconds(heard((0, 25, True)))
    assert len(pieces) == 3 and max(pieces) <= LONGEST_S + 0.1 and abs(sum(pieces) - 25) < 0.2


def test_sound_is_made_mono_and_a_third_of_its_rate() -> None:
    narrow = mono(tone(48_000))
    assert narrow.dtype == np.int16 and len(narrow) == ENGINE_RATE
    spectrum = np.abs(np.fft.rfft(narrow.astype(np.float64)))
    assert int(np.argmax(spectrum)) == 440


def test_activity_is_drawn_where_somebody_spoke() -> None:
    ada, bob = Activity(), Activity()
    for column in range(COLUMNS):
        ada.on_frame(column * COLUMN_S, tone() if column >= COLUMNS - 10 else np.zeros((FRAME, 2), np.int16))
    bob.on_frame(0.0, tone(amplitude=30_000))
    first, second = drawn({"ada": ada, "bob": bob}).split("\n")
    assert first.startswith("ada ") and len(first) == len(second) == 17 + COLUMNS
    assert set(first[17 : 17 + COLUMNS - 10]) == {" "} and set(first[-10:]) & set("▆▇")
    assert second[17] in "▇█" and set(second[18:]) == {" "}


def test_levels() -> None:
    assert level_db(np.zeros((FRAME, 2), np.int16)) == level_db(np.zeros((0, 2), np.int16)) == FLOOR_DB
    assert abs(level_db(tone(amplitude=32767)) + 3) < 0.1
