"""All RTP and RTCP of one connection (an RTP session, RFC 3550 §3): which SSRC a packet belongs to, and what
RTCP is due: reports about once a second, NACKs, key frame requests, transport-cc feedback.

Sans I/O and without SRTP: plain packets in (`on_rtp`, `on_rtcp`), plain packets out (`take_rtp`, `take_rtcp`).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sfu.wire import rtp
from sfu.wire.extensions import AudioLevel, ExtensionIds, Orientation
from sfu.wire.feedback import FullIntraRequest, Nack, PictureLossIndication
from sfu.wire.rtcp import ReceiverReport, RtcpPacket, SenderReport, SourceDescription, pack_compound, parse
from sfu.wire.twcc import TransportFeedback
from signaling.client.arrivals import Arrivals
from signaling.client.receiving import ReceivedPacket, ReceivedStream
from signaling.client.sending import SentStream

REPORT_INTERVAL_S = 1.0  # WebRTC's usual; RFC 3550 §6.2 would allow more often at these rates
MOST_REPORT_BLOCKS = 31

PacketSink = Callable[[ReceivedPacket], None]


class RtpSession:
    """`unix_offset_s` added to `now` gives Unix time, for the NTP times of reports.

    `dropped` counts packets that were not RTP, or of an SSRC nobody announced.
    """

    def __init__(self, *, cname: str, random: Random, unix_offset_s: float) -> None:
        self.ssrc = random.randrange(1, 1 << 32)  # ours in RTCP about what we receive
        self.send_extensions = ExtensionIds()
        self.receive_extensions = ExtensionIds()
        self.sent: list[SentStream] = []
        self.received: list[ReceivedStream] = []
        self.feedbacks_received = 0
        self.dropped = 0
        self.on_key_frame_request: Callable[[SentStream], None] = lambda _: None
        self._cname = cname
        self._random = random
        self._unix_offset_s = unix_offset_s
        self._sinks: dict[int, tuple[ReceivedStream, PacketSink]] = {}
        self._transport_sequence = 0
        self._arrivals = Arrivals()
        self._report_at_s: float | None = None
        self._rtp_out: list[bytes] = []
        self._rtcp_out: list[bytes] = []

    # --- streams

    def add_sent(self, stream: SentStream) -> None:
        self.sent.append(stream)

    def remove_sent(self, stream: SentStream) -> None:
        self.sent.remove(stream)

    def add_received(self, stream: ReceivedStream, sink: PacketSink) -> None:
        """`sink` gets the stream's packets in order, also those that came as retransmissions."""
        self.received.append(stream)
        self._sinks[stream.ssrc] = (stream, sink)
        if stream.rtx_ssrc is not None:
            self._sinks[stream.rtx_ssrc] = (stream, sink)

    # --- what goes out

    def send(
        self,
        stream: SentStream,
        payload: bytes,
        timestamp: int,
        now: float,
        *,
        marker: bool = False,
        level: AudioLevel | None = None,
        orientation: Orientation | None = None,
    ) -> None:
        packet = stream.media(
            payload,
            timestamp,
            marker=marker,
            ids=self.send_extensions,
            transport_sequence=self._next_transport_sequence(),
            now=now,
            level=level,
            orientation=orientation,
        )
        self._rtp_out.append(packet)

    def request_key_frame(self, stream: ReceivedStream) -> None:
        self._rtcp_out.append(PictureLossIndication(self.ssrc, stream.ssrc).pack())

    def take_rtp(self) -> list[bytes]:
        out, self._rtp_out = self._rtp_out, []
        return out

    def take_rtcp(self) -> list[bytes]:
        out, self._rtcp_out = self._rtcp_out, []
        return out

    # --- what comes in

    def on_rtp(self, packet: bytes, now: float) -> None:
        try:
            header = rtp.parse(packet)
        except rtp.MalformedRtp:
            self.dropped += 1
            return
        transport_cc = self.receive_extensions.transport_cc
        number = header.extensions.get(transport_cc) if transport_cc else None
        if number is not None and len(number) == 2:
            self._arrivals.on_packet(int.from_bytes(number, "big"), now)
        found = self._sinks.get(header.ssrc)
        if found is None:
            self.dropped += 1
            return
        stream, sink = found
        if header.ssrc == stream.rtx_ssrc:
            in_order = stream.on_retransmission(header, packet, now)
        else:
            in_order = stream.on_packet(header, packet, now)
        for received in in_order:
            sink(received)

    def on_rtcp(self, compound: bytes, now: float) -> None:
        for packet in parse(compound).packets:
            match packet:
                case Nack():
                    self._on_nack(packet, now)
                case PictureLossIndication():
                    self._on_key_frame_request(packet.media_ssrc)
                case FullIntraRequest():
                    for ssrc, _ in packet.entries:
                        self._on_key_frame_request(ssrc)
                case SenderReport():
                    if found := self._sinks.get(packet.ssrc):
                        found[0].on_sender_report(packet, now)
                    self._on_report_blocks(packet, now)
                case ReceiverReport():
                    self._on_report_blocks(packet, now)
                case TransportFeedback():
                    self.feedbacks_received += 1
                case _:
                    pass

    # --- time

    def next_timeout(self, now: float) -> float:
        """The first report leaves within half an interval, so that senders hear of their streams early."""
        if self._report_at_s is None:
            self._report_at_s = now + REPORT_INTERVAL_S * self._random.uniform(0.25, 0.5)
        due = [self._report_at_s]
        if self._arrivals.due_at_s is not None:
            due.append(self._arrivals.due_at_s)
        due += [at_s for stream in self.received if (at_s := stream.next_timeout()) is not None]
        return min(due)

    def on_timeout(self, now: float) -> None:
        for stream in self.received:
            for received in stream.on_timeout(now):
                self._sinks[stream.ssrc][1](received)
            if numbers := stream.due_nacks(now):
                self._rtcp_out.append(Nack(self.ssrc, stream.ssrc, tuple(numbers)).pack())
        media_ssrc = self.received[0].ssrc if self.received else 0
        if feedback := self._arrivals.feedback(self.ssrc, media_ssrc, now):
            self._rtcp_out.append(feedback)
        if self._report_at_s is not None and now >= self._report_at_s:
            self._report_at_s = now + REPORT_INTERVAL_S * self._random.uniform(0.8, 1.2)
            self._rtcp_out.append(self._reports(now))

    def _reports(self, now: float) -> bytes:
        """One compound; begins with a report, also an empty one (RFC 3550 §6.1)."""
        unix_s = now + self._unix_offset_s
        packets: list[RtcpPacket] = [report for stream in self.sent if (report := stream.report(now, unix_s))]
        blocks = [block for stream in self.received if (block := stream.report_block(now))]
        if blocks or not packets:
            packets.append(ReceiverReport(self.ssrc, tuple(blocks[:MOST_REPORT_BLOCKS])))
        sender = packets[0].ssrc if isinstance(packets[0], SenderReport | ReceiverReport) else self.ssrc
        packets.append(SourceDescription(sender, self._cname))
        return pack_compound(packets)

    def _on_nack(self, nack: Nack, now: float) -> None:
        stream = self._sent(nack.media_ssrc)
        if stream is None:
            return
        for number in nack.sequence_numbers:
            packet = stream.retransmission(
                number, ids=self.send_extensions, transport_sequence=self._transport_sequence, now=now
            )
            if packet is not None:
                self._next_transport_sequence()
                self._rtp_out.append(packet)

    def _on_key_frame_request(self, ssrc: int) -> None:
        stream = self._sent(ssrc)
        if stream is not None:
            stream.key_frame_requests += 1
            self.on_key_frame_request(stream)

    def _on_report_blocks(self, report: SenderReport | ReceiverReport, now: float) -> None:
        for block in report.blocks:
            for stream in self.sent:
                if block.ssrc in (stream.ssrc, stream.rtx_ssrc):
                    stream.on_report_block(block, now + self._unix_offset_s)

    def _sent(self, ssrc: int) -> SentStream | None:
        return next((stream for stream in self.sent if stream.ssrc == ssrc), None)

    def _next_transport_sequence(self) -> int:
        number = self._transport_sequence
        self._transport_sequence += 1
        return number
