"""Layers within one stream, in both planes at once: VP9, AV1, and descriptors of any codec, over an unkind network."""

from __future__ import annotations

from random import Random

import pytest

from sfu.core.types import Codec, PayloadFormat
from sfu.plane.interface import Datagram, PlaneConfig
from sfu.wire import rtp
from sfu.wire.extensions import ExtensionIds
from tests.fuzz.test_wire import mutated
from tests.sfu.wire.captured import LAYERED_NAMES, capture
from tests.support.paired import make_paired
from tests.support.planes import PUBLISHER, TRACK, Scene
from tests.support.rtp import (
    ANY_VIDEO,
    AV1,
    AV1_RTX,
    H264,
    H264_RTX,
    PUBLISHER_IDS,
    SUBSCRIBER_IDS,
    VP8,
    VP8_RTX,
    VP9,
    VP9_RTX,
    media_packet,
)
from tests.support.svc import LayeredSource

CONFIG = PlaneConfig(history_packets=64, sent_packets=128, pending_events=4096)
RTX = {VP8: VP8_RTX, VP9: VP9_RTX, AV1: AV1_RTX, H264: H264_RTX}
# Format, spatial layers, with a descriptor, VP9 in flexible mode
STREAMS = (
    (VP9, 3, False, True),
    (VP9, 2, False, False),
    (VP9, 3, True, True),
    (AV1, 3, True, True),
    (AV1, 1, False, True),
    (H264, 1, True, True),
    (VP8, 1, True, True),
)


