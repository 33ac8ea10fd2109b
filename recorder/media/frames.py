"""Ordered packets of one SSRC to whole frames; what is incomplete is left out, and so is all that builds on it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from recorder.media import opus
from recorder.media.pictures import JOIN
from recorder.media.reordering import OrderedPacket
from sfu.core.types import Codec
from sfu.wire.extensions import UPRIGHT, Orientation


class GapReason(StrEnum):
    """Why there are no frames before this one, back to the one before."""

    NONE = ""
    BEGIN = "begin"  # the stream began, or began anew: with another SSRC or codec
    LOSS = "loss"  # packets never came
    DAMAGED = "damaged"  # payloads that do not fit together


class EncodedFrame(NamedTuple):
    """`bitstream` as decoders and containers take it: a VP8 frame, a VP9 (super)frame, an H.264 access unit in Annex B
    form, an AV1 temporal unit, an Opus packet. `timestamp` is unwrapped; `arrived_at_s` that of the last packet.
    `orientation`: how a decoded picture is to be shown."""

    codec: Codec
    bitstream: bytes
    timestamp: int
    key_frame: bool
    arrived_at_s: float
    gap: GapReason
    orientation: Orientation = UPRIGHT


class PictureAssembler:
    """Video. After a loss nothing comes out until the next key frame: each picture is made from the one before.

    How pictures are to be turned is said by the last packet of each key frame, and of others where it changed (3GPP
    TS 26.114 §7.4.5). A key frame that says nothing is of a sender with nothing to say: upright.
    """

    def __init__(self, codec: Codec, most_bytes: int) -> None:
        self._codec = codec
        self._join = JOIN[codec]
        self._most_bytes = most_bytes
        self._packets: list[OrderedPacket] = []
        self._size = 0
        self._gap = GapReason.BEGIN
        self._orientation = UPRIGHT
        self.awaiting_key_frame = True
        self.skipped = 0  # whole pictures that could not be used

    def on_packet(self, packet: OrderedPacket) -> list[EncodedFrame]:
        frames: list[EncodedFrame] = []
        if packet.missing:
            self._lose(GapReason.LOSS)
        if not packet.payload:  # padding: it fills a number
            return frames
        if self._packets and packet.timestamp != self._packets[0].timestamp:
            frames += self._complete()  # its sender sets no markers
        # What a hole has left of a picture's end is no picture: JOIN wants a beginning.
        self._packets.append(packet)
        self._size += len(packet.payload)
        if self._size > self._most_bytes:
            self._lose(GapReason.DAMAGED)
        elif packet.marker:
            frames += self._complete()
        return frames

    def _complete(self) -> list[EncodedFrame]:
        packets, self._packets, self._size = self._packets, [], 0
        picture = self._join([packet.payload for packet in packets])
        if picture is None:
            self._lose(GapReason.DAMAGED)
            return []
        if self.awaiting_key_frame and not picture.key_frame:
            self.skipped += 1
            return []
        self.awaiting_key_frame = False
        gap, self._gap = self._gap, GapReason.NONE
        first, last = packets[0], packets[-1]
        said = [packet.orientation for packet in packets if packet.orientation is not None]
        if said or picture.key_frame:
            self._orientation = said[-1] if said else UPRIGHT
        key, at_s = picture.key_frame, last.arrived_at_s
        return [EncodedFrame(self._codec, picture.bitstream, first.timestamp, key, at_s, gap, self._orientation)]

    def _lose(self, reason: GapReason) -> None:
        self._packets.clear()
        self._size = 0
        self.awaiting_key_frame = True
        if self._gap is GapReason.NONE:
            self._gap = reason


class SoundAssembler:
    """Opus: a packet is a frame, and each can be decoded."""

    def __init__(self) -> None:
        self._gap = GapReason.BEGIN
        self.awaiting_key_frame = False
        self.skipped = 0

    def on_packet(self, packet: OrderedPacket) -> list[EncodedFrame]:
        if packet.missing and self._gap is GapReason.NONE:
            self._gap = GapReason.LOSS
        if not packet.payload:
            return []
        if opus.duration_samples(packet.payload) is None:
            self._gap = self._gap or GapReason.DAMAGED
            self.skipped += 1
            return []
        gap, self._gap = self._gap, GapReason.NONE
        return [EncodedFrame(Codec.OPUS, packet.payload, packet.timestamp, True, packet.arrived_at_s, gap)]
