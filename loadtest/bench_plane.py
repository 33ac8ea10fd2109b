"""What a forwarded packet costs: `python -m loadtest.bench_plane` prints µs of CPU for each plane there is.

A burst of encrypted VP8 packets of one publisher is put on the plane's socket at once, the plane forwards it to N
subscribers on loopback sockets of their own, and the CPU time of whoever forwarded is read: the thread's, or for the
readable plane that of its call. Receiving, decrypting and waking up are in it, spread over N. Sinks are emptied
outside the measured time. Everything runs on one core, so that a burst is complete before the plane sees it.

Not a load test: nothing is lost, nobody sends feedback, and Python has nothing else to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath

from pylibsrtp import Policy, Session

from sfu.core.types import Codec, PayloadFormat
from sfu.plane import PLANE_VARIABLE, open_plane
from sfu.plane.fallback.plane import FallbackPlane
from sfu.plane.interface import Path, Plane, PlaneConfig, SlotSpec, SrtpKeys, TrackSpec
from sfu.plane.srtp import PROFILES
from sfu.wire import rtp
from sfu.wire.extensions import ExtensionIds, pack

HOST = "127.0.0.1"
PROFILE_NAMES = {"GCM": ("SRTP_AEAD_AES_128_GCM", 28), "CM": ("SRTP_AES128_CM_SHA1_80", 30)}
SUBSCRIBERS = (1, 10, 50)
BURSTS = (1, 4, 32)
PAYLOAD_BYTES = 1180
UDP_SEGMENT = 103
OTHER_BYTES = 48 << 20  # more than the caches that a core has to itself or shares
IDS = ExtensionIds(mid=1, abs_send_time=2, transport_cc=3)
VP8 = PayloadFormat(96, Codec.VP8, 90000)


@dataclass(frozen=True)
class Case:
    plane: str
    profile: str
    subscribers: int
    burst: int
    cold: bool = False  # the caches are emptied between bursts, as pauses and other work do


class Bench:
    """One plane with one publisher and its subscribers, on real sockets."""

    def __init__(self, case: Case, plane: Plane) -> None:
        self.case = case
        self.plane = plane
        self.loop = asyncio.new_event_loop()
        plane.start(self.loop, lambda events: None)
        self.source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.source.bind((HOST, 0))
        profile, key_length = PROFILE_NAMES[case.profile]
        keys = SrtpKeys(profile, os.urandom(key_length), os.urandom(key_length))
        self._connect(1, self.source, keys)
        self.session = Session(Policy(keys.receive_key, Policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILES[profile]))
        plane.add_track(1, 1, TrackSpec("0", "video", (VP8,)))
        plane.announce_ssrc(1, 0, 77, rtx=False)
        self.sinks = [self._subscribe(number, keys) for number in range(2, 2 + case.subscribers)]
        self.number = 0
        self._other = bytearray(OTHER_BYTES if case.cold else 0)
        self.round()  # the key frame

    def _connect(self, transport: int, remote: socket.socket, keys: SrtpKeys) -> None:
        path = Path(0, *remote.getsockname())
        self.plane.add_transport(transport)
        self.plane.bind(transport, path)
        self.plane.select(transport, path)
        self.plane.set_extensions(transport, IDS, IDS)
        self.plane.set_keys(transport, keys)

    def _subscribe(self, number: int, keys: SrtpKeys) -> socket.socket:
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sink.bind((HOST, 0))
        sink.setblocking(False)
        self._connect(number, sink, keys)
        self.plane.add_slot(number, number, SlotSpec("v", "video", 90000, 9000, None, {Codec.VP8: (96, None)}, 1, 1))
        self.plane.set_route(number, 1)
        self.plane.set_layer(number, 0)
        return sink

    def round(self) -> None:
        """One burst in, everything it causes out."""
        packets = [self._packet() for _ in range(self.case.burst)]
        expected = self.plane.counters.sent_datagrams + self.case.burst * self.case.subscribers
        if self.case.cold:
            self._evict()
        # One GSO send, so that all are there at once, as a network card delivers them.
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", len(packets[0])))]
        self.source.sendmsg([b"".join(packets)], segment, 0, (HOST, self.plane.port))
        deadline = time.monotonic() + 10
        while self.plane.counters.sent_datagrams < expected:
            self.work()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.case}: packets are missing: {self.plane.counters}")
        for sink in self.sinks:
            for _ in range(self.case.burst):
                sink.recv(2048)

    def _evict(self) -> None:
        self._other[:] = bytes([self.number & 0xFF]) * len(self._other)

    def work(self) -> None:
        """Lets the plane's thread run."""
        time.sleep(0.0002)

    def cpu_ns(self) -> int:
        (thread,) = (each for each in threading.enumerate() if each.name == "sfu-plane")
        return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident or 0))

    def close(self) -> None:
        self.plane.close()
        self.loop.close()
        for each in (self.source, *self.sinks):
            each.close()

    def _packet(self) -> bytes:
        self.number += 1
        picture = 0x8000 | (self.number // 8 & 0x7FFF)
        tag = 0x10 if self.number == 1 else 0x11
        descriptor = struct.pack("!BBHBB", 0x90 if self.number % 8 == 1 else 0x80, 0xE0, picture, self.number & 0xFF, 0)
        packet: bytes = self.session.protect(
            rtp.build(
                payload_type=96,
                sequence_number=self.number & 0xFFFF,
                timestamp=self.number // 8 * 3000,
                ssrc=77,
                payload=descriptor + bytes((tag,)) * (PAYLOAD_BYTES - len(descriptor)),
                extension=pack([(1, b"0"), (3, (self.number & 0xFFFF).to_bytes(2, "big"))]),
            )
        )
        return packet


class FallbackBench(Bench):
    """The readable plane, its reader called by hand."""

    spent_ns = 0

    def work(self) -> None:
        assert isinstance(self.plane, FallbackPlane)
        before = time.thread_time_ns()
        self.plane._on_readable(0)
        self.spent_ns += time.thread_time_ns() - before

    def cpu_ns(self) -> int:
        return self.spent_ns


def measure(case: Case, packets: int) -> float:
    """µs of CPU per forwarded packet."""
    kind = FallbackBench if case.plane == "fallback" else Bench
    config = PlaneConfig(batch_datagrams=max(BURSTS))
    plane = open_plane([HOST], 0, config) if case.plane == "compiled" else FallbackPlane([HOST], 0, config)
    bench = kind(case, plane)
    try:
        rounds = max(20, packets // (case.burst * case.subscribers))
        for _ in range(rounds // 10):
            bench.round()
        before, forwarded = bench.cpu_ns(), plane.counters.forwarded
        for _ in range(rounds):
            bench.round()
        return (bench.cpu_ns() - before) / (plane.counters.forwarded - forwarded) / 1000
    finally:
        bench.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="µs of CPU per forwarded packet, median of the runs (lowest, highest)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--packets", type=int, default=40_000, help="forwarded per run; a tenth for the readable plane")
    parser.add_argument("--cold", action="store_true", help="empty the caches before each burst, as pauses do")
    parser.add_argument("--json", type=FilePath, help="write the figures there too")
    options = parser.parse_args()
    os.environ.pop(PLANE_VARIABLE, None)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    planes = ["compiled"] if open_plane(()).name == "compiled" else []
    figures = []
    report: Callable[[str], object] = print
    report(f"{'plane':<10}{'SRTP':<6}{'burst':>5}" + "".join(f"{f'1 → {count}':>24}" for count in SUBSCRIBERS))
    for name in (*planes, "fallback"):
        packets = options.packets if name == "compiled" else options.packets // 10
        for profile in PROFILE_NAMES:
            for burst in BURSTS:
                row = f"{name:<10}{profile:<6}{burst:>5}"
                for subscribers in SUBSCRIBERS:
                    case = Case(name, profile, subscribers, burst, options.cold)
                    costs = sorted(measure(case, packets) for _ in range(options.runs))
                    figures.append(asdict(case) | {"us_per_packet": costs})
                    row += f"{statistics.median(costs):>9.2f} ({costs[0]:.2f}, {costs[-1]:.2f})".rjust(24)
                report(row)
                sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
