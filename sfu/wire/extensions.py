"""RTP header extensions: the block of elements (RFC 8285), their ids, and the few values read here.

A block is parsed into id → bytes and always written afresh, never patched in place. Which ids a remote uses
is negotiated in SDP; elements that nobody negotiated are simply not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, NamedTuple

from sfu.wire.errors import MalformedRtp

URIS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
        "rid": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "repaired_rid": "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        "abs_capture_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
        "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "transport_cc": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "video_orientation": "urn:3gpp:video-orientation",
        "playout_delay": "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        "dependency_descriptor": (
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        ),
    }
)

_ONE_BYTE_PROFILE = 0xBEDE
_TWO_BYTE_PROFILE = 0x1000  # the low four bits are free for applications
_BLOCK_HEADER = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """How one remote numbers the extensions we know; 0: not negotiated."""

    mid: int = 0
    rid: int = 0
    repaired_rid: int = 0
    abs_send_time: int = 0
    transport_cc: int = 0
    audio_level: int = 0
    video_orientation: int = 0
    playout_delay: int = 0
    abs_capture_time: int = 0
    dependency_descriptor: int = 0

    @classmethod
    def from_uris(cls, mapping: Mapping[str, int]) -> ExtensionIds:
        """From URI → id as in `a=extmap`; URIs we do not know are left out."""
        return cls(**{name: mapping[uri] for name, uri in URIS.items() if uri in mapping})

    def to_uris(self) -> dict[str, int]:
        """URI → id of what is negotiated."""
        ids = ((URIS[field.name], getattr(self, field.name)) for field in fields(self))
        return {uri: number for uri, number in ids if number}


def parse(profile: int, block: bytes) -> dict[int, bytes]:
    """The elements of a block without its four-byte header; of an id that comes twice, the last.

    `profile` is the header's first half; one that is neither of RFC 8285's forms gives no elements.
    Raises MalformedRtp when an element runs past the end.
    """
    if profile == _ONE_BYTE_PROFILE:
        return _parse_one_byte(block)
    if profile & 0xFFF0 == _TWO_BYTE_PROFILE:
        return _parse_two_byte(block)
    return {}


def pack(elements: Sequence[tuple[int, bytes]]) -> bytes:
    """The whole extension with its four-byte header, padded to a multiple of four; `b""` for no elements.

    One-byte form when every id is 1 … 14 and every value 1 … 16 bytes long; else two-byte, which the remote must
    have allowed (`a=extmap-allow-mixed`). Raises ValueError for ids outside 1 … 255 or values over 255 bytes.
    """
    if not elements:
        return b""
    block = bytearray(4)
    for number, value in elements:
        length = len(value)
        if not (1 <= number <= 14 and 1 <= length <= 16):
            return _pack_two_byte(elements)
        block.append(number << 4 | length - 1)
        block += value
    return _finish(block, _ONE_BYTE_PROFILE)


class AudioLevel(NamedTuple):
    """RFC 6464: `voice` is the sender's own guess; `level_dbov` is 0 (loudest) … -127 (digital silence)."""

    voice: bool
    level_dbov: int


def parse_audio_level(value: bytes) -> AudioLevel:
    """Raises MalformedRtp when empty. Longer values are read by their first byte (two-byte form may pad)."""
    if not value:
        raise MalformedRtp("empty audio level")
    return AudioLevel(value[0] >= 0x80, -(value[0] & 0x7F))


def pack_audio_level(level: AudioLevel) -> bytes:
    return bytes((level.voice << 7 | min(127, max(0, -level.level_dbov)),))


def parse_capture_time(value: bytes) -> int:
    """When its first sample or its picture was captured: NTP time (64 bits) of the sender's clock.

    Who passes on what another has captured says by how much that clock is behind its own; most leave that out, or say
    nothing of it. Raises MalformedRtp for other lengths than 8 and 16 bytes.
    """
    if len(value) not in (8, 16):
        raise MalformedRtp(f"capture time of {len(value)} bytes")
    captured, behind = int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big", signed=True)
    return (captured + behind) & 0xFFFF_FFFF_FFFF_FFFF


class Orientation(NamedTuple):
    """What makes a picture upright: its columns in the opposite order if it is `mirrored`, then `turns` quarter turns
    clockwise."""

    turns: int = 0
    mirrored: bool = False


UPRIGHT: Final = Orientation()


def parse_orientation(value: bytes) -> Orientation:
    """Coordination of video orientation, 0 0 0 0 C F R1 R0 (3GPP TS 26.114 §7.4.5). Which camera it is (C), and the
    finer angles of another URI (above C), say nothing here.

    F is of the picture as it is sent, so it comes before R; the text gives no order. Raises MalformedRtp when empty;
    longer values are read by their first byte (two-byte form may pad).
    """
    if not value:
        raise MalformedRtp("empty video orientation")
    return Orientation(value[0] & 0x03, bool(value[0] & 0x04))


def pack_orientation(orientation: Orientation) -> bytes:
    return bytes((orientation.mirrored << 2 | orientation.turns & 0x03,))


def abs_send_time(now_s: float) -> bytes:
    """Seconds as 24 bit, 6.18 fixed point: wraps every 64 s, so that any clock will do."""
    return (int(now_s * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")


def _parse_one_byte(block: bytes) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    position, size = 0, len(block)
    while position < size:
        head = block[position]
        position += 1
        if head == 0:  # padding
            continue
        if head >= 0xF0 or head < 0x10:
            # Id 15 is reserved, and id 0 may not have a length: both end the block (RFC 8285 §4.2).
            break
        end = position + (head & 0x0F) + 1
        if end > size:
            raise MalformedRtp("header extension element runs past its block")
        elements[head >> 4] = block[position:end]
        position = end
    return elements


def _parse_two_byte(block: bytes) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    position, size = 0, len(block)
    while position < size:
        number = block[position]
        if number == 0:  # padding, a single byte
            position += 1
            continue
        if position + 1 >= size:
            raise MalformedRtp("header extension element without length")
        start = position + 2
        position = start + block[position + 1]
        if position > size:
            raise MalformedRtp("header extension element runs past its block")
        elements[number] = block[start:position]
    return elements


def _pack_two_byte(elements: Sequence[tuple[int, bytes]]) -> bytes:
    block = bytearray(4)
    for number, value in elements:
        if not (1 <= number <= 255 and len(value) <= 255):
            raise ValueError(f"header extension {number} of {len(value)} bytes cannot be written")
        block += bytes((number, len(value)))
        block += value
    return _finish(block, _TWO_BYTE_PROFILE)


def _finish(block: bytearray, profile: int) -> bytes:
    block += bytes(-len(block) % 4)
    _BLOCK_HEADER.pack_into(block, 0, profile, len(block) // 4 - 1)
    return bytes(block)
