"""Participants of a call in real pages, through the browser client alone; the page of the app has tests of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page

from tests.support.chromium import Statistics, eventually, new_page, statistics

# A page of the server on which nothing runs but what a test puts there. (A page made up by the test would not count as
# one of this machine, and Chromium would not let it connect to loopback.)
BARE_PAGE = "/client/client.js"

# Joins, shows every video that comes, and keeps for each the longest time between two frames that left the decoder: on
# a loaded machine the compositor of a page that nobody looks at rests for a second now and then. How long the page
# itself stood still, as on a machine that is busy with something else, is measured beside: `stoodStillMs`.
JOIN = """
async ({room, name, messages, token}) => {
  const {join, AudioPlayback} = await import('/client/client.js');
  const getToken = async () => {
    const answer = await fetch('/v1/dev/tokens', {
      method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({name, room})});
    if (answer.status !== 201) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).token;
  };
  window.token = token ?? await getToken();
  const call = await join(room, window.token, {messages});
  window.call = call;
  window.videos = new Map();
  window.stoodStillMs = 0;
  let turn = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.stoodStillMs = Math.max(window.stoodStillMs, now - turn - 50);
    turn = now;
  }, 50);
  new AudioPlayback(call);
  call.on('tracksubscribed', ({track, mediaTrack}) => {
    if (track.kind !== 'video') return;
    const element = document.createElement('video');
    Object.assign(element, {autoplay: true, muted: true, playsInline: true, width: 320});
    element.srcObject = new MediaStream([mediaTrack]);
    document.body.append(element);
    const watched = {element, frames: 0, longestGapMs: 0};
    const onShown = () => {
      watched.frames += 1;
      element.requestVideoFrameCallback(onShown);
    };
    element.requestVideoFrameCallback(onShown);
    window.videos.set(track.id, watched);
    watchGaps(mediaTrack, watched);
  });
  call.on('trackunsubscribed', ({track}) => {
    window.videos.get(track.id)?.element.remove();
    window.videos.delete(track.id);
  });
  return call.you.identity;

  async function watchGaps(mediaTrack, watched) {
    const reader = new MediaStreamTrackProcessor({track: mediaTrack}).readable.getReader();
    let last = null;
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      value.close();
      const now = performance.now();
      if (last !== null) watched.longestGapMs = Math.max(watched.longestGapMs, now - last);
      last = now;
    }
  }
}
"""

ROSTER = """
() => Object.fromEntries([...window.call.participants.values()].map((participant) => [
  participant.name,
  Object.fromEntries([...participant.tracks.values()].map((track) => [
    track.source, {id: track.id, muted: track.muted, subscribed: Boolean(track.receiver), rids: track.rids}]))]))
"""

WATCHED = """
() => Object.fromEntries([...window.videos].map(([id, {frames, longestGapMs, element}]) =>
  [id, {frames, longestGapMs, width: element.videoWidth, height: element.videoHeight}]))
"""


@dataclass(slots=True)
class Participant:
    name: str
    identity: str
    page: Page

    async def publish(self, layers: int = 3, codec: str = "VP8") -> None:
        """Camera and microphone, the camera with this many simulcast layers."""
        await self.page.evaluate(
            """async ({layers, codec}) => {
              await window.call.publishMicrophone();
              await window.call.publishCamera({simulcast: layers > 1 ? layers : false, codec});
            }""",
            {"layers": layers, "codec": codec},
        )

    async def roster(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The others: name → source → track."""
        rows: dict[str, dict[str, dict[str, Any]]] = await self.page.evaluate(ROSTER)
        return rows

    async def watched(self) -> dict[str, dict[str, Any]]:
        """Videos received: track id → frames shown, longest gap, size."""
        rows: dict[str, dict[str, Any]] = await self.page.evaluate(WATCHED)
        return rows

    async def forget_gaps(self) -> None:
        await self.page.evaluate(
            "() => { window.stoodStillMs = 0; for (const video of window.videos.values()) video.longestGapMs = 0; }"
        )

    async def stood_still_ms(self) -> float:
        """At most, since `forget_gaps`."""
        longest: float = await self.page.evaluate("() => window.stoodStillMs")
        return longest

    async def freezes_ms(self, *senders: Participant) -> list[float]:
        """The longest of each video since `forget_gaps`, but for what its own page and these stood still."""
        still_ms = sum([await one.stood_still_ms() for one in (self, *senders)])
        return [video["longestGapMs"] - still_ms for video in (await self.watched()).values()]

    async def statistics(self) -> Statistics:
        return await statistics(self.page)

    async def leave(self) -> None:
        await self.page.evaluate("() => window.call.leave()")

    async def sees(self, *names: str) -> None:
        """Wait until exactly these others are here and a picture of each has been shown."""

        async def shown() -> bool:
            roster, watched = await self.roster(), await self.watched()
            cameras = [tracks.get("camera", {}).get("id", "") for tracks in roster.values()]
            return set(roster) == set(names) and all(watched.get(camera, {}).get("frames", 0) for camera in cameras)

        try:
            await eventually(shown, f"{self.name} sees {names}")
        except AssertionError as error:
            inbound = (await self.statistics()).inbound("video")
            found = {"roster": await self.roster(), "watched": await self.watched(), "inbound": inbound}
            raise AssertionError(f"{error}; {json.dumps(found)}") from None


async def open_page(browser: Browser, url: str) -> Page:
    page = await new_page(browser)
    await page.goto(url + BARE_PAGE)
    return page


async def join(browser: Browser, url: str, room: str, name: str, *, messages: bool | str = True) -> Participant:
    return await join_in(await open_page(browser, url), room, name, messages=messages)


async def join_in(
    page: Page, room: str, name: str, *, messages: bool | str = True, token: str | None = None
) -> Participant:
    """`token`: default is a new one, for a new identity."""
    identity = await page.evaluate(JOIN, {"room": room, "name": name, "messages": messages, "token": token})
    return Participant(name, identity, page)
