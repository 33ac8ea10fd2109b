"""A call that is recorded, in the page: everybody sees it, is asked, and who does not consent is in no file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Locator, Page, expect

from signaling.api.models import RoomWish
from signaling.api.recording_models import Recording
from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from tests.browser.pages.test_admin import WAIT_MS, signed_in
from tests.browser.pages.test_page_axe import axe, complaints
from tests.support.chromium import eventually, screenshot
from tests.support.page import EVERYTHING, OpenLobby, enter, says, shows, token
from tests.support.remembered import announces
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.chromium

__all__ = ["axe"]  # a fixture
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
FILES_WITHIN_S = 120.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server("--dev", f"--recordings={tmp_path}") as running:
        yield running


async def hidden(page: Page, selector: str) -> None:
    await page.wait_for_selector(selector, state="hidden")


async def screenshots(page: Page, name: str) -> None:
    """At both widths, light and dark."""
    before = page.viewport_size
    assert before is not None
    for width, size in (("desk", before), ("phone", PHONE["viewport"])):
        await page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await screenshot(page, f"{name}-{width}-{scheme}")
    await page.set_viewport_size(before)
    await page.emulate_media(color_scheme="light")


async def comes_to(api: ServerApi, recording: str, state: str) -> Recording:
    async with asyncio.timeout(FILES_WITHIN_S):
        while (one := await api.get_recording(recording)).state != state:  # noqa: ASYNC110 - by REST, as backends do
            await asyncio.sleep(0.2)
    return one


async def test_everybody_sees_that_it_is_recorded_and_decides_whether_to_be(
    server: RunningServer, browser: Browser, lobby: OpenLobby, axe: str
) -> None:
    async with ServerApi(server.url, ":".join(DEVELOPMENT_KEY)) as api:
        await api.create_room(RoomWish(name="rec", recording_consent=True))
        records = token("rec", grants=replace(EVERYTHING, record=True))
        ada = await enter(lobby, f"{server.url}/r/rec#token={records}")
        eve = await enter(lobby, f"{server.url}/r/rec", "Eve", **PHONE)
        await shows(ada, "eve", video="on")
        await hidden(ada, "#recording")
        await hidden(eve, "#record")
        await says(ada, "#record-toggle", "Record")
        await screenshot(ada, "record-desk")
        await ada.click("#record-toggle")
        for page, name in ((ada, "desk"), (eve, "phone")):
            await says(page, "#recording", "Recording, without you")
            await says(page, "#consent-words", "This call is being recorded")
            await screenshot(page, f"recording-asks-{name}")
        (begun,) = (await api.list_room_recordings("rec")).items
        await says(ada, "#record", "Stop")
        await eve.click("#consent-refuse")
        await ada.click("#consent-give")
        await says(ada, "#recording", "Recording, with you")
        for page, name in ((ada, "desk"), (eve, "phone")):
            await hidden(page, "#consent")
            await screenshot(page, f"recording-{name}")
        # Who comes later is somebody else to a server in development mode, and is asked.
        await eve.reload()
        await eve.click("#lobby-join")
        await says(eve, "#recording", "Recording, without you")
        await says(eve, "#consent-words", "This call is being recorded")

        async def is_taken() -> bool:
            return (await api.get_recording(begun.id)).journal_bytes > 200_000

        await eventually(is_taken, "something of Ada is in the journal")
        await ada.click("#record-pause")
        for page in (ada, eve):
            await says(page, "#recording", "Recording paused")
        await screenshots(ada, "record-paused")
        assert (await api.get_recording(begun.id)).state == "paused"
        await ada.click("#record-pause")
        await says(eve, "#recording", "Recording, without you")
        await ada.click("#record-toggle")
        await hidden(ada, "#recording")
        await says(ada, "#record-toggle", "Record")
        await announces(ada, "The recording has ended")
        files = (await comes_to(api, begun.id, "ready")).files
        assert {file.participant for file in files} == {"zoe"}
        await is_played_from(ada, browser, server.url, axe)


async def is_played_from(ada: Page, browser: Browser, url: str, axe: str) -> None:
    """By who may record, in the call and on the page of who runs the server."""
    await says(ada, "#record-watch", "Watch")
    await announces(ada, "The recording can be watched")
    await screenshots(ada, "record-watch")
    assert await complaints(ada, axe) == []
    await plays(ada, ada.get_by_role("button", name="Watch the last recording"))
    admin = await signed_in(browser, url)
    play = admin.get_by_role("button", name="Play rec")
    await expect(play).to_be_visible(timeout=WAIT_MS)
    assert await complaints(admin, axe) == []
    await plays(admin, play)
    for name, width in (("desk", 1280), ("phone", 390)):
        await admin.set_viewport_size({"width": width, "height": 844})
        await play.scroll_into_view_if_needed()
        await screenshot(admin, f"admin-recordings-{name}")


async def plays(page: Page, button: Locator) -> None:
    async with page.expect_popup() as opening:
        await button.click()
    player = await opening.value
    await expect(player.locator("#title")).to_have_text("rec", timeout=WAIT_MS)
    await expect(player.locator("#stage video")).to_have_count(1, timeout=WAIT_MS)
    await player.click("#play")

    async def goes_on() -> bool:
        return bool(await player.evaluate("document.querySelector('#stage video').currentTime > 0.5"))

    await eventually(goes_on, "the recording is played")
    await player.close()
