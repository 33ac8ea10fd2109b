"""Tracks and their layers: what arrives of them, in which order, with which gaps.

    RTP on the layer's SSRC ─► count for reports ─► gap? ─┐
    RTP on its RTX SSRC ─────► unwrap (RFC 4588) ─────────┴► duplicate? ─► history ─► MediaPacket for the Routes

A layer's object lives as long as its SSRC does: when another SSRC takes over (a browser made a new sender), a fresh
object replaces it, and with it numbers, history and clock. Slots notice that what they carried is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfu.core.reception import ReceptionReport
from sfu.core.types import Codec, DropReason
from sfu.plane.fallback.history import History, RecentNumbers
from sfu.plane.fallback.layering import LayerReader
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.packets import MediaPacket, may_hold_parameter_sets
from sfu.plane.fallback.reception import Reception
from sfu.plane.fallback.timeline import SourceClock
from sfu.plane.interface import GapSeen, KeyFrameReceived, LayerReception, PlaneConfig, TrackSpec
from sfu.wire import red, rtx
from sfu.wire.errors import MalformedRtp
from sfu.wire.rtp import RtpHeader
from sfu.wire.serial import Unwrapper

if TYPE_CHECKING:
    from sfu.plane.fallback.sinks import Sink
    from sfu.plane.fallback.slot import Slot
    from sfu.plane.fallback.transport import Transport

PassedOn = tuple[tuple[int, bytes], ...]


class Track:
    """One published source and the Slots that carry it."""

    __slots__ = (
        "_config", "_outbox", "clock_rate", "formats", "id", "layers", "opus_payload_type", "slots", "spec", "taps",
        "transport",
    )  # fmt: skip

    def __init__(self, id: int, transport: Transport, spec: TrackSpec, config: PlaneConfig, outbox: Outbox) -> None:
        self.id = id
        self.transport = transport
        self.spec = spec
        self._config = config
        self._outbox = outbox
        self.clock_rate = spec.formats[0].clock_rate
        self.formats = {form.payload_type: form for form in spec.formats}
        opus = (form.payload_type for form in spec.formats if form.codec is Codec.OPUS)
        self.opus_payload_type = next(opus, -1)  # of which RED is made
        self.slots: list[Slot] = []
        self.taps: dict[Sink, frozenset[int]] = {}  # → layers
        self.layers = [self._new_layer(index) for index in range(max(1, len(spec.rids)))]

    def layer(self, index: int) -> TrackLayer:
        if not 0 <= index < len(self.layers):
            raise KeyError(f"track {self.id} has no layer {index}")
        return self.layers[index]

    def renew_layer(self, index: int) -> TrackLayer:
        """Forgets what came under the old SSRC."""
        self.layers[index] = self._new_layer(index)
        return self.layers[index]

    def reception(self) -> list[LayerReception]:
        return [report for layer in self.layers if (report := layer.report()) is not None]

    def describe(self) -> dict[str, object]:
        return {
            "track": self.id,
            "transport": self.transport.id,
            "mid": self.spec.mid,
            "kind": self.spec.kind,
            "rids": list(self.spec.rids),
            "formats": [
                {"payload_type": number, "codec": form.codec.value, "repairs": form.repairs}
                for number, form in sorted(self.formats.items())
            ],
            "slots": [slot.id for slot in self.slots],
            "taps": [{"sink": sink.id, "layers": sorted(layers)} for sink, layers in self.taps.items()],
            "layers": [layer.describe() for layer in self.layers],
        }

    def _new_layer(self, index: int) -> TrackLayer:
        return TrackLayer(self, index, self._config, self._outbox)


class TrackLayer:
    """One encoding under one SSRC (and one for RTX); both are `None` until learned or announced."""

    def __init__(self, track: Track, index: int, config: PlaneConfig, outbox: Outbox) -> None:
        self.track = track
        self.index = index
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.rtx_learned_at = 0.0
        self.is_video = track.spec.kind == "video"
        self.clock = SourceClock()
        self.reception = Reception()
        self.reported = ReceptionReport()
        self.history = History(config.history_packets) if self.is_video else None  # nobody retransmits audio
        # Of sound so much that a Slot may begin a moment ago.
        self.kept = None if self.is_video else History(config.audio_kept_packets)
        self.restored: MediaPacket | None = None  # by the last packet's redundancy; taken by whoever passes it on
        self._admits = self.history.admit if self.history is not None else RecentNumbers().admit
        self._longest_gap = config.history_packets
        self._outbox = outbox
        self._numbers = Unwrapper()
        self._layers = LayerReader()
        self._key_frame_timestamp: int | None = None
        self._dropped: dict[DropReason, int] = {}

    def on_media(self, header: RtpHeader, payload: bytes, passed_on: PassedOn, now: float) -> MediaPacket | None:
        """A packet on the layer's own SSRC. Returns what Routes should look at, if anything."""
        number = self._numbers.unwrap(header.sequence_number)
        expected = number if self.reception.highest is None else self.reception.highest + 1
        begins_frame = self.reception.count(number, header.timestamp, len(payload), self.track.clock_rate, now)
        form = self.track.formats.get(header.payload_type)
        packet = MediaPacket(number, header.timestamp, header.marker, None, payload, passed_on, now)
        if form is not None and form.repairs is None:
            self._read(packet, form.codec, header, newest=number >= expected)
            self.reception.count_layer(packet, begins_frame=begins_frame)
        else:
            self._drop(DropReason.PADDING if not payload else DropReason.UNKNOWN_PAYLOAD_TYPE)
        if number > expected and packet.red is not None:
            self._restore(packet, now)
        admitted = self._admit(packet)
        if number > expected:
            self._tell_gap(expected, number - 1)
        return admitted

    def on_repair(self, header: RtpHeader, payload: bytes, passed_on: PassedOn, now: float) -> MediaPacket | None:
        """A packet on the RTX SSRC: a probe that carries nothing, or one that comes back and is late."""
        if not payload:
            self._drop(DropReason.PADDING)
            return None
        form = self.track.formats.get(header.payload_type)
        original_form = None if form is None or form.repairs is None else self.track.formats.get(form.repairs)
        if original_form is None:
            self._drop(DropReason.UNKNOWN_PAYLOAD_TYPE)
            return None
        try:
            original_number, original = rtx.unwrap(payload)
        except MalformedRtp:
            self._drop(DropReason.MALFORMED)
            return None
        number = self._numbers.unwrap(original_number)
        packet = MediaPacket(number, header.timestamp, header.marker, None, original, passed_on, now)
        self._read(packet, original_form.codec, header, newest=False)
        admitted = self._admit(packet)
        if admitted is not None:
            self._on_restored()
        return admitted

    def missing(self, numbers: Sequence[int]) -> list[int]:
        history = self.history
        return [] if history is None else [number for number in numbers if history.lacks(number)]

    def report(self) -> LayerReception | None:
        """`None` before the first packet on the layer's own SSRC."""
        seen = self.reception
        if self.ssrc is None or seen.first is None or seen.highest is None:
            return None
        return LayerReception(
            layer=self.index,
            ssrc=self.ssrc,
            rtx_ssrc=self.rtx_ssrc,
            packets=seen.packets,
            restored=seen.restored,
            bytes=seen.bytes,
            first_sequence_number=seen.first,
            highest_sequence_number=seen.highest,
            jitter=seen.jitter,
            last_at_s=seen.last_at,
            layer_bytes=seen.layer_bytes(),
            codec=seen.codec,
            frames=seen.frames,
            freezes=seen.freezes,
            frozen_s=seen.frozen_s,
            temporal_frames=seen.temporal_frames(),
        )

    def describe(self) -> dict[str, object]:
        seen, pair = self.reception, self.clock.pair
        return {
            "layer": self.index,
            "ssrc": self.ssrc,
            "rtx_ssrc": self.rtx_ssrc,
            "packets": seen.packets,
            "bytes": seen.bytes,
            "highest_sequence_number": seen.highest,
            "jitter": seen.jitter,
            "last_at_s": seen.last_at,
            "history": None if self.history is None else self.history.describe(),
            "clock": None if pair is None else {"timestamp": pair[0], "at_s": pair[1]},
            "dropped": {reason.value: count for reason, count in self._dropped.items()},
        }

    def _drop(self, reason: DropReason) -> None:
        self._outbox.drop(reason)
        self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def _read(self, packet: MediaPacket, codec: Codec, header: RtpHeader, newest: bool) -> None:
        """Sets `codec` and what belongs to it, unless there is nothing to forward."""
        if not packet.payload:
            self._drop(DropReason.PADDING)
            return
        if codec is Codec.RED:
            packet.red = red.read(packet.payload, self.track.opus_payload_type)
            if packet.red is None:
                self._drop(DropReason.MALFORMED)
                return
        descriptor = header.extensions.get(self.track.transport.receive_ids.dependency_descriptor)
        if not self._layers.read(packet, codec, descriptor, newest):
            self._drop(DropReason.MALFORMED)

    def _restore(self, packet: MediaPacket, now: float) -> None:
        """The packet before this one was lost, or is late; what is repeated of it takes its place."""
        assert packet.red is not None
        if packet.red.previous is None:
            return
        start, end, earlier = packet.red.previous
        timestamp = (packet.timestamp - earlier) & 0xFFFFFFFF
        block = packet.payload[start:end]
        before = MediaPacket(packet.sequence_number - 1, timestamp, False, Codec.OPUS, block, (), now)
        self.restored = self._admit(before)
        if self.restored is not None:
            self._on_restored()

    def _on_restored(self) -> None:
        self.reception.restored += 1
        self._outbox.counters.recovered += 1

    def _admit(self, packet: MediaPacket) -> MediaPacket | None:
        if self._layers.renewed_late and self.history is not None:
            for later in self.history.after(packet.sequence_number):
                self._layers.read_again(later)
        refusal = self._admits(packet)
        if refusal is not None:
            self._drop(refusal)
            return None
        if self.kept is not None:
            self.kept.admit(packet)
        if packet.starts_key_frame:
            # In H.264 both the parameter sets and the slice behind them look like a start; it is the first.
            if packet.timestamp == self._key_frame_timestamp or self._lacks_parameter_sets(packet):
                packet.starts_key_frame = False
            else:
                self._key_frame_timestamp = packet.timestamp
                self._outbox.tell_if_room(KeyFrameReceived(self.track.id, self.index))
        return packet

    def _lacks_parameter_sets(self, packet: MediaPacket) -> bool:
        """A slice after a missing packet: that was probably its parameter sets, and when it comes back it is the
        start. Begun with the slice, a switch to another size could not be decoded."""
        if packet.codec is not Codec.H264 or packet.layering is not None or may_hold_parameter_sets(packet.payload):
            return False
        return self.history is not None and self.history.get(packet.sequence_number - 1) is None

    def _tell_gap(self, first: int, last: int) -> None:
        history = self.history
        if history is None or last - first >= self._longest_gap:
            return
        if any(history.lacks(number) for number in range(first, last + 1)):
            self._outbox.tell_if_room(GapSeen(self.track.id, self.index, first, last))
