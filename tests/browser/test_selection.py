"""Chromium shows less, or nothing; its publisher sends less, or nothing; and all comes back when it is shown again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.call import Participant, join
from tests.support.chromium import eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

PAUSED_BPS = 20_000  # of video, when nobody shows it
MUTED_BPS, SPEAKING_BPS = 5_000, 15_000  # of sound
LONGEST_FREEZE_MS = 1000.0

# Syllables: a tone that comes and goes four times a second.
SPEAK = """
async () => {
  const context = new AudioContext();
  await context.resume();
  const [tone, syllables] = [context.createOscillator(), context.createOscillator()];
  const [depth, voice] = [context.createGain(), context.createGain()];
  syllables.frequency.value = 4;
  depth.gain.value = 0.5;
  voice.gain.value = 0.5;
  const destination = context.createMediaStreamDestination();
  syllables.connect(depth).connect(voice.gain);
  tone.connect(voice).connect(destination);
  tone.start();
  syllables.start();
  await window.call.publish(destination.stream.getAudioTracks()[0], {source: 'microphone'});
}
"""


async def show(participant: Participant, *sizes: tuple[int, int]) -> None:
    """Tiles of these sizes for the cameras of the others, in the order of their coming."""
    await participant.page.evaluate(
        """async (sizes) => {
          const cameras = [...window.call.participants.values()].map((other) => other.track('camera')).filter(Boolean);
          const tiles = sizes.map(([width, height], index) => ({track: cameras[index].id, width, height}));
          await window.call.view.show({tiles});
        }""",
        sizes,
    )


async def explanation(participant: Participant) -> dict[str, Any]:
    answer: dict[str, Any] = await participant.page.evaluate("() => window.call.view.explain()")
    (camera,) = [row for row in answer["tracks"] if row["tile_pixels"] is not None]
    return dict(camera)


async def video_bps(participant: Participant, *, over_s: float = 2.0) -> dict[str, float]:
    """What it sends, by rid."""

    async def sent() -> dict[str, int]:
        rows = (await participant.statistics()).outbound("video")
        return {rid: row["bytesSent"] for rid, row in rows.items()}

    before = await sent()
    await asyncio.sleep(over_s)
    return {rid: 8 * (octets - before[rid]) / over_s for rid, octets in (await sent()).items()}


async def audio_bps(participant: Participant, *, over_s: float = 2.0) -> float:
    async def sent() -> int:
        return sum(int(row["bytesSent"]) for row in (await participant.statistics()).outbound("audio").values())

    before = await sent()
    await asyncio.sleep(over_s)
    return 8 * (await sent() - before) / over_s


async def sends(participant: Participant, *rids: str) -> None:
    async def only() -> bool:
        rates = await video_bps(participant, over_s=1.0)
        return {rid for rid, rate in rates.items() if rate > PAUSED_BPS} == set(rids)

    await eventually(only, f"{participant.name} sends {rids or 'nothing'}")


async def sees_width(participant: Participant, width: int) -> None:
    async def has_width() -> bool:
        return [video["width"] for video in (await participant.watched()).values()] == [width]

    await eventually(has_width, f"a picture {width} wide")


async def is_limited_by(participant: Participant, reason: str) -> None:
    """In the end: layers that have just come back may not be steady yet."""

    async def so() -> bool:
        return bool((await explanation(participant))["reason"] == reason)

    await eventually(so, f"the picture is limited by {reason}")


async def test_what_nobody_shows_is_not_sent_and_comes_back(server: RunningServer, browser: Browser) -> None:
    ada = await join(browser, server.url, "selection", "Ada")
    bob = await join(browser, server.url, "selection", "Bob")
    await ada.publish()
    await sees_width(bob, 640)
    await sends(ada, "q", "h", "f")

    await bob.forget_gaps()
    await show(bob, (160, 90))
    await sees_width(bob, 160)
    await is_limited_by(bob, "layout")
    await sends(ada, "q")
    await show(bob, (640, 360))
    await sees_width(bob, 640)
    await is_limited_by(bob, "nothing")
    (freeze_ms,) = await bob.freezes_ms(ada)
    assert freeze_ms < LONGEST_FREEZE_MS

    await show(bob)
    await sends(ada)
    frames = (await bob.watched()).popitem()[1]["frames"]
    await show(bob, (640, 360))

    async def moves() -> bool:
        return bool((await bob.watched()).popitem()[1]["frames"] > frames + 5)

    await eventually(moves, "the picture moves again")


async def test_says_who_speaks(server: RunningServer, browser: Browser) -> None:
    ada = await join(browser, server.url, "speakers", "Ada")
    bob = await join(browser, server.url, "speakers", "Bob")
    await ada.page.evaluate(SPEAK)

    async def knows() -> bool:
        speakers = await bob.page.evaluate("() => window.call.view.speakers")
        return bool(speakers == {"recent": [ada.identity], "speaking": True})

    await eventually(knows, "Bob is told that Ada speaks")
    assert await audio_bps(ada) > SPEAKING_BPS
    await ada.page.evaluate("() => [...window.call.you.tracks.values()][0].mute()")

    async def silent() -> bool:
        return not await bob.page.evaluate("() => window.call.view.speakers.speaking")

    await eventually(silent, "Bob is told that she has stopped")

    async def hardly_sends() -> bool:
        return await audio_bps(ada) < MUTED_BPS

    await eventually(hardly_sends, "Ada's uplink is almost idle while she is muted")
