"""A crowd that publishes simulcast for little: pictures are encoded once and sent round and round, by one process.

    python -m tests.support.reels URL ROOM COUNT       (`actors` starts it)

Joins so many of the Python client, each with a microphone and a camera of three layers, as a browser's of 720 lines.
They stop layers that nobody wants, begin with a key frame when one is asked for, and receive nothing. Prints a line
when all are there; each line read is the number of who speaks from then on; at the end of the input they leave.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from sfu.core.types import Codec
from sfu.wire.extensions import AudioLevel
from signaling.client import Publication, SourceToPublish, connect, development_token
from signaling.client.packetising import vp8_payloads
from signaling.demo.encoding import FRAMES_PER_S, AudioEncoder, VideoEncoder
from signaling.demo.picture import Planes
from signaling.demo.tone import FRAME_SAMPLES, SAMPLE_RATE, Tone
from signaling.messages import AnyEvent, SetEncodings
from tests.support.piped import Piped, piped
from tests.support.portrait import film

RIDS = ("q", "h", "f")
WIDTH, HEIGHT = 1280, 720
LAYER_BPS = (120_000, 400_000, 1_300_000)
ROUNDS = 2  # of the film, to one key frame
KEY_FRAME_PAUSE_S = 0.3
TONE_HZ, SOUND_PACKETS = 450.0, 50  # a whole number of waves
GOLDEN = 0.618  # of a beat, from one to the next
SPEAKING, SILENT = AudioLevel(voice=True, level_dbov=-25), AudioLevel(voice=False, level_dbov=-127)
WORD, WORD_AND_PAUSE = 12, 15  # packets: what never pauses is a noise
SILENT_EVERY = 20  # packets: DTX sends one in 400 ms


@dataclass(frozen=True, slots=True)
class Reel:
    """Bitstreams: pictures by layer, in their order, each beginning with a key frame; and sound."""

    pictures: tuple[tuple[bytes, ...], ...]
    sound: tuple[bytes, ...]
    rids: tuple[str, ...] = RIDS
    frames_per_s: float = FRAMES_PER_S


class Player(Protocol):
    speaks: bool

    async def join(self, url: str, room: str, stack: AsyncExitStack) -> None: ...


class Actor:
    def __init__(self, number: int, reel: Reel) -> None:
        self.speaks = False
        self._number = number
        self._reel = reel
        self._rids = frozenset(reel.rids)
        self._wants_key_frame = False

    async def join(self, url: str, room: str, stack: AsyncExitStack) -> None:
        name = f"Actor{self._number}"
        token = (await development_token(url, name, room)).token
        joined = await stack.enter_async_context(
            connect(url, room, token, auto_subscribe=False, on_event=self._on_event)
        )
        microphone, camera = await joined.publish(
            [SourceToPublish("microphone", Codec.OPUS), SourceToPublish("camera", Codec.VP8, self._reel.rids)]
        )
        camera.on_key_frame_request = self._on_key_frame_request
        for acting in (self._show(camera), self._talk(microphone)):
            task = asyncio.create_task(acting)
            stack.callback(task.cancel)

    async def _show(self, camera: Publication) -> None:
        rids, frames_per_s = self._reel.rids, self._reel.frames_per_s
        pause, length = round(KEY_FRAME_PAUSE_S * frames_per_s), len(self._reel.pictures[0])
        at = picture_id = 0
        async for media_s in _beats(1 / frames_per_s, self._number):
            if at == length or (self._wants_key_frame and at >= pause):
                at, self._wants_key_frame = 0, False
            for layer, pictures in enumerate(self._reel.pictures):
                if rids[layer] in self._rids:
                    camera.send(layer, vp8_payloads(pictures[at], picture_id, picture_id), media_s)
            at, picture_id = at + 1, picture_id + 1

    async def _talk(self, microphone: Publication) -> None:
        number = 0
        async for media_s in _beats(FRAME_SAMPLES / SAMPLE_RATE, self._number):
            if self.speaks or number % SILENT_EVERY == 0:
                packet = self._reel.sound[number % len(self._reel.sound)]
                sounds = self.speaks and number % WORD_AND_PAUSE < WORD
                microphone.send(0, [packet], media_s, SPEAKING if sounds else SILENT)
            number += 1

    def _on_event(self, event: AnyEvent) -> None:
        if isinstance(event, SetEncodings):
            self._wants_key_frame |= not self._rids.issuperset(event.rids)
            self._rids = frozenset(event.rids)

    def _on_key_frame_request(self) -> None:
        self._wants_key_frame = True


class Actors:
    """All of them, from outside."""

    def __init__(self, process: Piped) -> None:
        self._process = process

    def speaks(self, number: int) -> None:
        """And nobody else."""
        self._process.tell(str(number))


@asynccontextmanager
async def actors(url: str, room: str, count: int) -> AsyncIterator[Actors]:
    """They are in the room, as `Actor0` and so on, until the block ends."""
    async with piped("tests.support.reels", url, room, str(count)) as process:
        await process.hear()  # all are there
        yield Actors(process)


async def _beats(interval_s: float, number: int) -> AsyncIterator[float]:
    """Media times, each when it has come; everybody's a little beside the others'. What is long missed is left out."""
    loop = asyncio.get_running_loop()
    begins_at = loop.time() + number * GOLDEN % 1 * interval_s
    beat = 0
    while True:
        await asyncio.sleep(begins_at + beat * interval_s - loop.time())
        yield beat * interval_s
        beat = max(beat + 1, int((loop.time() - begins_at) / interval_s))


def _record() -> Reel:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "face.y4m"
        film(path, WIDTH, HEIGHT, FRAMES_PER_S)
        planes = _read(path)
    encoder = VideoEncoder(Codec.VP8, len(RIDS), WIDTH, HEIGHT, LAYER_BPS)
    pictures = [encoder.encode(picture, number == 0) for number, picture in enumerate(planes * ROUNDS)]
    voice, tone = AudioEncoder(), Tone(TONE_HZ)
    return Reel(
        tuple(tuple(layer.bitstream for layer in layers) for layers in zip(*pictures, strict=True)),
        tuple(voice.encode(tone.frame()) for _ in range(SOUND_PACKETS)),
    )


def _read(path: Path) -> list[Planes]:
    with path.open("rb") as file:
        file.readline()
        planes = []
        while file.readline():
            luma = np.frombuffer(file.read(WIDTH * HEIGHT), np.uint8).reshape(HEIGHT, WIDTH)
            u, v = (
                np.frombuffer(file.read(WIDTH * HEIGHT // 4), np.uint8).reshape(HEIGHT // 2, WIDTH // 2)
                for _ in range(2)
            )
            planes.append((luma, u, v))
    return planes


async def play(cast: Sequence[Player], url: str, room: str, at_once: int = 1) -> None:
    """They join in their order, and stay until the end of the input."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with AsyncExitStack() as stack:
        for first in range(0, len(cast), at_once):
            await asyncio.gather(*(player.join(url, room, stack) for player in cast[first : first + at_once]))
        print("all are there", flush=True)
        async for line in lines:
            for number, player in enumerate(cast):
                player.speaks = number == int(line)


def _cast(count: int) -> list[Actor]:
    reel = _record()
    return [Actor(number, reel) for number in range(count)]


if __name__ == "__main__":
    asyncio.run(play(_cast(int(sys.argv[3])), sys.argv[1], sys.argv[2]))
