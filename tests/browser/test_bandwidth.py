"""Chromium behind a path that becomes narrow and wide again: estimate, layers and words follow, the picture goes on."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
EVERY_S, LATE_S = 0.02, 0.01
STAYS_FULL = 300  # packets are lost in that time where the best layer goes on: a thousand, and more

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


async def watched_for(participant: Participant, duration_s: float) -> list[tuple[int, dict[str, Any]]]:
    seen = []
    until = time.monotonic() + duration_s
    while time.monotonic() < until:
        seen.append(await explanation(participant))
        await asyncio.sleep(0.2)  # the measurement itself
    return seen


@asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """How late this process, in which the path is, got to what it had to do, in seconds."""
    late_s: list[float] = []

    async def measure() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(EVERY_S)
            late_s.append(time.monotonic() - before - EVERY_S)

    measuring = asyncio.create_task(measure())
    try:
        yield late_s
    finally:
        measuring.cancel()


def is_steady(late_s: list[float]) -> bool:
    """Else packets waited for the machine, and it was not this path that was measured."""
    return statistics.quantiles(late_s, n=20)[-1] < LATE_S


async def longest_freeze_ms(participant: Participant) -> float:
    (video,) = (await participant.watched()).values()
    return float(video["longestGapMs"])


async def test_a_path_that_becomes_narrow_and_wide_again_is_followed(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    if not pytestconfig.getoption("--long"):
        pytest.skip("beside other work it is the machine that is measured: run with --long on a quiet one")
    film(tmp_path / "face.y4m", WIDTH, HEIGHT, FRAMES_PER_S)
    camera = f"--use-file-for-fake-video-capture={tmp_path / 'face.y4m'}"
    async with open_test_server() as server, chromium(speech, camera) as browser, lateness() as late_s:
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

            await eventually(is_answered, "the estimate is below the path's rate, and the picture limited by it", 60)
            dropped = shaper.link.dropped
            seen = await watched_for(bob, NARROW_FOR_S)
            # Of a whole while: in between a better layer may be tried.
            estimate_bps = statistics.median(estimate for estimate, _ in seen)
            assert estimate_bps <= 1.1 * NARROW_BPS
            if is_steady(late_s):
                assert estimate_bps >= 0.5 * NARROW_BPS
                assert statistics.mode(picture["reason"] for _, picture in seen) == "bandwidth"
                assert statistics.mode(picture["rid"] for _, picture in seen) in ("q", "h")
                assert shaper.link.dropped - dropped < STAYS_FULL
            down_ms = await longest_freeze_ms(bob)

            async def is_wide_again() -> bool:
                return (await explanation(bob))[0] > 3 * NARROW_BPS

            shaper.narrow(WIDE_BPS)
            await shows(bob, BEST)
            await eventually(is_wide_again, "the estimate is above what the narrow path carried, by far")
            freeze_ms = await longest_freeze_ms(bob)
            with capsys.disabled():
                print(
                    f"\nestimate {estimate_bps / NARROW_BPS:.2f} of the narrow path, "
                    f"{'steady' if is_steady(late_s) else 'a busy machine'}; "
                    f"longest freeze: {down_ms:.0f} ms down, {freeze_ms:.0f} in all, {AIMED_FREEZE_MS:.0f} aimed at"
                )
            assert freeze_ms < LONGEST_FREEZE_MS or not is_steady(late_s)
