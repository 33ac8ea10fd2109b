"""Taps of a real call: by the server's socket and by WebSocket, in Python and as any other program would."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import numpy as np
import pytest

from signaling.auth import Grant, mint
from signaling.client import AudioFrame, ReceivedMessage, Room, VideoFrame, connect
from signaling.client.examples.captions import caption
from signaling.config import DEVELOPMENT_KEY
from signaling.demo import strip, tone
from signaling.errors import Refused
from signaling.message_values import Grants
from signaling.taps import messages, sound
from signaling.taps.messages import TapStarted
from tests.support.meeting import Meeting, meeting

WITHIN_S = 120.0
PACKET_SAMPLES = 960  # of the bots: 20 ms
RECORDS = Grants(subscribe=True, record=True)


def token(identity: str, grants: Grants = RECORDS) -> str:
    key_id, secret = DEVELOPMENT_KEY
    grant = Grant(identity=identity, name="", room="meeting", grants=grants)
    return mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=3600.0)


@asynccontextmanager
async def listener(call: Meeting, grants: Grants = RECORDS) -> AsyncIterator[Room]:
    url = call.server.url
    async with connect(url, "meeting", token("listener", grants), auto_subscribe=False) as room:
        yield room


def is_step(samples: int) -> bool:
    """A bot that the machine holds up leaves packets out."""
    return samples > 0 and samples % PACKET_SAMPLES == 0


def heard_hz(frames: list[AudioFrame]) -> float | None:
    samples = np.concatenate([frame.samples[:, 0] for frame in frames]).astype(np.float32) / np.float32(32768)
    return tone.heard_hz(samples[-tone.WINDOW_SAMPLES :])


@pytest.mark.parametrize(("local", "via"), [(True, "socket"), (False, "websocket")])
async def test_python_hears_and_sees_one_of_the_room(local: bool, via: str) -> None:
    async with meeting() as call, asyncio.timeout(WITHIN_S):
        ada, bob = await call.join("Ada"), await call.join("Bob")
        async with listener(call) as room:
            async with room.tap(bob.room.identity, local=local) as tap:
                frames: list[Any] = []
                while len(frames) < 100:
                    frames.append(await anext(tap))
                assert tap.via == via and tap.dropped == 0
            assert all(isinstance(frame, AudioFrame) and frame.samples.shape[1] == 2 for frame in frames)
            assert {frame.source for frame in frames} == {"microphone"}
            assert all(is_step(after.timestamp - before.timestamp) for before, after in pairwise(frames))
            hz = heard_hz(frames)
            assert hz is not None and abs(hz - tone.pitch_hz(1)) < 20, hz
            async with room.tap(ada.room.identity, "video", local=local) as tap:
                marks: set[Any] = set()
                while len(marks) < 10:
                    picture = await anext(tap)
                    assert isinstance(picture, VideoFrame) and picture.picture.dtype == np.uint8
                    mark = strip.read(picture.picture[:, :, 1].copy())
                    if mark is not None:
                        assert mark.sender == 0
                        marks.add(mark)
        await call.until_all_see_all()  # who taps is nobody's business, and in nobody's way


async def test_a_tap_waits_for_its_participant_and_follows_who_comes_back() -> None:
    async with meeting() as call, asyncio.timeout(WITHIN_S):
        await call.join("Ada")
        bob = await call.join("Bob")
        async with listener(call) as room, room.tap(bob.room.identity) as tap:
            first = await anext(tap)
            await call.leave(bob)
            await call.join("Bob")
            async for frame in tap:
                if frame.track != first.track:
                    break
            assert call.server.switchboard.counters.sessions == 4  # the tap's own


@pytest.mark.parametrize("form", ["pcm16", "opus"])
async def test_other_programs_get_sound_with_its_times(form: str) -> None:
    async with meeting() as call, asyncio.timeout(WITHIN_S):
        ada = await call.join("Ada")
        url = f"{call.server.url}/v1/rooms/meeting/participants/{ada.room.identity}/tap"
        headers = {"Authorization": f"Bearer {token('any')}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.ws_connect(url, params={"format": form}) as socket,
        ):
            started = messages.decode(await socket.receive_str())
            assert isinstance(started, TapStarted) and started.kind == "audio"
            content: list[bytes] = []
            times: list[tuple[int, float]] = []
            while len(content) < 60:
                message = await socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    number, dropped, timestamp, at_s, frame = sound.unpack(message.data)
                    assert (number, dropped) == (started.number, 0)
                    content.append(frame)
                    times.append((timestamp, at_s))
            assert all(is_step(after - before) for (before, _), (after, _) in pairwise(times))
            assert 0 < times[-1][1] - times[0][1] < WITHIN_S
            if form == "pcm16":
                samples = np.concatenate([sound.samples(frame)[:, 0] for frame in content])
                assert len(samples) == PACKET_SAMPLES * len(content)
                hz = tone.heard_hz(samples[-tone.WINDOW_SAMPLES :].astype(np.float32) / np.float32(32768))
                assert hz is not None and abs(hz - tone.pitch_hz(0)) < 20


@pytest.mark.parametrize(
    ("query", "credentials", "status"),
    [
        ("", "", 401),
        ("", "none", 401),
        ("", "may not", 403),
        ("?kind=video&format=pcm16", "may", 422),
        ("?kind=smell", "may", 422),
        ("?source=camera", "may", 422),
        ("?max_layer=9", "may", 422),
        ("", "may", 426),
    ],
)
async def test_what_is_declined(query: str, credentials: str, status: int) -> None:
    async with meeting() as call:
        ada = await call.join("Ada")
        bearer = {
            "may": token("any"),
            "may not": token("any", Grants(subscribe=True)),
        }.get(credentials, credentials)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = f"{call.server.url}/v1/rooms/meeting/participants/{ada.room.identity}/tap{query}"
        async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as response:
            assert response.status == status
            assert response.content_type == "application/problem+json"


async def test_python_is_told_when_it_may_not_and_when_the_room_has_ended() -> None:
    async with meeting() as call, asyncio.timeout(WITHIN_S):
        ada = await call.join("Ada")
        async with listener(call, Grants(subscribe=True)) as room:
            with pytest.raises(Refused) as refused:
                await anext(room.tap(ada.room.identity))
            assert refused.value.code == "not_granted"
            async with room.tap(ada.room.identity, token=token("revoked")) as tap:
                await anext(tap)
                await call.server.switchboard.perform(lambda rooms, now: rooms.revoke("meeting", "revoked", now))
                with pytest.raises(Refused) as refused:
                    async for _ in tap:
                        pass
                assert refused.value.code == "token_invalid"
            async with room.tap(ada.room.identity, token=token("another")) as tap:
                await anext(tap)
                await call.server.switchboard.perform(lambda rooms, now: rooms.delete_room("meeting", now))
                async for _ in tap:
                    pass


@pytest.mark.parametrize("in_s", [0.0, 1.0])
async def test_a_tap_ends_with_the_key_that_opened_it(in_s: float) -> None:
    async with meeting() as call, asyncio.timeout(WITHIN_S):
        ada = await call.join("Ada")
        keyring, url = call.server.keyring, f"{call.server.url}/v1/rooms/meeting/participants/{ada.room.identity}/tap"

        async def made() -> tuple[str, dict[str, str]]:
            key, secret = await call.server.switchboard.perform(lambda rooms, now: keyring.create("of a transcriber"))
            return key.id, {"Authorization": f"Bearer {key.id}:{secret}"}

        (retired, headers), (_, others) = await made(), await made()
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(url, headers=headers) as socket,
            http.ws_connect(url, headers=others) as other,
        ):
            for one in (socket, other):
                assert isinstance(messages.decode(await one.receive_str()), TapStarted)
            await call.server.switchboard.perform(lambda rooms, now: keyring.retire(retired, in_s=in_s))
            async for _ in socket:
                pass
            assert socket.close_code == 4401
            for _ in range(20):
                assert (await other.receive()).type is aiohttp.WSMsgType.BINARY
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(url, headers=headers)
            assert refused.value.status == 401


async def test_captions_come_into_the_room_as_messages() -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()
    async with meeting() as call, asyncio.timeout(WITHIN_S):
        await call.join("Ada")
        bob = await call.join("Bob")
        reader = connect(
            call.server.url, "meeting", token("reader"), auto_subscribe=False, on_message=received.put_nowait
        )
        grants = Grants(subscribe=True, message=True, record=True)
        async with reader as reading, listener(call, grants) as room:
            await reading.open_messages()
            heard: list[int] = []

            def engine(samples: Any) -> str:
                heard.append(len(samples))
                return f"{len(samples)} samples"

            captions = asyncio.create_task(caption(room, bob.room.identity, engine))
            message = await received.get()
            while not isinstance(message, ReceivedMessage):
                message = await received.get()
            said = json.loads(message.payload)
            assert (message.sender, message.topic, said["of"]) == ("listener", "captions", bob.room.identity)
            assert said["text"] == f"{heard[0]} samples" and heard[0] > 16_000
            captions.cancel()
            await asyncio.gather(captions, return_exceptions=True)
