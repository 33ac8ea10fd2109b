"""aiortc as a WHEP viewer behind a thin path: it has no transport-cc, and reports by REMB, or by loss alone.

test ─ POST ─► server           what is sent to it ─► shaped_path.py ─► aiortc, which decodes and throws away
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole

from tests.support.shaped_path import ShapedPath, shaped

# Without it aiortc cannot tell how long a packet was under way, and sends no REMB.
SEND_TIMES = re.compile(r"^a=extmap:\d+ \S+abs-send-time\r\n", re.MULTILINE)
HOST = re.compile(r" (\d+) typ host")


@asynccontextmanager
async def watching(url: str, token: str, rate_bps: float, *, estimates: bool) -> AsyncIterator[ShapedPath]:
    """`url`: of WHEP. `estimates`: whether it can, and sends REMB."""
    async with AsyncExitStack() as stack:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        stack.push_async_callback(connection.close)
        blackhole = MediaBlackhole()
        stack.push_async_callback(blackhole.stop)

        @connection.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            blackhole.addTrack(track)

        for kind in ("audio", "video"):
            connection.addTransceiver(kind, direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        offer = connection.localDescription.sdp
        assert "goog-remb" in offer and "transport-cc" not in offer
        answer = await _exchange(url, token, offer if estimates else SEND_TIMES.sub("", offer))
        path = await stack.enter_async_context(shaped(int(HOST.findall(answer)[0]), rate_bps))
        detour = HOST.sub(f" {path.port} typ host", answer)
        await connection.setRemoteDescription(RTCSessionDescription(detour, "answer"))
        await blackhole.start()
        yield path


async def _exchange(url: str, token: str, offer: str) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    async with aiohttp.ClientSession() as http, http.post(url, data=offer, headers=headers) as response:
        assert response.status == 201, await response.text()
        return await response.text()
