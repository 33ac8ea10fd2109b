"""axe-core finds nothing to complain of in any view of the page, light and dark."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page

from tests.support.chromium import screenshot
from tests.support.page import OpenLobby, enter, says, shows
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
Scheme = Literal["light", "dark"]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
# Best practices too, not only the rules of WCAG.
RUN = """
async () => {
  const {passes, violations} = await axe.run(document);
  if (passes.length < 15) throw new Error(`axe looked at next to nothing: ${passes.map(({id}) => id)}`);
  return violations.map(({id, help, nodes}) =>
    `${id}: ${help}: ${nodes.map(({target, failureSummary}) => `${target} ${failureSummary}`)}`);
}
"""
SMALL_TARGETS = """
() => [...document.querySelectorAll('#people button, #people input:not([type=checkbox])')]
  .map((element) => ({element, box: element.getBoundingClientRect()}))
  .filter(({element, box}) => box.height && box.height < 44)
  .map(({element, box}) => `${element.textContent} ${box.height}`)
"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail("axe-core is not installed")
        pytest.skip("axe-core is not installed: `npm ci` installs it")
    return AXE.read_text()


async def complaints(page: Page, axe: str, schemes: Sequence[Scheme] = ("light", "dark")) -> list[str]:
    """In both colour schemes, unless told. Transitions of colour are over by then: the page has none."""
    found: list[str] = []
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(axe)  # not bound by the page's policy, unlike a script element
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {line}" for line in await page.evaluate(RUN)]
    return found


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desk", "phone"])
async def test_every_view_is_accessible(
    server: RunningServer, lobby: OpenLobby, axe: str, size: dict[str, Any]
) -> None:
    address = f"{server.url}/r/axe"
    bob = await enter(lobby, address, "Bob")
    page = await lobby(address, "Ada", **size)
    await page.wait_for_selector(".preview-words p", state="hidden")
    assert await complaints(page, axe) == []
    await page.click("#lobby-join")
    await shows(page, "bob", video="on", microphone="on")
    await page.keyboard.press("l")
    await page.hover("#stage .tile")
    await page.wait_for_selector("#stage .tile-why:not(:empty)")
    assert await complaints(page, axe) == []
    await bob.click("#toggle-microphone")
    await bob.click("#toggle-screen")
    await shows(page, "bob", "screen", video="on")
    await page.keyboard.press("i")
    await page.evaluate("document.querySelector('.tile').dataset.tools = 'true'")
    assert await complaints(page, axe) == []
    await page.click("#toggle-chat")
    assert await complaints(page, axe) == []
    await page.click("#chat-close")
    await page.click("#open-settings")
    await page.wait_for_selector("#settings[open]")
    assert await complaints(page, axe) == []
    await screenshot(page, f"page-settings-{'phone' if size else 'desk'}")
    await page.click("#settings .primary")
    await page.click("#leave")
    await page.wait_for_selector("#ended:not([hidden])")
    assert await complaints(page, axe) == []


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desk", "phone"])
async def test_moderating_and_waiting_are_accessible(
    server: RunningServer, lobby: OpenLobby, axe: str, size: dict[str, Any]
) -> None:
    address = f"{server.url}/r/axe-people-{len(size)}"
    host = await enter(lobby, f"{address}?moderator", "Host", **size)
    await enter(lobby, address, "Bob")
    await shows(host, "bob", video="on", microphone="on")
    await host.click("#toggle-people")
    await host.check("#people-lobby-on")
    eve = await lobby(address, "Eve", **size)
    await eve.click("#lobby-join")
    await eve.wait_for_selector("#waiting:not([hidden])")
    await says(host, "#people-waiting", "Eve")
    await host.click('.person[data-participant^="bob"] .person-more')
    assert await complaints(host, axe) == []
    small = await host.evaluate(SMALL_TARGETS)
    assert small == []
    assert await host.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await screenshot(host, f"moderation-menu-{'phone' if size else 'desk'}")
    assert await complaints(eve, axe) == []
    await screenshot(eve, f"moderation-waiting-{'phone' if size else 'desk'}")


async def test_words_of_trouble_are_accessible(server: RunningServer, lobby: OpenLobby, axe: str) -> None:
    page = await lobby(f"{server.url}/r/axe#token=rubbish", "Ada")
    await page.click("#lobby-join")
    await page.wait_for_selector("#lobby-trouble:not(:empty)")
    assert await complaints(page, axe) == []
