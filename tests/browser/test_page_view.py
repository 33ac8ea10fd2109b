"""Who is shown large, and why a picture looks as it does."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.async_api import Page, ViewportSize

from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from tests.support.chromium import eventually, screenshot
from tests.support.firefox import firefox
from tests.support.page import OpenLobby, enter, shows
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

ON_STAGE = "() => [...document.querySelectorAll('#stage .tile')].map((tile) => tile.dataset.participant.split('-')[0])"
MOVES = """
(async (video) => {
  const before = video?.currentTime;
  await new Promise((resolve) => setTimeout(resolve, 500));
  return video !== null && !video.paused && video.currentTime > before;
})(%s)
"""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 800}


async def stages(page: Page, *who: str) -> None:
    async def so() -> bool:
        return bool(await page.evaluate(ON_STAGE) == list(who))

    await eventually(so, f"on the stage: {who}")


async def explains(page: Page, tile: str, words: str) -> None:
    """Point at this tile until it says so; a pointer that rests is not answered for long."""
    at = 20

    async def said() -> bool:
        nonlocal at
        at = 60 - at
        await page.hover(tile, position={"x": at, "y": 40})
        return words in await page.inner_text(f"{tile} .tile-why")

    await eventually(said, f"{tile} says {words!r}", timeout_s=120)


async def told_to_be_on_stage(page: Page, who: str) -> None:
    """The server sends the picture of the stage as large as it is shown."""

    async def so() -> bool:
        return bool(
            await page.evaluate(
                """async (who) => {
                  const other = [...sfuRoom.participants.values()].find(({identity}) => identity.startsWith(who));
                  const {tracks} = await sfuRoom.view.explain();
                  const told = tracks.find(({track}) => track === other.track('camera').id)?.tile_pixels;
                  const {width, height} = document.querySelector('#stage .tile').getBoundingClientRect();
                  return told === Math.round(width) * Math.round(height);
                }""",
                who,
            )
        )

    await eventually(so, f"the tile of {who} is told as large as it is")


async def test_who_speaks_is_shown_large_and_a_tile_says_why_it_looks_so(
    server: RunningServer, lobby: OpenLobby
) -> None:
    address = f"{server.url}/r/stage?video=640x360@10"
    ada = await enter(lobby, address, "Ada", viewport=DESK)
    bob = await enter(lobby, address, "Bob")
    eve = await enter(lobby, address, "Eve")
    for page, own in ((ada, "ada"), (eve, "eve")):
        await shows(page, own, microphone="on")
        await page.click("#toggle-microphone")
    await shows(ada, "bob", video="on", microphone="on")
    await shows(ada, "eve", video="on", microphone="off")
    await stages(ada)

    await ada.keyboard.press("l")
    assert await ada.get_attribute("#toggle-view", "aria-pressed") == "true"
    await stages(ada, "bob")
    await explains(ada, "#stage .tile", "360p: the best there is")
    await told_to_be_on_stage(ada, "bob")
    await explains(ada, "#grid .tile[data-participant^=eve]", "180p: as large as this tile needs")
    await explains(ada, "#grid .tile[data-participant^=ada]", "Sent ")
    await screenshot(ada, "page-speaker-why")

    await bob.click("#toggle-microphone")
    await eve.click("#toggle-microphone")
    await stages(ada, "eve")
    await shows(ada, "bob", video="on")
    await told_to_be_on_stage(ada, "eve")
    await ada.set_viewport_size(PHONE)
    await explains(ada, "#stage .tile", "180p: as large as this tile needs")
    await screenshot(ada, "page-speaker-phone")
    await ada.set_viewport_size(DESK)

    await ada.hover("#grid .tile[data-participant^=bob]")
    await ada.click("#grid .tile[data-participant^=bob] [data-tool=pin]")
    await stages(ada, "bob")
    assert await ada.evaluate("document.activeElement.getAttribute('aria-label')") == "Keep large: Bob"
    await ada.keyboard.press("Enter")
    await stages(ada, "eve")

    await bob.click("#toggle-screen")
    await stages(ada, "bob")
    await shows(ada, "bob", "screen", video="on")
    await screenshot(ada, "page-speaker-screen")
    await bob.click("#toggle-screen")
    await stages(ada, "eve")

    await ada.click("#leave")
    await ada.click("#rejoin")
    await ada.click("#lobby-join")
    await stages(ada, "eve")  # it is remembered
    await ada.keyboard.press("l")
    await stages(ada)


async def test_what_somebody_chose_to_receive_is_told_shown_and_remembered(
    server: RunningServer, lobby: OpenLobby
) -> None:
    address = f"{server.url}/r/saving?video=640x360@10"
    ada = await enter(lobby, address, "Ada", viewport=DESK)
    for name in ("Bob", "Eve"):
        await enter(lobby, address, name)
        await shows(ada, name.lower(), video="on")
    await ada.click("#open-settings")
    await ada.select_option("#choice-saver", "250000")
    await ada.select_option("#choice-pictures", "1")
    await screenshot(ada, "page-settings")
    await ada.set_viewport_size(PHONE)
    await screenshot(ada, "page-settings-phone")
    await ada.set_viewport_size(DESK)
    async with ServerApi(server.url, ":".join(DEVELOPMENT_KEY)) as api:

        async def told(tiles: int, last_n: int | None, max_bps: int | None) -> None:
            async def so() -> bool:
                identities = [one.identity async for one in api.all_participants("saving")]
                present = [one for one in identities if one.startswith("ada")]
                if not present:
                    return False  # about to come back
                layout = await api.get_layout("saving", present[0])
                return (len(layout.tiles or ()), layout.last_n, layout.max_bps) == (tiles, last_n, max_bps)

            await eventually(so, f"{tiles} tiles, last_n {last_n}, max_bps {max_bps}")

        await told(1, 1, 250_000)
        await ada.check("#option-sound")
        await told(0, 0, 250_000)
        await ada.keyboard.press("Escape")
        await shows(ada, "bob", video="off")
        await shows(ada, "eve", video="off")
        await shows(ada, "ada", video="on")
        await explains(ada, "#grid .tile[data-participant^=bob]", "you have chosen sound only")
        await screenshot(ada, "page-sound-only")
        await ada.click("#leave")
        await ada.click("#rejoin")
        await ada.click("#lobby-join")
        await told(0, 0, 250_000)
        await ada.click("#open-settings")
        await ada.uncheck("#option-sound")
        await ada.select_option("#choice-saver", "0")
        await ada.select_option("#choice-pictures", "0")
        await told(2, None, None)
        await ada.keyboard.press("Escape")
        await shows(ada, "bob", video="on")
        await shows(ada, "eve", video="on")


async def test_the_server_is_told_which_frames_were_shown(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/frames?video=640x360@10"
    ada = await enter(lobby, address, "Ada")
    await enter(lobby, address, "Bob")
    await shows(ada, "bob", video="on")
    async with ServerApi(server.url, ":".join(DEVELOPMENT_KEY)) as api:

        async def told() -> bool:
            items = [item async for one in api.all_debug("frames") for item in one.received]
            frames = [item.frames.decoded for item in items if item.frames is not None]
            return len(frames) == 2 and min(frames) > 0

        await eventually(told, "both have said how many frames they have shown")


@pytest.mark.firefox
async def test_a_picture_goes_on_in_firefox_when_its_tile_is_moved(server: RunningServer, lobby: OpenLobby) -> None:
    address = f"{server.url}/r/moved"
    await enter(lobby, f"{address}?video=640x360@10", "Bob")
    async with firefox(()) as fox:
        await fox.open(address)
        await fox.evaluate(
            """
            document.getElementById('lobby-name').value = 'Fox';
            document.getElementById('lobby-form').requestSubmit();
            """
        )

        async def moves(where: str) -> bool:
            video = f"document.querySelector('#{where} .tile[data-participant^=bob][data-video=on] video')"
            return bool(await fox.evaluate(MOVES % video))

        for where in ("grid", "stage", "grid"):
            await eventually(partial(moves, where), f"the picture moves in the {where}")
            await fox.evaluate("document.querySelector('[data-participant^=bob] [data-tool=pin]').click()")
