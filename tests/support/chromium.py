"""Debian's Chromium, headless, with a fake camera of 640×360 at 15 fps and a fake microphone that speaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

PATIENCE_S = 60.0  # for what takes a second or two: machines are loaded
ARTIFACTS = Path(__file__).resolve().parents[1] / "artifacts"

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--auto-accept-this-tab-capture",
    "--auto-select-desktop-capture-source=Entire screen",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    # Pages in the background of a headless browser would be throttled to one frame a second.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    # libwebrtc sends only two layers of 640×360 otherwise, and it is the highest that it leaves out.
    "--force-fieldtrials=WebRTC-LegacySimulcastLayerLimit/Disabled/",
)

# Every camera of these tests: three layers of 640×360 are what two cores can encode for three pages at once.
# Peer connections are remembered, so that tests can read statistics that the page does not show.
PREPARE = """
(() => {
  const devices = navigator.mediaDevices;
  const getUserMedia = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (wanted) => {
    const video = wanted.video && {...(wanted.video === true ? {} : wanted.video),
      width: 640, height: 360, frameRate: 15};
    return getUserMedia({...wanted, video: video || false});
  };
  window.peerConnections = [];
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = function (...args) {
    const connection = new Original(...args);
    window.peerConnections.push(connection);
    return connection;
  };
  window.RTCPeerConnection.prototype = Original.prototype;
})();
"""

STATISTICS = """
async () => {
  const rows = [];
  for (const connection of window.peerConnections) {
    if (connection.connectionState === "closed") continue;
    for (const row of (await connection.getStats()).values()) {
      if (row.type === "inbound-rtp" || row.type === "outbound-rtp") rows.push(row);
    }
  }
  return JSON.stringify(rows);
}
"""


@dataclass(frozen=True, slots=True)
class Statistics:
    rows: list[dict[str, Any]]

    def inbound(self, kind: str) -> dict[str, dict[str, Any]]:
        """Received streams by mid: one row per m-line that has carried anything."""
        return {str(row["mid"]): row for row in self.rows if row["type"] == "inbound-rtp" and row["kind"] == kind}

    def outbound(self, kind: str) -> dict[str, dict[str, Any]]:
        """Sent streams by rid (empty without simulcast)."""
        return {row.get("rid", ""): row for row in self.rows if row["type"] == "outbound-rtp" and row["kind"] == kind}


async def statistics(page: Page) -> Statistics:
    return Statistics(json.loads(await page.evaluate(STATISTICS)))


@contextlib.asynccontextmanager
async def chromium(
    speech: Path | None = None, *flags: str, executable: Path = Path("/usr/bin/chromium")
) -> AsyncIterator[Browser]:
    audio = [f"--use-file-for-fake-audio-capture={speech}"] if speech else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, headless=True, args=[*FLAGS, *audio, *flags]
        )
        try:
            yield browser
        finally:
            await browser.close()


def run_by(folder: Path, prefix: tuple[str, ...]) -> Path:
    """Chromium with `prefix` (`ip netns exec …`) in front: Playwright starts one program and nothing before it."""
    script = folder / f"chromium-{prefix[-1]}"
    script.write_text(f'#!/bin/sh\nexec {" ".join(prefix)} /usr/bin/chromium "$@"\n')
    script.chmod(0o755)
    return script


async def new_page(browser: Browser, **context: Any) -> Page:
    """A page of its own context (own storage), which fails the test on an uncaught error."""
    page = await (await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})).new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    await page.add_init_script(PREPARE)
    return page


async def screenshot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTIFACTS / f"{name}.png")


async def eventually(
    condition: Callable[[], Awaitable[bool]], what: str, timeout_s: float = PATIENCE_S, every_s: float = 0.2
) -> None:
    """Wait until `condition` holds; fails with `what` after `timeout_s`."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        await asyncio.sleep(every_s)
