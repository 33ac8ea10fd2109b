"""The page of the app, as tests open it and look at it: the lobby, the call, its tiles."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page

from signaling.auth import Grant, mint
from signaling.config import DEVELOPMENT_KEY
from signaling.messages import Grants
from tests.support.chromium import eventually, new_page
from tests.support.remembered import REMEMBER

EVERYTHING = Grants(create=True, publish=True, subscribe=True, message=True)
TILES = "() => [...document.querySelectorAll('.tile')].map((tile) => ({...tile.dataset}))"

# `devicesFail` decides what opening a device ends in; null: as it really does.
FAILING = """
(() => {
  window.devicesFail = %s;
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const failure = window.devicesFail;
    if (failure && (failure.of === 'both' || wanted[failure.of])) throw new DOMException(failure.message, failure.name);
    return open(wanted);
  };
})();
"""

OpenLobby = Callable[..., Awaitable[Page]]


@contextlib.asynccontextmanager
async def lobbies(browser: Browser) -> AsyncIterator[OpenLobby]:
    """Opens the page, nothing clicked yet. An uncaught error or a breach of the page's policy fails the test.

    `prepare` is a script that runs before the page's own; other keywords go to the browser's context.
    """
    faults: list[str] = []

    def on_console(line: ConsoleMessage) -> None:
        if "Content Security Policy" in line.text:
            faults.append(line.text)

    async def open_lobby(address: str, name: str = "", prepare: str = "", **context: Any) -> Page:
        page = await new_page(browser, **context)
        await page.add_init_script(REMEMBER)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", on_console)
        if prepare:
            await page.add_init_script(prepare)
        await page.goto(address)
        if name:
            await page.fill("#lobby-name", name)
        return page

    yield open_lobby
    assert faults == []


async def enter(lobby: OpenLobby, address: str, name: str = "", **options: Any) -> Page:
    page = await lobby(address, name, **options)
    await page.click("#lobby-join")
    await page.wait_for_selector("#call:not([hidden])")
    return page


async def shows(page: Page, who: str, source: str = "camera", **expected: str) -> None:
    """Wait until the tile of this participant looks so; `video="on"` is a picture that has been shown."""

    async def so() -> bool:
        found = [
            tile
            for tile in await page.evaluate(TILES)
            if tile["participant"].startswith(who) and tile["source"] == source
        ]
        return len(found) == 1 and all(found[0][key] == value for key, value in expected.items())

    await eventually(so, f"{who}'s {source} is {expected}")


async def has_no_tile(page: Page, who: str, source: str = "camera") -> None:
    async def gone() -> bool:
        tiles = await page.evaluate(TILES)
        return not any(tile["participant"].startswith(who) and tile["source"] == source for tile in tiles)

    await eventually(gone, f"{who}'s {source} is gone")


async def says(page: Page, selector: str, words: str) -> None:
    """Wait until the text of this element has these words in it."""

    async def told() -> bool:
        return words in await page.inner_text(selector)

    await eventually(told, f"{selector} says {words!r}")


async def ready(page: Page, button: str) -> None:
    await page.wait_for_selector(f"{button}:not([aria-disabled=true])")


def token(room: str, *, create: bool = True, valid_for_s: float = 3600.0, grants: Grants | None = None) -> str:
    """Somebody's invitation; her identity is `zoe`."""
    key_id, secret = DEVELOPMENT_KEY
    chosen = grants or (EVERYTHING if create else Grants(publish=True, subscribe=True))
    grant = Grant(identity="zoe", name="Zoë", room=room, grants=chosen)
    return mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=valid_for_s)
