"""What a Worker counts of Tracks and Subscriptions, and says of how good a call is (sfu/core/quality/QUALITY.md)."""

from __future__ import annotations

from msgspec import Struct

from sfu.control_values import Message


class StreamQuality(Struct, frozen=True, kw_only=True):
    """Of one Track that is published or received. `score` from 1 to 4.5; `None`: nothing is to come, or nothing is
    known. `cause`: what costs it the most."""

    score: float | None
    cause: str
    loss: float  # share of packets, 0 to 1
    jitter_s: float


class LayerStatistics(Struct, frozen=True, kw_only=True):
    layer: int
    rid: str
    ssrc: int
    packets: int
    bytes: int
    lost: int
    jitter_s: float
    bitrate_bps: int
    active: bool
    frames: int
    freezes: int
    frozen_s: float


class TrackStatistics(Struct, frozen=True, kw_only=True):
    track: str
    layers: list[LayerStatistics]
    asked_layer: int  # the best that its publisher is asked to send, and all below; -1: none
    key_frame_requests: int
    quality: StreamQuality


class ReceivedFrames(Struct, frozen=True, kw_only=True):
    """What a subscriber's client says that it made of a video Subscription since that began."""

    decoded: int
    dropped: int
    freezes: int
    frozen_s: float


class SubscriptionStatistics(Struct, frozen=True, kw_only=True):
    subscription: str
    track: str
    layer: int | None  # being sent
    wanted_layer: int | None
    reason: str  # why this layer: see sfu/core/allocation.py
    packets: int
    octets: int
    retransmitted: int
    frames: ReceivedFrames | None  # None: its client does not say
    quality: StreamQuality


class ParticipantQuality(Struct, frozen=True, kw_only=True):
    """`quality` is `good`, `fair`, `poor`, `lost`, or `None`: nothing is sent or received. `score` is what it was made
    of, of the worse `direction` (`up`: from the participant); `up` and `down` are the scores of just now."""

    participant: str
    quality: str | None
    score: float | None
    cause: str
    direction: str | None
    up: float | None
    down: float | None
    rtt_s: float | None


class QualityChanged(Message, frozen=True, kw_only=True):
    """Of these participants the word is another one now."""

    room: str
    participants: list[ParticipantQuality]
