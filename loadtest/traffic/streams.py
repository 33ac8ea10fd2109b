"""What is sent and what is expected: the SSRCs of a connection, as its descriptions name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.core.types import Kind

CLOCK_RATES: dict[Kind, int] = {"audio": 48_000, "video": 90_000}
# What every payload ends with says where it comes from and when it left: see compiled/payload.pxd.
MARK_BYTES = 24
SMALLEST_PAYLOAD_BYTES = 48  # descriptor, frame header and mark
LARGEST_PAYLOAD_BYTES = 1300  # with headers and tag still below what every path carries

VIDEO_PACKETS_PER_S = 150.0
AUDIO_PACKETS_PER_S = 50.0


@dataclass(frozen=True, slots=True)
class OutgoingStream:
    """One SSRC that we send: VP8 (`video`) or Opus (`audio`), prepared once and repeated.

    A frame leaves every 1 / `frames_per_s` seconds, all its packets at once, as encoders hand them out. Video begins
    with a key frame, and sends another when asked (PLI, FIR): all streams with the same `mid` then do.
    `mid` and `rid` are sent until a receiver report names the SSRC, if the connection's extensions have ids for them.
    """

    ssrc: int
    payload_type: int
    kind: Kind
    frames_per_s: float
    packets_per_frame: int
    payload_bytes: int
    mid: str = ""
    rid: str = ""

    def __post_init__(self) -> None:
        if not SMALLEST_PAYLOAD_BYTES <= self.payload_bytes <= LARGEST_PAYLOAD_BYTES:
            raise ValueError(f"payloads have {SMALLEST_PAYLOAD_BYTES} to {LARGEST_PAYLOAD_BYTES} bytes")
        if self.frames_per_s <= 0 or not 0 < self.packets_per_frame <= 64:
            raise ValueError("a stream has frames, of 1 to 64 packets")

    @property
    def packets_per_s(self) -> float:
        return self.frames_per_s * self.packets_per_frame


def video(
    ssrc: int,
    payload_type: int,
    *,
    packets_per_s: float = VIDEO_PACKETS_PER_S,
    packets_per_frame: int = 5,
    payload_bytes: int = 1200,
    mid: str = "",
    rid: str = "",
) -> OutgoingStream:
    """VP8. At the defaults 30 frames a second of five packets, 1.4 Mbit/s."""
    frames_per_s = packets_per_s / packets_per_frame
    return OutgoingStream(ssrc, payload_type, "video", frames_per_s, packets_per_frame, payload_bytes, mid, rid)


def audio(
    ssrc: int,
    payload_type: int,
    *,
    packets_per_s: float = AUDIO_PACKETS_PER_S,
    payload_bytes: int = 100,
    mid: str = "",
) -> OutgoingStream:
    """Opus. At the defaults 20 ms frames, 40 kbit/s."""
    return OutgoingStream(ssrc, payload_type, "audio", packets_per_s, 1, payload_bytes, mid)


@dataclass(frozen=True, slots=True)
class IncomingStream:
    """One SSRC that we expect. An SSRC that nobody expects is counted all the same, as video."""

    ssrc: int
    kind: Kind
    repairs: bool = False  # RTX: its packets are no media


def total_packets_per_s(streams: Sequence[OutgoingStream]) -> float:
    return sum(stream.packets_per_s for stream in streams)
