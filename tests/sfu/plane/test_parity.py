"""The compiled plane does what its readable twin does, to the byte: the same packets at the same times into both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sfu.core.types import PayloadFormat
from sfu.plane.interface import Datagram, GapSeen, KeyFrameReceived, Path, PlaneConfig, Switched, TrackSpec
from sfu.wire import red, rtx
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport, SourceDescription, pack_compound
from tests.fuzz.test_plane import Fuzz
from tests.fuzz.test_transport_feedback import Noise
from tests.sfu.plane.test_properties import Frame, Wish, check, fate, frames, play, wishes
from tests.support.paired import make_paired
from tests.support.planes import Scene, feedback
from tests.support.rtp import (
    GCM,
    H264,
    H264_RTX,
    OPUS,
    PROFILES,
    PUBLISHER_IDS,
    RED,
    REDUNDANT_AUDIO,
    SIMULCAST,
    VIDEO,
    VP8,
    VP8_RTX,
    Received,
    Remote,
    audio_slot,
    media_packet,
    video_slot,
    vp8_payload,
)

# So little room for RTX that it waits, and for what waits that it is dropped for each of the reasons.
CONFIG = PlaneConfig(
    history_packets=64, sent_packets=128, pending_events=256,
    recovery_bps=60_000, recovery_burst_s=0.2, rtx_waiting=12, packets_in_flight=200, groups_pending=30,
)  # fmt: skip
RIDS = ("q", "h", "f")
H264_FRAMES = {
    True: (b"\x67\x42\xe0\x1f", b"\x7c\x85" + bytes(60), b"\x7c\x05" + bytes(60), b"\x7c\x45" + bytes(20)),
    False: (b"\x7c\x81" + bytes(50), b"\x7c\x41" + bytes(10)),
}


@dataclass
class Encoding:
    """One layer of a publisher, that writes VP8 with temporal layers or H.264; numbers start near their wraps."""

    draw: Random
    spec: TrackSpec
    rid: str | None
    form: PayloadFormat
    rtx_form: PayloadFormat
    ssrc: int
    number: int = 65_450
    timestamp: int = (1 << 32) - 40_000
    picture_id: int = (1 << 15) - 20
    tl0: int = 240
    rtx_number: int = 65_500
    transport_number: int = 65_400
    frames: int = 0
    sent: list[bytes] = field(default_factory=list)  # for repairs: original payloads with their headers
    repairable: list[tuple[int, int, bytes, bool]] = field(default_factory=list)

    def frame(self, key: bool) -> list[bytes]:
        temporal_id = 0 if key else (0, 2, 1, 2)[self.frames % 4]
        self.tl0 += temporal_id == 0
        payloads: Iterable[bytes]
        if self.form is H264:
            payloads = H264_FRAMES[key]
        else:
            payloads = [self._vp8(temporal_id, key, start) for start in (True, *([False] * self.draw.randrange(4)))]
        made = [self._packet(payload, index) for index, payload in enumerate(payloads)]
        self.frames += 1
        self.picture_id += 1
        self.timestamp += 3000
        return made

    def probe(self) -> bytes:
        self.rtx_number += 1
        return self._rtx(self.timestamp, b"", False, padding=200)

    def repair(self) -> bytes:
        number, timestamp, payload, marker = self.draw.choice(self.repairable[-40:])
        self.rtx_number += 1
        return self._rtx(timestamp, rtx.wrap(payload, number & 0xFFFF), marker)

    def _vp8(self, temporal_id: int, key: bool, start: bool) -> bytes:
        sync = temporal_id > 0 and self.draw.random() < 0.4
        size = self.draw.randrange(1, 1100)
        return vp8_payload(
            self.picture_id, self.tl0, temporal_id=temporal_id, sync=sync, key=key, start=start, size=size
        )

    def _packet(self, payload: bytes, index: int) -> bytes:
        self.number += 1
        self.transport_number += 1
        marker = index > 0 and self.draw.random() < 0.5
        self.repairable.append((self.number, self.timestamp, payload, marker))
        known = self.frames > 3
        return media_packet(
            self.form, self.number, self.timestamp, self.ssrc, payload,
            marker=marker, transport_number=self.transport_number, padding=self.draw.choice((0, 0, 0, 7)),
            mid=None if known else self.spec.mid, rid=None if known else self.rid,
            more=((PUBLISHER_IDS.video_orientation, b"\x01"),) if index == 0 else (),
        )  # fmt: skip

    def _rtx(self, timestamp: int, payload: bytes, marker: bool, padding: int = 0) -> bytes:
        return media_packet(
            self.rtx_form, self.rtx_number, timestamp, self.ssrc + 50, payload,
            marker=marker, mid=self.spec.mid, repaired_rid=self.rid, padding=padding,
        )  # fmt: skip


class Meeting:
    """Three publishers (simulcast VP8, H.264, Opus), three subscribers, and a network that is unkind to both."""

    def __init__(self, seed: int, profile: str) -> None:
        self.draw, self.draw_voice = Random(seed), Random(seed)
        self.scene = Scene(make_paired, SIMULCAST, profile=profile, config=CONFIG)
        self.plane = self.scene.plane
        self.encodings = {1: [self.encoding(SIMULCAST, rid, 40 + index) for index, rid in enumerate(RIDS)]}
        self.scene.connect(2)
        self.plane.add_track(12, 2, VIDEO)
        self.encodings[2] = [self.encoding(VIDEO, None, 44, H264, H264_RTX)]
        self.scene.connect(3)
        self.plane.add_track(13, 3, REDUNDANT_AUDIO)
        self.audio_number = 65_500
        self.tracks = {11: 3, 12: 1, 13: 1}  # → layers
        self.late: list[tuple[float, Datagram]] = []
        self.got: dict[int, list[Received]] = {}
        self.arrivals: dict[int, dict[int, float | None]] = {}  # by Transport: what its next feedback says
        for number in (100, 101, 102):
            self.scene.subscribe(number, track=11, spec=video_slot(7000 + number))
            takes_red = {100: None, 101: 63, 102: 65}[number]
            self.plane.add_slot(number + 100, number, audio_slot(9000 + number, red=takes_red))
            self.plane.set_route(number + 100, 13)
            self.plane.set_layer(number + 100, 0)
            self.got[number] = []
            self.arrivals[number] = {}
        self.plane.add_sink(900, "@one")
        self.plane.add_sink(901, "@other")
        self.plane.set_tap(900, 11, [0, 2])
        self.plane.set_tap(900, 13, [0])
        self.plane.set_tap(901, 12, [0])
        self.tapped = self.reported = 0
        for number in (1, 2, 3, 100, 101, 102):
            self.plane.set_reporter(number, 77 + number, "0123456789ab")
            self.plane.set_feedback_interval(number, 0.1, self.scene.now)

    def encoding(
        self, spec: TrackSpec, rid: str | None, ssrc: int, form: PayloadFormat = VP8, rtx_form: PayloadFormat = VP8_RTX
    ) -> Encoding:
        return Encoding(self.draw, spec, rid, form, rtx_form, ssrc)

    def run(self, steps: int) -> None:
        for step in range(steps):
            self.scene.now += 0.011 if self.draw.random() < 0.99 else self.draw.uniform(3, 6)
            batch = self.media(step)
            self.draw.shuffle(batch)  # reordered within a frame's time
            self.take(self.plane.on_datagrams(batch, self.scene.now))
            self.control(step)
            self.take(self.plane.take_output())
            if self.plane.next_timeout() is not None:
                self.take(self.plane.on_timeout(self.scene.now))
            if step % 5 == 0:
                self.take(self.plane.on_datagrams([self.report(each) for each in self.arrivals], self.scene.now))
            if self.draw.random() < 0.2:
                self.scene.poll()
            if step % 7 == 0:
                self.scene.events(Switched)
            if step % 8 == 0:
                self.reported += len(self.plane.poll_reports())
            self.tapped += len(self.plane.take_sink_output())
            if step % 9 == 0:
                self.plane.poll_levels()
                self.describe()
            assert self.plane.counters is not None  # compares them

    def describe(self) -> None:
        for transport in self.scene.remotes:
            self.plane.describe_transport(transport)
        for track in self.tracks:
            self.plane.describe_track(track)
        for slot in (100, 101, 102, 200, 201, 202):
            self.plane.describe_slot(slot)

    def media(self, step: int) -> list[Datagram]:
        sent: list[Datagram] = [datagram for at, datagram in self.late if at <= self.scene.now]
        self.late = [(at, datagram) for at, datagram in self.late if at > self.scene.now]
        for transport, encodings in self.encodings.items():
            for encoding in encodings:
                packets = encoding.frame(key=step % 50 == 0 or self.draw.random() < 0.03) if step % 3 == 0 else []
                packets += [encoding.repair() for _ in range(self.draw.randrange(3)) if encoding.repairable]
                packets += [encoding.probe()] if self.draw.random() < 0.05 else []
                for packet in packets:
                    self.travel(self.scene.remotes[transport].protect(packet), sent)
                if self.draw.random() < 0.05:
                    report = SenderReport(
                        encoding.ssrc, self.draw.randrange(1 << 64), encoding.timestamp & 0xFFFFFFFF, 1, 1
                    )
                    self.travel(self.scene.remotes[transport].protect_rtcp(pack_compound([report])), sent)
        self.audio_number += 1
        self.travel(self.scene.remotes[3].protect(self.audio()), sent)
        return sent

    def audio(self) -> bytes:
        """Mostly RED, sometimes plain, sometimes broken."""
        draw, what = self.draw_voice, self.draw_voice.random()
        voice = b"\x78" + draw.randbytes(draw.randrange(80))
        before = [(960 * back, draw.randbytes(draw.randrange(80))) for back in range(draw.randrange(3), 0, -1)]
        payload = voice if what < 0.2 else red.build(before, voice, OPUS.payload_type)
        if what > 0.95:
            payload = draw.randbytes(draw.randrange(20)) if what > 0.98 else payload[: draw.randrange(len(payload))]
        return media_packet(
            OPUS if what < 0.2 else RED, self.audio_number, self.audio_number * 960, 60, payload, mid="1",
            more=((PUBLISHER_IDS.audio_level, b"\x20"),), padding=draw.choice((0, 0, 7)),
        )  # fmt: skip

    def travel(self, datagram: Datagram, arrived: list[Datagram]) -> None:
        what = self.draw.random()
        if what < 0.05:
            return
        if what < 0.1:
            self.late.append((self.scene.now + self.draw.random() * 0.5, datagram))
            return
        arrived.append(datagram)
        if what < 0.13:
            arrived.append(datagram)  # twice: a replay

    def control(self, step: int) -> None:
        draw, plane, now = self.draw, self.plane, self.scene.now
        slot = draw.choice((100, 101, 102))
        what = draw.randrange(40)
        if what < 6 and plane.transmission(slot).track is not None:
            layers = self.tracks[plane.transmission(slot).track or 0]
            plane.set_layer(
                slot,
                draw.choice((*range(layers), *range(layers), None)),
                draw.choice((None, None, 0, 1, 2)),
                look_back=(now - 0.1, now),
            )
        elif what < 8:
            track = draw.choice((*(track for track in self.tracks if track != 13), None))
            plane.set_route(slot, track)
            if track is not None:
                plane.set_layer(slot, 0, look_back=(now - 0.1, now))
        elif what < 20:
            asked = {
                received.number for received in draw.sample(self.got[slot][-60:], min(4, len(self.got[slot][-60:])))
            }
            plane.retransmit(slot, [*sorted(asked), draw.randrange(1 << 16)], now)
        elif what < 24:
            track = draw.choice(list(self.tracks))
            layer = draw.randrange(self.tracks[track])
            plane.set_clock(track, layer, self.plausible(track, layer), now - draw.random() * 2)
            heard = [report.highest_sequence_number for report in plane.reception(track)]
            plane.missing(track, layer, [number - back for number in heard for back in range(80)])
        elif what < 28:
            plane.send_rtcp(slot, pack_compound([ReceiverReport(draw.randrange(99), ())]), now)
            self.take(plane.on_datagrams([self.publisher_report()], now))
            plane.send_reports(draw.sample((1, 2, 3, 100, 101, 102), draw.randrange(7)), draw.randrange(1 << 64), now)
            plane.set_feedback_interval(draw.choice((1, 2, 3)), draw.choice((0.1, 0.1, 0.03, None)), now)
            track = draw.choice(list(self.tracks))
            tapped = [layer for layer in range(self.tracks[track]) if draw.random() < 0.6]
            plane.set_tap(draw.choice((900, 901)), track, tapped)
        elif what == 28:
            plane.set_route(slot, None)
        elif what == 29 and 12 in self.tracks:  # the publisher leaves, and comes again as somebody else
            plane.remove_track(12)
            del self.tracks[12]
        elif what == 30 and not any(track > 13 or track == 12 for track in self.tracks):
            plane.add_track(1000 + step, 2, VIDEO)
            self.tracks[1000 + step] = 1
            self.encodings[2] = [self.encoding(VIDEO, None, 1000 + step, H264, H264_RTX)]
        elif what == 31:  # a browser made a new sender
            old = draw.choice(self.encodings[1])
            self.encodings[1][self.encodings[1].index(old)] = self.encoding(SIMULCAST, old.rid, 10_000 + 100 * step)
        elif what == 32:
            plane.remove_sink(901)
            plane.add_sink(901, "@other")
            plane.set_tap(901, 11, [0, 1, 2])
        elif what < 35:
            plane.set_recovery_rate(slot, draw.choice((20_000, 60_000, 60_000, 1_000_000)))
        elif what < 38:
            plane.probe(slot, draw.choice((100_000, 2_000_000)), draw.randrange(1, 30), draw.randrange(9), now)
        elif what == 38:  # another answer
            kept = draw.sample((VP8.codec, H264.codec), draw.choice((1, 2, 2, 2, 2)))
            first = draw.choice((100, 120))
            types = {
                codec: (first + 2 * at, draw.choice((None, *[first + 2 * at + 1] * 5))) for at, codec in enumerate(kept)
            }
            plane.set_payload_types(slot, types)

    def report(self, number: int) -> Datagram:
        """Transport-cc feedback of a subscriber, sometimes with a report before it, sometimes broken on the way."""
        draw, arrivals = self.draw, self.arrivals[number]
        report = feedback(arrivals or {draw.randrange(1 << 16): 5.0})
        self.arrivals[number] = {}
        try:
            compound = bytearray(report.pack())
        except ValueError:  # arrivals too far apart: somebody was silent for a while
            compound = bytearray(feedback({0: 5.0}).pack())
        if draw.random() < 0.1:
            compound[draw.randrange(len(compound))] ^= 1 << draw.randrange(8)
        if draw.random() < 0.3:
            blocks = [self.block(number) for _ in range(draw.randrange(4))]
            compound[:0] = pack_compound([ReceiverReport(draw.randrange(99), tuple(blocks))])
        elif draw.random() < 0.1:
            compound[:] = pack_compound([ReceiverReport(1, (self.block(number),)), SourceDescription(1, "it")])
            compound[draw.randrange(len(compound))] ^= draw.choice((0, 0, 1 << draw.randrange(8)))
        return self.scene.remotes[number].protect_rtcp(bytes(compound))

    def block(self, number: int) -> ReportBlock:
        """What a subscriber says of one of its Slots, or of something else."""
        draw = self.draw
        ssrc = draw.choice((7000 + number, 7000 + number, draw.randrange(1 << 32)))
        lost = draw.randrange(-5, 1 << 20)
        return ReportBlock(ssrc, draw.randrange(256), lost, *(draw.randrange(1 << 32) for _ in range(4)))

    def publisher_report(self) -> Datagram:
        """A sender report of one of its layers, or of nobody, with a block that is about nothing."""
        draw = self.draw
        ssrc = draw.choice([encoding.ssrc for encoding in self.encodings[1]] + [draw.randrange(1 << 32)])
        compound = SenderReport(ssrc, draw.randrange(1 << 64), 1, 2, 3, (self.block(100),)).pack()
        return self.scene.remotes[1].protect_rtcp(compound)

    def plausible(self, track: int, layer: int) -> int:
        """Mostly a timestamp that the layer may have had lately."""
        if track != 11 or self.draw.random() < 0.3:
            return self.draw.randrange(1 << 32)
        return (self.encodings[1][layer].timestamp + self.draw.randrange(-90_000, 90_000)) & 0xFFFFFFFF

    def take(self, output: list[Datagram]) -> None:
        by_path: dict[object, tuple[int, Remote]] = {
            remote.path: (n, remote) for n, remote in self.scene.remotes.items()
        }
        for datagram in output:
            number, remote = by_path[datagram.path]
            if 192 <= datagram.payload[1] <= 223:
                remote.open_rtcp(datagram)
                continue
            received = remote.open(datagram)
            if received.header.ssrc == 7000 + number:
                self.got[number].append(received)
            transport_number = received.element("transport_cc")
            if transport_number is not None and self.draw.random() < 0.9:
                at_s = self.scene.now + self.draw.random() * 0.03
                self.arrivals[number][int.from_bytes(transport_number, "big")] = at_s


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_meeting_over_bad_networks(profile: str, seed: int) -> None:
    Meeting(seed, profile).run(600)


def test_those_networks_are_bad_enough_to_mean_something() -> None:
    meetings = [Meeting(seed, GCM) for seed in (7, 8)]  # in the first RTX has to wait until there is no room left
    dropped: set[str] = set()
    for meeting in meetings:
        meeting.run(600)
        counters = meeting.plane.counters
        assert meeting.tapped > 500 and meeting.reported > 50
        assert counters.forwarded > 500 and counters.retransmitted and counters.recovered, counters
        assert counters.probes > 100 and counters.transport_feedback_sent > 50
        dropped |= set(counters.dropped)
        for kind in (Switched, KeyFrameReceived, GapSeen):
            assert meeting.scene.events(kind)
    wanted = {"temporal_layer", "duplicate", "srtp_replay", "rtx_repeated", "before_switch", "awaiting_key_frame"}
    wanted |= {"rtx_limit", "rtx_late", "not_in_history", "malformed_feedback", "no_payload_type", "malformed"}
    assert not wanted - dropped


def test_noise_in_any_order_of_calls(seed: int) -> None:
    Fuzz(make_paired, seed).run()


def test_noise_in_feedback(seed: int) -> None:
    Noise(make_paired, seed).run()


def test_hundreds_of_addresses_that_come_go_and_change_hands(seed: int) -> None:
    draw = Random(seed)
    plane = make_paired(["127.0.0.1"], 0, PlaneConfig(paths_per_transport=3, pending_events=10_000))
    paths = [Path(local, host, port) for local in (0, 1) for host in ("10.0.0.1", "::1") for port in range(1, 150)]
    alive: list[int] = []
    for step in range(1500):
        if not alive or draw.random() < 0.3:
            alive.append(step)
            plane.add_transport(step)
        if draw.random() < 0.15:
            plane.remove_transport(alive.pop(draw.randrange(len(alive))))
        for _ in range(3):
            if alive:
                plane.bind(draw.choice(alive), draw.choice(paths))
        if step % 50 == 0:
            plane.on_datagrams([Datagram(bytes((22,)) * 20, path) for path in paths], 1.0)
            plane.take_events()
            assert plane.counters is not None  # compares them
    assert plane.counters.received_dtls > 1000


@settings(max_examples=100, deadline=None)
@given(script=st.lists(st.one_of(frames(fate), frames(fate), wishes), min_size=5, max_size=60))
def test_frames_with_any_fate(script: list[Frame | Wish]) -> None:
    check(play(make_paired, [Frame(0, 1, True, False, (("arrives", 0),)), *script]))
