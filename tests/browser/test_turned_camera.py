"""A camera of Chromium that is turned while it films, as a phone's: upright for who watches, and in what is recorded.

Its pictures are drawn as the sensor of a phone sees them, and say by how much they are to be turned; Chromium sends
them so, and says it in the header extension.
"""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

import av
import pytest
from playwright.async_api import Page

from recorder import manifest
from recorder.config import FilesConfig, MediaConfig
from recorder.recovery import recover
from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from signaling.recordings.options import RecordingOptions
from tests.browser.pages.test_recording import comes_to
from tests.recorder import turning
from tests.support.chromium import eventually
from tests.support.page import OpenLobby, enter
from tests.support.server import running_server

pytestmark = pytest.mark.chromium

WAYS = (90, 270, 180, 0)
# `held`: how pictures are to be turned from now on; `pictures`: how each was, by its number.
FILMING = """
(() => {
  const canvas = new OffscreenCanvas(640, 360);
  const drawing = canvas.getContext('2d', {willReadFrequently: true});
  const camera = new MediaStreamTrackGenerator({kind: 'video'});
  const writer = camera.writable.getWriter();
  const asSent = {
    0: [1, 0, 0, 1, 0, 0], 90: [0, -1, 1, 0, 0, 360], 180: [-1, 0, 0, -1, 640, 360], 270: [0, 1, -1, 0, 640, 0],
  };
  // As signaling/demo/strip.py draws it.
  const draw = (number, width, height) => {
    let rest = 0xff;
    for (const shift of [16, 8, 0]) {
      rest ^= (0x10000 | number) >> shift & 0xff;
      for (let bit = 0; bit < 8; bit++) rest = (rest & 0x80 ? rest << 1 ^ 7 : rest << 1) & 0xff;
    }
    const word = 1 * 2 ** 24 + number * 2 ** 8 + rest;
    drawing.fillStyle = '#c03040';
    drawing.fillRect(0, 0, width / 2, height);
    drawing.fillStyle = '#4050c0';
    drawing.fillRect(width / 2, 0, width / 2, height);
    const [across, down] = [width / 16, height / 8];
    for (let cell = 0; cell < 32; cell++) {
      drawing.fillStyle = Math.floor(word / 2 ** (31 - cell)) % 2 ? '#fff' : '#000';
      drawing.fillRect(across * (cell % 16), height * 3 / 4 + down * Math.floor(cell / 16), across, down);
    }
  };
  window.held = 0;
  window.pictures = {};
  let number = 0;
  setInterval(() => {
    const rotation = window.held;
    drawing.setTransform(...asSent[rotation]);
    draw(++number, ...(rotation % 180 ? [360, 640] : [640, 360]));
    if (writer.desiredSize <= 0) return;
    window.pictures[number] = rotation;
    writer.write(new VideoFrame(canvas, {timestamp: Math.round(performance.now() * 1000), rotation}));
  }, 66);
  const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async ({video, audio}) => {
    const sound = audio ? (await getUserMedia({audio})).getAudioTracks() : [];
    return new MediaStream([...(video ? [camera.clone()] : []), ...sound]);
  };
})();
"""


async def seen(page: Page, who: str) -> dict[int, tuple[int, int]]:
    """The number of the picture of that tile, if it is upright; and its size as the browser plays it."""
    picture = await page.evaluate(
        """(who) => {
          const tile = [...document.querySelectorAll('.tile')].find((one) => one.textContent.includes(who));
          const video = tile?.querySelector('video');
          if (!video?.videoWidth) return null;
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
          canvas.getContext('2d').drawImage(video, 0, 0);
          return canvas.toDataURL('image/png').split(',')[1];
        }""",
        who,
    )
    if picture is None:
        return {}
    with av.open(io.BytesIO(base64.b64decode(picture)), "r") as opened:
        return turning.upright_numbers(opened.decode(video=0))


async def test_a_camera_that_is_turned_is_upright_for_all_and_in_files(lobby: OpenLobby, tmp_path: Path) -> None:
    async with (
        running_server("--dev", f"--recordings={tmp_path / 'all'}") as server,
        ServerApi(server.url, ":".join(DEVELOPMENT_KEY)) as api,
    ):
        ada = await enter(lobby, f"{server.url}/r/turned", "Ada", prepare=FILMING)
        bob = await enter(lobby, f"{server.url}/r/turned", "Bob")
        begun = await api.start_recording("turned", RecordingOptions(mode="copy"))

        async def taken() -> bool:
            return (await api.get_recording(begun.id)).journal_bytes > 50_000

        await eventually(taken, "the recording runs")
        for degrees in WAYS:
            await ada.evaluate("(degrees) => { held = degrees; }", degrees)

            async def upright(degrees: int = degrees) -> bool:
                pictures = await ada.evaluate("pictures")
                found = await seen(bob, "Ada")
                return any(
                    pictures.get(str(number)) == degrees and (height > width) == (degrees % 180 == 90)
                    for number, (width, height) in found.items()
                )

            await eventually(upright, f"Bob sees Ada upright, held at {degrees}°")
        pictures = {int(number): held for number, held in (await ada.evaluate("pictures")).items()}
        await api.stop_recording(begun.id)
        made = await comes_to(api, begun.id, "ready")
    directory, decoded = tmp_path / "all" / made.id, tmp_path / "decoded"
    copied = manifest.decode((directory / manifest.FILE_NAME).read_bytes())
    assert {turn.degrees for file in copied.files for turn in file.turns} >= set(WAYS)
    shutil.copytree(directory / "journal", decoded / "journal")
    files = recover(decoded, MediaConfig(), FilesConfig(camera_size=(640, 640))).manifest.files
    (file,) = [one for one in files if one.participant.startswith("ada")]
    found = turning.upright_numbers(turning.decoded(decoded / file.path))
    assert {pictures[number] for number in found} == set(WAYS)
