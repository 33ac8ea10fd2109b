"""One Firefox and one Chromium in a room, on a host of their own, with the server on another: a real link between them.

Both use the page as people do, with tokens from `sfu token`: away from loopback there is no development mode.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.support.chromium import chromium, eventually, new_page, run_by, screenshot, statistics
from tests.support.firefox import Firefox, firefox
from tests.support.namespaces import SERVER_ADDRESS, forwarded, two_hosts
from tests.support.server import invitation, running_server

pytestmark = [pytest.mark.chromium, pytest.mark.firefox]

WATCH_S = 5.0

LISTEN = """
() => {
  window.heard = [];
  const plain = (payload) => (typeof payload === 'string' ? payload : payload.length);
  window.sfuRoom.on('message', ({payload}) => window.heard.push(plain(payload)));
  return window.sfuRoom.openMessages();
}
"""

ENTER = """
(name) => {
  document.getElementById('lobby-name').value = name;
  document.getElementById('lobby-form').requestSubmit();
}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
async def test_firefox_and_chromium_see_and_hear_each_other(speech: Path, tmp_path: Path) -> None:
    keys = f"test:{secrets.token_hex(32)}"
    async with two_hosts() as hosts:
        settings = {"SFU_KEYS": keys}
        async with (
            running_server(host=SERVER_ADDRESS, prefix=hosts.server, environment=settings) as server,
            forwarded(hosts, urlsplit(server.url).port or 0) as url,
            firefox(hosts.client) as fox,
            chromium(speech, executable=run_by(tmp_path, hosts.client)) as browser,
        ):
            page = await new_page(browser)
            await page.goto(await invitation(keys, url, "foxes", "chromium"))
            await page.evaluate(ENTER, "Chromium")
            await page.wait_for_selector("#call:not([hidden])")
            await fox.open(await invitation(keys, url, "foxes", "firefox"))
            await fox.evaluate(f"({ENTER})('Firefox')")
            await eventually(lambda: both_flow(page, fox), "both decode each other", timeout_s=90)

            before = [await statistics(page), await fox.statistics()]
            await asyncio.sleep(WATCH_S)  # the measurement itself
            after = [await statistics(page), await fox.statistics()]
            # Offered REMB and transport-cc, both report by the latter: REMB is not answered by an estimate.
            for evaluate in (page.evaluate, fox.evaluate):
                explanation = await evaluate("window.sfuRoom.view.explain()")
                assert explanation["estimate_bps"] is not None
            await exchange_messages(page, fox)
            await screenshot(page, "chromium-with-firefox")
            await fox.screenshot("firefox-with-chromium")
    for first, last in zip(before, after, strict=True):
        ((mid, row),) = last.inbound("video").items()
        decoded, received = (row[of] - first.inbound("video")[mid][of] for of in ("framesDecoded", "framesReceived"))
        assert received > WATCH_S * 15 / 2 and decoded >= 0.8 * received - 1  # one is being decoded
        ((mid, row),) = last.inbound("audio").items()
        assert row["totalAudioEnergy"] > first.inbound("audio")[mid]["totalAudioEnergy"]
        layers = {rid: rate["packetsSent"] for rid, rate in last.outbound("video").items()}
        assert len(layers) >= 2, "simulcast was not negotiated"
        assert all(layers.values()), layers


async def exchange_messages(page: Page, fox: Firefox) -> None:
    """On both channels, both ways."""
    await page.evaluate(f"({LISTEN})()")
    await fox.evaluate(f"({LISTEN})()")
    for send in (page.evaluate, fox.evaluate):
        await send("window.sfuRoom.sendMessage('reliable', {topic: 'test'})")
        await send("window.sfuRoom.sendMessage(new Uint8Array([1, 2]), {topic: 'test', reliable: false})")

    async def heard() -> bool:
        both = [await page.evaluate("window.heard"), await fox.evaluate("window.heard")]
        return all(sorted(one, key=str) == [2, "reliable"] for one in both)

    await eventually(heard, "both heard both messages")


async def both_flow(page: Page, fox: Firefox) -> bool:
    for seen in (await statistics(page), await fox.statistics()):
        video, audio = seen.inbound("video").values(), seen.inbound("audio").values()
        if not any(row.get("framesDecoded", 0) > 15 for row in video):
            return False
        if not any(row.get("totalAudioEnergy", 0) > 0 for row in audio):
            return False
        if not all(row["packetsSent"] for row in seen.outbound("video").values()):
            return False
    return True
