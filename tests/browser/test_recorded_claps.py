"""Two pages of Chromium are recorded: how far what they captured is apart in the files.

The pages say themselves when they captured: of each picture, which has its number in it, and of each beep. So what is
measured is what became of it, not how busy the browser was when it drew.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recorder import manifest
from recorder.journal import JournalReader
from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from signaling.recordings.options import RecordingOptions
from tests.browser.pages.test_recording import comes_to
from tests.recorder.watching import watch
from tests.support.chromium import eventually
from tests.support.measured_claps import AV_SKEW_S, BETWEEN_S
from tests.support.page import OpenLobby, enter
from tests.support.server import running_server

pytestmark = pytest.mark.chromium

BEEPS = 8
NEAR_S = 0.5  # of two beeps at once there are none
LEAST_PICTURES = 100  # of some 300: a browser that has no time leaves some out
# The camera is a canvas each of whose pictures is handed over with the time at which it was drawn: of those that
# `captureStream` takes, nobody is told when that was, up to two of its 30 pictures a second later. The microphone is an
# oscillator that beeps at even seconds. `pictures`: when each was captured, by its number; `beeps`: likewise, by the
# second for which it was meant. Seconds of the calendar.
CLAPPING = """
(() => {
  const audio = new AudioContext({latencyHint: 'interactive'});
  const oscillator = new OscillatorNode(audio, {frequency: 1000});
  const gain = new GainNode(audio, {gain: 0});
  const speaker = new MediaStreamAudioDestinationNode(audio);
  oscillator.connect(gain).connect(speaker);
  oscillator.start();
  const canvas = new OffscreenCanvas(640, 360);
  const drawing = canvas.getContext('2d', {willReadFrequently: true});
  const camera = new MediaStreamTrackGenerator({kind: 'video'});
  const writer = camera.writable.getWriter();
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
  // How far the context's clock is behind the calendar, of late: it goes in steps, and is seen late, never early.
  let behind = Infinity;
  setInterval(() => { behind = Math.min(behind, now() - audio.currentTime); }, 7);
  // As signaling/demo/strip.py draws it.
  const draw = (number) => {
    let rest = 0xff;
    for (const shift of [16, 8, 0]) {
      rest ^= (0x10000 | number) >> shift & 0xff;
      for (let bit = 0; bit < 8; bit++) rest = (rest & 0x80 ? rest << 1 ^ 7 : rest << 1) & 0xff;
    }
    const word = 1 * 2 ** 24 + number * 2 ** 8 + rest;
    drawing.fillStyle = '#404040';
    drawing.fillRect(0, 0, 640, 270);
    for (let cell = 0; cell < 32; cell++) {
      drawing.fillStyle = Math.floor(word / 2 ** (31 - cell)) % 2 ? '#fff' : '#000';
      drawing.fillRect(40 * (cell % 16), 270 + 45 * Math.floor(cell / 16), 40, 45);
    }
  };
  window.pictures = {};
  window.beeps = {};
  let due = Math.ceil(now() / 2) * 2 + 2, begin = null, number = 0;
  setInterval(() => {
    draw(++number);
    const at = now();
    if (writer.desiredSize > 0) {
      window.pictures[number] = at;
      writer.write(new VideoFrame(canvas, {timestamp: Math.round((at - performance.timeOrigin / 1000) * 1e6)}));
    }
    if (at < due + 0.5) return;
    if (begin !== null) window.beeps[due] = begin + behind;
    due += 2;
    begin = due - behind;
    behind = Infinity;
    gain.gain.setValueAtTime(0.8, begin);
    gain.gain.setValueAtTime(0, begin + 0.1);
  }, 33);
  navigator.mediaDevices.getUserMedia = async ({video, audio: sound}) => {
    await audio.resume();
    const microphone = speaker.stream.getAudioTracks()[0];
    return new MediaStream([...(video ? [camera.clone()] : []), ...(sound ? [microphone.clone()] : [])]);
  };
})();
"""


@dataclass(slots=True)
class Lateness:
    """How much later than it was captured something is in a file: (captured, late) of each picture and beep."""

    pictures: list[tuple[float, float]] = field(default_factory=list)
    beeps: list[tuple[float, float]] = field(default_factory=list)


def nearest(to_s: float, of: list[tuple[float, float]]) -> float:
    return min(of, key=lambda one: abs(one[0] - to_s))[1]


def apart(some: list[tuple[float, float]], others: list[tuple[float, float]]) -> list[float]:
    """Each against what the other captured at about the same time."""
    return [abs(late - nearest(captured, others)) for captured, late in some]


async def test_what_two_pages_captured_at_once_is_at_one_time_in_the_files(lobby: OpenLobby, tmp_path: Path) -> None:
    async with (
        running_server("--dev", f"--recordings={tmp_path}") as server,
        ServerApi(server.url, ":".join(DEVELOPMENT_KEY)) as api,
    ):
        pages = {name: await enter(lobby, f"{server.url}/r/claps", name, prepare=CLAPPING) for name in ("Ada", "Bob")}
        begun = await api.start_recording("claps", RecordingOptions(mode="copy"))

        async def taken() -> bool:
            return (await api.get_recording(begun.id)).journal_bytes > 50_000

        await eventually(taken, "the recording runs")
        before = [await page.evaluate("Object.keys(beeps).length") for page in pages.values()]

        async def clapped() -> bool:
            counts = [await page.evaluate("Object.keys(beeps).length") for page in pages.values()]
            return all(count >= one + BEEPS for count, one in zip(counts, before, strict=True))

        await eventually(clapped, "enough claps", timeout_s=60.0)
        captured = {name.lower(): await page.evaluate("({pictures, beeps})") for name, page in pages.items()}
        await api.stop_recording(begun.id)
        made = await comes_to(api, begun.id, "ready")
    reader = JournalReader(tmp_path / made.id / "journal")
    assert list(reader.entries()) and reader.epoch is not None
    began_s = reader.epoch.unix_s
    found: dict[str, Lateness] = {}
    for file in manifest.decode((tmp_path / made.id / manifest.FILE_NAME).read_bytes()).files:
        name = file.participant.partition("-")[0]
        seen, late = watch(tmp_path / made.id / file.path), found.setdefault(name, Lateness())
        pictures = {int(number): at_s - began_s for number, at_s in captured[name]["pictures"].items()}
        late.pictures = [
            (pictures[number], at_s - pictures[number]) for at_s, number in seen.numbers if number in pictures
        ]
        for at_s in [float(one) - began_s for one in captured[name]["beeps"].values()]:
            heard = min(seen.beeps, key=lambda one: abs(one - at_s))
            if abs(heard - at_s) < NEAR_S:
                late.beeps.append((at_s, heard - at_s))
        assert len(late.beeps) >= BEEPS - 1 and len(late.pictures) >= LEAST_PICTURES
    ada, bob = found["ada"], found["bob"]
    skews = [*apart(ada.pictures, ada.beeps), *apart(bob.pictures, bob.beeps)]
    figures = {"A/V": skews, "pictures": apart(ada.pictures, bob.pictures), "beeps": apart(ada.beeps, bob.beeps)}
    print({name: f"worst {1000 * max(of):.1f} ms of {len(of)}" for name, of in figures.items()})
    assert max(skews) <= AV_SKEW_S, sorted(skews)[-10:]
    assert max(itertools.chain(figures["pictures"], figures["beeps"])) <= BETWEEN_S, figures
