"""Simulcast in a real browser: the layer asked for arrives, and changing it freezes nothing."""

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


async def limit(participant: Participant, rid: str) -> None:
    await participant.page.evaluate(
        """async (rid) => {
          const [ada] = window.call.participants.values();
          await window.call.limitLayer(ada.track('camera').id, rid);
        }""",
        rid,
    )


async def bob_sees(bob: Participant, rid: str) -> None:
    async def has_width() -> bool:
        return [video["width"] for video in (await bob.watched()).values()] == [WIDTHS[rid]]

    await eventually(has_width, f"layer {rid} is shown")
