"""Invariant: whatever a subscriber says of packets that it was sent or not, the plane raises nothing, counts what it
cannot read, never hands out more than was sent, and keeps its limits.

Feedback is random, mutated and cut; its compounds have other packets between, and headers that lie.
"""

from __future__ import annotations

import random

import pytest

from sfu.core.transport_feedback import FeedbackBatch
from sfu.plane.interface import PlaneConfig
from sfu.wire import framing
from sfu.wire.rtcp import ReceiverReport, pack_compound
from tests.support.planes import PLANES, MakePlane, Scene, feedback
from tests.support.rtp import VIDEO, VideoSource, video_slot

STEPS = 1500
CONFIG = PlaneConfig(packets_in_flight=256, groups_pending=4, pending_events=64)


class Noise:
    """One subscriber that is sent media and probes."""

    def __init__(self, make_plane: MakePlane, seed: int) -> None:
        self.draw = random.Random(seed)
        self.scene = Scene(make_plane, VIDEO, config=CONFIG)
        self.scene.subscribe(spec=video_slot())
        self.source = VideoSource(ssrc=4)
        self.sent = 0
        self.acked = 0
        self.read = 0

    def run(self) -> None:
        for _ in range(STEPS):
            self.scene.now += self.draw.choice((0.0, 0.001, 0.01, 0.1))
            self.send()
            datagram = self.scene.remotes[100].protect_rtcp(self.compound())
            assert self.scene.plane.on_datagrams([datagram], self.scene.now) == []
            if self.draw.random() < 0.2:
                self.check(self.scene.poll())
            if self.draw.random() < 0.05:
                assert len(self.scene.plane.take_events()) <= CONFIG.pending_events

    def send(self) -> None:
        frame = self.source.frame(self.draw.randrange(1, 4), key=self.sent == 0)
        self.sent += len(self.scene.send(*frame, after_s=0.0))
        if self.draw.random() < 0.05:
            self.scene.plane.probe(100, self.draw.choice((5e4, 1e6)), self.draw.randrange(1, 9), 1, self.scene.now)
        due = (*self.scene.plane.take_output(), *self.scene.plane.on_timeout(self.scene.now))
        self.sent += len(self.scene.remotes[100].open_all(list(due)))

    def compound(self) -> bytes:
        """At least eight bytes, as libsrtp wants them."""
        packets = [self.packet() for _ in range(self.draw.choice((1, 1, 1, 2, 3, 7)))]
        if self.draw.random() < 0.2:
            packets.insert(self.draw.randrange(len(packets) + 1), pack_compound([ReceiverReport(1, ())]))
        compound = b"".join(packets)
        if self.draw.random() < 0.1:
            compound = compound[: self.draw.randrange(8, len(compound) + 1)]
        return compound

    def packet(self) -> bytes:
        draw = self.draw
        kind = draw.randrange(4)
        if kind == 0:
            return framing.frame(framing.TRANSPORT_FEEDBACK, 15, self.body())
        packed = bytearray(feedback(self.arrivals()).pack())
        if kind == 1:
            for _ in range(draw.randrange(1, 4)):
                packed[draw.randrange(len(packed))] = draw.randrange(256)
        return bytes(packed)

    def arrivals(self) -> dict[int, float | None]:
        draw = self.draw
        first = max(0, self.sent - draw.choice((5, 20, 100, 300)) + draw.randrange(-3, 3))
        at_s = self.scene.now + draw.choice((0.0, 0.0, 0.0, 0.0, -1000.0, 1e6))
        arrivals: dict[int, float | None] = {}
        for number in range(first, first + draw.choice((1, 8, 30, 120))):
            at_s += draw.choice((0.0, 0.0005, 0.005, 0.02, -0.003))
            arrivals[number] = max(0.0, at_s) if draw.random() < 0.8 else None
        return arrivals

    def body(self) -> bytes:
        """A header that may be right, and any chunks behind it."""
        draw = self.draw
        base = (self.sent - draw.choice((0, 10, 300, 70_000))) & 0xFFFF
        count = draw.choice((0, 1, 7, 14, 40, 4096, 4097, 65_535))
        head = bytes(8) + base.to_bytes(2, "big") + count.to_bytes(2, "big") + draw.randbytes(4)
        chunks = b"".join(
            draw.choice((draw.randbytes(2), (draw.randrange(3) << 13 | draw.randrange(50)).to_bytes(2, "big")))
            for _ in range(draw.randrange(6))
        )
        return (head + chunks + draw.randbytes(draw.randrange(60)))[: draw.choice((10, 1000, 1000, 1000))]

    def check(self, batch: FeedbackBatch) -> None:
        for report in batch.reports:
            self.read += 1
            self.acked += int(report["acked_packets"])
            assert self.acked <= self.sent
            assert report["in_flight_bytes"] >= 0
            assert not report["rtt_s"] < 0
            assert report["reordered_packets"] <= report["acked_packets"]
            assert report["groups"] <= CONFIG.groups_pending
        assert batch.groups["bytes"].sum() <= self.sent * 1500
        assert (batch.groups["sent_delta_s"] >= 0).all()
        for cluster in batch.clusters:
            assert cluster["acked_packets"] <= cluster["sent_packets"]
            assert cluster["acked_bytes"] <= cluster["sent_bytes"]


@pytest.mark.parametrize("name", sorted(PLANES))
def test_no_feedback_upsets_the_plane(name: str, seed: int) -> None:
    Noise(PLANES[name], seed).run()


def test_the_noise_gets_far_enough_to_mean_something() -> None:
    noise = Noise(PLANES["fallback"], 5)
    noise.run()
    counters = noise.scene.plane.counters
    assert noise.read > 100 and noise.acked > 500 and counters.probes > 100 and counters.feedback_forgotten, noise.acked
    assert counters.dropped["malformed_feedback"] > 100, counters
