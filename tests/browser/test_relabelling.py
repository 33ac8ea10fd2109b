"""A picture under the right name when packets are far behind the messages that say whose they are.

What the server sends one page waits in a deep queue, while its messages come at once; a slot goes from one to another.
Whose a picture is, it says in colours, and each frame that is shown is compared with whose track it is shown as.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.call import Participant
from tests.support.chromium import eventually
from tests.support.hall import NUMBER_IN_PICTURE, hall
from tests.support.server import RunningServer
from tests.support.shaped_path import join_behind, shaped

pytestmark = pytest.mark.chromium

LATE_S = 2.0
WIDE_BPS = 10e6
FRAMES = 3  # of each, until it is somebody else's turn

# Shows whoever is bound, and counts the frames by whose they are.
WATCH = """
() => {
  const numberIn = NUMBER_IN_PICTURE;
  window.shown = {};
  call.on('tracksubscribed', ({participant, track}) => {
    if (track.kind !== 'video') return;
    const video = window.videos.get(track.id).element;
    const onFrame = () => {
      const number = numberIn(video);
      const key = `${participant.name} shows ${number}`;
      // A track of which nothing comes any more ends in a black frame, which is nobody's.
      if (!Number.isNaN(number)) shown[key] = (shown[key] ?? 0) + 1;
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
  });
}
""".replace("NUMBER_IN_PICTURE", NUMBER_IN_PICTURE)


async def cameras(page: Participant) -> dict[str, str]:
    return {name: tracks["camera"]["id"] for name, tracks in (await page.roster()).items() if "camera" in tracks}


async def watch(page: Participant, number: int, *, instead_of: int | None = None) -> None:
    """Until this one has been shown for a while."""
    tracks = await cameras(page)
    if instead_of is not None:
        await page.page.evaluate("(track) => call.unsubscribe(track)", tracks[f"Actor{instead_of}"])
    await page.page.evaluate("(track) => call.subscribe(track)", tracks[f"Actor{number}"])

    async def so() -> bool:
        shown: dict[str, int] = await page.page.evaluate("shown")
        return sum(count for key, count in shown.items() if key.startswith(f"Actor{number} ")) >= FRAMES

    await eventually(so, f"{number} is shown")


async def test_a_slot_that_goes_to_another_has_no_name_until_his_frame_comes_however_late(
    server: RunningServer, browser: Browser
) -> None:
    async with (
        hall(server.url, "late", 2),
        shaped(server.udp_port, WIDE_BPS, LATE_S) as path,
    ):
        page = await join_behind(path, server.udp_port, browser, server.url, "late", "Ada")
        await page.page.evaluate(WATCH)

        async def both() -> bool:
            return len(await page.watched()) == 2

        await eventually(both, "both are received, each in a slot")
        for track in (await cameras(page)).values():
            await page.page.evaluate("(track) => call.unsubscribe(track)", track)
        await watch(page, 1)  # in the slot that was the other's
        await watch(page, 0, instead_of=1)
        await watch(page, 1, instead_of=0)
        shown: dict[str, Any] = await page.page.evaluate("shown")
        assert set(shown) == {"Actor0 shows 0", "Actor1 shows 1"}
        lines = await page.page.evaluate(
            "peerConnections.flatMap((one) => one.getTransceivers()).filter(({mid}) => mid).length"
        )
        assert lines <= 4, "they took turns in the same slots"
