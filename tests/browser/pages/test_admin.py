"""The page for who runs the server, and the page of the API's document, in Chromium with a real call beside them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from signaling.config import DEVELOPMENT_KEY
from tests.browser.pages.test_page_axe import PHONE, axe, complaints
from tests.support.chromium import screenshot
from tests.support.page import OpenLobby, enter
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

__all__ = ["axe"]  # a fixture
KEY = ":".join(DEVELOPMENT_KEY)
WAIT_MS = 60_000


async def signed_in(browser: Browser, url: str, **options: Any) -> Page:
    page = await (await browser.new_context(**options)).new_page()
    await page.goto(f"{url}/admin/")
    await page.fill("#key", KEY)
    await page.click("#enter button")
    return page


async def test_a_call_is_watched_and_moderated(
    server: RunningServer, browser: Browser, lobby: OpenLobby, axe: str
) -> None:
    address = f"{server.url}/r/watched"
    await enter(lobby, address, "Ada")
    bob = await enter(lobby, address, "Bob")
    page = await signed_in(browser, server.url)
    ada = page.get_by_role("article", name="Ada")
    await expect(ada.get_by_text("bit/s").first).to_be_visible(timeout=WAIT_MS)
    await expect(ada.get_by_text("Receives")).to_be_visible(timeout=WAIT_MS)
    await expect(ada.get_by_text("quality")).to_be_visible(timeout=WAIT_MS)
    assert await complaints(page, axe) == []
    await screenshot(page, "admin")
    await page.emulate_media(color_scheme="dark")
    await screenshot(page, "admin-dark")

    phone = await signed_in(browser, server.url, **PHONE)
    await expect(phone.get_by_role("article", name="Ada")).to_be_visible(timeout=WAIT_MS)
    assert await complaints(phone, axe) == []
    await screenshot(phone, "admin-phone")

    row = page.get_by_role("article", name="Bob").get_by_role("row", name="microphone")
    await row.get_by_role("button", name="Mute").click()
    await expect(page.get_by_role("button", name="Ask to unmute microphone")).to_be_visible(timeout=WAIT_MS)
    await page.get_by_role("article", name="Bob").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("article", name="Bob")).to_have_count(0, timeout=WAIT_MS)
    await bob.wait_for_selector("#ended:not([hidden])", timeout=WAIT_MS)


async def test_a_wrong_key_is_refused_in_words(server: RunningServer, browser: Browser) -> None:
    page = await (await browser.new_context()).new_page()
    await page.goto(f"{server.url}/admin/")
    await page.fill("#key", "dev:nonsense")
    await page.click("#enter button")
    await expect(page.get_by_role("alert")).to_contain_text("no such API key", timeout=WAIT_MS)
    await expect(page.locator("#enter")).to_be_visible()


# Eighty operations are shown alike. Of each section, those stay that have a kind of element which none before has.
KEEP_EACH_KIND = """
() => {
  for (const section of document.querySelectorAll('#operations section')) {
    const seen = new Set();
    for (const article of section.querySelectorAll('article')) {
      const kinds = [...article.querySelectorAll('*')].map((one) =>
        `${one.parentElement.tagName} > ${one.tagName}.${one.className}#${one.getAttribute('role')}`);
      if (kinds.every((kind) => seen.has(kind))) article.remove();
      else kinds.forEach((kind) => seen.add(kind));
    }
  }
  return document.querySelectorAll('article').length;
}
"""


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desk", "phone"])
async def test_the_document_is_shown(server: RunningServer, browser: Browser, axe: str, size: dict[str, Any]) -> None:
    """All of it is looked at once; of other colours and sizes, each kind of element, as axe takes seconds for all."""
    page = await (await browser.new_context(**size)).new_page()
    await page.goto(f"{server.url}/docs")
    article = page.locator("#create_room")
    await expect(article).to_contain_text("/v1/rooms", timeout=WAIT_MS)
    await expect(article).to_contain_text("room_exists")
    await expect(page.locator("#start_recording")).to_contain_text("an API key, or a token with record")
    await screenshot(page, f"docs-{'phone' if size else 'desk'}")
    if not size:
        assert await complaints(page, axe, ["light"]) == []
    assert 10 < await page.evaluate(KEEP_EACH_KIND) < 40
    assert await complaints(page, axe, ["light", "dark"] if size else ["dark"]) == []
