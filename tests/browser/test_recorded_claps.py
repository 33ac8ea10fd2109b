"""Two pages of Chromium clap at once and are recorded: how far apart it is in the files."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from recorder import manifest
from recorder.journal import JournalReader
from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from signaling.recordings.options import RecordingOptions
from tests.browser.pages.test_recording import comes_to
from tests.recorder.watching import watch
from tests.support.chromium import eventually
from tests.support.measured_claps import Claps
from tests.support.page import OpenLobby, enter
from tests.support.server import running_server

pytestmark = pytest.mark.chromium

CLAPS = 8
# Chromium gives a canvas's picture a time of its own, up to two of its 30 pictures a second off, another
# in each page: how far apart files are is measured with bots (tests/integration/test_recorded_claps.py).
BETWEEN_PAGES_S = 0.080
MISSING = 3  # of some ten: a browser that has no time leaves pictures out
# The camera is a canvas, the microphone an oscillator; both pages clap at even seconds of the calendar. `claps` are
# those that the page had time for: it drew the flash within a frame of when it was due.
CLAPPING = """
(() => {
  const audio = new AudioContext({latencyHint: 'interactive'});
  const oscillator = new OscillatorNode(audio, {frequency: 1000});
  const gain = new GainNode(audio, {gain: 0});
  const speaker = new MediaStreamAudioDestinationNode(audio);
  oscillator.connect(gain).connect(speaker);
  oscillator.start();
  const canvas = Object.assign(document.createElement('canvas'), {width: 640, height: 360});
  const drawing = canvas.getContext('2d');
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
  // How far the context's clock is behind the calendar, of late: it goes in steps, and is seen late, never early.
  let behind = Infinity;
  setInterval(() => { behind = Math.min(behind, now() - audio.currentTime); }, 7);
  window.claps = [];
  let due = Math.ceil(now() / 2) * 2 + 2, begin = null, turn = 0, flashing = false;
  setInterval(() => {
    turn += 1;
    const at = now();
    const on = at >= due && at < due + 0.1;
    if (on && !flashing && begin !== null && at < due + 0.02) window.claps.push(due);
    flashing = on;
    drawing.fillStyle = on ? '#fff' : '#202020';
    drawing.fillRect(0, 0, 640, 360);
    drawing.fillStyle = '#444';
    drawing.fillRect((turn * 7) % 640, 330, 20, 20);
    if (at < due + 0.5) return;
    due += 2;
    begin = due - behind;
    behind = Infinity;
    gain.gain.setValueAtTime(0.8, begin);
    gain.gain.setValueAtTime(0, begin + 0.1);
  }, 16);
  const camera = canvas.captureStream(30).getVideoTracks()[0];
  const microphone = speaker.stream.getAudioTracks()[0];
  navigator.mediaDevices.getUserMedia = async ({video, audio: sound}) => {
    await audio.resume();
    return new MediaStream([...(video ? [camera.clone()] : []), ...(sound ? [microphone.clone()] : [])]);
  };
})();
"""


async def test_claps_of_two_pages_are_together_in_the_files(lobby: OpenLobby, tmp_path: Path) -> None:
    async with (
        running_server("--dev", f"--recordings={tmp_path}") as server,
        ServerApi(server.url, ":".join(DEVELOPMENT_KEY)) as api,
    ):
        pages = [await enter(lobby, f"{server.url}/r/claps", name, prepare=CLAPPING) for name in ("Ada", "Bob")]
        begun = await api.start_recording("claps", RecordingOptions(mode="copy"))

        async def taken() -> bool:
            return (await api.get_recording(begun.id)).journal_bytes > 50_000

        await eventually(taken, "the recording runs")
        before = [len(await page.evaluate("claps")) for page in pages]

        async def clapped() -> bool:
            counts = [len(await page.evaluate("claps")) for page in pages]
            return all(count >= one + CLAPS for count, one in zip(counts, before, strict=True))

        await eventually(clapped, "enough claps", timeout_s=60.0)
        claps: list[list[float]] = [await page.evaluate("claps") for page in pages]
        await api.stop_recording(begun.id)
        made = await comes_to(api, begun.id, "ready")
        reader = JournalReader(tmp_path / made.id / "journal")
        assert list(reader.entries()) and reader.epoch is not None
        found = Claps()
        for file in manifest.decode((tmp_path / made.id / manifest.FILE_NAME).read_bytes()).files:
            of_page = claps[["ada", "bob"].index(file.participant.partition("-")[0])]
            due = {at_s - reader.epoch.unix_s for at_s in of_page}
            in_file = {round(at_s, 3) for at_s in due if 0.5 < at_s < file.duration_s - 0.5}
            seen = watch(tmp_path / made.id / file.path)
            found.add(file.participant, seen, flashes_due=in_file, beeps_due=in_file, most_missing=MISSING)
        assert len(found.flashes) == len(pages)
        # Of a page that is held up, single claps are late before anybody sends them.
        found.check(median, BETWEEN_PAGES_S)
