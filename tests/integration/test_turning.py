"""A phone that is turned in its hand, in a real call: upright in a tap, and in a mix of what was copied."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from recorder import manifest
from recorder.mix.layouts import Region, Shows
from recorder.mix.mixing import mix
from sfu.core.types import Codec
from sfu.wire.extensions import Orientation
from signaling.client import Publication, Room, SourceToPublish, VideoFrame, connect, development_token
from signaling.client.packetising import vp8_payloads
from signaling.recordings.options import RecordingOptions
from tests.integration.test_recording import comes_to, grows
from tests.integration.test_taps import WITHIN_S, token
from tests.recorder import turning
from tests.recorder.clap import FPS, KEY_FRAME_EVERY
from tests.recorder.test_turning import LAYOUT
from tests.support.meeting import open_test_server

SOME = 4  # of the last the mix may not show the very last picture: it is of the moment at which the recording ends


async def film(camera: Publication) -> None:
    """The clip, again and again."""
    loop, clip = asyncio.get_running_loop(), turning.pictures(Codec.VP8)
    begun_s = loop.time()
    for number in count():
        place = number % len(clip)
        held, before = turning.held_at(place / FPS), turning.held_at((place - 1) % len(clip) / FPS)
        said = held if held != before or place % KEY_FRAME_EVERY == 0 else None
        payloads = vp8_payloads(clip[place][0], number, number)
        camera.send(0, payloads, number / FPS, orientation=said)
        await asyncio.sleep(begun_s + (number + 1) / FPS - loop.time())


async def seen_upright(room: Room, participant: str) -> set[int]:
    """Numbers of pictures, until some of each way to hold it have been seen; any that is not upright is a mistake."""
    found: set[int] = set()
    async with room.tap(participant, "video") as tap:
        async for frame in tap:
            assert isinstance(frame, VideoFrame)
            number = turning.upright_number(frame.picture.astype(np.int16))
            assert number is not None, len(found)
            found.add(number)
            seen = Counter(turning.held_at(one / FPS) for one in found)
            if all(seen[held] >= SOME for _, held in turning.HELD):
                break
    return found


async def test_a_phone_that_is_turned_is_upright_in_a_tap_and_in_a_recording(tmp_path: Path) -> None:
    async with open_test_server(recordings=tmp_path) as server, asyncio.timeout(WITHIN_S):
        ada = await development_token(server.url, "Ada", "meeting")
        async with (
            connect(server.url, "meeting", ada.token, auto_subscribe=False) as room,
            connect(server.url, "meeting", token("listener"), auto_subscribe=False) as listener,
        ):
            (camera,) = await room.publish([SourceToPublish("camera", Codec.VP8)])
            filming = asyncio.create_task(film(camera))
            recording = await server.recordings.start("meeting", RecordingOptions(mode="copy"))
            await grows(server.recordings, recording.id, 1000)  # so it has the tap's first key frame, too
            assert len(await seen_upright(listener, room.identity)) > len(turning.HELD)
            filming.cancel()
            await server.recordings.stop(recording.id)
        one = await comes_to(server.recordings, recording.id, "ready")
    directory = tmp_path / one.id
    (file,) = manifest.decode((directory / manifest.FILE_NAME).read_bytes()).files
    ways = {held for _, held in turning.HELD}
    assert {Orientation(turn.degrees // 90, turn.mirrored) for turn in file.turns} == ways
    ada_alone = replace(LAYOUT, regions=(Region(Shows.ALL, most=1),))
    mix(directory, tmp_path / "mix.mp4", ada_alone)
    found = turning.upright_numbers(turning.decoded(tmp_path / "mix.mp4"))
    assert {turning.held_at(number / FPS) for number in found} == ways
