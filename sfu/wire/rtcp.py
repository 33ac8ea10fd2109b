"""RTCP: reports, source descriptions, goodbyes (RFC 3550 §6), and reading and writing of whole compounds.

Packets from the network are judged one by one: a bad one is counted and the rest is still read, because
receiver reports, key-frame requests and NACKs share a compound. Feedback messages are in feedback.py and
twcc.py. Types not known here (XR, APP, RFC 8888 feedback, …) are skipped. Reduced-size compounds are taken.
Reports, of which every remote sends one a second, are named tuples: made in a third of a dataclass's time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sfu.wire import feedback, framing, twcc
from sfu.wire.errors import MalformedRtcp
from sfu.wire.feedback import FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from sfu.wire.ntp import ntp_from_unix, ntp_middle32
from sfu.wire.twcc import TransportFeedback

# All that a compound may hold, and the clock its reports are in.
__all__ = [
    "FullIntraRequest",
    "Goodbye",
    "Nack",
    "ParsedCompound",
    "PictureLossIndication",
    "ReceiverEstimate",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "ntp_from_unix",
    "ntp_middle32",
    "pack_compound",
    "parse",
    "parse_report",
]

_SSRC = struct.Struct("!I")
_SENDER = struct.Struct("!IQIII")
_REPORT_BLOCK = struct.Struct("!IIIIII")
_CNAME = 1
_MOST_BLOCKS = 31  # five bits of count

# Transport-cc feedbacks read from one compound; real senders put in one. They are the only packets that cost far more
# than their length: 58 of 24 bytes fill a datagram, and would each claim twcc.MAX_STATUSES packets.
MAX_TRANSPORT_FEEDBACKS = 4


class ReportBlock(NamedTuple):
    """How one source is received (RFC 3550 §6.4.1).

    `fraction_lost` in 1/256 since the last report; `packets_lost` in all, negative with duplicates, packed
    saturated to 24 bits; `highest_sequence` extended to 32 bits; `jitter` in timestamp units; `lsr` the
    middle of the last sender report's NTP time and `dlsr` the delay since, both in 1/65536 s, 0 if there was none.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    lsr: int
    dlsr: int

    def pack(self) -> bytes:
        lost = min(0x7F_FFFF, max(-0x80_0000, self.packets_lost)) & 0xFF_FFFF
        return _REPORT_BLOCK.pack(
            self.ssrc, self.fraction_lost << 24 | lost, self.highest_sequence, self.jitter, self.lsr, self.dlsr
        )


class SenderReport(NamedTuple):
    """`ntp_time` (64 bit, see `ntp_from_unix`) and `rtp_timestamp` name the same moment of `ssrc`'s clock."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()

    def pack(self) -> bytes:
        """Counts are taken modulo 2**32. Raises ValueError over 31 blocks."""
        sender = _SENDER.pack(
            self.ssrc,
            self.ntp_time,
            self.rtp_timestamp,
            self.packet_count & 0xFFFF_FFFF,
            self.octet_count & 0xFFFF_FFFF,
        )
        return _pack_report(framing.SENDER_REPORT, sender, self.blocks)


class ReceiverReport(NamedTuple):
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def pack(self) -> bytes:
        """Raises ValueError over 31 blocks."""
        return _pack_report(framing.RECEIVER_REPORT, _SSRC.pack(self.ssrc), self.blocks)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """One chunk with its CNAME (RFC 3550 §6.5); other items are dropped, chunks without a CNAME too."""

    ssrc: int
    cname: str

    def pack(self) -> bytes:
        """Raises ValueError when the name is over 255 bytes of UTF-8."""
        name = self.cname.encode()
        chunk = _SSRC.pack(self.ssrc) + bytes((_CNAME, len(name))) + name
        return framing.frame(framing.SOURCE_DESCRIPTION, 1, chunk + bytes(4 - len(chunk) % 4))


@dataclass(frozen=True, slots=True)
class Goodbye:
    """These sources end here. A reason, if the remote gave one, is dropped."""

    ssrcs: tuple[int, ...]

    def pack(self) -> bytes:
        """Raises ValueError over 31 sources."""
        if len(self.ssrcs) > _MOST_BLOCKS:
            raise ValueError("more sources than one goodbye can name")
        return framing.frame(framing.GOODBYE, len(self.ssrcs), struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs))


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLossIndication
    | FullIntraRequest
    | ReceiverEstimate
    | TransportFeedback
)


class ParsedCompound(NamedTuple):
    """`malformed` counts packets of a known type that could not be read or were too many, and headers at which
    the walk ended."""

    packets: tuple[RtcpPacket, ...]
    malformed: int


def parse(compound: bytes, passed_over: Collection[int] = ()) -> ParsedCompound:
    """Everything readable in a decrypted compound, in order. Never raises. `passed_over`: packet types that are not
    wanted, and not judged either."""
    packets: list[RtcpPacket] = []
    malformed = transport_feedbacks = 0
    walk = framing.blocks(compound)
    while True:
        try:
            block = next(walk, None)
        except MalformedRtcp:
            malformed += 1
            break
        if block is None:
            break
        parse_body = _PARSERS.get(block.packet_type)
        if parse_body is None or block.packet_type in passed_over:
            continue
        if block.packet_type == framing.TRANSPORT_FEEDBACK and block.count_or_format == twcc.FORMAT:
            transport_feedbacks += 1
            if transport_feedbacks > MAX_TRANSPORT_FEEDBACKS:
                malformed += 1
                continue
        try:
            packets += parse_body(block.count_or_format, framing.unpadded(block))
        except MalformedRtcp:
            malformed += 1
    return ParsedCompound(tuple(packets), malformed)


def parse_report(block: framing.Block) -> SenderReport | ReceiverReport:
    """A packet of one of these two types. Raises MalformedRtcp."""
    body = framing.unpadded(block)
    if block.packet_type == framing.SENDER_REPORT:
        return _parse_sender_report(block.count_or_format, body)
    return _parse_receiver_report(block.count_or_format, body)


def pack_compound(packets: Sequence[RtcpPacket]) -> bytes:
    """One after the other, in this order. Begin with a report unless reduced size was negotiated (RFC 5506)."""
    return b"".join([packet.pack() for packet in packets])


def _pack_report(packet_type: int, sender: bytes, blocks: Sequence[ReportBlock]) -> bytes:
    if len(blocks) > _MOST_BLOCKS:
        raise ValueError("more report blocks than one report can carry")
    return framing.frame(packet_type, len(blocks), sender + b"".join([block.pack() for block in blocks]))


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    if len(body) < _SENDER.size:
        raise MalformedRtcp("sender report cut short")
    ssrc, ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body)
    blocks = _parse_report_blocks(count, body, _SENDER.size)
    return SenderReport(ssrc, ntp_time, rtp_timestamp, packet_count, octet_count, blocks)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    if len(body) < _SSRC.size:
        raise MalformedRtcp("receiver report cut short")
    (ssrc,) = _SSRC.unpack_from(body)
    return ReceiverReport(ssrc, _parse_report_blocks(count, body, _SSRC.size))


def _parse_report_blocks(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    """What follows the last block is a profile's own extension (RFC 3550 §6.4.3) and skipped."""
    if offset + count * _REPORT_BLOCK.size > len(body):
        raise MalformedRtcp("report blocks cut short")
    blocks = []
    for _ in range(count):
        ssrc, loss, highest_sequence, jitter, lsr, dlsr = _REPORT_BLOCK.unpack_from(body, offset)
        lost = loss & 0xFF_FFFF
        if lost & 0x80_0000:
            lost -= 0x100_0000
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest_sequence, jitter, lsr, dlsr))
        offset += _REPORT_BLOCK.size
    return tuple(blocks)


