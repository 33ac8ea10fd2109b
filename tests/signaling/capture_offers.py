"""Write offers and answers of this machine's Chromium, Firefox and aiortc to `offers/`; see the README there.

    .venv/bin/python -m tests.signaling.capture_offers [DIRECTORY]

Nothing is sent anywhere: this takes no network and no devices (streams come from a canvas and a silent audio graph).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from signaling.negotiation import Offerer
from tests.signaling.descriptions import LINES, LOCAL, OFFERS
from tests.support.chromium import chromium
from tests.support.firefox import firefox

# Defines `scenes`: name -> a function that prepares a connection of which the offer is taken.
SCENES = """
(() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 640, height: 360});
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  const audio = new AudioContext();
  const camera = () => canvas.captureStream(15).getVideoTracks()[0];
  const microphone = () => audio.createMediaStreamDestination().stream.getAudioTracks()[0];
  const sending = (track, encodings) => [track, {
    direction: "sendonly", streams: [new MediaStream([track])], ...(encodings && {sendEncodings: encodings}),
  }];
  const layers = () => [
    {rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150000},
    {rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500000},
    {rid: "f", maxBitrate: 1500000},
  ];
  const prefer = (transceiver, mimeType) => {
    const codecs = RTCRtpSender.getCapabilities("video").codecs;
    const first = codecs.filter((codec) => codec.mimeType === mimeType);
    transceiver.setCodecPreferences([...first, ...codecs.filter((codec) => codec.mimeType !== mimeType)]);
  };
  window.scenes = {
    "camera-screen-data": (pc) => {
      pc.addTransceiver(...sending(microphone()));
      pc.addTransceiver(...sending(camera(), layers()));
      pc.addTransceiver(...sending(camera()));
      pc.createDataChannel("chat");
    },
    "bundle-only": (pc) => {
      pc.addTransceiver(...sending(microphone()));
      pc.addTransceiver(...sending(camera(), layers()));
    },
    "h264-first": (pc) => {
      const transceiver = pc.addTransceiver(...sending(camera(), layers()));
      prefer(transceiver, "video/H264");
    },
    "one-rid": (pc) => {
      pc.addTransceiver(...sending(camera(), [{rid: "only"}]));
    },
    "receiving": (pc) => {
      pc.addTransceiver("audio", {direction: "recvonly"});
      pc.addTransceiver("video", {direction: "recvonly"});
    },
  };
  window.offerOf = async (name) => {
    const bundlePolicy = name === "bundle-only" ? "max-bundle" : "balanced";
    const pc = new RTCPeerConnection({iceServers: [], bundlePolicy});
    window.scenes[name](pc);
    const {sdp} = await pc.createOffer();
    pc.close();
    return sdp;
  };
  window.answerOf = async (offer) => {
    const pc = new RTCPeerConnection({iceServers: []});
    await pc.setRemoteDescription({type: "offer", sdp: offer});
    const {sdp} = await pc.createAnswer();
    pc.close();
    return sdp;
  };
})()
"""
CHROMIUM_SCENES = ("camera-screen-data", "bundle-only", "h264-first", "one-rid", "receiving")
FIREFOX_SCENES = ("camera-screen-data", "bundle-only", "one-rid", "receiving")  # no H.264 in Debian's


async def of_page(
    evaluate: Callable[[str], Awaitable[Any]], browser: str, scenes: tuple[str, ...], directory: Path
) -> None:
    await evaluate(SCENES)
    for scene in scenes:
        write(directory, f"{browser}-{scene}", await evaluate(f"offerOf('{scene}')"))
    offer = json.dumps(Offerer().offer(LOCAL, LINES))
    write(directory, f"answer-{browser}", await evaluate(f"answerOf({offer})"))


async def of_aiortc(directory: Path) -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio", direction="sendonly")
    connection.addTransceiver("video", direction="sendonly")
    connection.createDataChannel("chat")
    offer: RTCSessionDescription = await connection.createOffer()
    write(directory, "aiortc", offer.sdp)
    await connection.close()


def write(directory: Path, name: str, description: str) -> None:
    (directory / f"{name}.sdp").write_text(description, newline="")
    print(f"{name}: {len(description)} characters")


async def main(directory: Path) -> None:
    async with chromium() as browser:
        await of_page((await browser.new_page()).evaluate, "chromium", CHROMIUM_SCENES, directory)
    async with firefox(()) as other:
        await of_page(other.evaluate, "firefox", FIREFOX_SCENES, directory)
    await of_aiortc(directory)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else OFFERS))
