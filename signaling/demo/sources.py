"""A bot's camera and microphone: generated, encoded in a worker thread, and sent in real time until cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass

from sfu.core.types import Codec
from sfu.wire.extensions import AudioLevel
from signaling.client import Publication
from signaling.client.packetising import h264_payloads, vp8_payloads
from signaling.demo import picture, tone
from signaling.demo.encoding import FRAMES_PER_S, AudioEncoder, EncodedLayer, VideoEncoder
from signaling.demo.picture import Picture
from signaling.demo.tone import Tone

# Browsers answer every request; a pause between key frames keeps many requests from costing many key frames.
KEY_FRAME_PAUSE_S = 0.3


@dataclass(slots=True)
class Pace:
    """How a source kept time. `latest_s`: how late something was sent, at worst. `resumed_at_s`: when the first frame
    after `muted` was due, by the loop's clock; `resumed_at`: its number."""

    latest_s: float = 0.0
    resumed_at_s: float | None = None
    resumed_at: int = 0
    _was_muted: bool = False

    def on_muted(self) -> None:
        self._was_muted = True

    def on_sent(self, number: int, due_s: float, now: float) -> None:
        self.latest_s = max(self.latest_s, now - due_s)
        if self._was_muted:
            self._was_muted, self.resumed_at_s, self.resumed_at = False, due_s, number


class Camera:
    """`frames` and `key_frames` count what was sent. While `muted` nothing is."""

    def __init__(self, publication: Publication, name: str, sender: int, pool: Executor) -> None:
        layers = len(publication.streams)
        self.publication = publication
        self._codec = publication.source.codec
        self._picture = Picture(name, sender)
        self._encoder = VideoEncoder(self._codec, layers, picture.WIDTH, picture.HEIGHT)
        self._pool = pool
        self._key_frame_wanted = True
        self._key_frame_at_s = float("-inf")
        self.frames = 0
        self.key_frames = 0
        self.muted = False
        self.pace = Pace()
        publication.on_key_frame_request = self._on_key_frame_request

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async for media_s, due_s in _beats(1 / FRAMES_PER_S):
            if self.muted:
                self.pace.on_muted()
                self._key_frame_wanted = True
                continue
            now = loop.time()
            key_frame = self._key_frame_wanted and now - self._key_frame_at_s >= KEY_FRAME_PAUSE_S
            if key_frame:
                self._key_frame_wanted = False
                self._key_frame_at_s = now
                self.key_frames += 1
            layers = await loop.run_in_executor(self._pool, self._next, self.frames, key_frame)
            for index, layer in enumerate(layers):
                if layer.bitstream:
                    self.publication.send(index, self._payloads(layer), media_s)
            self.pace.on_sent(self.frames, due_s, loop.time())
            self.frames += 1

    def _next(self, number: int, key_frame: bool) -> list[EncodedLayer]:
        return self._encoder.encode(self._picture.planes(number, time.time()), key_frame)

    def _payloads(self, layer: EncodedLayer) -> list[bytes]:
        if self._codec is Codec.H264:
            return h264_payloads(layer.bitstream)
        # One temporal layer: every picture is one of layer zero, so both numbers grow together.
        return vp8_payloads(layer.bitstream, picture_id=self.frames, tl0_picture_index=self.frames)

    def _on_key_frame_request(self) -> None:
        self._key_frame_wanted = True


class Microphone:
    def __init__(self, publication: Publication, sender: int, pool: Executor) -> None:
        self.publication = publication
        self._tone = Tone(tone.pitch_hz(sender))
        self._encoder = AudioEncoder()
        self._pool = pool
        self.frames = 0
        self.muted = False
        self.pace = Pace()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async for media_s, due_s in _beats(tone.FRAME_SAMPLES / tone.SAMPLE_RATE):
            if self.muted:
                self.pace.on_muted()
                continue
            packet, level = await loop.run_in_executor(self._pool, self._next)
            self.publication.send(0, [packet], media_s, AudioLevel(voice=True, level_dbov=level))
            self.pace.on_sent(self.frames, due_s, loop.time())
            self.frames += 1

    def _next(self) -> tuple[bytes, int]:
        samples = self._tone.frame()
        return self._encoder.encode(samples), tone.level_dbov(samples)


async def _beats(interval_s: float) -> AsyncIterator[tuple[float, float]]:
    """The media time of each beat, and when that is by the loop's clock. A late beat is made up for, beats long missed
    are not."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    beat = 0
    while True:
        media_s = beat * interval_s
        late_s = loop.time() - start - media_s
        if late_s < 0:
            await asyncio.sleep(-late_s)
        elif late_s > 10 * interval_s:
            beat += int(late_s / interval_s)
            media_s = beat * interval_s
        yield media_s, start + media_s
        beat += 1