def _parse_source_description(count: int, body: bytes) -> list[RtcpPacket]:
    descriptions: list[RtcpPacket] = []
    position = 0
    for _ in range(count):
        if position + 4 > len(body):
            raise MalformedRtcp("source description chunk cut short")
        (ssrc,) = _SSRC.unpack_from(body, position)
        position, cname = _parse_items(body, position + 4)
        if cname is not None:
            descriptions.append(SourceDescription(ssrc, cname))
    return descriptions


def _parse_items(body: bytes, position: int) -> tuple[int, str | None]:
    """(where the next chunk begins, the CNAME): items up to a zero byte, then zeros to the next word."""
    cname = None
    while position < len(body):
        item = body[position]
        if item == 0:
            return (position + 4) & ~3, cname
        if position + 1 >= len(body):
            break
        start = position + 2
        position = start + body[position + 1]
        if position > len(body):
            break
        if item == _CNAME:
            cname = body[start:position].decode("utf-8", "replace")
    raise MalformedRtcp("source description items cut short")


def _parse_goodbye(count: int, body: bytes) -> list[RtcpPacket]:
    if 4 * count > len(body):
        raise MalformedRtcp("goodbye cut short")
    return [Goodbye(struct.unpack_from(f"!{count}I", body))]


def _parse_transport_feedback(message_format: int, body: bytes) -> list[RtcpPacket]:
    if message_format == feedback.NACK:
        return [feedback.parse_nack(body)]
    if message_format == twcc.FORMAT:
        return [twcc.parse(body)]
    return []


def _parse_payload_feedback(message_format: int, body: bytes) -> list[RtcpPacket]:
    if message_format == feedback.PICTURE_LOSS_INDICATION:
        return [feedback.parse_picture_loss_indication(body)]
    if message_format == feedback.FULL_INTRA_REQUEST:
        return [feedback.parse_full_intra_request(body)]
    if message_format == feedback.APPLICATION_LAYER:
        estimate = feedback.parse_receiver_estimate(body)
        return [] if estimate is None else [estimate]
    return []


_PARSERS: dict[int, Callable[[int, bytes], list[RtcpPacket]]] = {
    framing.SENDER_REPORT: lambda count, body: [_parse_sender_report(count, body)],
    framing.RECEIVER_REPORT: lambda count, body: [_parse_receiver_report(count, body)],
    framing.SOURCE_DESCRIPTION: _parse_source_description,
    framing.GOODBYE: _parse_goodbye,
    framing.TRANSPORT_FEEDBACK: _parse_transport_feedback,
    framing.PAYLOAD_FEEDBACK: _parse_payload_feedback,
}
