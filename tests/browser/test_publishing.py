"""Publishing and taking back, many times over and past the limit, where browsers have surprised us."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.support.call import Participant, join
from tests.support.chromium import eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

# A moving picture that costs nothing; `picture()` is one more track of it.
PICTURE = """
() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 320, height: 180});
  const context = canvas.getContext('2d');
  setInterval(() => {
    context.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
    context.fillRect(0, 0, 320, 180);
  }, 66);
  window.picture = () => canvas.captureStream(15).getVideoTracks()[0];
  window.screen_ = () => window.call.publish(window.picture(), {source: 'screen'});
}
"""


async def two(server: RunningServer, browser: Browser, room: str) -> tuple[Participant, Participant]:
    ada, bob = [await join(browser, server.url, room, name) for name in ("Ada", "Bob")]
    await ada.page.evaluate(PICTURE)
    await ada.page.evaluate("() => window.call.publishMicrophone()")
    await ada.page.evaluate("() => window.call.publish(window.picture(), {source: 'camera'})")
    await bob.sees("Ada")
    return ada, bob


async def picture_comes(bob: Participant, source: str) -> None:
    """Frames of this source of Ada's are shown now, not only earlier."""
    track = {}

    async def published() -> bool:
        track.update((await bob.roster())["Ada"].get(source, {}))
        return track.get("id") in await bob.watched()

    await eventually(published, f"Ada's {source} is subscribed")
    before = (await bob.watched())[track["id"]]["frames"]

    async def grows() -> bool:
        return bool((await bob.watched())[track["id"]]["frames"] > before + 5)

    await eventually(grows, f"frames of Ada's {source} are shown")


async def test_the_first_track_may_be_taken_back_without_ending_the_others(
    server: RunningServer, browser: Browser
) -> None:
    ada, bob = await two(server, browser, "first")
    await ada.page.evaluate("() => window.call.unpublish(window.call.you.track('microphone'))")
    await ada.page.evaluate("() => window.call.publishMicrophone()")
    await picture_comes(bob, "camera")

    async def heard() -> bool:
        rows = (await bob.statistics()).inbound("audio").values()
        return any(row["totalAudioEnergy"] > 0 for row in rows) and "microphone" in (await bob.roster())["Ada"]

    await eventually(heard, "Ada is heard again")


async def test_a_receive_slot_used_again_shows_its_picture_each_time(server: RunningServer, browser: Browser) -> None:
    ada, bob = await two(server, browser, "again")
    for _ in range(5):
        await ada.page.evaluate("async () => { window.shared = await window.screen_(); }")
        await picture_comes(bob, "screen")
        await ada.page.evaluate("() => window.call.unpublish(window.shared)")
    # One m-line for the microphone, one for the camera, one for all screens.
    assert len((await bob.statistics()).inbound("video")) <= 2


async def test_a_publish_past_the_limit_is_refused_and_leaves_no_trace(server: RunningServer, browser: Browser) -> None:
    ada, bob = await two(server, browser, "limit")
    code = await ada.page.evaluate(
        """async () => {
          const shared = [];
          let code = '';
          while (!code && shared.length < 100) {
            await window.screen_().then((track) => shared.push(track), (error) => (code = error.code));
          }
          for (const track of shared) await window.call.unpublish(track);
          return code;
        }"""
    )
    assert code == "limit"
    await ada.page.evaluate("() => window.screen_()")
    await picture_comes(bob, "screen")
    await picture_comes(bob, "camera")
