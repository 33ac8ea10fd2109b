"""A Slot: one outgoing SSRC, and the Route that feeds it now.

    set_route, set_layer ─► wanted layer ─ key frame of it ─► switch ─► current layer
                                                                             │
    packet of the current layer ─► SVC layer? ─► numbers, times ─► fresh header ─► protect, send
                                                                             └─► noted, for NACKs

The numbers, the time line and the picture ids are the Slot's and go on whatever it carries: to the subscriber it is
one stream that never restarts. A packet that is left out is counted under its DropReason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sfu.core.reports import sender_report
from sfu.core.types import Codec, DropReason
from sfu.plane.fallback.filtering import ALL_SPATIAL_LAYERS, ALL_TEMPORAL_LAYERS
from sfu.plane.fallback.numbering import NumberMap
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.packets import MediaPacket
from sfu.plane.fallback.pictures import PictureFields, Pictures, rewrite, rewrite_descriptor
from sfu.plane.fallback.publishing import Track, TrackLayer
from sfu.plane.fallback.retransmission import Sent, SentPackets
from sfu.plane.fallback.timeline import Timeline
from sfu.plane.interface import PlaneConfig, SlotSpec, SlotTransmission, Switched
from sfu.wire import red, rtp, rtx
from sfu.wire.rtcp import SenderReport

if TYPE_CHECKING:
    from sfu.plane.fallback.transport import Transport

# What a switch moves the timestamp on by at least, as parts of a second: for audio a whole packet, 20 ms, for a
# receiver throws away what begins inside the packet before; for video so much that files with milliseconds keep up.
_LEAST_ADVANCE_PER_S = {"audio": 50, "video": 1000}

# Of one padding packet. A byte says how many there are, so 255 at most; libwebrtc takes 224, a multiple of 32.
PADDING_BYTES = 224


class Slot:
    def __init__(self, id: int, transport: Transport, spec: SlotSpec, config: PlaneConfig, outbox: Outbox) -> None:
        self.id = id
        self.spec = spec
        self.track: Track | None = None
        self.transport = transport
        self._outbox = outbox
        self._mid = spec.mid.encode()
        self._payload_types = dict(spec.payload_types)
        self._wanted: int | None = None
        self._layer: TrackLayer | None = None  # being sent
        self._numbers = NumberMap(config.sent_packets, spec.first_sequence_number, config.history_packets)
        least_advance = spec.clock_rate // _LEAST_ADVANCE_PER_S[spec.kind]
        self._line = Timeline(spec.first_timestamp, spec.clock_rate, least_advance, config.clock_tolerance_s)
        self._pictures = Pictures()
        self.sent = SentPackets(config.sent_packets, config.rtx_repeat_after_s)
        self._payload_type = 0  # the last one sent
        self._next_rtx_number = spec.first_sequence_number
        self._packets = 0
        self._octets = 0
        self._retransmitted = 0
        self._packets_reported = (0, 0)  # at the last two reports
        self._switched_at: float | None = None
        self._dropped: dict[DropReason, int] = {}

    # --- control -------------------------------------------------------------------------------------------

    def set_route(self, track: Track | None) -> None:
        if self.track is not None:
            self.track.slots.remove(self)
        if track is not self.track:
            self.sent.clear()
        self.track = track
        self._layer = self._wanted = None
        if track is not None:
            track.slots.append(self)

    def set_layer(self, index: int | None, max_temporal_id: int | None, max_spatial_id: int | None) -> None:
        if index is not None:
            if self.track is None:
                raise KeyError(f"slot {self.id} carries no track")
            self.track.layer(index)
        else:
            self._layer = None
            self.sent.clear()
        self._wanted = index
        self._pictures.layers.limit(
            ALL_TEMPORAL_LAYERS if max_temporal_id is None else max_temporal_id,
            ALL_SPATIAL_LAYERS if max_spatial_id is None else max_spatial_id,
        )

    def look_back(self, since: float, now: float) -> None:
        """Begin with what has arrived since then, unless something has left in the meantime: of two who are heard one
        after the other, the second would be put off, and stay so."""
        layer = None if self.track is None or self._wanted is None else self.track.layer(self._wanted)
        if layer is None or layer.kept is None or layer is self._layer or not self._line.is_idle(since):
            return
        for packet in layer.kept.since(since):
            self.on_packet(packet, layer, now)

    def set_payload_types(self, payload_types: Mapping[Codec, tuple[int, int | None]]) -> None:
        self._payload_types = dict(payload_types)

    def transmission(self) -> SlotTransmission:
        return SlotTransmission(
            track=None if self.track is None else self.track.id,
            layer=None if self._layer is None else self._layer.index,
            packets=self._packets,
            octets=self._octets,
            retransmitted=self._retransmitted,
            timestamp_at_s=self._line.pair(),
        )

    def report(self, ntp_time: int, now: float) -> SenderReport | None:
        """`None` if nothing was sent since the last report but one (RFC 3550 §6.4: then it is no sender)."""
        silent = self._packets == self._packets_reported[0]
        self._packets_reported = (self._packets_reported[1], self._packets)
        if silent:
            return None
        return sender_report(self.spec.ssrc, self.spec.clock_rate, self.transmission(), ntp_time, now)

    def describe(self) -> dict[str, object]:
        return {
            "slot": self.id,
            "transport": self.transport.id,
            "mid": self.spec.mid,
            "ssrc": self.spec.ssrc,
            "rtx_ssrc": self.spec.rtx_ssrc,
            "track": None if self.track is None else self.track.id,
            "wanted_layer": self._wanted,
            "layer": None if self._layer is None else self._layer.index,
            "switched_at_s": self._switched_at,
            "payload_type": self._payload_type,
            "sequence_numbers": self._numbers.describe() | {"next_rtx": self._next_rtx_number},
            "timestamps": self._line.describe(),
            "pictures": self._pictures.describe(),
            "history": self.sent.describe(),
            "packets": self._packets,
            "octets": self._octets,
            "retransmitted": self._retransmitted,
            "dropped": {reason.value: count for reason, count in self._dropped.items()},
        }

    # --- forwarding ----------------------------------------------------------------------------------------

    def on_packet(self, packet: MediaPacket, layer: TrackLayer, now: float) -> None:
        """A packet of any layer of the Track has arrived, in whatever order."""
        if layer is self._layer:
            self._forward(packet, layer, now)
        elif layer.index != self._wanted:
            self.drop(DropReason.PAUSED if self._wanted is None else DropReason.OTHER_LAYER)
        elif packet.codec is None:
            return  # nothing to send, and its sequence number counts for nobody yet
        elif layer.is_video and not packet.starts_key_frame:
            self.drop(DropReason.AWAITING_KEY_FRAME)
        elif self._payload_types_of(packet) is None:
            self.drop(DropReason.NO_PAYLOAD_TYPE)
        elif not self.transport.is_connected:
            self.drop(DropReason.NOT_CONNECTED)
        else:
            self._switch(packet, layer, now)

    def _switch(self, packet: MediaPacket, layer: TrackLayer, now: float) -> None:
        self._layer = layer
        self._switched_at = now
        self._numbers.begin(packet.sequence_number)
        self._pictures.begin(packet)
        timestamp = self._line.begin(packet.timestamp, packet.arrived_at, layer.clock)
        self._outbox.tell(Switched(self.id, layer.track.id, layer.index, timestamp))
        self._forward(packet, layer, now)
        if layer.history is not None:
            # When the key frame's first packet comes late, by RTX, the others are there already. Passed over as
            # AWAITING_KEY_FRAME, they have their turn now, which saves asking for another key frame.
            for later in layer.history.after(packet.sequence_number):
                self._forward(later, layer, now)

    def _forward(self, packet: MediaPacket, layer: TrackLayer, now: float) -> None:
        """A packet of the current layer."""
        number = packet.sequence_number
        if number < self._numbers.first:
            self.drop(DropReason.BEFORE_SWITCH)
            return
        if not self.transport.is_connected:
            self.drop(DropReason.NOT_CONNECTED)  # to the subscriber it is lost like any other
            return
        payload_types = self._payload_types_of(packet)
        if payload_types is None:
            self._leave_out(packet, now, None if packet.codec is None else DropReason.NO_PAYLOAD_TYPE)
            return
        picture = self._pictures.place(packet, in_order=number > self._numbers.newest)
        if isinstance(picture, DropReason):
            self._leave_out(packet, now, picture)
            return
        out = self._numbers.place(number)
        if out is None:
            self.drop(DropReason.TOO_OLD)
            return
        self._payload_type = payload_types[0]
        timestamp = self._line.map(packet.timestamp, packet.arrived_at)
        if self._send(out, timestamp, packet, picture, now):
            self._outbox.counters.forwarded += 1
            if layer.history is not None:
                self.sent.note(Sent(out, timestamp, layer, number, picture))

    def _leave_out(self, packet: MediaPacket, now: float, reason: DropReason | None) -> None:
        """The numbers close up over it. If a place was kept because it was late, an empty packet fills it:
        receivers take that for padding, and ask for it no more."""
        if reason is not None:
            self.drop(reason)
        if packet.sequence_number > self._numbers.newest:
            self._numbers.leave_out(packet.sequence_number)
            return
        out = self._numbers.place(packet.sequence_number)
        if out is not None:
            self._send(out, self._line.map(packet.timestamp, packet.arrived_at), packet, None, now)

    def _send(self, out: int, timestamp: int, packet: MediaPacket, picture: PictureFields | None, now: float) -> bool:
        """Without `picture`, an empty one."""
        payload = b"" if picture is None else self._payload(packet, picture)
        left = self.transport.send_rtp(
            rtp.build(
                payload_type=self._payload_type,
                sequence_number=out & 0xFFFF,
                timestamp=timestamp,
                ssrc=self.spec.ssrc,
                payload=payload,
                marker=picture is not None and picture.marker,
                extension=self._extension_block(packet, picture, now),
            ),
            now,
        )
        if isinstance(left, DropReason):
            self.drop(left)
            return False
        self._packets += 1
        self._octets += len(payload)
        return True

    def _payload_types_of(self, packet: MediaPacket) -> tuple[int, int | None] | None:
        """Media and RTX; `None`: the subscriber does not take it, or there is nothing to send."""
        if packet.codec is None:
            return None
        stripped = packet.codec is Codec.RED and Codec.RED not in self._payload_types
        return self._payload_types.get(Codec.OPUS if stripped else packet.codec)

    def _payload(self, packet: MediaPacket, picture: PictureFields) -> bytes:
        if packet.red is None:
            return rewrite(packet, picture)
        if Codec.RED not in self._payload_types:
            return packet.payload[packet.red.primary_at :]
        opus = self._payload_types.get(Codec.OPUS)
        return packet.payload if opus is None else red.rename(packet.payload, opus[0])

    def _extension_block(self, packet: MediaPacket, picture: PictureFields | None, now: float) -> bytes:
        if picture is None:
            return self.transport.extension_block(self._mid, (), None, now)
        return self.transport.extension_block(self._mid, packet.passed_on, rewrite_descriptor(packet, picture), now)

    # --- retransmission ------------------------------------------------------------------------------------

    def claim(self, sequence_number: int, now: float) -> int | DropReason:
        """The unwrapped number of what a NACK asks for, if it is to be sent again."""
        if self.spec.rtx_ssrc is None:
            return DropReason.NO_PAYLOAD_TYPE
        if not self.transport.is_connected:
            return DropReason.NOT_CONNECTED
        number = self.sent.unwrap(sequence_number)
        found = self.sent.find(number)
        if found is None:
            return DropReason.NOT_IN_HISTORY
        if self._rtx_payload_type(found[1]) is None:
            return DropReason.NO_PAYLOAD_TYPE
        if self._is_behind_switch(found[0]):
            return DropReason.RTX_LATE
        return DropReason.RTX_REPEATED if self.sent.is_answered(number, now) else number

    def _is_behind_switch(self, sent: Sent) -> bool:
        """It goes on from the key frame of a lower layer; until that is there, it asks for what came before. Where the
        path carries more, there is room for that."""
        return self._layer is not None and sent.layer.index > self._layer.index

    def repeat(self, number: int, now: float, cluster: int = 0) -> int | DropReason:
        """Under the RTX SSRC and a number of its own (RFC 4588). Returns the datagram's size, or why it is not sent."""
        found = self.sent.find(number)
        if found is None:
            return DropReason.NOT_IN_HISTORY
        sent, packet = found
        payload_type = self._rtx_payload_type(packet)
        if payload_type is None:
            return DropReason.NO_PAYLOAD_TYPE
        if not cluster and self._is_behind_switch(sent):  # it has waited since before the switch
            return DropReason.RTX_LATE
        self.sent.note_repeated(number, now)
        payload = rtx.wrap(rewrite(packet, sent.picture), number & 0xFFFF)
        extension = self._extension_block(packet, sent.picture, now)
        left = self._send_rtx(
            payload_type, sent.timestamp, payload, extension, now, cluster, marker=sent.picture.marker
        )
        if not isinstance(left, DropReason) and not cluster:
            self._retransmitted += 1
            self._outbox.counters.retransmitted += 1
        return left

    def find_for_probe(self, cluster: int) -> tuple[int, float] | None:
        """(number, when it arrived here) of the newest packet that this cluster has not passed and that is worth more
        than padding."""
        while (number := self.sent.next_for_probe(cluster)) is not None:
            found = self.sent.find(number)
            if found is not None and len(found[1].payload) >= PADDING_BYTES:
                packet = found[1]
                if self._rtx_payload_type(packet) is not None:
                    return number, packet.arrived_at
            self.sent.pass_for_probe()
        return None

    @property
    def padding_payload_type(self) -> int | None:
        """`None`: without RTX it cannot be padded, for padding on the media SSRC would take numbers of the media."""
        if self.spec.rtx_ssrc is None:
            return None
        return min((rtx for _, rtx in self._payload_types.values() if rtx is not None), default=None)

    def send_padding(self, payload_type: int, now: float, cluster: int) -> int | DropReason:
        """As `repeat`. An RTX packet without even an original sequence number: receivers count its arrival, and that
        is all."""
        extension = self.transport.extension_block(self._mid, (), None, now)
        return self._send_rtx(payload_type, self._line.newest, b"", extension, now, cluster, padding=PADDING_BYTES)

    def _rtx_payload_type(self, packet: MediaPacket) -> int | None:
        payload_types = self._payload_types_of(packet)
        return None if payload_types is None or self.spec.rtx_ssrc is None else payload_types[1]

    def _send_rtx(
        self,
        payload_type: int,
        timestamp: int,
        payload: bytes,
        extension: bytes,
        now: float,
        cluster: int,
        *,
        marker: bool = False,
        padding: int = 0,
    ) -> int | DropReason:
        assert self.spec.rtx_ssrc is not None, "nobody finds an RTX payload type without it"
        packet = rtp.build(
            payload_type=payload_type,
            sequence_number=self._next_rtx_number & 0xFFFF,
            timestamp=timestamp,
            ssrc=self.spec.rtx_ssrc,
            payload=payload,
            marker=marker,
            extension=extension,
            padding=padding,
        )
        self._next_rtx_number += 1
        return self.transport.send_rtp(packet, now, cluster)

    def drop(self, reason: DropReason) -> None:
        self._outbox.drop(reason)
        self._dropped[reason] = self._dropped.get(reason, 0) + 1
