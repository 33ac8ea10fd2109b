"""The page as people use it: lobby, call, keys, sharing, leaving, and the words for what goes wrong."""

from __future__ import annotations

import pytest

from signaling.messages import Grants
from tests.support.chromium import screenshot
from tests.support.page import OpenLobby, enter, has_no_tile, ready, says, shows, token
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.chromium


async def test_two_people_meet_mute_share_and_leave(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/standup"
    ada = await enter(lobby, address, "Ada")
    bob = await enter(lobby, address, "Bob", viewport={"width": 390, "height": 844}, color_scheme="dark")
    await shows(ada, "bob", video="on", microphone="on")
    await shows(bob, "ada", video="on", microphone="on")
    await shows(bob, "ada", speaking="true")
    await screenshot(ada, "page-call")
    await screenshot(bob, "page-call-phone-dark")

    await ada.keyboard.press("m")
    await shows(bob, "ada", microphone="off")
    await ada.keyboard.press("v")
    await shows(bob, "ada", video="off")
    assert await ada.evaluate("sfuRoom.you.track('camera').mediaTrack") is None, "the camera is released"
    for key in ("m", "v"):
        await ada.keyboard.press(key)
    await shows(bob, "ada", video="on", microphone="on")

    for _ in range(3):  # the Slot is used again: the picture must come each time
        await ada.click("#toggle-screen")
        await shows(bob, "ada", "screen", video="on")
        await screenshot(bob, "page-screen-phone-dark")
        await ready(ada, "#toggle-screen")
        await ada.click("#toggle-screen")
        await has_no_tile(bob, "ada", "screen")
        await ready(ada, "#toggle-screen")

    await ada.click("#leave")
    await has_no_tile(bob, "ada")
    await ada.click("#rejoin")
    await ada.click("#lobby-join")
    await shows(bob, "ada", video="on", microphone="on")
    await ada.close()
    await has_no_tile(bob, "ada")


async def test_a_token_stays_out_of_the_address_and_survives_a_reload(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/tokens"
    page = await lobby(f"{address}#token={token('tokens')}")
    assert page.url == address
    assert await page.input_value("#lobby-name") == "Zoë"
    await page.reload()
    await page.click("#lobby-join")
    await shows(page, "zoe", video="on")

    await enter(lobby, f"{address}#token={token('tokens')}")
    await page.wait_for_selector("#ended:not([hidden])")
    assert "joined this call again somewhere else" in await page.inner_text("#ended")


@pytest.mark.parametrize(
    ("room", "token_room", "create", "valid_for_s", "words"),
    [
        ("mine", "other", True, 60.0, "for another room"),
        ("mine", "mine", True, -60.0, "has expired"),
        ("nowhere", "nowhere", False, 60.0, "no such room"),
        ("mine", "", True, 60.0, "is not valid"),
    ],
)
async def test_an_invitation_that_does_not_open_the_door_says_why(
    server: RunningServer, lobby: OpenLobby, room: str, token_room: str, create: bool, valid_for_s: float, words: str
) -> None:
    text = token(token_room, create=create, valid_for_s=valid_for_s) if token_room else "rubbish"
    page = await lobby(f"{server.url}/r/{room}#token={text}", "" if token_room else "Eve")
    await page.click("#lobby-join")
    await says(page, "#lobby-trouble", words)
    assert await page.get_attribute("body", "data-view") == "lobby"


async def test_somebody_who_may_only_listen_is_not_asked_for_a_camera(server: RunningServer, lobby: OpenLobby) -> None:
    ada = await enter(lobby, f"{server.url}/r/lecture", "Ada")
    grants = Grants(subscribe=True)
    page = await lobby(f"{server.url}/r/lecture#token={token('lecture', grants=grants)}")
    assert not await page.is_visible("#preview")
    assert await page.evaluate("document.querySelector('#preview-video').srcObject") is None
    await page.click("#lobby-join")
    await shows(page, "ada", video="on")
    assert not await page.is_visible("#toggle-camera")
    await ada.close()


async def test_when_the_server_stops_the_page_waits_for_it_and_says_so(lobby: OpenLobby) -> None:
    async with running_server("--dev") as server:
        page = await enter(lobby, f"{server.url}/r/last", "Ada")
        server.process.terminate()
        await page.wait_for_selector("#connection[data-state='reconnecting']")
        assert "trying again" in await page.inner_text("#connection")
