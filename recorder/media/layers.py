"""One layer of a track: its packets in, frames at session times out. And which of several layers a file shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from recorder.config import MediaConfig
from recorder.journal.events import PayloadFormat
from recorder.journal.records import Packet
from recorder.media.clock import ClockFigures, StreamClock
from recorder.media.frames import EncodedFrame, PictureAssembler, SoundAssembler
from recorder.media.reordering import OrderedPacket, ReorderBuffer
from sfu.core.types import Codec
from sfu.wire import rtp
from sfu.wire.errors import MalformedRtp
from sfu.wire.extensions import Orientation, parse_capture_time, parse_orientation
from sfu.wire.rtp import RtpHeader
from sfu.wire.serial import Unwrapper
from sfu.wire.tap import SenderClock


class TimedFrame(NamedTuple):
    """`at_s`: when it was captured, in seconds of the session; grows from frame to frame of a track."""

    at_s: float
    layer: int
    frame: EncodedFrame


class Heard(NamedTuple):
    """What a packet says of its sender's clock. `anew`: it is another than before, with another SSRC. `captured`: one
    moment of it, if the packet says when it was captured."""

    anew: bool = False
    captured: SenderClock | None = None


_CODECS = {codec.value.lower(): codec for codec in Codec if codec is not Codec.RED}  # which sinks are not given


class ExtensionIds(NamedTuple):
    """Of the header extensions that are read; 0: there is none."""

    capture_time: int = 0
    orientation: int = 0


NO_EXTENSIONS = ExtensionIds()


class LayerFeed:
    """One layer, through all SSRCs and codecs it has had."""

    def __init__(
        self,
        layer: int,
        formats: Mapping[int, PayloadFormat],
        config: MediaConfig,
        extension_ids: ExtensionIds = NO_EXTENSIONS,
    ) -> None:
        self.layer = layer
        self._formats = formats
        self._extension_ids = extension_ids
        self._config = config
        self._ssrc: int | None = None
        self._highest = 0
        self._payload_type: int | None = None
        self._held: deque[EncodedFrame] = deque()
        self._held_since_s = 0.0
        self._is_sure = False  # of when the stream began
        self.figures: ClockFigures | None = None
        self.clock: StreamClock | None = None
        self._assembler: PictureAssembler | SoundAssembler | None = None
        self._ended: list[TimedFrame] = []  # of an SSRC before this one
        self._reset()
        self.packets = self.recovered = self.malformed = self.unknown = 0
        self.lost_before = self.restarts = 0

    def on_packet(self, packet: Packet) -> Heard:
        try:
            header = rtp.parse(packet.rtp)
        except MalformedRtp:
            self.malformed += 1
            return Heard()
        self.packets += 1
        self.recovered += packet.recovered
        anew = False
        known = header.ssrc or self._ssrc  # 0: a retransmission whose original nobody has seen
        jumped = abs(packet.sequence_number - self._highest) > self._config.sequence_jump
        if known != self._ssrc or (self._ssrc is not None and jumped):
            anew = self._ssrc is not None
            self._begin_stream(known)
            self._highest = packet.sequence_number
        self._highest = max(self._highest, packet.sequence_number)
        payload = packet.rtp[header.payload_offset : header.payload_end]
        timestamp = self._timestamps.unwrap(header.timestamp)
        if self.clock is not None and payload:
            self.clock.on_arrival(timestamp, packet.at_s)
        ordered = OrderedPacket(
            packet.sequence_number,
            timestamp,
            header.marker,
            header.payload_type,
            payload,
            packet.at_s,
            orientation=self._orientation(header),
        )
        self._take(self._reordering.on_packet(ordered))
        return Heard(anew, None if packet.recovered else self._captured(header))

    def _captured(self, header: RtpHeader) -> SenderClock | None:
        value = header.extensions.get(self._extension_ids.capture_time)
        if value is None:
            return None
        try:
            return SenderClock(parse_capture_time(value), header.timestamp, header.ssrc)
        except MalformedRtp:
            return None

    def _orientation(self, header: RtpHeader) -> Orientation | None:
        value = header.extensions.get(self._extension_ids.orientation)
        try:
            return None if value is None else parse_orientation(value)
        except MalformedRtp:
            return None

    def on_reading(self, rtp_timestamp: int, at_s: float) -> None:
        if self.clock is not None:
            self.clock.on_reading(rtp_timestamp, at_s)

    def frames(self, now: float) -> list[TimedFrame]:
        """What is in order, and has a time, by now."""
        self._take(self._reordering.on_time(now))
        ended, self._ended = self._ended, []
        return ended + self._timed(now)

    def finish(self) -> list[TimedFrame]:
        self._take(self._reordering.finish())
        ended, self._ended = self._ended, []
        return ended + self._timed(None)

    @property
    def lost(self) -> int:
        return self.lost_before + self._reordering.lost

    def _timed(self, now: float | None) -> list[TimedFrame]:
        clock = self.clock
        if clock is None or not self._held:
            return []
        waited = now is None or now - self._held_since_s >= self._config.clock_wait_s
        if not (clock.has_reading or waited or self._is_sure or len(self._held) > self._config.held_frames):
            return []
        self._is_sure = True  # what follows does not wait
        timed = [
            TimedFrame(clock.captured_s(frame.timestamp, frame.arrived_at_s), self.layer, frame) for frame in self._held
        ]
        self._held.clear()
        return timed

    def _take(self, packets: list[OrderedPacket]) -> None:
        for packet in packets:
            if packet.payload and packet.payload_type != self._payload_type and not self._begin_format(packet):
                continue
            if self._assembler is None:
                continue
            for frame in self._assembler.on_packet(packet):
                if not self._held:
                    self._held_since_s = frame.arrived_at_s
                self._held.append(frame)

    def _begin_format(self, packet: OrderedPacket) -> bool:
        """Another codec, perhaps in the middle. Of one that is not known nothing is taken."""
        described = self._formats.get(packet.payload_type)
        codec = None if described is None else _CODECS.get(described.codec.lower())
        if described is None or codec is None or described.clock_rate <= 0:
            self.unknown += 1
            return False
        self._payload_type = packet.payload_type
        self._assembler = SoundAssembler() if codec is Codec.OPUS else PictureAssembler(codec, self._config.frame_bytes)
        if self.clock is None:
            if self.figures is None:
                self.figures = ClockFigures(described.clock_rate)
            self.clock = StreamClock(described.clock_rate, self.figures)
            self.clock.on_arrival(packet.timestamp, packet.arrived_at_s)
        return True

    def _begin_stream(self, ssrc: int | None) -> None:
        if self._ssrc is not None:
            self._take(self._reordering.finish())
            self.lost_before += self._reordering.lost
            self.restarts += 1
            self._ended += self._timed(None)
        self._ssrc = ssrc
        self._reset()

    def _reset(self) -> None:
        self._reordering = ReorderBuffer(self._config.reorder_wait_s, self._config.reorder_packets)
        self._timestamps = Unwrapper(32)
        self._payload_type = None
        self._assembler = None
        self.clock = None
        self._is_sure = False
        self._held.clear()


class LayerChoice:
    """Which layer a file shows. Up at a key frame at once; down at one when that layer was asked for, or the one shown
    fell silent."""

    # A key frame of another layer that seems so much older than the last picture shows the same moment: they come
    # together, but until each layer has been reported on a few times, a late sender's clocks may be so far apart. Left
    # out, there would be no picture until the next.
    _AS_ONE_S = 0.5
    _STEP_S = 0.001

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s
        self.layer: int | None = None
        self.wanted: int | None = None  # what the recorder asked the sink for
        self._at_s = float("-inf")

    def take(self, timed: TimedFrame) -> TimedFrame | None:
        """The frame, if the file shows it, at a time that only grows. Frames of one layer come in order, and none is
        left out: those after it are made of it. A clock that is corrected may put some of them a little too early."""
        if self.layer is not None and timed.layer != self.layer and not self._switches(timed):
            return None
        is_next = timed.layer == self.layer or timed.at_s > self._at_s - self._AS_ONE_S
        if is_next and timed.at_s <= self._at_s:
            timed = timed._replace(at_s=self._at_s + self._STEP_S)
        if timed.at_s <= self._at_s or (self.layer is None and not timed.frame.key_frame):
            return None
        self.layer = timed.layer
        self._at_s = timed.at_s
        return timed

    def _switches(self, timed: TimedFrame) -> bool:
        assert self.layer is not None
        higher, silent = timed.layer > self.layer, timed.at_s - self._at_s >= self._silent_s
        return timed.frame.key_frame and (higher or silent or timed.layer == self.wanted)
