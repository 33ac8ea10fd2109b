"""The chat of the page: between a desktop and a phone, by keyboard, and for those who may only read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.async_api import Page

from signaling.auth import Grant, mint
from signaling.client import connect, development_token
from signaling.config import DEVELOPMENT_KEY
from signaling.messages import Grants
from tests.support.chromium import eventually, screenshot
from tests.support.page import OpenLobby, enter
from tests.support.remembered import announces
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
LINES = """
() => [...document.querySelectorAll('.chat-line')].map((line) =>
  ({who: line.querySelector('.chat-name')?.textContent ?? '', text: line.querySelector('p').textContent,
    kind: line.dataset.kind}))
"""


async def enter_to_talk(lobby: OpenLobby, address: str, name: str = "", **context: Any) -> Page:
    page = await enter(lobby, address, name, **context)
    await page.evaluate("() => window.sfuRoom.openMessages()")
    return page


async def until_lines(page: Page, *texts: str) -> list[dict[str, str]]:
    async def so() -> bool:
        return [line["text"] for line in await page.evaluate(LINES)] == list(texts)

    await eventually(so, f"the chat shows {texts}")
    lines: list[dict[str, str]] = await page.evaluate(LINES)
    return lines


async def focused(page: Page) -> str:
    return str(await page.evaluate("() => document.activeElement.id"))


async def is_open(page: Page) -> bool:
    return not await page.evaluate("() => document.getElementById('chat').hidden")


async def write(page: Page, text: str) -> None:
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")


async def test_a_desktop_and_a_phone_talk_and_unread_lines_are_counted(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/talk"
    ada, bob = await enter_to_talk(lobby, address, "Ada"), await enter_to_talk(lobby, address, "Bob", **PHONE)
    await ada.click("#toggle-chat")
    assert await focused(ada) == "chat-text"
    await write(ada, "Hello Bob")
    await write(ada, "<b onclick=alert()>bold?</b> https://example.org")
    lines = ["Hello Bob", "<b onclick=alert()>bold?</b> https://example.org"]
    await until_lines(bob, *lines)
    assert await bob.get_attribute("#toggle-chat", "data-unread") == "2"
    assert await bob.get_attribute("#toggle-chat", "aria-label") == "Open the chat (2 unread)"
    await announces(bob, "Ada: <b")
    await screenshot(bob, "chat-unread-phone-dark")

    await bob.click("#toggle-chat")
    assert await bob.get_attribute("#toggle-chat", "data-unread") == ""
    box = await bob.locator("#chat").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}, "it has the whole phone"
    assert await bob.evaluate("() => document.querySelectorAll('#chat-lines :is(b, a)').length") == 0
    await write(bob, "Hello Ada")
    lines.append("Hello Ada")
    seen = await until_lines(ada, *lines)
    assert [line["who"] for line in seen] == ["Ada (you)", "", "Bob"], "a name above each group of lines"
    assert [line["kind"] for line in seen] == ["own", "own", "other"]
    await screenshot(ada, "chat")
    await screenshot(bob, "chat-phone-dark")
    await bob.click("#chat-close")
    assert not await is_open(bob) and await focused(bob) == "toggle-chat"


async def test_by_keyboard_alone_and_what_the_server_declines_is_said(server: RunningServer, lobby: OpenLobby) -> None:
    ada = await enter_to_talk(lobby, f"{server.url}/r/keys", "Ada")
    await ada.keyboard.press("c")
    assert await is_open(ada) and await focused(ada) == "chat-text"
    await ada.keyboard.type("mvs")  # the keys of buttons, which here are letters
    assert await ada.input_value("#chat-text") == "mvs"
    await ada.keyboard.press("Shift+Enter")
    await write(ada, "second line")
    await ada.keyboard.press("Enter")  # nothing is nothing to send
    await until_lines(ada, "mvs\nsecond line")
    await ada.keyboard.press("Escape")
    assert not await is_open(ada) and await focused(ada) == "toggle-chat"

    await ada.keyboard.press("c")
    too_much = (
        "async () => { for (let n = 0; n < 120; n += 1) await window.sfuRoom.sendMessage('x', {topic: 'chat'}); }"
    )

    async def said() -> bool:
        # Again and again: on a loaded machine they may arrive no faster than is permitted.
        await ada.evaluate(too_much)
        return "too much at once" in (await ada.text_content("#chat-trouble") or "")

    await eventually(said, "words for a limit of rate")


async def test_who_reads_further_up_is_not_carried_off(server: RunningServer, lobby: OpenLobby) -> None:
    ada = await enter_to_talk(lobby, f"{server.url}/r/long", "Ada")
    await ada.keyboard.press("c")
    token = await development_token(server.url, "Bot", "long")
    async with connect(server.url, "long", token.token) as bot:
        for number in range(40):
            await bot.send_message(f"line {number}", topic="chat")
        await bot.send_message("not for the chat", topic="other")
        await bot.send_message(b"no text", topic="chat")
        lines = [f"line {number}" for number in range(40)]
        await until_lines(ada, *lines)
        at_end = "() => { const {scrollHeight, scrollTop, clientHeight} = document.getElementById('chat-lines');"
        at_end += " return scrollHeight - scrollTop - clientHeight < 5; }"
        assert await ada.evaluate(at_end)
        await ada.evaluate("() => { document.getElementById('chat-lines').scrollTop = 0; }")
        await bot.send_message("newer", topic="chat")
        await until_lines(ada, *lines, "newer")
        assert not await ada.evaluate(at_end)
        await ada.click("#chat-newer")
        assert await ada.evaluate(at_end) and not await ada.is_visible("#chat-newer")


async def test_who_may_not_send_can_read(server: RunningServer, lobby: OpenLobby) -> None:
    grant = Grant("eve", "Eve", "read", Grants(create=True, subscribe=True))
    token = mint(grant, key_id=DEVELOPMENT_KEY[0], secret=DEVELOPMENT_KEY[1], now=time.time(), valid_for_s=60)
    eve = await enter_to_talk(lobby, f"{server.url}/r/read#token={token}")
    await eve.click("#toggle-chat")
    assert await eve.is_visible("#chat-silent") and not await eve.is_visible("#chat-form")
    bot_token = await development_token(server.url, "Bot", "read")
    async with connect(server.url, "read", bot_token.token) as bot:
        await bot.send_message("only for reading", topic="chat")
        await until_lines(eve, "only for reading")
