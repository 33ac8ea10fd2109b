"""Moderating a call in the page: lobby, muting, removing, moving; what each of the people concerned sees of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.async_api import Page

from signaling.auth import Grant, mint
from signaling.config import DEVELOPMENT_KEY
from signaling.messages import Grants
from tests.support.chromium import eventually, screenshot
from tests.support.page import OpenLobby, enter, has_no_tile, says, shows
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
EVERYTHING = Grants(create=True, publish=True, subscribe=True, message=True)
MODERATES = Grants(create=True, publish=True, subscribe=True, message=True, administer=True)
RECEIVES = """
async () => {
  const {tracks} = await window.sfuRoom.statistics();
  return tracks.filter(({direction, kind}) => direction === 'receive' && kind === 'audio')
    .reduce((sum, {layers}) => sum + layers.reduce((packets, layer) => packets + layer.packets, 0), 0);
}
"""


def invitation(server: RunningServer, room: str, identity: str, grants: Grants = EVERYTHING) -> str:
    key_id, secret = DEVELOPMENT_KEY
    grant = Grant(identity, identity.title(), room, grants)
    token = mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=600)
    return f"{server.url}/r/{room}#token={token}"


async def act_on(page: Page, identity: str, step: str) -> None:
    """Of the list of people."""
    if await page.evaluate("() => document.getElementById('people').hidden"):
        await page.click("#toggle-people")
    row = page.locator(f'.person[data-participant="{identity}"]')
    if await row.locator(".person-steps").is_hidden():
        await row.locator(".person-more").click()
    await row.locator(f'[data-step="{step}"]').click()


async def test_a_lobby_shows_nothing_until_admitted_also_to_who_came_first(
    server: RunningServer, lobby: OpenLobby
) -> None:
    host = await enter(lobby, invitation(server, "lobby", "host", MODERATES))
    await host.click("#toggle-people")
    await host.check("#people-lobby-on")
    eve = await lobby(invitation(server, "lobby", "eve"))
    await eve.click("#lobby-join")
    await eve.wait_for_selector("#waiting:not([hidden])")
    assert await eve.evaluate("() => window.sfuRoom === undefined"), "not even a room"
    await screenshot(eve, "moderation-waiting")
    await says(host, "#people-waiting", "Eve")
    assert await host.get_attribute("#toggle-people", "data-unread") == "1"
    await screenshot(host, "moderation-lobby")
    await host.click("#people-waiting [data-step=deny]")
    await says(eve, "#lobby-trouble", "not admitted")
    await eve.click("#lobby-join")
    await eve.wait_for_selector("#waiting:not([hidden])")
    await host.click("#people-waiting [data-step=admit]")
    await eve.wait_for_selector("#call:not([hidden])")
    await shows(eve, "host", video="on")
    await shows(host, "eve", video="on")


async def test_a_tick_stays_until_it_is_answered(server: RunningServer, lobby: OpenLobby) -> None:
    host = await enter(lobby, invitation(server, "tick", "host", MODERATES))
    await host.click("#toggle-people")
    await host.evaluate(
        "() => { sfuRoom.moderation.setRoom = () => new Promise((resolve) => (window.answer = resolve)); }"
    )
    await host.check("#people-lobby-on")
    await host.click("#people-hand")  # its answer draws the list anew
    await host.wait_for_selector("#people-hand[aria-pressed=true]")
    assert await host.is_checked("#people-lobby-on")
    await host.evaluate("() => window.answer()")  # without the room having changed
    assert not await host.is_checked("#people-lobby-on")


async def test_who_is_muted_by_a_moderator_is_not_heard_until_asked(server: RunningServer, lobby: OpenLobby) -> None:
    bob = await enter(lobby, invitation(server, "mute", "bob"))
    host = await enter(lobby, invitation(server, "mute", "host", MODERATES))
    await shows(host, "bob", video="on", microphone="on")
    await act_on(host, "bob", "mute")
    await shows(host, "bob", microphone="off")
    await says(bob, "#toast", "Host muted your microphone")
    await bob.click("#toggle-microphone")
    await says(bob, "#call-trouble", "A moderator has muted you")
    # What a page does that obeys nobody: it says that it is unmuted, and goes on sending.
    refused = await bob.evaluate(
        """async () => {
          const track = window.sfuRoom.you.track('microphone');
          track.mediaTrack.enabled = true;
          track.release();
          return track.unmute().catch((error) => error.code);
        }"""
    )
    assert refused == "muted_by_moderator"
    await bob.evaluate("() => { window.sfuRoom.you.track('microphone').mediaTrack.enabled = true; }")

    async def silent() -> bool:
        """What was under way still comes, on a busy machine for long."""
        before: int = await host.evaluate(RECEIVES)
        await host.wait_for_timeout(1000)
        return bool(await host.evaluate(RECEIVES) == before)

    await eventually(silent, "the server forwards nothing of it")
    before: int = await host.evaluate(RECEIVES)
    await screenshot(host, "moderation-people")

    await act_on(host, "bob", "ask")
    await says(bob, "#asked-words", "Host asks you to unmute")
    await shows(host, "bob", microphone="off")
    await bob.click("#asked-accept")
    await shows(host, "bob", microphone="on")

    async def heard() -> bool:
        received: int = await host.evaluate(RECEIVES)
        return received > before

    await eventually(heard, "bob is heard again")
    await act_on(host, "bob", "camera")
    await shows(host, "bob", video="off")
    await shows(bob, "bob", video="off")


async def test_who_is_removed_cannot_come_back_with_the_same_invitation(
    server: RunningServer, lobby: OpenLobby
) -> None:
    address = invitation(server, "kick", "bob")
    bob = await enter(lobby, address)
    host = await enter(lobby, invitation(server, "kick", "host", MODERATES))
    await shows(host, "bob", video="on")
    await act_on(host, "bob", "remove")
    await bob.wait_for_selector("#ended:not([hidden])")
    await says(bob, "#ended-words", "A moderator removed you")
    await has_no_tile(host, "bob")
    await bob.click("#rejoin")
    await bob.click("#lobby-join")
    await says(bob, "#lobby-trouble", "A moderator removed you")
    again = await enter(lobby, invitation(server, "kick", "bob"))  # made later, by whoever may
    await shows(host, "bob", video="on")
    await act_on(host, "bob", "ban")
    await says(again, "#ended-words", "You are banned")
    refused = await lobby(invitation(server, "kick", "bob"))
    await refused.click("#lobby-join")
    await says(refused, "#lobby-trouble", "You are banned")


async def test_a_locked_room_says_so(server: RunningServer, lobby: OpenLobby) -> None:
    host = await enter(lobby, invitation(server, "locked", "host", MODERATES), **PHONE)
    await host.click("#toggle-people")
    await host.check("#people-locked")
    await host.click("#people-close")
    await host.wait_for_selector("#call-locked:not([hidden])")
    eve = await lobby(invitation(server, "locked", "eve"))
    await eve.click("#lobby-join")
    await says(eve, "#lobby-trouble", "This call is locked")


async def test_somebody_is_moved_without_a_reload_and_talks_there(server: RunningServer, lobby: OpenLobby) -> None:
    bob = await enter(lobby, invitation(server, "home", "bob"))
    host = await enter(lobby, invitation(server, "home", "host", MODERATES))
    cid = await enter(lobby, invitation(server, "home~red", "cid"))
    await bob.evaluate("() => { window.sameState = true; }")
    await shows(host, "bob", video="on")
    await host.click("#toggle-people")
    row = host.locator('.person[data-participant="bob"]')
    await row.locator(".person-more").click()
    await row.locator(".person-room").fill("red")
    await row.locator(".person-move button").click()
    await has_no_tile(host, "bob")
    await shows(bob, "cid", video="on", microphone="on")
    await shows(cid, "bob", video="on", microphone="on")
    assert await bob.text_content("#call-title") == "home~red"
    assert await bob.evaluate("() => window.sameState"), "the page is the same"
    await has_no_tile(bob, "host")
    await bob.click("#toggle-chat")
    await bob.keyboard.type("Hello Cid")
    await bob.keyboard.press("Enter")
    await says(cid, "#chat-lines", "Hello Cid")


async def test_hands_and_the_stage(server: RunningServer, lobby: OpenLobby) -> None:
    audience = Grants(create=True, subscribe=True, message=True)
    host = await enter(lobby, invitation(server, "stage", "host", MODERATES))
    eve = await enter(lobby, invitation(server, "stage", "eve", audience), **PHONE)
    assert not await eve.is_visible("#toggle-camera")
    await eve.click("#toggle-people")
    await screenshot(eve, "moderation-people-phone")
    await eve.click("#people-hand")
    await shows(host, "eve", hand="true")
    await says(host, "#toast", "Eve raised a hand")
    await eve.click("#people-close")
    await act_on(host, "eve", "stage")
    await host.wait_for_selector('#stage .tile[data-participant="eve"]')
    await shows(host, "eve", hand="false", onStage="true")
    await eve.click("#toggle-camera")
    await shows(host, "eve", video="on")
    await screenshot(host, "moderation-stage")
    await act_on(host, "eve", "stage")
    await shows(host, "eve", video="off", onStage="false")
    await eve.wait_for_selector("#toggle-camera", state="hidden")
