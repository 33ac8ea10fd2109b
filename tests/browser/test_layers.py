"""Simulcast in a real browser: the layer asked for arrives, and changing it freezes nothing; a screen has two."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser

from tests.support.call import Participant, join
from tests.support.chromium import eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

LONGEST_FREEZE_MS = 1000.0
WIDTHS = {"q": 160, "h": 320, "f": 640}


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_receiver_changes_layers_without_a_freeze(server: RunningServer, browser: Browser, codec: str) -> None:
    ada = await join(browser, server.url, f"layers-{codec}", "Ada")
    bob = await join(browser, server.url, f"layers-{codec}", "Bob")
    await ada.publish(codec=codec)
    await bob_sees(bob, "f")
    await bob.forget_gaps()
    for rid in ("q", "f", "q", "h", "f"):
        await limit(bob, rid)
        await bob_sees(bob, rid)
        await asyncio.sleep(2)  # some frames of it
    (freeze_ms,) = await bob.freezes_ms(ada)
    assert freeze_ms < LONGEST_FREEZE_MS
    (row,) = (await bob.statistics()).inbound("video").values()
    assert row["framesDecoded"] >= 0.8 * row["framesReceived"]


@pytest.mark.parametrize("codec", ["VP8", "VP9"])
async def test_a_screen_flows_in_two_sizes(server: RunningServer, browser: Browser, codec: str) -> None:
    ada = await join(browser, server.url, f"screen-{codec}", "Ada")
    bob = await join(browser, server.url, f"screen-{codec}", "Bob")
    await ada.page.evaluate(
        """async (codec) => {
          const [track] = (await navigator.mediaDevices.getDisplayMedia({video: true})).getVideoTracks();
          await window.call.publish(track, {source: 'screen', codec});
        }""",
        codec,
    )

    async def both_flow() -> bool:
        rows = (await ada.statistics()).outbound("video")
        return set(rows) == {"h", "f"} and all(row["framesEncoded"] > 10 for row in rows.values())

    await eventually(both_flow, "both are sent")
    rows = (await ada.statistics()).outbound("video")
    width = rows["f"]["frameWidth"]
    assert width == pytest.approx(2 * rows["h"]["frameWidth"], rel=0.01)
    assert [row["scalabilityMode"] for row in rows.values()] == ["L1T3", "L1T3"]
    for rid, shown in (("f", width), ("h", rows["h"]["frameWidth"]), ("f", width)):
        await limit(bob, rid, "screen")
        await sees_width(bob, shown, f"layer {rid} of the screen")


async def limit(participant: Participant, rid: str, source: str = "camera") -> None:
    await participant.page.evaluate(
        """async ({rid, source}) => {
          const [ada] = window.call.participants.values();
          await window.call.limitLayer(ada.track(source).id, rid);
        }""",
        {"rid": rid, "source": source},
    )


async def bob_sees(bob: Participant, rid: str) -> None:
    await sees_width(bob, WIDTHS[rid], f"layer {rid}")


async def sees_width(bob: Participant, width: int, what: str) -> None:
    async def has_width() -> bool:
        return [video["width"] for video in (await bob.watched()).values()] == [width]

    await eventually(has_width, f"{what} is shown")
