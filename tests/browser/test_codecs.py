"""VP9 and AV1 in a real browser: published, forwarded and decoded, with fewer layers when fewer are wanted."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.async_api import Browser

from tests.support.call import Participant, join, join_in, open_page
from tests.support.chromium import eventually
from tests.support.meeting import open_test_server

pytestmark = pytest.mark.chromium


async def two(browser: Browser, url: str, codec: str, layers: int, mode: str | None) -> tuple[Participant, Participant]:
    ada, bob = [await join(browser, url, f"{codec}-{mode}", name) for name in ("Ada", "Bob")]
    await ada.page.evaluate(
        """async ({codec, layers, mode}) => {
          const options = {codec, simulcast: layers > 1 ? layers : false};
          await window.call.publishCamera({...options, ...(mode ? {scalabilityMode: mode} : {})});
        }""",
        {"codec": codec, "layers": layers, "mode": mode},
    )
    return ada, bob


async def shows(bob: Participant, width: int) -> None:
    """New frames of this width are shown."""
    before = sum(video["frames"] for video in (await bob.watched()).values())

    async def so() -> bool:
        watched = list((await bob.watched()).values())
        return [video["width"] for video in watched] == [width] and watched[0]["frames"] > before + 5

    await eventually(so, f"a picture {width} wide is shown")


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_a_receiver_changes_simulcast_layers(browser: Browser, codec: str) -> None:
    async with open_test_server() as server:
        ada, bob = await two(browser, server.url, codec, 2, None)
        await shows(bob, 640)
        for rid, width in (("h", 320), ("f", 640)):
            await bob.page.evaluate(
                """async (rid) => {
                  const [ada] = window.call.participants.values();
                  await window.call.limitLayer(ada.track('camera').id, rid);
                }""",
                rid,
            )
            await shows(bob, width)
        (row,) = (await bob.statistics()).inbound("video").values()
        assert row["framesDecoded"] >= 0.8 * row["framesReceived"]
        sent = (await ada.statistics()).outbound("video").values()
        assert {layer["scalabilityMode"] for layer in sent} == {"L1T3"}


# Of 640×360, Chromium makes two spatial layers at most.
@pytest.mark.parametrize(("codec", "mode"), [("VP9", "L2T3_KEY"), ("AV1", "L2T2")])
async def test_layers_within_a_stream_can_be_left_out(browser: Browser, codec: str, mode: str) -> None:
    async with open_test_server() as server:
        _, bob = await two(browser, server.url, codec, 1, mode)
        await shows(bob, 640)
        router = server.worker._running.router
        (subscription,) = router.registry.subscriptions.values()
        layer = subscription.wanted_layer
        assert layer is not None

        async def limit(max_temporal_id: int | None, max_spatial_id: int | None, width: int) -> None:
            router.context.plane.set_layer(subscription.slot.number, layer, max_temporal_id, max_spatial_id)
            await shows(bob, width)

        await limit(None, 0, 320)
        await limit(0, 0, 320)
        before, begun = await frames_received(bob), time.monotonic()
        await asyncio.sleep(2)
        received, took_s = await frames_received(bob) - before, time.monotonic() - begun
        assert received <= took_s * 15 / 2 + 3, "every second frame at most"
        await limit(None, 0, 320)
        router.context.plane.set_layer(subscription.slot.number, layer)
        subscription.track.on_wish(layer, time.monotonic())
        await shows(bob, 640)
        (row,) = (await bob.statistics()).inbound("video").values()
        assert row["framesDecoded"] >= 0.8 * row["framesReceived"]


async def frames_received(bob: Participant) -> int:
    (row,) = (await bob.statistics()).inbound("video").values()
    return int(row["framesReceived"])


# Before it answers, as on a machine whose Firefox has no H.264.
WITHOUT_H264 = """
() => {
  const apply = RTCPeerConnection.prototype.setRemoteDescription;
  const codecs = RTCRtpReceiver.getCapabilities('video').codecs.filter(({mimeType}) => mimeType !== 'video/H264');
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    await apply.call(this, description);
    const received = this.getTransceivers().filter(({receiver}) => receiver.track.kind === 'video');
    for (const transceiver of description.type === 'offer' ? received : []) transceiver.setCodecPreferences(codecs);
  };
}
"""


async def test_who_has_no_h264_is_told_so_and_sent_nothing(browser: Browser) -> None:
    async with open_test_server() as server:
        ada = await join(browser, server.url, "dark", "Ada")
        bob = await open_page(browser, server.url)
        await bob.evaluate(WITHOUT_H264)
        eve, bob_there = await join(browser, server.url, "dark", "Eve"), await join_in(bob, "dark", "Bob")
        await ada.publish(codec="H264")
        await shows(eve, 640)

        async def told() -> bool:
            answer = await bob.evaluate("() => window.call.view.explain()")
            return sorted(row["reason"] for row in answer["tracks"]) == ["codec", "nothing"]  # her sound is heard

        await eventually(told, "the reason is the codec")
        received = [row["packetsReceived"] for row in (await bob_there.statistics()).inbound("video").values()]
        assert sum(received) == 0
