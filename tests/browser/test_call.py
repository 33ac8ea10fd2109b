"""Three Chromium pages in one room: everybody sees and hears everybody, through leaving, reloading, muting, sharing."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser

from tests.support.call import Participant, join, join_in
from tests.support.chromium import eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

WATCH_S = 20.0
LONGEST_FREEZE_MS = 1000.0
# A voice of 32 kbit/s in packets of 20 ms has 80 bytes in each, and with redundancy twice as many.
REDUNDANT_BYTES = 120
# What sound is preferably sent as, and how Opus is.
SOUND_SENT = """
() => {
  const senders = window.peerConnections.flatMap((connection) => connection.getSenders());
  const {codecs} = senders.find(({track}) => track?.kind === 'audio').getParameters();
  return [codecs[0].mimeType, codecs.find(({mimeType}) => mimeType === 'audio/opus').sdpFmtpLine];
}
"""
DECODED_SHARE = 0.8  # of the frames sent to it; the rest is a loaded machine's
SENT_SHARE = 0.5  # of the camera's: three pages encode three layers each


async def call_of_three(browser: Browser, url: str, room: str) -> list[Participant]:
    call = [await join(browser, url, room, name) for name in ("Ada", "Bob", "Eve")]
    for participant in call:
        await participant.publish()
    for participant in call:
        await participant.sees(*(other.name for other in call if other is not participant))
    return call


async def test_three_people_see_and_hear_each_other(server: RunningServer, browser: Browser) -> None:
    call = await call_of_three(browser, server.url, "three")
    await eventually(lambda: all_send_three_layers(call), "every camera sends three layers")

    before = [await participant.statistics() for participant in call]
    for participant in call:
        await participant.forget_gaps()
    await asyncio.sleep(WATCH_S)  # the measurement itself
    after = [await participant.statistics() for participant in call]

    for participant, first, last in zip(call, before, after, strict=True):
        assert len(last.inbound("video")) == len(last.inbound("audio")) == 2
        for mid, row in last.inbound("video").items():
            sent = row["framesReceived"] - first.inbound("video")[mid]["framesReceived"]
            decoded = row["framesDecoded"] - first.inbound("video")[mid]["framesDecoded"]
            assert sent > WATCH_S * 15 * SENT_SHARE, f"{participant.name}, m-line {mid}: {sent} frames arrived"
            assert decoded >= DECODED_SHARE * sent, f"{participant.name}, m-line {mid}: {decoded} of {sent} decoded"
        for mid, row in last.inbound("audio").items():
            assert row["totalAudioEnergy"] > first.inbound("audio")[mid]["totalAudioEnergy"], "silence arrived"
        freezes_ms = await participant.freezes_ms(*(one for one in call if one is not participant))
        assert max(freezes_ms) < LONGEST_FREEZE_MS, f"{participant.name} saw freezes of {freezes_ms}"
        for video in (await participant.watched()).values():
            assert (video["width"], video["height"]) == (640, 360)


async def all_send_three_layers(call: list[Participant]) -> bool:
    rates = [(await participant.statistics()).outbound("video") for participant in call]
    return all({rid for rid, row in layers.items() if row["framesSent"] > 0} == {"q", "h", "f"} for layers in rates)


async def test_one_leaves_and_comes_back_and_one_reloads(server: RunningServer, browser: Browser) -> None:
    ada, bob, eve = await call_of_three(browser, server.url, "coming-and-going")

    await eve.leave()
    await ada.sees("Bob")
    await bob.sees("Ada")
    eve = await join(browser, server.url, "coming-and-going", "Eve")
    await eve.publish()
    for participant, others in ((ada, ("Bob", "Eve")), (bob, ("Ada", "Eve")), (eve, ("Ada", "Bob"))):
        await participant.sees(*others)

    await bob.page.reload()
    await eventually(lambda: gone(ada, "Bob"), "Bob's old page is gone for Ada")
    bob = await join_in(bob.page, "coming-and-going", "Bob")
    await bob.publish()
    for participant, others in ((ada, ("Bob", "Eve")), (bob, ("Ada", "Eve")), (eve, ("Ada", "Bob"))):
        await participant.sees(*others)


async def gone(participant: Participant, name: str) -> bool:
    return name not in await participant.roster()


async def test_mute_is_told_and_stops_the_media(server: RunningServer, browser: Browser) -> None:
    ada, bob, _ = await call_of_three(browser, server.url, "muting")

    (first, opus) = await ada.page.evaluate(SOUND_SENT)
    assert first == "audio/red" and "usedtx=1" in opus and "useinbandfec=1" in opus

    async def is_redundant() -> bool:
        sounds = (await bob.statistics()).inbound("audio").values()
        sizes = [sound["bytesReceived"] / max(1, sound["packetsReceived"]) for sound in sounds]
        return len(sizes) == 2 and min(sizes) > REDUNDANT_BYTES

    await eventually(is_redundant, "each packet that Bob hears has the one before it, too")
    for source in ("microphone", "camera"):
        await ada.page.evaluate("async (source) => window.call.you.track(source).mute()", source)

        async def is_muted(muted: bool = True, source: str = source) -> bool:
            return bool((await bob.roster())["Ada"][source]["muted"]) is muted

        await eventually(is_muted, f"Bob hears that Ada muted her {source}")
    camera = (await bob.roster())["Ada"]["camera"]["id"]

    async def still() -> bool:
        first = (await bob.watched())[camera]["frames"]
        await asyncio.sleep(1)
        return bool((await bob.watched())[camera]["frames"] == first)

    await eventually(still, "no frame of a muted camera for a second")
    shown = (await bob.watched())[camera]["frames"]
    for source in ("microphone", "camera"):
        await ada.page.evaluate("async (source) => window.call.you.track(source).unmute()", source)

    async def moves_again() -> bool:
        return bool((await bob.watched())[camera]["frames"] > shown + 15)

    await eventually(moves_again, "Ada's camera is seen again")


async def test_a_screen_is_shared_and_taken_back(server: RunningServer, browser: Browser) -> None:
    ada, bob, _ = await call_of_three(browser, server.url, "screen")
    await ada.page.evaluate("async () => { window.shared = await window.call.publishScreen({audio: false}); }")

    async def seen() -> bool:
        screen = (await bob.roster())["Ada"].get("screen")
        return screen is not None and (await bob.watched()).get(screen["id"], {}).get("frames", 0) > 0

    await eventually(seen, "Bob sees Ada's screen")
    await ada.page.evaluate("async () => { for (const track of window.shared) await window.call.unpublish(track); }")

    async def taken_back() -> bool:
        return "screen" not in (await bob.roster())["Ada"]

    await eventually(taken_back, "the screen is gone")
    await bob.sees("Ada", "Eve")
