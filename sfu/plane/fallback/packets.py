"""One media packet of a publisher, as the plane keeps it: decrypted, parsed once, not yet anybody's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sfu.core.types import Codec
from sfu.wire.extensions import ExtensionIds
from sfu.wire.red import Redundancy
from sfu.wire.vp8 import Vp8Descriptor
from sfu.wire.vp9 import Vp9Descriptor

# Header extensions that mean the same to a subscriber as to us and are passed on. All others are either written
# afresh (mid, times, transport-cc), for us alone (rid), or need rewriting (dependency descriptor).
PASSED_ON: Final = ("audio_level", "video_orientation", "playout_delay")
# The one-byte form holds no longer values (RFC 8285 §4.2), and a subscriber may not have allowed the other one.
LONGEST_PASSED_ON: Final = 16


@dataclass(slots=True)
class Layering:
    """Where a packet's frame stands among the layers, whatever codec or extension says so. A frame is one spatial layer
    of a picture; `picture` numbers pictures (unwrapped, not without gaps), `None` where they have no numbers."""

    picture: int | None
    spatial_id: int
    temporal_id: int
    begins: bool  # first packet of its frame
    ends: bool  # last packet of its frame
    key: bool  # of a frame that depends on nothing, as far as this packet can tell
    inter_picture: bool  # its frame depends on earlier pictures
    switches_to: int  # who gets this frame can decode temporal layers up to this one from here on; -1: says nothing
    joins: bool  # its frame depends on lower temporal layers only, so that its own may begin with it


@dataclass(slots=True)
class MediaPacket:
    """`codec` is `None` for a packet that has a sequence number and nothing to forward, such as padding."""

    sequence_number: int  # unwrapped
    timestamp: int  # 32 bit, the publisher's
    marker: bool
    codec: Codec | None
    payload: bytes
    passed_on: tuple[tuple[int, bytes], ...]  # (index in PASSED_ON, value)
    arrived_at: float
    starts_key_frame: bool = False  # the first packet of one
    layering: Layering | None = None  # unknown: one layer
    vp8: Vp8Descriptor | None = None
    vp9: Vp9Descriptor | None = None
    descriptor: bytes | None = None  # the dependency descriptor
    described: bool = False  # by it; else it could not be read, or there is none
    red: Redundancy | None = None  # of RED
    number: int | None = None  # unwrapped: picture id of VP8 and VP9, frame number of the dependency descriptor


def passed_on_ids(ids: ExtensionIds) -> dict[int, int]:
    """Index in PASSED_ON → id, of those that are negotiated."""
    return {index: number for index, name in enumerate(PASSED_ON) if (number := getattr(ids, name))}


def may_hold_parameter_sets(h264_payload: bytes) -> bool:
    """By its first NAL unit type (RFC 6184 §5.2): a sequence parameter set, or several units together."""
    return h264_payload[0] & 0x1F in (7, 24)
