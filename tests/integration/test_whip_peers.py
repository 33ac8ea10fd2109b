"""WHIP and WHEP with tools that know nothing of this server: FFmpeg's muxer, and GStreamer's webrtcbin both ways."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import pytest

from signaling.auth import Grant, mint
from signaling.client import development_token
from signaling.messages import Grants
from tests.support.ffmpeg_whip import ffmpeg_publishes, new_certificate
from tests.support.gstreamer import gstreamer
from tests.support.meeting import PATIENCE_S, meeting
from tests.support.namespaces import SERVER_ADDRESS, two_hosts
from tests.support.server import running_server

SENDER = 9


async def test_ffmpeg_publishes_and_a_bot_decodes_it(tmp_path: Path) -> None:
    async with meeting() as room:
        bot = await room.join("Bob")
        token = await development_token(room.server.url, "FFmpeg", "meeting")
        room.expect(token.identity, SENDER)
        url = f"{room.server.url}/v1/whip/meeting"
        async with ffmpeg_publishes(url, token.token, SENDER, new_certificate(tmp_path)):
            await bot.room.until(lambda: token.identity in bot.room.participants, PATIENCE_S)
            await bot.until(lambda: token.identity in bot.seen, PATIENCE_S)
            seen = bot.seen[token.identity]
            await bot.until(lambda: seen.video.decoded >= 30 and seen.audio.right >= 15, PATIENCE_S)
            tracks = bot.room.participants[token.identity].tracks
            assert {(track.kind, track.source) for track in tracks} == {("audio", "microphone"), ("video", "camera")}
        await bot.room.until(lambda: token.identity not in bot.room.participants, PATIENCE_S)
    assert seen.video.faults(30) == [] == seen.audio.faults(15)
    assert seen.video.traffic.lost == 0 == seen.audio.traffic.lost


@pytest.mark.gstreamer
@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
async def test_gstreamer_publishes_and_gstreamer_watches() -> None:
    secret = secrets.token_hex(32)

    def token(identity: str) -> str:
        grants = Grants(create=True, publish=True, subscribe=True)
        return mint(
            Grant(identity, identity, "stage", grants), key_id="test", secret=secret, now=time.time(), valid_for_s=600
        )

    async with (
        two_hosts() as hosts,
        running_server(host=SERVER_ADDRESS, prefix=hosts.server, environment={"SFU_KEYS": f"test:{secret}"}) as server,
        gstreamer("watch", f"{server.url}/v1/whep/stage", token("viewer"), hosts.client) as viewer,
    ):
        await viewer.until(lambda peer: peer.state == "connected")
        publishing = f"{server.url}/v1/whip/stage"
        async with gstreamer("publish", publishing, token("ada"), hosts.client) as first:
            await first.until(lambda peer: peer.state == "connected")
            await viewer.until(lambda peer: peer.frames >= 30 and peer.loud >= 10)
            assert await first.end() == 200
        # Somebody else's turn, on the same m-lines; key frames come because they are asked for.
        frames, loud = viewer.frames, viewer.loud
        async with gstreamer("publish", publishing, token("bob"), hosts.client) as second:
            await viewer.until(lambda peer: peer.frames >= frames + 30 and peer.loud >= loud + 10)
            async with gstreamer("publish", publishing, token("bob"), hosts.client) as third:
                await third.until(lambda peer: peer.state == "connected")
                assert await second.end() == 404, "it was replaced"
                frames, loud = viewer.frames, viewer.loud
                await viewer.until(lambda peer: peer.frames >= frames + 30 and peer.loud >= loud + 10)
                assert await third.end() == 200
        assert await viewer.end() == 200
