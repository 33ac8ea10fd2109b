"""What the page looks like on a desk and on a phone, light and dark: pictures for people to look at, and what can be
measured of them: everything is on the screen, nothing lies over anything else, nobody's face is cut off."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, ViewportSize

from tests.support.chromium import eventually, screenshot
from tests.support.crowd import gather
from tests.support.cutting import forwarding
from tests.support.meeting import open_test_server
from tests.support.page import FAILING, OpenLobby, enter, says, shows, token
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
NAMES = ["Grace Hopper", "Alan", "Katherine Johnson-Goble", "Linus", "Radia Perlman", "Ken", "Barbara", "Donald"]
NAMES += ["Margaret", "Edsger", "Frances Allen"]

# What is wrong with what is to be seen now, in words.
FAULTS = """
() => {
  const faults = [];
  const box = (element) => element.getBoundingClientRect();
  const visible = (element) => element.checkVisibility({visibilityProperty: true}) && box(element).width > 1;
  const name = (element) => element.id || element.dataset.participant || element.className;
  if (document.documentElement.scrollWidth > innerWidth) faults.push('the page is wider than the screen');
  for (const button of [...document.querySelectorAll('main:not([hidden]) button.round')].filter(visible)) {
    const {left, right, top, bottom, width, height} = box(button);
    if (left < 0 || right > innerWidth || top < 0 || bottom > innerHeight) faults.push(`${name(button)} is cut off`);
    if (width < 44 || height < 44) faults.push(`${name(button)} is too small for a finger`);
  }
  const tiles = [...document.querySelectorAll('.tile')].filter(visible);
  for (const [index, tile] of tiles.entries()) {
    const a = box(tile);
    if (a.width < 96 || a.height < 72) faults.push(`${name(tile)} is tiny: ${a.width}×${a.height}`);
    for (const other of tiles.slice(index + 1)) {
      const b = box(other);
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
        faults.push(`${name(tile)} and ${name(other)} lie over each other`);
      }
    }
    const video = tile.querySelector('video');
    if (tile.dataset.video === 'on' && getComputedStyle(video).objectFit !== 'contain') {
      faults.push(`${name(tile)} may be cropped`);
    }
  }
  return faults;
}
"""

GLIDES = "(element) => getComputedStyle(element).transitionDuration !== '0s'"


async def looks_right(page: Page, name: str, sizes: tuple[ViewportSize, ...] = (DESK, PHONE)) -> None:
    """In both sizes; leaves a picture of each, of the first one also in dark colours, which move nothing."""
    for size in sizes:
        await page.set_viewport_size(size)
        where = f"{name}-{'phone' if size is PHONE else 'desk'}"

        async def settled() -> bool:
            return bool(await page.evaluate(FAULTS) == [])

        try:
            await eventually(settled, f"{where} is laid out", timeout_s=20)
        except AssertionError:
            await screenshot(page, f"{where}-light")
            raise AssertionError(f"{where}: {await page.evaluate(FAULTS)}") from None
        await screenshot(page, f"{where}-light")
        if size is sizes[0]:
            await page.emulate_media(color_scheme="dark")
            await screenshot(page, f"{where}-dark")
            await page.emulate_media(color_scheme="light")


async def test_the_lobby_with_a_picture_and_without(server: RunningServer, lobby: OpenLobby) -> None:
    page = await lobby(f"{server.url}/r/standup", "Ada Lovelace")
    await page.wait_for_selector(".preview-words p", state="hidden")
    await looks_right(page, "lobby")
    await page.click("#lobby-camera")
    await page.click("#lobby-microphone")
    await page.wait_for_selector(".preview-words p")
    await looks_right(page, "lobby-off")


async def test_with_reduced_motion_nothing_moves_by_itself(lobby: OpenLobby) -> None:
    async with open_test_server() as server, forwarding(server.http_port) as forwarder:
        page = await enter(lobby, f"{forwarder.url}/r/still?video=320x180@5", "Ada Lovelace")
        forwarder.refuse()
        forwarder.cut()
        await page.wait_for_selector("#connection[data-state='reconnecting']")
        # Transitions end by themselves; only animations go on.
        animations = "document.getAnimations().filter((one) => one instanceof CSSAnimation)"
        moving = f"{animations}.map(({{animationName}}) => animationName)"
        assert await page.evaluate(moving) == ["breathe"], "the dot of the connection"
        await page.emulate_media(reduced_motion="reduce")
        assert await page.evaluate(moving) == []
        lasting = (
            "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s')"
        )
        assert await page.evaluate(f"{lasting}.map(({{className}}) => className)") == []


LOBBY_TROUBLE = [
    ("denied", "", FAILING % "{of: 'both', name: 'NotAllowedError', message: 'Permission denied'}", "Allow it beside"),
    ("no-camera", "", FAILING % "{of: 'video', name: 'NotFoundError', message: ''}", "No camera was found"),
    ("in-use", "", FAILING % "{of: 'video', name: 'NotReadableError', message: ''}", "Another program"),
    ("unsupported", "", "delete window.RTCPeerConnection", "cannot make calls"),
    ("expired", f"#token={token('trouble', valid_for_s=-60.0)}", "", "has expired"),
    ("no-room", f"#token={token('trouble', create=False)}", "", "no such room"),
]


@pytest.mark.parametrize(("name", "fragment", "prepare", "words"), LOBBY_TROUBLE, ids=[row[0] for row in LOBBY_TROUBLE])
async def test_trouble_before_the_call(
    server: RunningServer, lobby: OpenLobby, name: str, fragment: str, prepare: str, words: str
) -> None:
    page = await lobby(f"{server.url}/r/trouble{fragment}", "" if fragment else "Ada Lovelace", prepare=prepare)
    if fragment:
        await page.click("#lobby-join")
    await says(page, "#lobby-trouble", words)
    await looks_right(page, f"trouble-{name}")


async def test_trouble_during_the_call(browser: Browser, lobby: OpenLobby) -> None:
    async with open_test_server() as server, forwarding(server.http_port) as forwarder:
        crowd = await gather(browser, server.url, "trouble", *NAMES[:2])
        address = f"{forwarder.url}/r/trouble?video=320x180@5"
        page = await enter(lobby, address, "Ada Lovelace", prepare=FAILING % "null")
        await shows(page, "ada", video="on", microphone="on")
        await page.evaluate("sfuRoom.you.track('camera').mediaTrack.dispatchEvent(new Event('ended'))")
        await says(page, "#notice", "your picture is off")
        await looks_right(page, "trouble-camera-gone")
        await page.click("#notice-dismiss")
        await page.context.set_offline(True)
        await says(page, "#connection-trouble", "goes on once the network is back")
        await looks_right(page, "trouble-offline")
        await page.context.set_offline(False)
        await says(page, "#connection", "Connected")
        forwarder.refuse()
        forwarder.cut()
        await says(page, "#connection-trouble", "Still no connection")
        await looks_right(page, "trouble-reconnecting")
        await page.click("#leave")  # nobody has to wait for a connection before he may go
        await page.wait_for_selector("#ended:not([hidden])")
        await crowd.close()


async def test_the_end_of_a_call(server: RunningServer, lobby: OpenLobby) -> None:
    page = await enter(lobby, f"{server.url}/r/end#token={token('end')}")
    await enter(lobby, f"{server.url}/r/end#token={token('end')}")
    await says(page, "#ended", "somewhere else")
    await looks_right(page, "ended-replaced")


@pytest.mark.parametrize("people", [2, 5, 12])
async def test_a_grid_of_people(server: RunningServer, browser: Browser, lobby: OpenLobby, people: int) -> None:
    crowd = await gather(browser, server.url, f"grid-{people}", *NAMES[: people - 1])
    page = await enter(lobby, f"{server.url}/r/grid-{people}?video=320x180@5", "Ada Lovelace")
    await page.wait_for_function(f"document.querySelectorAll('.tile').length === {people}")
    pictures = sum(1 for index in range(people - 1) if index % 5 != 4) + 1

    async def come() -> bool:
        return bool(await page.locator(".tile[data-video=on]").count() == pictures)

    await eventually(come, "everybody's picture is there")
    await looks_right(page, f"grid-{people}")
    await crowd.close()


async def test_a_shared_screen_among_others(server: RunningServer, browser: Browser, lobby: OpenLobby) -> None:
    crowd = await gather(browser, server.url, "shared", *NAMES[:4], sharing="Alan")
    page = await enter(lobby, f"{server.url}/r/shared?video=320x180@5", "Ada Lovelace")
    await shows(page, "alan", "screen", video="on")
    await looks_right(page, "screen")
    await crowd.close()
