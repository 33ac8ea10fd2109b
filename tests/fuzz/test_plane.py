"""Invariant: whatever remotes send and in whatever order Python calls, `on_datagrams` raises nothing, what leaves
decrypts and is never a repeat, and every limit holds.

Packets are random bytes, mutated and properly encrypted ones; operations are all of the interface, on ids that exist.
"""

from __future__ import annotations

import json
import random

import pylibsrtp
import pytest

from sfu.plane.interface import Counters, Datagram, Path, PlaneConfig
from sfu.wire import red, tap
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport, pack_compound
from tests.support.planes import PLANES, MakePlane, Scene, feedback
from tests.support.rtp import (
    H264,
    OPUS,
    RED,
    REDUNDANT_AUDIO,
    SIMULCAST,
    VIDEO,
    VP8,
    VP8_RTX,
    Remote,
    audio_slot,
    media_packet,
    video_slot,
    vp8_payload,
)

STEPS = 4000
CONFIG = PlaneConfig(
    history_packets=32, sent_packets=64, ssrcs_per_transport=13, paths_per_transport=2, pending_events=64,
    recovery_bps=10_000, rtx_waiting=5, packets_in_flight=40, groups_pending=8,
)  # fmt: skip


class Fuzz:
    """One run: a plane, three remotes that misbehave, and a caller that changes its mind."""

    def __init__(self, make_plane: MakePlane, seed: int) -> None:
        self.draw = random.Random(seed)
        self.scene = Scene(make_plane, SIMULCAST, config=CONFIG)
        self.plane = self.scene.plane
        self.remotes: dict[int, Remote] = self.scene.remotes
        self.tracks: dict[int, tuple[int, int]] = {11: (1, 3)}  # → Transport, layers
        self.slots: dict[int, int] = {}  # → Transport
        self.sinks: list[int] = []
        self.next_id = 1000
        self.reports_polled = 0
        self.numbers: dict[tuple[Path, int], int] = {}
        for transport in (2, 3):
            self.scene.connect(transport)
            self.plane.add_track(10 + transport, transport, SIMULCAST)
            self.tracks[10 + transport] = (transport, 3)

    def new_id(self) -> int:
        self.next_id += 10
        return self.next_id

    # --- what remotes send -----------------------------------------------------------------------------------

    def datagram(self) -> Datagram:
        draw = self.draw
        remote = draw.choice(list(self.remotes.values()))
        kind = draw.randrange(20)
        if kind == 0:
            return Datagram(draw.randbytes(draw.randrange(60)), self.path())
        if kind == 1:
            return Datagram(bytes((draw.choice((0, 20, 63, 128, 144, 191)),)) + draw.randbytes(80), remote.path)
        if kind == 2:
            if draw.random() < 0.5:
                arrivals = {draw.randrange(60): draw.choice((None, 5.0, 5.1)) for _ in range(3)}
                return remote.protect_rtcp(feedback(arrivals).pack()[: draw.choice((20, 100, 100))])
            return remote.protect_rtcp(self.reports() + draw.randbytes(draw.choice((0, 0, draw.randrange(40)))))
        try:
            protected = remote.protect(self.packet(remote))
        except pylibsrtp.Error:
            return Datagram(draw.randbytes(30), remote.path)  # too broken to be encrypted
        if kind == 3:
            mutated = bytearray(protected.payload)
            mutated[draw.randrange(len(mutated))] ^= 1 << draw.randrange(8)
            return protected._replace(payload=bytes(mutated[: draw.randrange(1, len(mutated) + 1)]))
        return protected

    def reports(self) -> bytes:
        """About anybody's Slots and what there is not; now and then cut off, or more announced than follows."""
        draw = self.draw
        blocks = tuple(
            ReportBlock(ssrc, draw.randrange(256), draw.randrange(-9, 9), *(draw.randrange(1 << 32) for _ in range(4)))
            for ssrc in draw.choices([*self.slots, draw.randrange(14)], k=draw.choice((0, 1, 2, 31)))
        )
        kinds = (
            ReceiverReport(draw.randrange(14), blocks),
            SenderReport(draw.randrange(14), draw.randrange(1 << 64), 2, 3, 4, blocks),
        )
        compound = bytearray(pack_compound(draw.choices(kinds, k=draw.choice((1, 1, 2)))))
        if draw.random() < 0.1:
            compound[0] ^= 1 << draw.randrange(8)  # version, padding, how many blocks
        return bytes(compound[: draw.choice((8, 28, 51, 52, *(1200,) * 9))])

    def packet(self, remote: Remote) -> bytes:
        """Mostly one of three layers as a browser sends them, else anything."""
        draw = self.draw
        index = draw.randrange(3)
        form, ssrc, rid = VP8, index, ("q", "h", "f")[index]
        kind = draw.random()
        if kind < 0.15:
            form, ssrc = VP8_RTX, 5 + index
        elif kind < 0.2:
            form, ssrc, rid = draw.choice((H264, OPUS, RED)), draw.randrange(12), draw.choice(("x", "x", "x", "q"))
        source = (remote.path, ssrc)
        number = self.numbers.get(source, ssrc * 7000) + draw.choice((1,) * 40 + (2, 3, 40))
        number += 20_000 if draw.random() < 0.002 else 0
        self.numbers[source] = number
        payload = draw.choice((*(self.vp8(number) for _ in range(6)), draw.randbytes(draw.randrange(30)), b""))
        if form is VP8_RTX and payload:
            payload = ((number - draw.randrange(50)) & 0xFFFF).to_bytes(2, "big") + payload
        if form is RED and draw.random() < 0.8:
            repeated = [(draw.randrange(1 << 14), draw.randbytes(draw.randrange(9))) for _ in range(draw.randrange(4))]
            payload = red.build(repeated, payload, OPUS.payload_type)
        packet = media_packet(
            form,
            number - draw.choice((0,) * 20 + (1, 5, 30)),
            draw.choice((*(number // 2 * 3000,) * 9, draw.randrange(1 << 32))),
            ssrc,
            payload,
            marker=draw.random() < 0.5,
            transport_number=draw.choice((None, number, draw.randrange(1 << 16))),
            mid=draw.choice((None, "1" if form in (OPUS, RED) else "0", "0", "0")),
            rid=draw.choice((None, rid, rid)),
            repaired_rid=draw.choice((None, rid)),
            more=tuple((number, draw.randbytes(draw.randrange(20))) for number in range(4, 14) if draw.random() < 0.1),
            padding=0 if payload else 20,
        )
        if draw.random() < 0.05:
            packet = packet[:12] + draw.randbytes(draw.randrange(4, 40))  # contradicts its fixed header
        return packet

    def vp8(self, number: int) -> bytes:
        draw = self.draw
        return vp8_payload(
            draw.choice((*(number // 2,) * 9, draw.randrange(1 << 15))),
            draw.randrange(256),
            temporal_id=draw.randrange(4),
            sync=draw.random() < 0.3,
            key=draw.random() < 0.3,
            start=draw.random() < 0.8,
            size=draw.randrange(1, 40),
            bits=draw.choice((7, 15, 15)),
        )

    def path(self) -> Path:
        return Path(self.draw.randrange(2), f"10.0.0.{self.draw.randrange(4)}", self.draw.randrange(5000, 5005))

    # --- what Python calls -----------------------------------------------------------------------------------

    def operate(self) -> None:
        draw, plane, now = self.draw, self.plane, self.scene.now
        transport = draw.choice(list(self.remotes))
        track = draw.choice([*self.tracks, None])
        slot = draw.choice([*self.slots, None])
        match draw.randrange(20):
            case 0:
                self.add_track(transport)
            case 1 if track is not None and draw.random() < 0.2:
                plane.remove_track(track)
                del self.tracks[track]
            case 2 | 3:
                number = self.new_id()
                spec = draw.choice(
                    (video_slot(number), video_slot(number), audio_slot(number, red=draw.choice((None, 63))))
                )
                plane.add_slot(number, transport, spec)
                plane.set_route(number, track)
                if track is not None:
                    plane.set_layer(number, draw.randrange(self.tracks[track][1]))
                self.slots[number] = transport
            case 4 if slot is not None and len(self.slots) > 4:
                plane.remove_slot(slot)
                del self.slots[slot]
            case 5 | 6 if slot is not None:
                plane.set_route(slot, track)
                if track is not None:
                    plane.set_layer(slot, draw.randrange(self.tracks[track][1]), draw.choice((None, 0, 1, 2)))
            case 7 if slot is not None and plane.transmission(slot).track is not None:
                layers = self.tracks[plane.transmission(slot).track or 0][1]
                look_back = draw.choice((None, (now - 0.1, now)))
                plane.set_layer(
                    slot, draw.choice((None, *range(layers))), draw.choice((None, 0, 1, 2)), look_back=look_back
                )
            case 8 if slot is not None:
                newest = 100 + plane.transmission(slot).packets
                plane.retransmit(slot, [(newest - draw.randrange(30)) & 0xFFFF for _ in range(20)], now)
            case 9 if track is not None:
                plane.set_clock(track, 0, draw.randrange(1 << 32), draw.uniform(-1e9, 1e9))
                plane.missing(track, 0, range(draw.randrange(1000), 1010))
            case 10 if draw.random() < 0.1:
                plane.bind(transport, self.path())
            case 10 | 11:
                plane.bind(transport, self.remotes[transport].path)
                plane.select(transport, self.remotes[transport].path)
            case 12:
                plane.send_rtcp(transport, pack_compound([ReceiverReport(1, ())]), now)
                plane.set_feedback_interval(transport, draw.choice((None, 0.03, 0.1)), now)
                plane.set_reporter(transport, draw.randrange(1 << 32), "x" * draw.randrange(33))
                plane.send_reports([transport, transport], draw.randrange(1 << 64), now)
                reports = plane.poll_reports()
                assert len(reports) <= len(self.slots)
                self.reports_polled += len(reports)
            case 13 if track is not None:
                layers = self.tracks[track][1]
                plane.announce_ssrc(track, draw.randrange(layers), draw.randrange(12), draw.random() < 0.5)
            case 14:
                plane.probe(transport, draw.choice((1e4, 1e7)), draw.randrange(1, 20), draw.randrange(9), now)
            case 15:
                plane.set_recovery_rate(transport, draw.choice((1e3, 1e4, 1e6)))
            case 16:
                assert len(plane.poll_feedback(now).groups) <= CONFIG.groups_pending * len(self.remotes)
            case 17:
                self.tap(track)
            case 18:
                self.describe(transport, track, slot)
            case 19 if slot is not None:
                taken = draw.sample((VP8.codec, OPUS.codec, RED.codec, H264.codec), draw.randrange(5))
                plane.set_payload_types(slot, {codec: (100, draw.choice((None, 101))) for codec in taken})

    def add_track(self, transport: int) -> None:
        spec = self.draw.choice((SIMULCAST, VIDEO, REDUNDANT_AUDIO))
        number = self.new_id()
        try:
            self.plane.add_track(number, transport, spec)
        except ValueError:
            return  # the mid is taken
        self.tracks[number] = (transport, max(1, len(spec.rids)))

    def tap(self, track: int | None) -> None:
        draw, plane = self.draw, self.plane
        sink = draw.choice(self.sinks) if self.sinks else None
        if sink is None or (len(self.sinks) < 3 and draw.random() < 0.3):
            self.sinks.append(self.new_id())
            plane.add_sink(self.sinks[-1], "@anybody")
        elif draw.random() < 0.1:
            plane.remove_sink(sink)
            self.sinks.remove(sink)
        elif track is not None:
            plane.set_tap(sink, track, [index for index in range(self.tracks[track][1]) if draw.random() < 0.7])
        for frame in plane.take_sink_output():
            tap.parse(frame.frame)
        assert len(plane.poll_levels()) <= CONFIG.levels_per_track * (len(self.tracks) + 1)

    def describe(self, transport: int, track: int | None, slot: int | None) -> None:
        described = [self.plane.describe_transport(transport)]
        if track is not None:
            described.append(self.plane.describe_track(track))
        if slot is not None:
            described.append(self.plane.describe_slot(slot))
        json.dumps(described, allow_nan=False)

    def open(self, output: list[Datagram]) -> None:
        by_path = {remote.path: remote for remote in self.remotes.values()}
        for datagram in output:
            remote = by_path.get(datagram.path)
            assert remote is not None, "sent to an address that was not selected"
            if 192 <= datagram.payload[1] <= 223:
                remote.open_rtcp(datagram)
            else:
                remote.open(datagram)

    def run(self) -> Counters:
        for _ in range(STEPS):
            self.scene.now += self.draw.choice((0.0, 0.001, 0.02, 1.0))
            if self.draw.random() < 0.2:
                self.operate()
                self.open(self.plane.take_output())
            if self.draw.random() < 0.3:
                self.open(self.plane.on_timeout(self.scene.now))
            batch = [self.datagram() for _ in range(self.draw.randrange(4))]
            self.open(self.plane.on_datagrams(batch, self.scene.now))
            if self.draw.random() < 0.05:
                assert len(self.plane.take_events()) <= 2 * CONFIG.pending_events
        return self.plane.counters


@pytest.mark.parametrize("name", sorted(PLANES))
def test_no_remote_and_no_order_of_calls_upsets_the_plane(name: str, seed: int) -> None:
    counters = Fuzz(PLANES[name], seed).run()
    assert counters.dropped.get("srtp_protect", 0) == 0, counters


@pytest.mark.parametrize("name", sorted(PLANES))
def test_the_noise_gets_far_enough_to_mean_something(name: str) -> None:
    fuzz = Fuzz(PLANES[name], 108)
    counters = fuzz.run()
    assert fuzz.reports_polled > 10
    assert min(counters.forwarded // 100, counters.recovered // 10, counters.retransmitted) > 1, counters
