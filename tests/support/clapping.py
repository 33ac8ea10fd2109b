"""Who claps in a real call: flashes and beeps at the times of the loop's clock, over a path that loses and reorders.

The clip of `tests/recorder/clap.py` goes round and round, so that a clap costs no encoding: a key frame every two
seconds, and the clap in the middle. Between claps the microphone is still, and sends what DTX leaves of silence.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sfu.core.types import Codec
from signaling.client import Endpoint, Publication, Room, SourceToPublish, connect
from signaling.client.packetising import vp8_payloads
from tests.recorder.clap import CLAP_EVERY_S, FIRST_CLAP_S, FPS, FRAME_S, pictures, sounds

PICTURES = round(CLAP_EVERY_S * FPS)
SOUNDS = round(CLAP_EVERY_S / FRAME_S)
FLASH = round(FIRST_CLAP_S * FPS)
BEEP = round(FIRST_CLAP_S / FRAME_S)
STILL = frozenset({*range(6, 25), *range(26, BEEP - 10), *range(BEEP + 15, SOUNDS - 5)})  # what DTX does not send


class RoughEndpoint(Endpoint):
    """Loses media in bursts of three on average, and holds others back so that later ones pass them."""

    loss = 0.0
    late = 0.0  # so many are held back
    late_s = 0.03

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lost = 0
        self._losing = False
        self._chance = Random(7)

    def _send_media(self, datagram: bytes) -> None:
        end = 1 / 3
        begin = end * self.loss / (1 - self.loss)
        self._losing = self._chance.random() < (1 - end if self._losing else begin)
        if self._losing:
            self.lost += 1
        elif self._chance.random() < self.late:
            asyncio.get_running_loop().call_later(self._chance.uniform(0, self.late_s), super()._send_media, datagram)
        else:
            super()._send_media(datagram)


class RoughPath(RoughEndpoint):
    loss = 0.05
    late = 0.1


@dataclass(slots=True)
class Clapper:
    """`zero_s`: the loop's time from which claps are counted. `flashes`, `beeps`: when those that left were due; of a
    beep the first packet was not lost on the way, as nobody repeats sound."""

    room: Room
    zero_s: float
    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)
    muted: bool = False
    _publications: list[Publication] = field(default_factory=list)

    async def mute(self, muted: bool) -> None:
        self.muted = muted
        for publication in self._publications:
            await self.room.mute(publication, muted)

    async def _publish(self) -> list[asyncio.Task[None]]:
        wanted = [SourceToPublish("microphone", Codec.OPUS), SourceToPublish("camera", Codec.VP8)]
        self._publications = await self.room.publish(wanted)
        microphone, camera = self._publications
        return [asyncio.create_task(self._film(camera)), asyncio.create_task(self._speak(microphone))]

    async def _film(self, camera: Publication) -> None:
        clip, begun = pictures(Codec.VP8, CLAP_EVERY_S), False
        async for number, due_s in _beats(self.zero_s, 1 / FPS):
            bitstream, key_frame = clip[number % PICTURES]
            begun = not self.muted and (begun or key_frame)
            if begun:
                self._send(camera, vp8_payloads(bitstream, number, number), number / FPS, due_s)
                if number % PICTURES == FLASH:
                    self.flashes.append(due_s)

    async def _speak(self, microphone: Publication) -> None:
        clip = sounds(CLAP_EVERY_S)
        async for number, due_s in _beats(self.zero_s, FRAME_S):
            if self.muted or number % SOUNDS in STILL:
                continue
            lost = self._send(microphone, [clip[number % len(clip)]], number * FRAME_S, due_s)
            if number % SOUNDS == BEEP and not lost:
                self.beeps.append(due_s)

    def _send(self, to: Publication, payloads: list[bytes], media_s: float, due_s: float) -> bool:
        """Whether some of it was lost. As of when it was due, so that reports tell of the clap and not of how busy the
        machine is."""
        endpoint, stream = to.endpoint, to.streams[0]
        before = endpoint.lost if isinstance(endpoint, RoughEndpoint) else 0
        for index, payload in enumerate(payloads):
            marker = to.source.kind == "video" and index == len(payloads) - 1
            endpoint.session.send(stream, payload, stream.timestamp(media_s), due_s, marker=marker)
        endpoint.flush()
        return isinstance(endpoint, RoughEndpoint) and endpoint.lost > before


@asynccontextmanager
async def clapping(url: str, room: str, token: str, zero_s: float, path: type[Endpoint]) -> AsyncIterator[Clapper]:
    """Until the end of the block; then it has left."""
    async with connect(url, room, token, auto_subscribe=False, new_endpoint=path) as joined:
        clapper = Clapper(joined, zero_s)
        tasks = await clapper._publish()
        try:
            yield clapper
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result


async def _beats(zero_s: float, every_s: float) -> AsyncIterator[tuple[int, float]]:
    """All of them from now on, each with when it is due; one that is late comes at once."""
    loop = asyncio.get_running_loop()
    number = max(0, math.ceil((loop.time() - zero_s) / every_s))
    while True:
        due_s = zero_s + number * every_s
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        yield number, due_s
        number += 1
