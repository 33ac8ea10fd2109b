"""The playback page: its unit tests and types, its policy, and in Chromium that everybody plays in step."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from recorder.config import FilesConfig, MediaConfig
from recorder.journal import SpeakersChanged
from recorder.recovery import recover
from sfu.core.types import Codec
from tests.recorder.stage import Publisher, Stage
from tests.signaling.static.test_static import in_node
from tests.support.chromium import chromium, eventually, new_page, screenshot

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "recorder" / "playback"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; img-src 'self'"
PLACES = """
() => [...document.querySelectorAll('video')].map((video) => ({
  at: video.currentTime, paused: video.paused, error: video.error?.message,
}))
"""


def test_the_unit_tests_of_the_page_pass() -> None:
    in_node("node", "--test", str(Path(__file__).parent / "timeline.test.js"))


def test_the_page_is_typed() -> None:
    in_node("tsc", "--project", "recorder/playback")


def test_the_page_has_nothing_inline_and_names_only_what_exists() -> None:
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:|https?://", page)
    for name in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (PAGE / name).is_file(), name
    for name in re.findall(r"element\('([\w-]+)'", (PAGE / "playback.js").read_text()):
        assert f' id="{name}"' in page, name
    for path in PAGE.iterdir():
        assert len(path.read_text().splitlines()) <= 400


@contextlib.asynccontextmanager
async def served(recording: Path) -> AsyncIterator[str]:
    """The page under /play/, the recording under /recording/, with a strict policy; as a server would have them."""

    async def protect(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = POLICY

    app = web.Application()
    app.on_response_prepare.append(protect)
    app.router.add_static("/play", PAGE, follow_symlinks=True)  # of the colours; a wheel has a copy
    app.router.add_static("/recording", recording)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("recording")
    stage = Stage(
        [
            Publisher("ada", Codec.VP8),
            Publisher("bob", Codec.H264, first=5, from_s=3.9, seed=2),
            Publisher("cid", None, first=9, seed=3),
        ],
        [
            (0.5, 0, SpeakersChanged(("ada",))),
            (4.5, 0, SpeakersChanged(("bob", "ada"))),
            (7.0, 0, SpeakersChanged(("cid",))),
        ],
    )
    recover(stage.write(directory), MediaConfig(), FilesConfig(camera_size=(320, 192)))
    return directory


@pytest.mark.chromium
async def test_everybody_plays_in_step_from_any_moment(recording: Path) -> None:
    faults: list[str] = []
    async with served(recording) as url, chromium() as browser:
        page = await new_page(browser)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        await page.goto(f"{url}/play/index.html?recording=/recording/")
        await page.wait_for_selector("#player:not([hidden])")
        assert await page.inner_text("#title") == "standup"
        assert await page.locator(".tile").count() == 3
        await page.get_by_role("button", name="Bob speaks at 0:04 for 3 s").click()
        await page.get_by_role("button", name="Play", exact=True).click()

        async def in_step() -> bool:
            places = await page.evaluate(PLACES)
            times = [place["at"] for place in places]
            playing = not any(place["paused"] or place["error"] for place in places)
            return playing and min(times) > 4.8 and max(times) - min(times) < 0.1

        await eventually(in_step, "all three within 100 ms of each other")
        assert await page.get_attribute(".tile[data-speaking='true'] video", "aria-label") in ("Bob", "Cid")
        await screenshot(page, "playback")
        await page.get_by_role("button", name="Pause", exact=True).click()
        await page.locator("#position").focus()
        await page.keyboard.press("Home")

        async def at_the_beginning() -> bool:
            places = await page.evaluate(PLACES)
            return all(place["at"] < 0.2 and place["paused"] for place in places)

        await eventually(at_the_beginning, "all at the beginning")
        assert await page.inner_text("#clock") == "0:00"
        # Who had not come yet is not shown.
        assert await page.locator(".tile:visible").count() == 2

    assert not faults, faults


@pytest.mark.chromium
async def test_a_recording_that_is_not_there_or_elsewhere_is_told_in_words(recording: Path) -> None:
    async with served(recording) as url, chromium() as browser:
        page = await new_page(browser)
        await page.goto(f"{url}/play/index.html?recording=/nowhere/")
        await page.wait_for_selector("#problem:not([hidden])")
        assert "404" in await page.inner_text("#problem")
        await page.goto(f"{url}/play/index.html?recording=https://elsewhere.example/")
        await page.wait_for_selector("#problem:not([hidden])")
        assert "another server" in await page.inner_text("#problem")
