"""Chromium behind a path that becomes narrow and wide again: estimate, layers and words follow, the picture goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.sim.link import Conditions
from tests.support.call import Participant, join
from tests.support.chromium import chromium, eventually
from tests.support.meeting import open_test_server
from tests.support.portrait import film
from tests.support.relay import relayed
from tests.support.shaper import Shaper

pytestmark = pytest.mark.chromium

WIDE_BPS, NARROW_BPS = 3e6, 0.5e6
WIDTH, HEIGHT, FRAMES_PER_S = 1280, 720, 15  # layers of some 0.15, 0.5 and 1.7 Mbit/s
BEST = 2
WIDTHS = (320, 640, 1280)
AIMED_FREEZE_MS, LONGEST_FREEZE_MS = 500.0, 1000.0
NARROW_FOR_S = 8.0

# Not the page's own camera, which tests make small.
PUBLISH = """
async ([width, height, frameRate]) => {
  const stream = await MediaDevices.prototype.getUserMedia.call(
    navigator.mediaDevices, {audio: true, video: {width, height, frameRate}});
  await window.call.publishMicrophone();
  await window.call.publish(stream.getVideoTracks()[0], {source: 'camera', simulcast: 3});
}
"""


async def explanation(participant: Participant) -> tuple[int, dict[str, Any]]:
    """The estimate, and what is said of the one picture."""
    answer = await participant.page.evaluate("() => window.call.view.explain()")
    (picture,) = [row for row in answer["tracks"] if row["tile_pixels"] is not None]
    return int(answer["estimate_bps"]), picture


async def shows(participant: Participant, layer: int) -> None:
    async def so() -> bool:
        widths = [video["width"] for video in (await participant.watched()).values()]
        return widths == [WIDTHS[layer]]

    await eventually(so, f"a picture of layer {layer}", timeout_s=90)


async def goes_on(participant: Participant, frames: int = 30) -> None:
    """So many more, after the key frame that the layer began with."""

    async def shown() -> int:
        (video,) = (await participant.watched()).values()
        return int(video["frames"])

    before = await shown()

    async def so() -> bool:
        return await shown() >= before + frames

    await eventually(so, f"{frames} more frames are shown", timeout_s=60)


async def longest_freeze_ms(participant: Participant) -> float:
    (video,) = (await participant.watched()).values()
    return float(video["longestGapMs"])


async def test_a_path_that_becomes_narrow_and_wide_again_is_followed(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film(tmp_path / "face.y4m", WIDTH, HEIGHT, FRAMES_PER_S)
    camera = f"--use-file-for-fake-video-capture={tmp_path / 'face.y4m'}"
    async with open_test_server() as server, chromium(speech, camera) as browser:
        ada = await join(browser, server.url, "bandwidth", "Ada")
        await ada.page.evaluate(PUBLISH, [WIDTH, HEIGHT, FRAMES_PER_S])
        wide = Conditions(rate_bps=WIDE_BPS)
        async with relayed(server, lambda address: Shaper(address, wide)) as shaper:
            bob = await join(browser, server.url, "bandwidth", "Bob")
            await shows(bob, BEST)
            await goes_on(bob)
            await bob.forget_gaps()

            shaper.narrow(NARROW_BPS)

            async def is_answered() -> bool:
                estimate_bps, picture = await explanation(bob)
                return estimate_bps <= 1.05 * NARROW_BPS and picture["reason"] == "bandwidth"

            await eventually(is_answered, "the estimate is below the path's rate, and the picture limited by it")
            dropped = shaper.link.dropped
            await asyncio.sleep(NARROW_FOR_S)
            estimate_bps, picture = await explanation(bob)
            assert 0.5 * NARROW_BPS <= estimate_bps <= 1.1 * NARROW_BPS
            assert picture["reason"] == "bandwidth" and picture["rid"] in ("q", "h")
            assert shaper.link.dropped - dropped < 100, "the queue has not stayed full"
            down_ms = await longest_freeze_ms(bob)

            shaper.narrow(WIDE_BPS)
            await shows(bob, BEST)
            estimate_bps, picture = await explanation(bob)
            assert estimate_bps > 3 * NARROW_BPS
            freeze_ms = await longest_freeze_ms(bob)
            with capsys.disabled():
                print(
                    f"\nlongest freeze: {down_ms:.0f} ms down, {freeze_ms:.0f} in all, {AIMED_FREEZE_MS:.0f} aimed at"
                )
            assert freeze_ms < LONGEST_FREEZE_MS
