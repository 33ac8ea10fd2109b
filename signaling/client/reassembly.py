"""RTP payloads to encoded frames: whole ones only, and none that a decoder could not build on.

Expects packets in order (receiving.py). A jump in the numbers costs the frame it hits, and every following one up to
the next key frame: without temporal layers each frame is made from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfu.core.types import Codec
from sfu.wire import h264, vp8
from signaling.client.receiving import ReceivedPacket

_START_CODE = b"\x00\x00\x00\x01"
_STAP_A = 24
_FU_A = 28

# A frame larger than this is an attack or a mistake: 4K key frames stay below.
MOST_FRAME_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """`bitstream` as decoders take it: a VP8 frame, an H.264 access unit in Annex B form, an Opus packet.
    `timestamp` is unwrapped; `at_s` is when its last packet arrived."""

    bitstream: bytes
    timestamp: int
    key_frame: bool
    at_s: float


class FrameAssembler:
    """One stream of video. While `awaiting_key_frame` is true nothing comes out; who owns this asks for one."""

    def __init__(self, codec: Codec) -> None:
        self._unpack = {Codec.VP8: _unpack_vp8, Codec.H264: _unpack_h264}[codec]
        self._next: int | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._timestamp = 0
        self._key_frame = False
        self._after_marker = True
        self.awaiting_key_frame = True
        self.frames = 0
        self.damaged = 0

    def on_packet(self, packet: ReceivedPacket) -> EncodedFrame | None:
        """The frame that this packet completes, if it does and if it can be decoded."""
        if self._next is not None and packet.sequence_number != self._next:
            self._damage()
            self._after_marker = False
        self._next = packet.sequence_number + 1
        if not packet.payload:
            return None
        unpacked = self._unpack(packet.payload, self._after_marker, bool(self._pieces))
        self._after_marker = packet.marker
        if unpacked is None:
            self._damage()
            return None
        if unpacked.starts:
            if self._pieces:  # the frame before never ended
                self._damage()
            self._key_frame = unpacked.key_frame
            self._timestamp = packet.timestamp
        elif not self._pieces:  # the middle of a frame whose beginning is lost
            return None
        self._key_frame |= unpacked.key_frame
        self._pieces.append(unpacked.bitstream)
        self._size += len(unpacked.bitstream)
        if packet.timestamp != self._timestamp or self._size > MOST_FRAME_BYTES:
            self._damage()
            return None
        return self._complete(packet.at_s) if packet.marker else None

    def _complete(self, at_s: float) -> EncodedFrame | None:
        bitstream = b"".join(self._pieces)
        self._clear()
        if self.awaiting_key_frame and not self._key_frame:
            return None
        self.awaiting_key_frame = False
        self.frames += 1
        return EncodedFrame(bitstream, self._timestamp, self._key_frame, at_s)

    def _damage(self) -> None:
        self._clear()
        if not self.awaiting_key_frame:
            self.damaged += 1
        self.awaiting_key_frame = True

    def _clear(self) -> None:
        self._pieces = []
        self._size = 0


@dataclass(slots=True)
class _Unpacked:
    starts: bool
    key_frame: bool
    bitstream: bytes


def _unpack_vp8(payload: bytes, after_marker: bool, inside: bool) -> _Unpacked | None:
    descriptor = vp8.parse(payload)
    if descriptor is None:
        return None
    starts = descriptor.start_of_partition and descriptor.partition_index == 0
    return _Unpacked(starts, descriptor.key_frame, payload[descriptor.length :])


def _unpack_h264(payload: bytes, after_marker: bool, inside: bool) -> _Unpacked | None:
    """Nothing in a payload marks an access unit's first packet: it follows a marker, or brings parameter sets."""
    key_frame = h264.is_key_frame(payload)
    unit_type = payload[0] & 0x1F
    if unit_type == _FU_A:
        if len(payload) < 3:
            return None
        first = payload[1] & 0x80
        header = bytes((payload[0] & 0xE0 | payload[1] & 0x1F,))
        bitstream = _START_CODE + header + payload[2:] if first else payload[2:]
    elif unit_type == _STAP_A:
        bitstream = b""
        position = 1
        while position + 2 < len(payload):
            size = int.from_bytes(payload[position : position + 2], "big")
            bitstream += _START_CODE + payload[position + 2 : position + 2 + size]
            position += 2 + size
    elif 1 <= unit_type <= 23:
        bitstream = _START_CODE + payload
    else:
        return None
    return _Unpacked(after_marker or (key_frame and not inside), key_frame, bitstream)
