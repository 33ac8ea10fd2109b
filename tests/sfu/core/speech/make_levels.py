"""Makes `levels.json`: what RFC 6464 says every 20 ms of speech, coughs, keyboards, music and breath.

    python tests/sfu/core/speech/make_levels.py        needs espeak-ng; what it makes is committed

Speech is espeak-ng's, brought to the loudness that browsers' gain control aims at, over the noise of a quiet room.
Everything else is made of sines and seeded noise. A level is the RMS of a frame below overload: 0 loud … 127 silent.
"""

from __future__ import annotations

import io
import json
import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 22_050  # espeak-ng's
FRAME = RATE // 50
SPEECH_DBOV = -24.0  # mean of frames in which somebody speaks
ROOM_DBOV = -62.0  # what a microphone hears when nobody does

Signal = NDArray[np.float64]

VOICES = {"ada": "en-gb+f3", "bob": "en-us+m3", "eve": "en-us+f5", "max": "de+m7"}
SENTENCES = {
    "en": [
        "Good morning everybody, shall we begin with what was left over from last week?",
        "I looked at the figures again yesterday evening, and they are better than we thought.",
        "Could you please send me the document, because I cannot find it anywhere.",
        "No, I do not think so. The train leaves at half past nine, and it takes two hours, more or less.",
    ],
    "de": [
        "Guten Morgen zusammen, fangen wir mit dem an, was letzte Woche liegen geblieben ist?",
        "Ich habe mir die Zahlen gestern Abend noch einmal angesehen, und sie sind besser als gedacht.",
        "Kannst du mir bitte das Dokument schicken, ich finde es nämlich nirgends.",
        "Nein, das glaube ich nicht. Der Zug fährt um halb zehn, und er braucht ungefähr zwei Stunden.",
    ],
}
INTERJECTIONS = {"yes": "Yes.", "mhm": "Mhm.", "right": "Right."}


def speak(voice: str, text: str) -> Signal:
    """Normalised, without the silence at both ends."""
    command = ["espeak-ng", "-v", voice, "-s", "165", "--stdout", text]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(output)) as file:
        assert file.getframerate() == RATE
        signal = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float) / 32768
    loudness = dbov(signal)
    active = loudness > loudness.max() - 30
    first, last = np.flatnonzero(active)[[0, -1]]
    mean = 10 * np.log10(np.mean(10 ** (loudness[active] / 10)))
    return signal[first * FRAME : (last + 1) * FRAME] * float(10 ** ((SPEECH_DBOV - mean) / 20))


def dbov(signal: Signal) -> Signal:
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    return np.asarray(10 * np.log10(np.mean(frames**2, axis=1) + 1e-13), float)


def levels(signal: Signal, random: np.random.Generator) -> list[int]:
    heard = signal + room(len(signal), random)
    return [int(level) for level in np.clip(np.round(-dbov(heard)), 0, 127)]


def room(samples: int, random: np.random.Generator, level_dbov: float = ROOM_DBOV) -> Signal:
    return random.normal(0, 10 ** (level_dbov / 20), samples)


def keyboard(seconds: float, random: np.random.Generator) -> Signal:
    """Keys struck 5 times a second: each a burst of noise of 10 ms, and a softer one when it is let go."""
    signal = np.zeros(int(seconds * RATE))
    at = 0.1
    while at < seconds - 0.3:
        for offset, dbov_peak in ((0.0, -14.0), (random.uniform(0.05, 0.09), -24.0)):
            start, length = int((at + offset) * RATE), int(0.03 * RATE)
            envelope = np.exp(-np.arange(length) / (0.006 * RATE)) * 10 ** (dbov_peak / 20)
            signal[start : start + length] += random.normal(0, 1, length) * envelope
        at += float(random.uniform(0.11, 0.3))
    return signal


def music(seconds: float, random: np.random.Generator) -> Signal:
    """Chords of four notes, one struck every half second, sounding on into the next."""
    signal = np.zeros(int((seconds + 2) * RATE))
    roots = [220.0, 174.6, 261.6, 196.0]
    time_s = np.arange(2 * RATE) / RATE
    for index in range(int(seconds * 2)):
        root = roots[index // 4 % 4]
        chord = np.zeros(len(time_s))
        for ratio in (1.0, 1.25, 1.5, 2.0):
            chord += np.sin(2 * np.pi * root * ratio * time_s + random.uniform(0, 6)) * np.exp(-time_s / 0.6)
        signal[index * RATE // 2 : index * RATE // 2 + len(chord)] += chord
    signal = signal[: int(seconds * RATE)]
    return np.asarray(signal * 10 ** (-28 / 20) / np.sqrt(np.mean(signal**2)), float)


def breath(seconds: float, random: np.random.Generator) -> Signal:
    """In and out, a second each, every four seconds, close to the microphone."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    envelope = np.maximum(0, np.sin(2 * np.pi * time_s)) * (time_s % 4 < 2)
    return np.asarray(random.normal(0, 1, len(time_s)) * envelope * 10 ** (-44 / 20), float)


def cough(random: np.random.Generator) -> Signal:
    time_s = np.arange(int(0.24 * RATE)) / RATE
    return np.asarray(random.normal(0, 1, len(time_s)) * np.exp(-time_s / 0.08) * 10 ** (-14 / 20), float)


def make() -> dict[str, list[int]]:
    random = np.random.default_rng(6464)
    traces = {}
    for name, voice in VOICES.items():
        for index, sentence in enumerate(SENTENCES[voice[:2]]):
            traces[f"{name}/{index}"] = levels(speak(voice, sentence), random)
        for word, text in INTERJECTIONS.items():
            traces[f"{name}/{word}"] = levels(speak(voice, text), random)
    traces["keyboard"] = levels(keyboard(20, random), random)
    traces["music"] = levels(music(20, random), random)
    traces["breath"] = levels(breath(20, random), random)
    traces["cough"] = levels(cough(random), random)
    traces["fan"] = levels(room(20 * RATE, random, -40), random)
    traces["room"] = levels(np.zeros(20 * RATE), random)
    return traces


if __name__ == "__main__":
    lines = [f'  "{name}": {json.dumps(trace, separators=(",", ":"))}' for name, trace in make().items()]
    Path(__file__).with_name("levels.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
