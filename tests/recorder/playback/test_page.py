"""The playback page: its unit tests and types, its policy, and in Chromium that everybody plays in step."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from aiohttp import web
from playwright.async_api import Page

from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.journal import SpeakersChanged
from recorder.recovery import recover
from sfu.core.types import Codec
from tests.recorder import turning
from tests.recorder.clap import FPS
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
# Names would cover numbers, and a screenshot of a tile has a little of what is around it.
BARE = """
() => {
  document.body.style.background = 'black';
  document.querySelectorAll('.tile').forEach((tile) => {
    tile.querySelector('figcaption').hidden = true;
  });
}
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


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copied: one file of VP8, and of H.264 one for each key frame that was to be turned otherwise."""
    directory = tmp_path_factory.mktemp("turned")

    def held(identity: str, codec: Codec, first: int) -> Publisher:
        later, until_s = (0.0, turning.pictures(codec)), turning.UNTIL_S
        return Publisher(
            identity, codec, first=first, sound=False, until_s=until_s, later=later, orientations=turning.HELD
        )

    stage = Stage([held("ada", Codec.VP8, 1), held("bob", Codec.H264, 5)], until_s=turning.UNTIL_S + 0.5)
    recover(stage.write(directory), MediaConfig(), FilesConfig(mode=Mode.COPY))
    return directory


async def shown(page: Page, name: str) -> dict[int, tuple[int, int]]:
    """The number of the picture in a tile, if it is upright there; and its size."""
    tile = page.locator(".tile", has=page.locator(f"video[aria-label='{name}']"))
    with av.open(io.BytesIO(await tile.screenshot()), "r") as opened:
        return turning.upright_numbers(opened.decode(video=0))


@pytest.mark.chromium
async def test_copied_pictures_are_upright_at_any_moment(turned: Path) -> None:
    async with served(turned) as url, chromium() as browser:
        page = await new_page(browser)
        await page.goto(f"{url}/play/index.html?recording=/recording/")
        await page.wait_for_selector("#player:not([hidden])")
        await page.evaluate(BARE)
        for at_s in (5.6, *(from_s + 0.25 for from_s, _ in turning.HELD), 0.3):
            await page.locator("#position").fill(f"{at_s:.1f}")
            for name in ("Ada", "Bob"):

                async def is_upright(name: str = name, at_s: float = at_s) -> bool:
                    found = await shown(page, name)
                    return any(abs(number / FPS - at_s) < 0.2 for number in found)

                await eventually(is_upright, f"{name} upright at {at_s} s")
                ((width, height),) = (await shown(page, name)).values()
                sideways = turning.held_at(at_s).turns % 2 == 1
                assert (height > width) == sideways, (name, at_s, width, height)
            if at_s == 1.65:
                await screenshot(page, "playback-turned")
