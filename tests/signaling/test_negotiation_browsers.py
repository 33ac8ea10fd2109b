"""Real browsers take our answers and our offers, and keep what was negotiated over the rounds that follow.

Only descriptions are exchanged: no media, no server, and the candidate we name discards what it gets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from sfu.core.types import Codec
from signaling.negotiation import Answerer, Offerer, ReadAnswer, SlotLine
from tests.signaling.capture_offers import SCENES
from tests.signaling.descriptions import LINES, LOCAL
from tests.support.chromium import chromium
from tests.support.firefox import firefox

Evaluate = Callable[[str], Awaitable[Any]]

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTION = """
(() => {
  window.begin = (scene) => {
    window.pc = new RTCPeerConnection({iceServers: []});
    if (scene) window.scenes[scene](pc);
    return true;
  };
  window.makeOffer = async () => {
    await pc.setLocalDescription(await pc.createOffer());
    return pc.localDescription.sdp;
  };
  window.takeAnswer = async (sdp) => {
    await pc.setRemoteDescription({type: "answer", sdp});
    return JSON.stringify(pc.getTransceivers().filter((one) => one.mid !== null).map((one) => [
      one.mid, one.currentDirection, one.sender.getParameters().encodings.map((encoding) => encoding.rid ?? ""),
    ]));
  };
  window.makeAnswer = async (sdp) => {
    await pc.setRemoteDescription({type: "offer", sdp});
    await pc.setLocalDescription(await pc.createAnswer());
    return pc.localDescription.sdp;
  };
  window.received = () => JSON.stringify(pc.getTransceivers().map((one) => [one.mid, one.currentDirection]));
  return true;
})()
"""


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        pytest.param("chromium", marks=pytest.mark.chromium),
        pytest.param("firefox", marks=pytest.mark.firefox),
    ],
)
async def evaluate(request: pytest.FixtureRequest) -> AsyncIterator[Evaluate]:
    if request.param == "firefox":
        async with firefox(()) as other:
            await other.evaluate(SCENES)
            await other.evaluate(CONNECTION)
            yield other.evaluate
        return
    # Without this the browser would announce names for its addresses by multicast.
    async with chromium(None, "--disable-features=WebRtcHideLocalIpsWithMdns") as browser:
        page = await browser.new_page()
        await page.evaluate(SCENES)
        await page.evaluate(CONNECTION)
        yield page.evaluate
        await asyncio.sleep(0)  # let the driver's last callbacks run before the loop closes


async def publish(evaluate: Evaluate, answerer: Answerer) -> dict[str, tuple[str, list[str]]]:
    """One round, receiving all we can. Returns mid → direction and rids as the browser has them after it."""
    offer = answerer.on_offer(await evaluate("makeOffer()"))
    receive = [media.mid for media in offer.media if media.sends and media.formats]
    answer = answerer.answer(LOCAL, receive=receive)
    found = json.loads(await evaluate(f"takeAnswer({json.dumps(answer)})"))
    return {mid: (direction, rids) for mid, direction, rids in found if direction not in (None, "stopped")}


async def subscribe(evaluate: Evaluate, offerer: Offerer, lines: list[SlotLine]) -> tuple[ReadAnswer, dict[str, str]]:
    answer = await evaluate(f"makeAnswer({json.dumps(offerer.offer(LOCAL, lines))})")
    return offerer.on_answer(answer), dict(json.loads(await evaluate("received()")))


CAMERA = ("sendonly", ["q", "h", "f"])
PLAIN = ("sendonly", [""])


async def test_takes_our_answer_and_keeps_three_rids(evaluate: Evaluate) -> None:
    await evaluate("begin('camera-screen-data')")
    assert await publish(evaluate, Answerer()) == {"0": PLAIN, "1": CAMERA, "2": PLAIN}


async def test_bundle_only_lines_are_accepted(evaluate: Evaluate) -> None:
    await evaluate("begin('bundle-only')")
    assert await publish(evaluate, Answerer()) == {"0": PLAIN, "1": CAMERA}


async def test_simulcast_outlives_a_round_in_which_nothing_is_received(evaluate: Evaluate) -> None:
    await evaluate("begin('camera-screen-data')")
    answerer = Answerer()
    answerer.on_offer(await evaluate("makeOffer()"))
    await evaluate(f"takeAnswer({json.dumps(answerer.answer(LOCAL, receive=[]))})")
    assert await publish(evaluate, answerer) == {"0": PLAIN, "1": CAMERA, "2": PLAIN}


async def test_stopped_lines_are_rejected_and_used_again(evaluate: Evaluate) -> None:
    await evaluate("begin('camera-screen-data')")
    answerer = Answerer()
    await publish(evaluate, answerer)
    await evaluate("pc.getTransceivers().slice(0, 2).forEach((one) => one.stop())")
    assert await publish(evaluate, answerer) == {"2": PLAIN}
    await evaluate("pc.addTransceiver('video', {direction: 'sendonly'}) && true")
    assert list((await publish(evaluate, answerer)).values()) == [PLAIN, PLAIN]


@pytest.mark.parametrize("order", [("video", "audio"), ("audio", "video")])
async def test_a_line_with_nothing_to_forward_does_not_hinder_the_other(
    evaluate: Evaluate, order: tuple[str, str]
) -> None:
    await evaluate("begin()")
    for kind in order:
        await evaluate(f"pc.addTransceiver('{kind}', {{direction: 'sendonly'}}) && true")
    foreign = """RTCRtpSender.getCapabilities("video").codecs.filter((codec) => codec.sdpFmtpLine === "profile-id=2")"""
    if not await evaluate(f"{foreign}.length"):
        pytest.skip("this browser has no codec that is not forwarded")
    await evaluate(
        f"""pc.getTransceivers().find((one) => one.receiver.track.kind === "video").setCodecPreferences({foreign})"""
    )
    lines = await publish(evaluate, Answerer())
    assert lines[str(order.index("audio"))] == PLAIN
    assert lines.get(str(order.index("video"))) in (None, ("inactive", [""]))


async def test_data_channels_need_no_media(evaluate: Evaluate) -> None:
    await evaluate("begin(); pc.createDataChannel('chat') && true")
    assert await publish(evaluate, Answerer()) == {}


async def test_a_page_that_only_watches_takes_our_answer(evaluate: Evaluate) -> None:
    await evaluate("begin()")
    for kind in ("audio", "video"):
        await evaluate(f"pc.addTransceiver('{kind}', {{direction: 'recvonly'}}) && true")
    answerer = Answerer()
    offer = answerer.on_offer(await evaluate("makeOffer()"))
    sent = [
        SlotLine(one.mid, one.kind, 1000, None, "watched", one.mid)
        if one.kind == "audio"
        else SlotLine(one.mid, one.kind, 1002, 1003, "watched", one.mid)
        for one in offer.media
    ]
    assert offer.remote.send_extensions.mid and offer.remote.send_extensions.transport_cc
    answer = answerer.answer(LOCAL, receive=(), send=sent)
    taken = json.loads(await evaluate(f"takeAnswer({json.dumps(answer)})"))
    assert [direction for _, direction, _ in taken] == ["recvonly", "recvonly"]


async def test_takes_our_offer_and_the_ones_that_follow(evaluate: Evaluate) -> None:
    await evaluate("begin()")
    offerer, (voice, camera, free) = Offerer(), LINES
    answer, lines = await subscribe(evaluate, offerer, [voice, camera, free])
    assert lines == {"0": "recvonly", "1": "recvonly", "2": "inactive"}
    assert answer.rejected == frozenset()
    without_red = answer.payload_types["0"].items() - {(Codec.RED, (63, None))}  # which Firefox does not know
    assert without_red == {(Codec.OPUS, (111, None))}
    assert answer.payload_types["1"][Codec.VP8] == (96, 97)
    assert answer.remote.send_extensions.transport_cc == 3
    # One ends, another comes in its place later, and a new one at the end.
    ended = replace(voice, stream=None, track=None)
    screen = SlotLine("3", "video", 1006, 1007, "eve-screen", "TR_7")
    answer, lines = await subscribe(evaluate, offerer, [ended, camera, free, screen])
    assert lines == {"0": "inactive", "1": "recvonly", "2": "inactive", "3": "recvonly"}
    answer, lines = await subscribe(
        evaluate, offerer, [replace(voice, stream="eve-camera", track="TR_8"), camera, free, screen]
    )
    assert lines == {"0": "recvonly", "1": "recvonly", "2": "inactive", "3": "recvonly"}
    assert answer.rejected == frozenset()


async def test_what_the_page_will_not_receive_is_rejected(evaluate: Evaluate) -> None:
    await evaluate("begin()")
    offerer = Offerer()
    await subscribe(evaluate, offerer, list(LINES))
    await evaluate("(pc.getTransceivers()[1].direction = 'inactive') && true")
    answer, lines = await subscribe(evaluate, offerer, list(LINES))
    assert answer.rejected == {"1"}
    assert lines["1"] == "inactive"
    assert "1" not in answer.payload_types
