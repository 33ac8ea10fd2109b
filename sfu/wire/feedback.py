"""RTCP feedback messages: NACK, PLI (RFC 4585 §6), FIR (RFC 5104 §4.3.1), REMB (draft-alvestrand-rmcat-remb-03).

Each is a value with `pack()`; the `parse_…` functions take a packet's body (after the common header, without
padding) and raise MalformedRtcp. Transport-cc has its own file. When to send which is decided elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sfu.wire import framing
from sfu.wire.errors import MalformedRtcp

# Formats: of transport feedback (205) the first, of payload feedback (206) the others.
NACK = 1
PICTURE_LOSS_INDICATION = 1
FULL_INTRA_REQUEST = 4
APPLICATION_LAYER = 15  # of which REMB is the only one known here

_SSRCS = struct.Struct("!II")
_NACK_ENTRY = struct.Struct("!HH")
_INTRA_ENTRY = struct.Struct("!IBxxx")
_ESTIMATE = struct.Struct("!II4sI")
_ESTIMATE_NAME = b"REMB"


@dataclass(frozen=True, slots=True)
class Nack:
    """These packets of `media_ssrc` have not arrived. Parsed numbers keep the order they came in."""

    sender_ssrc: int
    media_ssrc: int
    sequence_numbers: tuple[int, ...]

    def pack(self) -> bytes:
        """As few (first lost, bit mask of the next 16) pairs as the order allows, numbers modulo 2**16.

        Raises ValueError for no numbers.
        """
        if not self.sequence_numbers:
            raise ValueError("a NACK of nothing")
        entries = b"".join([_NACK_ENTRY.pack(*pair) for pair in _nack_pairs(self.sequence_numbers)])
        return framing.frame(framing.TRANSPORT_FEEDBACK, NACK, _SSRCS.pack(self.sender_ssrc, self.media_ssrc) + entries)


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """The decoder of `media_ssrc` needs a key frame."""

    sender_ssrc: int
    media_ssrc: int

    def pack(self) -> bytes:
        return framing.frame(
            framing.PAYLOAD_FEEDBACK, PICTURE_LOSS_INDICATION, _SSRCS.pack(self.sender_ssrc, self.media_ssrc)
        )


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """Key frames wanted: (SSRC, command number) each. A repeated number is a repeated request (RFC 5104 §4.3.1.2)."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]

    def pack(self) -> bytes:
        """Command numbers are taken modulo 256."""
        entries = b"".join([_INTRA_ENTRY.pack(ssrc, number & 0xFF) for ssrc, number in self.entries])
        return framing.frame(framing.PAYLOAD_FEEDBACK, FULL_INTRA_REQUEST, _SSRCS.pack(self.sender_ssrc, 0) + entries)


@dataclass(frozen=True, slots=True)
class ReceiverEstimate:
    """REMB: what the receiver believes all of `ssrcs` together may use. Packed rounded down to 18 significant bits."""

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]

    def pack(self) -> bytes:
        """Raises ValueError over 255 SSRCs or 2**64 bit/s."""
        count = len(self.ssrcs)
        if count > 255 or not 0 <= self.bitrate_bps < 1 << 64:
            raise ValueError("estimate that REMB cannot carry")
        exponent = max(0, self.bitrate_bps.bit_length() - 18)
        numbers = count << 24 | exponent << 18 | self.bitrate_bps >> exponent
        body = _ESTIMATE.pack(self.sender_ssrc, 0, _ESTIMATE_NAME, numbers) + struct.pack(f"!{count}I", *self.ssrcs)
        return framing.frame(framing.PAYLOAD_FEEDBACK, APPLICATION_LAYER, body)


def parse_nack(body: bytes) -> Nack:
    if len(body) < 12 or len(body) % 4:
        raise MalformedRtcp("NACK without entries, or cut short")
    sender_ssrc, media_ssrc = _SSRCS.unpack_from(body)
    numbers: list[int] = []
    for first, mask in _NACK_ENTRY.iter_unpack(body[8:]):
        numbers.append(first)
        numbers += [first + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1]
    return Nack(sender_ssrc, media_ssrc, tuple(numbers))


def parse_picture_loss_indication(body: bytes) -> PictureLossIndication:
    if len(body) < 8:
        raise MalformedRtcp("PLI cut short")
    return PictureLossIndication(*_SSRCS.unpack_from(body))


def parse_full_intra_request(body: bytes) -> FullIntraRequest:
    """The header's media SSRC is unused (RFC 5104 §4.3.1.2); each entry names its own."""
    if len(body) < 16 or len(body) % 8:
        raise MalformedRtcp("FIR without entries, or cut short")
    sender_ssrc, _ = _SSRCS.unpack_from(body)
    return FullIntraRequest(sender_ssrc, tuple(_INTRA_ENTRY.iter_unpack(body[8:])))


def parse_receiver_estimate(body: bytes) -> ReceiverEstimate | None:
    """`None` when this is some other application's message."""
    if body[8:12] != _ESTIMATE_NAME:
        return None
    if len(body) < _ESTIMATE.size:
        raise MalformedRtcp("REMB cut short")
    sender_ssrc, _, _, numbers = _ESTIMATE.unpack_from(body)
    count = numbers >> 24
    if _ESTIMATE.size + 4 * count > len(body):
        raise MalformedRtcp("REMB names more sources than it carries")
    bitrate_bps = (numbers & 0x3FFFF) << (numbers >> 18 & 0x3F)
    if bitrate_bps >= 1 << 64:
        raise MalformedRtcp("REMB beyond 64 bits")
    return ReceiverEstimate(sender_ssrc, bitrate_bps, struct.unpack_from(f"!{count}I", body, _ESTIMATE.size))


def _nack_pairs(sequence_numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted by serial order: counted from a number half the space behind the first one given, so that
    a loss across the wrap stays together."""
    origin = sequence_numbers[0] - 0x8000
    pairs: list[tuple[int, int]] = []
    for number in sorted({number & 0xFFFF for number in sequence_numbers}, key=lambda n: n - origin & 0xFFFF):
        distance = number - pairs[-1][0] & 0xFFFF if pairs else 0x10000
        if distance <= 16:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] | 1 << distance - 1)
        else:
            pairs.append((number, 0))
    return pairs
