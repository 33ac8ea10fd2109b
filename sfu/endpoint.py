"""One Transport as the Worker sees it: who is at the other end, what it publishes and receives, and its RTCP.

RTCP in          sender reports ─► PublisherClock      NACK, PLI, FIR ─► Subscriber
reports in       (reporting.py) ─► RoundTrip
"""

from __future__ import annotations

from sfu.context import Context
from sfu.core.reports import ReportSchedule, RoundTrip, round_trip_s
from sfu.core.timeline import PublisherClock
from sfu.plane.interface import RtcpReceived
from sfu.publishing import PublishedTrack
from sfu.subscribing import Subscriber
from sfu.wire import framing, rtcp
from sfu.wire.extensions import ExtensionIds
from sfu.wire.feedback import FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from sfu.wire.rtcp import ReportBlock, SenderReport

# In every compound, or at its end, and of no use here: signaling knows who is there, and who leaves.
UNUSED = (framing.SOURCE_DESCRIPTION, framing.GOODBYE)


class Endpoint:
    """`ssrc` is what our own RTCP on this Transport is sent under where it speaks of no Slot."""

    def __init__(self, context: Context, number: int, id: str, room: str, participant: str) -> None:
        self.number = number
        self.id = id
        self.room = room
        self.participant = participant
        self.ssrc = context.random.randrange(1, 1 << 32)
        self.is_connected = False
        self.is_reconnecting = False  # nothing is heard of its remote, and it may come back
        self.tracks: dict[str, PublishedTrack] = {}
        self.subscriber = Subscriber(context, self)
        self._context = context
        self._sources: dict[int, tuple[PublishedTrack, int]] = {}  # SSRC -> Track and layer
        self.capture_time_id = 0  # of the header extension in what it sends; 0: it was not negotiated
        self.orientation_id = 0  # the same
        self._clock = PublisherClock()
        self.reports = ReportSchedule(
            context.random.random, context.config.report_interval_s, context.config.report_round_s
        )
        self._round_trip = RoundTrip()
        # RFC 7022: random, tells nothing
        context.plane.set_reporter(number, self.ssrc, f"{context.random.randrange(1 << 48):012x}")

    @property
    def endpoint(self) -> Endpoint:
        return self

    @property
    def rtt_s(self) -> float | None:
        return self._round_trip.rtt_s

    def on_negotiated(self, receive: ExtensionIds, now: float) -> None:
        """`receive`: how the remote numbers what it sends."""
        self.capture_time_id = receive.abs_capture_time
        self.orientation_id = receive.video_orientation
        interval_s = self._context.config.feedback_interval_s if receive.transport_cc else None
        self._context.plane.set_feedback_interval(self.number, interval_s, now)

    def on_connected(self) -> None:
        self.is_connected = True
        self.subscriber.reallocate_soon()

    def on_ssrc(self, track: PublishedTrack, layer: int, ssrc: int, now: float) -> None:
        known = track.layers.get(layer)
        if known is not None and known.ssrc != ssrc:
            self._sources.pop(known.ssrc, None)
            self._clock.forget_layer(track.number, layer)
        self._sources[ssrc] = track, layer
        track.on_ssrc(layer, ssrc, now)

    def forget_track(self, track: PublishedTrack) -> None:
        del self.tracks[track.id]
        for layer, published in track.layers.items():
            self._sources.pop(published.ssrc, None)
            self._clock.forget_layer(track.number, layer)

    def on_rtcp(self, event: RtcpReceived, now: float) -> None:
        parsed = rtcp.parse(event.payload, passed_over=UNUSED)
        self._context.counters.rtcp_malformed += parsed.malformed
        for packet in parsed.packets:
            if isinstance(packet, SenderReport):
                self._on_sender_report(packet, event.at_s)
            elif isinstance(packet, Nack):
                self.subscriber.on_nack(packet.media_ssrc, packet.sequence_numbers, now)
            elif isinstance(packet, PictureLossIndication):
                self.subscriber.on_picture_lost(packet.media_ssrc, now)
            elif isinstance(packet, ReceiverEstimate):
                self.subscriber.on_receiver_estimate(packet.bitrate_bps, now)
            elif isinstance(packet, FullIntraRequest):
                for ssrc, _ in packet.entries:
                    self.subscriber.on_picture_lost(ssrc, now)

    def on_report(self, block: ReportBlock, at_s: float) -> None:
        """Of the remote about one of its Slots; came then."""
        rtt_s = round_trip_s(block, self._context.clock.ntp(at_s))
        if rtt_s is not None:
            self._round_trip.on_sample(rtt_s)

    def close(self) -> None:
        self.subscriber.close()

    def _on_sender_report(self, report: SenderReport, at_s: float) -> None:
        source = self._sources.get(report.ssrc)
        if source is None:
            return
        track, layer = source
        for reading in self._clock.on_sender_report(
            track.number, layer, track.clock_rate, report.ntp_time, report.rtp_timestamp, at_s
        ):
            self._context.plane.set_clock(reading.track, reading.layer, reading.rtp_timestamp, reading.at_s)
