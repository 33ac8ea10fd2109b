"""Who takes part: publishers that behave like a browser's simulcast sender, subscribers like its receiver.

The publisher sends VP8 frames on each rid, a key frame on all layers when asked on any, MID and RID until a receiver
report names the SSRC, RTX for what is asked again, and sender reports. The subscriber asks for what it misses and
reports; a frame counts as decoded when it is whole and follows the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from math import ceil

from sfu.control import AddSlot, AddTrack, SlotAdded, SsrcGroup, Subscribe
from sfu.core.types import Codec, PayloadFormat
from sfu.wire import extensions, rtcp, rtp, rtx, vp8
from sfu.wire.feedback import Nack, PictureLossIndication
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport
from sfu.wire.serial import Unwrapper
from sfu.wire.twcc import TransportFeedback
from tests.sim.call import IDS, UNIX_AT_ZERO_S, Call, Remote
from tests.support.layering import vp9_descriptor

VIDEO_FORMATS = [PayloadFormat(96, Codec.VP8, 90_000), PayloadFormat(97, Codec.VP8, 90_000, repairs=96)]
AUDIO_FORMATS = [PayloadFormat(111, Codec.OPUS, 48_000)]
H264_FORMATS = [PayloadFormat(102, Codec.H264, 90_000), PayloadFormat(103, Codec.H264, 90_000, repairs=102)]
VP9_FORMATS = [PayloadFormat(98, Codec.VP9, 90_000), PayloadFormat(99, Codec.VP9, 90_000, repairs=98)]
PAYLOAD_TYPES = {Codec.VP8: 96, Codec.VP9: 98, Codec.H264: 102}
PACKET_BYTES = 1000
TEMPORAL_IDS = {1: (0,), 2: (0, 1), 3: (0, 2, 1, 2)}  # of pictures in a row, by number of temporal layers
# How large a VP8 picture is, against the mean, by number of temporal layers and by temporal id. libwebrtc gives 40, 20
# and 40 % of the bytes to the three (kLayerRateAllocation), and to two 60 and 40 %.
VP8_SIZES = {1: (1.0,), 2: (1.2, 0.8), 3: (1.6, 0.8, 0.8)}


def vp8_payload(
    picture_id: int,
    tl0: int,
    *,
    key_frame: bool,
    first: bool,
    size: int,
    temporal_id: int = 0,
    layer_sync: bool = False,
) -> bytes:
    descriptor = bytes((0x90 if first else 0x80, 0xE0, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF, tl0 & 0xFF))
    descriptor += bytes((temporal_id << 6 | layer_sync << 5,))
    frame = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" if key_frame else b"\x11\x02\x00" + bytes(7)
    return (descriptor + frame).ljust(size, b"\0")


def h264_payload(*, key_frame: bool) -> bytes:
    """A key frame begins with its parameter sets."""
    return (b"\x67\x42\xe0\x1f" if key_frame else b"\x41").ljust(PACKET_BYTES, b"\1")


@dataclass
class SentLayer:
    rid: str
    ssrc: int
    rtx_ssrc: int
    packets_per_frame: int
    active: bool = True
    next_number: int = 65_500
    next_rtx_number: int = 1000
    timestamp_base: int = 0
    picture_id: int = 100
    tl0: int = 0
    pictures: int = 0  # since the last key frame
    reported: bool = False  # a receiver report has named it
    wants_key_frame: bool = True
    sent: dict[int, tuple[int, bool, bytes]] = field(default_factory=dict)
    packets: int = 0
    key_frames: int = 0


class Publisher(Remote):
    """One video Track and one audio Track, both sent once `start`ed. Its NTP clock is `ahead_s` of the server's."""

    def __init__(
        self,
        call: Call,
        name: str,
        rids: Sequence[str] = ("q", "h", "f"),
        *,
        answers_key_frames: bool = True,
        key_frame_factor: int = 3,
        room: str = "room",
        formats: Sequence[PayloadFormat] = VIDEO_FORMATS,
        scalability: tuple[int, int] = (1, 1),
    ) -> None:
        """`scalability`: spatial and temporal layers of each of `rids`; spatial ones, where it encodes VP9."""
        super().__init__(call, name, room)
        draw = call.random.randrange
        self.video, self.audio = f"{name}-video", f"{name}-audio"
        self.ahead_s = 12_345.678
        self.layers = [
            SentLayer(rid, draw(1 << 32), draw(1 << 32), 1 + 2 * index, timestamp_base=draw(1 << 32))
            for index, rid in enumerate(rids or [""])
        ]
        self.answers_key_frames = answers_key_frames
        self.key_frame_factor = key_frame_factor  # times as large as other frames
        self.encodes = formats[0].codec  # VP8, VP9 or H264
        self.scalability = scalability
        self.requests: list[tuple[float, int]] = []  # (time, SSRC) of each PLI
        self.nacks: list[tuple[float, tuple[int, ...]]] = []
        self.feedback: list[tuple[float, TransportFeedback]] = []
        self.reports: dict[int, list[ReportBlock]] = {}
        self.transport_number = 0
        self._by_ssrc = {layer.ssrc: layer for layer in self.layers}
        self.audio_ssrc, self._audio_number = draw(1 << 32), 0
        self.levels: Iterator[int] = repeat(30)  # of its audio packets
        call.tell(
            AddTrack,
            transport=name,
            track=self.video,
            mid="0",
            kind="video",
            formats=list(formats),
            rids=list(rids),
            ssrcs=[] if rids else [SsrcGroup(self.layers[0].ssrc, self.layers[0].rtx_ssrc)],
        )
        call.tell(AddTrack, transport=name, track=self.audio, mid="1", kind="audio", formats=AUDIO_FORMATS)

    def start(self, fps: float = 20.0) -> None:
        self.call.every(1 / fps, self._send_frame)
        self.speak()
        self.call.every(1.0, self._send_reports)

    def speak(self) -> None:
        """Its microphone is on. For calls of sound only."""
        self.call.every(0.02, self._send_audio)

    def layer(self, rid: str) -> SentLayer:
        return next(layer for layer in self.layers if layer.rid == rid)

    def renew(self, rid: str) -> None:
        """As when a browser makes a new sender for the same m-line: everything of the layer is new but its rid."""
        old = self.layer(rid)
        draw = self.call.random.randrange
        new = SentLayer(rid, draw(1 << 32), draw(1 << 32), old.packets_per_frame, timestamp_base=draw(1 << 32))
        self.layers[self.layers.index(old)] = self._by_ssrc[new.ssrc] = new

    def encode(self, codec: Codec) -> None:
        """From the next frame on, which is a key frame."""
        self.encodes = codec
        for layer in self.layers:
            layer.wants_key_frame = True

    def on_rtcp(self, compound: bytes) -> None:
        for packet in rtcp.parse(compound).packets:
            if isinstance(packet, PictureLossIndication):
                assert packet.media_ssrc in self._by_ssrc
                self.requests.append((self.call.now, packet.media_ssrc))
                if self.answers_key_frames:
                    for layer in self.layers:
                        layer.wants_key_frame = True
            elif isinstance(packet, Nack):
                self.nacks.append((self.call.now, packet.sequence_numbers))
                self._resend(self._by_ssrc[packet.media_ssrc], packet.sequence_numbers)
            elif isinstance(packet, TransportFeedback):
                self.feedback.append((self.call.now, packet))
            elif isinstance(packet, ReceiverReport | SenderReport):
                for block in packet.blocks:
                    self.reports.setdefault(block.ssrc, []).append(block)
                    if block.ssrc in self._by_ssrc:
                        self._by_ssrc[block.ssrc].reported = True

    def _send_frame(self) -> None:
        for layer in self.layers:
            if not layer.active:
                continue
            key_frame, layer.wants_key_frame = layer.wants_key_frame, False
            layer.key_frames += key_frame
            layer.picture_id = (layer.picture_id + 1) & 0x7FFF
            layer.pictures = 0 if key_frame else layer.pictures + 1
            timestamp = self._timestamp(layer)
            payloads = list(self._payloads(layer, key_frame=key_frame))
            for index, payload in enumerate(payloads):
                number, layer.next_number = layer.next_number, (layer.next_number + 1) & 0xFFFF
                is_last = index == len(payloads) - 1
                layer.sent[number] = timestamp, is_last, payload
                layer.packets += 1
                elements = [(IDS.mid, b"0"), (IDS.rid, layer.rid.encode())] if layer.rid and not layer.reported else []
                payload_type = PAYLOAD_TYPES[self.encodes]
                self._send(payload_type, layer.ssrc, number, timestamp, is_last, payload, elements)

    def _payloads(self, layer: SentLayer, *, key_frame: bool) -> Iterator[bytes]:
        """Of one picture. Each spatial layer has two packets more than the one below it."""
        spatial_layers, temporal_layers = self.scalability
        pattern = TEMPORAL_IDS[temporal_layers]
        temporal_id = pattern[layer.pictures % len(pattern)]
        layer.tl0 += temporal_id == 0
        joins = temporal_id == 1 or (temporal_id > 0 and (layer.pictures - 1) % len(pattern) == 0)
        for spatial_id in range(spatial_layers):
            count = (layer.packets_per_frame + 2 * spatial_id) * (self.key_frame_factor if key_frame else 1)
            size = PACKET_BYTES
            if self.encodes is Codec.VP8 and not key_frame:
                whole = PACKET_BYTES * count * VP8_SIZES[temporal_layers][temporal_id]
                count = ceil(whole / PACKET_BYTES)
                size = round(whole / count)
            for index in range(count):
                first = index == 0
                if self.encodes is Codec.VP8:
                    yield vp8_payload(
                        layer.picture_id,
                        layer.tl0,
                        key_frame=key_frame,
                        first=first,
                        size=size,
                        temporal_id=temporal_id,
                        layer_sync=joins,
                    )
                elif self.encodes is Codec.VP9:
                    descriptor = vp9_descriptor(
                        layer.picture_id,
                        inter_picture=not key_frame,
                        start=first,
                        end=index == count - 1,
                        layers=(spatial_id, temporal_id),
                        switching_up=joins,
                        inter_layer=spatial_id > 0,
                        tl0_picture_index=layer.tl0,
                    )
                    yield descriptor.ljust(PACKET_BYTES, b"\1")
                else:
                    yield h264_payload(key_frame=key_frame and first)

    def _send_audio(self) -> None:
        self._audio_number += 1
        timestamp = 960 * self._audio_number
        elements = [(IDS.mid, b"1"), (IDS.audio_level, bytes((0x80 | next(self.levels),)))]
        self._send(111, self.audio_ssrc, self._audio_number & 0xFFFF, timestamp, False, bytes(80), elements)

    def _resend(self, layer: SentLayer, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in layer.sent:
                timestamp, marker, payload = layer.sent[number]
                elements = [(IDS.mid, b"0"), (IDS.repaired_rid, layer.rid.encode())] if layer.rid else []
                wrapped = rtx.wrap(payload, number)
                self._send(97, layer.rtx_ssrc, layer.next_rtx_number, timestamp, marker, wrapped, elements)
                layer.next_rtx_number = (layer.next_rtx_number + 1) & 0xFFFF

    def _send(
        self,
        payload_type: int,
        ssrc: int,
        number: int,
        timestamp: int,
        marker: bool,
        payload: bytes,
        elements: list[tuple[int, bytes]],
    ) -> None:
        elements = [*elements, (IDS.transport_cc, (self.transport_number & 0xFFFF).to_bytes(2, "big"))]
        self.transport_number += 1
        self.send_rtp(
            rtp.build(
                payload_type=payload_type,
                sequence_number=number,
                timestamp=timestamp & 0xFFFF_FFFF,
                ssrc=ssrc,
                payload=payload,
                marker=marker,
                extension=extensions.pack(elements),
            )
        )

    def _timestamp(self, layer: SentLayer) -> int:
        return (layer.timestamp_base + round(self.call.now * 90_000)) & 0xFFFF_FFFF

    def _send_reports(self) -> None:
        ntp = rtcp.ntp_from_unix(UNIX_AT_ZERO_S + self.call.now + self.ahead_s)
        for layer in self.layers:
            if layer.active:
                self.send_rtcp(SenderReport(layer.ssrc, ntp, self._timestamp(layer), layer.packets, 0).pack())


class Reception:
    """What one Slot's SSRC brings: packets by unwrapped number, and which frames can be decoded."""

    def __init__(self, ssrc: int, rtx_ssrc: int | None) -> None:
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.numbers = Unwrapper()
        self.timestamps = Unwrapper(32)
        self.packets: dict[int, tuple[float, int, bool, bytes]] = {}  # number -> (time, timestamp, marker, payload)
        self.reports: list[tuple[float, SenderReport]] = []
        self.came = 0  # under its own SSRC
        self.first: int | None = None
        self.highest = 0

    def on_number(self, unwrapped: int) -> None:
        """Not of a repeat."""
        self.came += 1
        self.first = unwrapped if self.first is None else self.first
        self.highest = max(self.highest, unwrapped)

    def lost(self) -> int:
        return 0 if self.first is None else max(0, self.highest - self.first + 1 - self.came)

    def missing(self) -> list[int]:
        if not self.packets:
            return []
        return [number for number in range(min(self.packets), max(self.packets)) if number not in self.packets]

    def key_frames(self) -> list[float]:
        """When each arrived."""
        times = []
        for number in sorted(self.packets):
            at, _, _, payload = self.packets[number]
            described = vp8.parse(payload) if payload else None
            if described is not None and described.key_frame:
                times.append(at)
        return times


class Subscriber(Remote):
    """Receives through one Slot per Track it subscribes to."""

    def __init__(self, call: Call, name: str, room: str = "room") -> None:
        super().__init__(call, name, room)
        self.receptions: dict[str, Reception] = {}
        self.asks_for_missing = True
        self.reports_loss = False
        self._slots: dict[str, str] = {}  # Track -> Slot
        self._by_ssrc: dict[int, Reception] = {}

    def subscribe(self, track: str, max_layer: int | None = None, codec: Codec = Codec.VP8) -> Reception:
        kind = "audio" if track.endswith("-audio") else "video"
        number = len(self._slots)
        slot = f"{self.name}-slot{number}"
        codecs = {Codec.OPUS: (111, None)} if kind == "audio" else {codec: (96, 97)}
        reply = self.call.tell(
            AddSlot, transport=self.name, slot=slot, mid=str(number), kind=kind, payload_types=codecs
        )
        assert isinstance(reply, SlotAdded)
        self._slots[track] = slot
        reception = self.receptions[track] = Reception(reply.ssrc, reply.rtx_ssrc)
        self._by_ssrc[reply.ssrc] = reception
        if reply.rtx_ssrc is not None:
            self._by_ssrc[reply.rtx_ssrc] = reception
        self.call.tell(Subscribe, subscription=f"{self.name}/{track}", slot=slot, track=track, max_layer=max_layer)
        return reception

    def start(self) -> None:
        self.call.every(0.05, self._ask_again)
        self.call.every(1.0, self._report)

    def picture_lost(self, track: str) -> None:
        self.send_rtcp(PictureLossIndication(1, self.receptions[track].ssrc).pack())

    def on_rtp(self, packet: bytes) -> None:
        header = rtp.parse(packet)
        reception = self._by_ssrc[header.ssrc]
        payload = packet[header.payload_offset : header.payload_end]
        number = header.sequence_number
        if header.ssrc == reception.rtx_ssrc:
            number, payload = rtx.unwrap(payload)
        unwrapped = reception.numbers.unwrap(number)
        if header.ssrc == reception.ssrc:
            reception.on_number(unwrapped)
        timestamp = reception.timestamps.unwrap(header.timestamp)
        before = reception.packets.get(unwrapped)
        assert before is None or (before[1], before[3]) == (timestamp, payload), "two packets under one number"
        if before is None:
            reception.packets[unwrapped] = self.call.now, timestamp, header.marker, payload

    def on_rtcp(self, compound: bytes) -> None:
        for packet in rtcp.parse(compound).packets:
            if isinstance(packet, SenderReport):
                self._by_ssrc[packet.ssrc].reports.append((self.call.now, packet))

    def _ask_again(self) -> None:
        for reception in self.receptions.values():
            missing = reception.missing()[-100:]
            if missing and self.asks_for_missing and reception.rtx_ssrc is not None:
                numbers = tuple(number & 0xFFFF for number in missing)
                self.send_rtcp(Nack(1, reception.ssrc, numbers).pack())

    def _report(self) -> None:
        blocks = []
        for reception in self.receptions.values():
            lsr, dlsr = 0, 0
            if reception.reports:
                at, report = reception.reports[-1]
                lsr, dlsr = rtcp.ntp_middle32(report.ntp_time), round((self.call.now - at) * 65536)
            lost, highest = (reception.lost(), reception.highest) if self.reports_loss else (0, 0)
            blocks.append(ReportBlock(reception.ssrc, 0, lost, highest, 0, lsr, dlsr))
        if blocks:
            self.send_rtcp(ReceiverReport(1, tuple(blocks)).pack())