class Broadcast:
    """One publisher that changes its codec and its layers, two subscribers that change their minds."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)
        self.scene = Scene(make_paired, ANY_VIDEO, config=CONFIG)
        for number in (100, 101):
            self.scene.subscribe(number)
        self.next_ssrc = 40
        self.next_rtx = 65_530
        self.source, self.form = self.new_source()
        self.late: list[tuple[int, bytes]] = []
        self.forwarded_numbers: list[int] = []

    def new_source(self) -> tuple[LayeredSource, PayloadFormat]:
        form, spatial_layers, described, flexible = self.draw.choice(STREAMS)
        self.next_ssrc += 100
        return LayeredSource(
            form, spatial_layers, described, flexible, ssrc=self.next_ssrc, next_number=65_480,
            picture_id=(1 << 15) - 9, frame_number=65_500, tl0=250, template_id_offset=self.draw.choice((0, 60)),
        ), form  # fmt: skip

    def run(self, steps: int) -> None:
        for step in range(steps):
            if self.draw.random() < 0.02:
                self.source, self.form = self.new_source()
            if self.draw.random() < 0.05:
                self.source.template_id_offset = self.draw.choice((0, 20, 60))
            self.scene.now += 0.03
            batch = [packet for at, packet in self.late if at <= step]
            self.late = [(at, packet) for at, packet in self.late if at > step]
            for packet in self.picture():
                self.travel(step, packet, batch)
            if self.draw.random() < 0.2:
                self.draw.shuffle(batch)
            datagrams = [self.scene.publisher.protect(packet) for packet in batch]
            self.look(self.scene.plane.on_datagrams(datagrams, self.scene.now))
            self.control()
            if step % 10 == 0:
                self.scene.plane.take_events()
                self.scene.plane.reception(TRACK)
                assert self.scene.plane.counters is not None  # compares them

    def picture(self) -> list[bytes]:
        draw = self.draw
        key = self.source.made == 0 or draw.random() < 0.06
        joins = tuple(spatial for spatial in (1, 2) if not key and draw.random() < 0.1)
        packets = self.source.picture(draw.randrange(1, 4), key=key, joins=joins)
        if draw.random() < 0.1:
            at = draw.randrange(len(packets))
            packets[at] = self.spoilt(packets[at])
        return packets

    def spoilt(self, packet: bytes) -> bytes:
        """Its descriptor or its payload; what goes on with the packet is for both planes to agree on."""
        header = rtp.parse(packet)
        payload = packet[header.payload_offset : header.payload_end]
        value = header.extensions.get(PUBLISHER_IDS.dependency_descriptor)
        if value is None or self.draw.random() < 0.3:
            payload = mutated(payload, self.draw)
        if value is not None:
            value = mutated(value, self.draw)[:200]
        more = () if value is None else ((PUBLISHER_IDS.dependency_descriptor, value),)
        number, timestamp, ssrc = header.sequence_number, header.timestamp, header.ssrc
        return media_packet(self.form, number, timestamp, ssrc, payload, marker=header.marker, mid="0", more=more)

    def travel(self, step: int, packet: bytes, arrived: list[bytes]) -> None:
        what = self.draw.random()
        if what < 0.06:
            return
        if what < 0.16:
            self.next_rtx += 1
            number = self.draw.choice(list(self.source.packets)[-30:])
            self.late.append((step + self.draw.randrange(6), self.source.repair(number, self.next_rtx, RTX[self.form])))
            if what < 0.11:
                return
        if what < 0.2:
            self.late.append((step + self.draw.randrange(4), packet))
            return
        arrived.append(packet)

    def control(self) -> None:
        draw, slot = self.draw, self.draw.choice((100, 101))
        what = draw.random()
        if what < 0.2:
            self.scene.plane.set_layer(
                slot, draw.choice((0, 0, 0, None)), draw.choice((None, 0, 1, 2)), draw.choice((None, 0, 1, 2))
            )
        elif what < 0.3:
            self.scene.plane.set_layer(slot, 0)
        elif what < 0.5 and self.forwarded_numbers:
            numbers = draw.sample(self.forwarded_numbers, min(4, len(self.forwarded_numbers)))
            self.scene.plane.retransmit(slot, numbers, self.scene.now)
            self.look(self.scene.plane.take_output())
        elif what < 0.52:
            ids = draw.choice((SUBSCRIBER_IDS, ExtensionIds(mid=9), ExtensionIds(dependency_descriptor=20)))
            self.scene.plane.set_extensions(slot, PUBLISHER_IDS, ids)

    def look(self, output: list[Datagram]) -> None:
        for number in (100, 101):
            for received in self.scene.remotes[number].open_all(output):
                self.forwarded_numbers = [*self.forwarded_numbers[-60:], received.number]


def test_layers_over_bad_networks(seed: int) -> None:
    Broadcast(seed).run(500)


def test_those_networks_mean_something() -> None:
    broadcast = Broadcast(3)
    broadcast.run(700)
    counters = broadcast.scene.plane.counters
    assert counters.forwarded > 500 and counters.retransmitted and counters.recovered, counters
    for reason in ("temporal_layer", "spatial_layer", "too_old", "before_switch", "awaiting_key_frame", "malformed"):
        assert counters.dropped.get(reason), (reason, counters)


@pytest.mark.parametrize("name", LAYERED_NAMES)
@pytest.mark.parametrize("limits", [(None, None), (0, None), (1, 1), (None, 0)], ids=str)
def test_what_chromium_sent(name: str, limits: tuple[int | None, int | None]) -> None:
    source = capture(name)
    codec = next(key for key in source.payload_types if key != "rtx")
    form = PayloadFormat(source.payload_types[codec], Codec(codec), 90000)
    repair = PayloadFormat(source.payload_types["rtx"], form.codec, 90000, repairs=form.payload_type)
    rids = ("q", "h", "f") if source.rids else ()
    packets = source.of_kind("rtp")
    mid = next(
        header.extensions[source.extension_ids.mid].decode()
        for header in map(rtp.parse, packets)
        if source.extension_ids.mid in header.extensions
    )
    scene = Scene(make_paired, type(ANY_VIDEO)(mid, "video", (form, repair), rids))
    scene.plane.set_extensions(PUBLISHER, source.extension_ids, SUBSCRIBER_IDS)
    scene.subscribe()
    scene.plane.set_layer(100, 2 if rids else 0, *limits)
    got = [received for packet in packets for received in scene.send(packet)]
    assert len([received for received in got if received.payload]) > 8
    if limits[0] == 0:
        assert scene.dropped("temporal_layer")
    assert scene.dropped("malformed") == scene.dropped("unknown_payload_type") == 0
