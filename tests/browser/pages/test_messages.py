"""Messages between real pages, and between a page and a bot, over data channels."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from signaling.client import Incoming, MessageError, ReceivedMessage, connect, development_token
from tests.support.call import Participant, join
from tests.support.chromium import eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

LISTEN = """
() => {
  window.heard = [];
  const plain = (payload) => typeof payload === 'string' ? payload : [...payload.slice(0, 4), payload.length];
  window.call.on('message', ({identity, participant, topic, payload, reliable, direct}) =>
    window.heard.push({identity, name: participant?.name ?? null, topic, payload: plain(payload), reliable, direct}));
  window.call.on('messagerefused', (refusal) => window.heard.push(refusal));
  return window.call.openMessages();
}
"""


async def join_listening(browser: Browser, url: str, room: str, name: str, messages: bool | str = True) -> Participant:
    participant = await join(browser, url, room, name, messages=messages)
    await participant.page.evaluate(LISTEN)
    return participant


async def send(page: Page, payload: str | list[int], **options: Any) -> None:
    """A list is sent as bytes."""
    await page.evaluate(
        """({payload, options}) => window.call.sendMessage(
             typeof payload === 'string' ? payload : new Uint8Array(payload), options)""",
        {"payload": payload, "options": options},
    )


async def heard(page: Page, count: int) -> list[dict[str, Any]]:
    """What the page has heard, once it is so much."""

    async def enough() -> bool:
        return bool(await page.evaluate("() => window.heard.length") >= count)

    await eventually(enough, f"{count} messages")
    rows: list[dict[str, Any]] = await page.evaluate("() => window.heard")
    return rows


async def test_a_page_without_data_channels_has_its_messages_over_the_websocket(
    server: RunningServer, browser: Browser
) -> None:
    ada = await join_listening(browser, server.url, "fallback", "Ada", messages="websocket")
    bob = await join_listening(browser, server.url, "fallback", "Bob")
    await send(ada.page, "Hello, wörld\n👋", topic="chat")
    await send(ada.page, [1, 2, 3, 255], topic="t", to=[bob.identity], reliable=False)
    await send(ada.page, "nobody", topic="x", to=["nobody"])
    rows = sorted(await heard(bob.page, 2), key=lambda row: str(row["topic"]))
    assert [(row["payload"], row["reliable"], row["direct"]) for row in rows] == [
        ("Hello, wörld\n👋", True, False),
        ([1, 2, 3, 255, 4], False, True),
    ]
    await send(bob.page, "back", topic="chat")
    refused, back = await heard(ada.page, 2)
    assert (refused["code"], refused["topic"]) == ("unknown_participant", "x")
    assert (back["identity"], back["name"], back["payload"]) == (bob.identity, "Bob", "back")
    assert await ada.page.evaluate("() => window.call.connectionState") == "connected"


async def test_pages_that_publish_nothing_exchange_messages(server: RunningServer, browser: Browser) -> None:
    ada, bob, eve = [await join_listening(browser, server.url, "messages", name) for name in ("Ada", "Bob", "Eve")]
    await send(ada.page, "Hello, wörld\n👋", topic="chat")
    await send(bob.page, [1, 2, 3, 255], topic="t", to=[eve.identity], reliable=False)
    await send(ada.page, "nobody", to=["nobody"])
    hello = {"topic": "chat", "payload": "Hello, wörld\n👋", "reliable": True, "direct": False}
    assert await heard(bob.page, 1) == [{"identity": ada.identity, "name": "Ada", **hello}]
    messages = sorted(await heard(eve.page, 2), key=lambda message: str(message["topic"]))
    assert messages[0] == {"identity": ada.identity, "name": "Ada", **hello}
    assert messages[1] == {
        "identity": bob.identity,
        "name": "Bob",
        "topic": "t",
        "payload": [1, 2, 3, 255, 4],
        "reliable": False,
        "direct": True,
    }
    (refusal,) = await heard(ada.page, 1)
    assert refusal["code"] == "unknown_participant"
    for participant in (ada, bob, eve):
        assert await participant.page.evaluate("() => window.peerConnections.length") == 1

    await send(eve.page, [7] * 60_000, to=[bob.identity])
    await eve.page.evaluate(
        """async (to) => {
             for (let n = 0; n < 60; n += 1) await window.call.sendMessage(String(n).padEnd(200), {to: [to]});
           }""",
        bob.identity,
    )
    messages = (await heard(bob.page, 62))[1:]
    assert messages[0]["payload"] == [7, 7, 7, 7, 60_000]
    assert [int(message["payload"]) for message in messages[1:]] == list(range(60)), "all of them, in order"


async def test_messages_and_tracks_share_a_connection(server: RunningServer, browser: Browser) -> None:
    """Tracks published later join the connection of the channels, and may leave it."""
    ada, bob = [await join_listening(browser, server.url, "both", name) for name in ("Ada", "Bob")]
    await ada.publish(layers=1)
    await bob.sees("Ada")
    await ada.page.evaluate(
        "async () => { for (const track of [...window.call.you.tracks.values()]) await window.call.unpublish(track); }"
    )
    await send(bob.page, "still there?")
    await heard(ada.page, 1)
    await ada.publish(layers=1)
    await bob.sees("Ada")
    await send(ada.page, "yes")
    await heard(bob.page, 1)
    for participant in (ada, bob):
        offers = await participant.page.evaluate(
            "() => window.peerConnections.filter((one) => one.localDescription.sdp.includes('m=application')).length"
        )
        assert offers == 1


async def test_a_page_and_a_bot_exchange_messages(server: RunningServer, browser: Browser) -> None:
    ada = await join_listening(browser, server.url, "bot", "Ada")
    incoming: list[Incoming] = []
    token = await development_token(server.url, "Bot", "bot")
    async with connect(server.url, "bot", token.token, on_message=incoming.append) as bot:
        await bot.open_messages()
        await bot.send_message("from the bot", topic="chat")
        await bot.send_message(b"\x00\xff", reliable=False, to=[ada.identity])
        first, second = sorted(await heard(ada.page, 2), key=lambda message: str(message["payload"]), reverse=True)
        assert (first["payload"], first["topic"], first["name"], first["reliable"]) == (
            "from the bot",
            "chat",
            "Bot",
            True,
        )
        assert (second["payload"], second["direct"], second["reliable"]) == ([0, 255, 2], True, False)
        await send(ada.page, "from the page", topic="chat")
        await send(ada.page, [1, 2], to=[bot.identity, "nobody"])
        await bot.until(lambda: len(incoming) == 2, 60)
        assert incoming == [
            ReceivedMessage(ada.identity, "chat", "from the page", reliable=True, direct=False),
            ReceivedMessage(ada.identity, "", b"\x01\x02", reliable=True, direct=True),
        ]
        assert not any(isinstance(one, MessageError) for one in incoming)


async def test_a_page_that_does_not_want_messages_opens_no_connection_for_them(
    server: RunningServer, browser: Browser
) -> None:
    ada = await join_listening(browser, server.url, "unwanted", "Ada")
    bob = await join(browser, server.url, "unwanted", "Bob", messages=False)
    await send(ada.page, "anybody?")
    await asyncio.sleep(0.5)  # for what must not happen
    assert await bob.page.evaluate("() => window.peerConnections.length") == 0
    await bob.page.evaluate(LISTEN)
    await send(ada.page, "now?")
    assert [message["payload"] for message in await heard(bob.page, 1)] == ["now?"]
