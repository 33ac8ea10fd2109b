"""A bot's ears and eyes for one m-line: packets to frames on the event loop, frames to pictures and sound in a thread.

    Reception ─► FrameAssembler ─► bounded queue ─► worker thread: decode, read strip, hear pitch ─► measures

Whose a frame is, is decided when it arrives: a Slot carries other people's Tracks over time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sfu.core.types import Codec
from signaling.client import ReceivedPacket, Reception
from signaling.client.reassembly import EncodedFrame, FrameAssembler
from signaling.demo import strip, tone
from signaling.demo.decoding import AudioDecoder, VideoDecoder
from signaling.demo.measure import AudioMeasure, VideoMeasure
from signaling.demo.strip import Mark

QUEUE_FRAMES = 60  # 4 s of video: a decoder that lags more than that will not catch up
KEY_FRAME_REPEAT_S = 0.5

# Called with the participant whose Track it is; `None`: nobody to count for (any more).
VideoOf = Callable[[str], tuple[VideoMeasure, int] | None]
AudioOf = Callable[[str], tuple[AudioMeasure, int] | None]

Frame = TypeVar("Frame")
Decoded = TypeVar("Decoded")


class VideoListener:
    """`measure_of` gives the measure of a participant's video, and the number that participant draws."""

    def __init__(
        self, reception: Reception, pool: Executor, measure_of: VideoOf, on_change: Callable[[], None]
    ) -> None:
        self._reception = reception
        self._pool = pool
        self._measure_of = measure_of
        self._on_change = on_change
        self._codec: Codec | None = None
        self._assembler = FrameAssembler(Codec.VP8)
        self._decoder: VideoDecoder | None = None
        self._asked_at_s = float("-inf")
        self._frames: deque[_ArrivedFrame] = deque()
        self._ready = asyncio.Event()
        reception.on_packet = self._on_packet

    async def run(self) -> None:
        """Decode until cancelled."""
        async for results, now in _batches(self._frames, self._ready, self._pool, _decode_video):
            for arrived, size, mark in results:
                if arrived.shown is not None:
                    measure, sender, track = arrived.shown
                    measure.on_picture(size, mark, sender, track, now)
            if results:
                self._on_change()

    def _on_packet(self, packet: ReceivedPacket) -> None:
        self._choose_decoder(packet)
        frame = self._assembler.on_packet(packet)
        if self._assembler.awaiting_key_frame and packet.at_s - self._asked_at_s > KEY_FRAME_REPEAT_S:
            self._asked_at_s = packet.at_s
            self._reception.request_key_frame()
        content = self._reception.content
        found = self._measure_of(content.participant) if content is not None else None
        if found is not None:
            found[0].traffic.on_packet(
                self._reception.stream.ssrc, packet.sequence_number, len(packet.payload), packet.recovered, packet.at_s
            )
        if frame is not None and self._decoder is not None:
            if len(self._frames) >= QUEUE_FRAMES:
                self._frames.clear()
                self._assembler.awaiting_key_frame = True
            # Also before anybody has said whose it is: it may be the key frame that what follows refers to.
            shown = None if content is None or found is None else (*found, content.track)
            self._frames.append(_ArrivedFrame(frame, shown, self._decoder))
            self._ready.set()

    def _choose_decoder(self, packet: ReceivedPacket) -> None:
        """Another Track in this Slot may have another codec."""
        codec = self._reception.codecs.get(packet.payload_type)
        if codec is not None and codec is not self._codec:
            self._codec = codec
            self._assembler = FrameAssembler(codec)
            self._decoder = VideoDecoder(codec)


class AudioListener:
    """Every packet is a frame; loss is not concealed, as only what really arrived is to be judged."""

    def __init__(
        self, reception: Reception, pool: Executor, measure_of: AudioOf, on_change: Callable[[], None]
    ) -> None:
        self._reception = reception
        self._pool = pool
        self._measure_of = measure_of
        self._on_change = on_change
        self._hearing = _Hearing()
        self._frames: deque[tuple[bytes, AudioMeasure, int]] = deque(maxlen=QUEUE_FRAMES)
        self._ready = asyncio.Event()
        reception.on_packet = self._on_packet

    async def run(self) -> None:
        """Decode until cancelled."""
        async for results, now in _batches(self._frames, self._ready, self._pool, self._hearing.decode):
            for result in results:
                result.measure.on_frame(now)
                for heard_hz in result.heard:
                    result.measure.on_window(heard_hz, tone.pitch_hz(result.sender))
            if results:
                self._on_change()

    def _on_packet(self, packet: ReceivedPacket) -> None:
        content = self._reception.content
        found = self._measure_of(content.participant) if content is not None else None
        if found is None:
            return
        measure, sender = found
        measure.traffic.on_packet(
            self._reception.stream.ssrc, packet.sequence_number, len(packet.payload), packet.recovered, packet.at_s
        )
        if packet.payload:
            self._frames.append((packet.payload, measure, sender))
            self._ready.set()


async def _batches(
    frames: deque[Frame], ready: asyncio.Event, pool: Executor, decode: Callable[[list[Frame]], list[Decoded]]
) -> AsyncIterator[tuple[list[Decoded], float]]:
    """What came of all that had arrived while the thread was busy, and when that was known."""
    loop = asyncio.get_running_loop()
    while True:
        await ready.wait()
        ready.clear()
        batch = list(frames)
        frames.clear()
        results = await loop.run_in_executor(pool, decode, batch)
        yield results, loop.time()


@dataclass(slots=True)
class _Heard:
    measure: AudioMeasure
    sender: int
    heard: list[float | None]  # one per window that this frame completed


class _Hearing:
    """Runs in the thread: the decoder, and the samples of the window that is not full yet."""

    def __init__(self) -> None:
        self._decoder = AudioDecoder()
        self._pieces: list[NDArray[np.float32]] = []
        self._samples = 0
        self._sender: int | None = None

    def decode(self, batch: list[tuple[bytes, AudioMeasure, int]]) -> list[_Heard]:
        results = []
        for packet, measure, sender in batch:
            samples = self._decoder.decode(packet)
            if not len(samples):
                continue
            if sender != self._sender:
                self._sender = sender
                self._clear()
            self._pieces.append(samples)
            self._samples += len(samples)
            heard: list[float | None] = []
            if self._samples >= tone.WINDOW_SAMPLES:
                heard.append(tone.heard_hz(np.concatenate(self._pieces)))
                self._clear()
            results.append(_Heard(measure, sender, heard))
        return results

    def _clear(self) -> None:
        self._pieces = []
        self._samples = 0


@dataclass(slots=True)
class _ArrivedFrame:
    frame: EncodedFrame
    shown: tuple[VideoMeasure, int, str] | None  # of whom, what number he draws, and which track it is
    decoder: VideoDecoder


def _decode_video(batch: list[_ArrivedFrame]) -> list[tuple[_ArrivedFrame, tuple[int, int], Mark | None]]:
    return [
        (arrived, (picture.width, picture.height), strip.read(picture.luma))
        for arrived in batch
        for picture in arrived.decoder.decode(arrived.frame.bitstream)
    ]
