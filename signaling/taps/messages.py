"""What the server says on a tap's WebSocket besides media, and what it hears. Values only; PROTOCOL.md, Taps."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from sfu.core.types import Kind, PayloadFormat
from signaling.message_values import Source

Format = Literal["rtp", "opus", "pcm16"]


class _Said(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    pass


class SinkOffered(_Said, frozen=True, kw_only=True, tag="sink_offered"):
    """Whoever can bind a Unix datagram socket here is on this machine, and needs no media over the WebSocket."""

    address: str


class TapStarted(_Said, frozen=True, kw_only=True, tag="track_started"):
    """`number` is what media frames call it. `formats` without those of retransmission. `orientation_id`: of the header
    extension urn:3gpp:video-orientation in its packets; 0: there is none."""

    number: int
    track: str
    source: Source
    kind: Kind
    muted: bool
    formats: list[PayloadFormat]
    rids: list[str]
    orientation_id: int = 0


class TapMuted(_Said, frozen=True, kw_only=True, tag="track_muted"):
    track: str
    muted: bool


class TapLayer(_Said, frozen=True, kw_only=True, tag="layer_changed"):
    """From a key frame on, this layer is what comes."""

    number: int
    layer: int


class TapEnded(_Said, frozen=True, kw_only=True, tag="track_ended"):
    track: str


AnyTapMessage = SinkOffered | TapStarted | TapMuted | TapLayer | TapEnded


class SinkAnswer(Struct, frozen=True, kw_only=True):
    """`bound`: a socket waits at the address that was offered; else media are to come over the WebSocket."""

    bound: bool


def encode(message: AnyTapMessage) -> str:
    return msgspec.json.encode(message).decode()


def decode(text: str) -> AnyTapMessage:
    """Raises msgspec.MsgspecError."""
    return msgspec.json.decode(text, type=AnyTapMessage)
