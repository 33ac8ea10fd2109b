"""The live composite of a call in Chromium, played by hls.js as a page of another origin would have it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser

from signaling.client import Endpoint, development_token
from signaling.recordings.options import LiveWish, RecordingOptions
from tests.support.chromium import eventually, new_page, screenshot
from tests.support.clapping import clapping
from tests.support.meeting import open_test_server
from tests.support.server import ROOT

pytestmark = pytest.mark.chromium

HLS = ROOT / "node_modules" / "hls.js" / "dist" / "hls.min.js"
# Composed two seconds late; a player stays three parts of 0.4 s behind the last, and its own buffer. Ordinary HLS: 8.
LATENCY_S = 6.0
PAGE = """<!doctype html><title>Live</title><video id="video" width="960" height="540" controls></video>
<script src="/hls.js"></script><script src="/play.js"></script>"""
# What is seen and heard is looked at each 20 ms: the middle of the picture, the loudest sample since.
PLAY = """
const video = document.getElementById('video');
const seen = {flashes: [], beeps: [], errors: [], latencies: []};
const hls = new Hls({lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5, enableWorker: false});
hls.on(Hls.Events.ERROR, (_, {details, fatal}) => seen.errors.push({details, fatal}));
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
hls.loadSource(decodeURIComponent(location.hash.slice(1)));
hls.attachMedia(video);
const audio = new AudioContext();
const analyser = audio.createAnalyser();
audio.createMediaElementSource(video).connect(analyser);
analyser.connect(audio.destination);
const samples = new Float32Array(analyser.fftSize);
const canvas = Object.assign(document.createElement('canvas'), {width: 16, height: 9});
const drawing = canvas.getContext('2d', {willReadFrequently: true});
let bright = false, loud = false;
setInterval(() => {
  if (video.readyState < 2) return;
  drawing.drawImage(video, 0, 0, 16, 9);
  const isBright = drawing.getImageData(8, 3, 1, 1).data[1] > 150;
  if (isBright && !bright) seen.flashes.push(performance.now() / 1000);
  bright = isBright;
  analyser.getFloatTimeDomainData(samples);
  const isLoud = samples.some((sample) => Math.abs(sample) > 0.1);
  if (isLoud && !loud) seen.beeps.push(performance.now() / 1000);
  loud = isLoud;
}, 20);
setInterval(() => {
  if (!video.paused && hls.playingDate) seen.latencies.push((Date.now() - hls.playingDate.getTime()) / 1000);
}, 250);
window.look = () => ({...seen, at: video.currentTime, width: video.videoWidth, lowLatency: hls.lowLatencyMode});
"""


@contextlib.asynccontextmanager
async def page_of_another_origin() -> AsyncIterator[str]:
    async def respond(request: web.Request) -> web.StreamResponse:
        if request.path == "/hls.js":
            return web.FileResponse(HLS)
        text, kind = (PLAY, "text/javascript") if request.path == "/play.js" else (PAGE, "text/html")
        return web.Response(text=text, content_type=kind)

    application = web.Application()
    application.router.add_get("/{path:.*}", respond)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_hls_js_shows_and_plays_it_a_few_seconds_late(browser: Browser, tmp_path: Path) -> None:
    if not HLS.is_file():
        assert os.environ.get("CI") != "true", "npm ci brings it"
        pytest.skip("hls.js is not installed: script/test installs it")
    zero_s = asyncio.get_running_loop().time()
    async with open_test_server(recordings=tmp_path) as server, page_of_another_origin() as url:
        token = (await development_token(server.url, "Ada", "live")).token
        async with clapping(server.url, "live", token, zero_s, Endpoint):
            wish = RecordingOptions(mode="copy", live=LiveWish())
            one = await server.recordings.start("live", wish)
            page = await new_page(browser)
            live = f"{server.url}/v1/live/{one.id}/{one.live_view}/live.m3u8"
            async with asyncio.timeout(60), ClientSession() as http:  # it begins some seconds after its recording
                while (await http.get(live)).status != 200:  # noqa: ASYNC110 - as players ask
                    await asyncio.sleep(0.2)
            await page.goto(f"{url}/#{live}")

            async def has_played() -> bool:
                seen: dict[str, Any] = await page.evaluate("look()")
                caught_up = seen["latencies"] and seen["latencies"][-1] < LATENCY_S
                return bool(caught_up) and len(seen["flashes"]) >= 4 and len(seen["beeps"]) >= 4

            await eventually(has_played, "four flashes and four beeps, and it is close to the call", timeout_s=90.0)
            await screenshot(page, "live-composite-hls")
            found = await page.evaluate("look()")
            latencies = found["latencies"]
            apart_s = [min(abs(flash - beep) for beep in found["beeps"]) for flash in found["flashes"][1:]]
            print(f"latency {latencies[-1]:.1f} s (at first {latencies[0]:.1f}); A/V as looked at {max(apart_s):.2f} s")
            assert not [error for error in found["errors"] if error["fatal"]], found["errors"]
            assert found["at"] > 5.0 and found["width"] == 1280 and found["lowLatency"]
            assert sorted(apart_s)[len(apart_s) // 2] < 0.15, found
            await server.recordings.stop(one.id)
            await page.close()
