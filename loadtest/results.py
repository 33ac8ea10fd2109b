"""Figures of one measured window, and how they are told: a line, a table, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from loadtest.machine import Machine
from loadtest.traffic import Counts, Histogram
from loadtest.usage import Usage

MOST_LOSS: Final = 0.01  # a point that loses more is beyond what the server can do
MOST_FOREIGN: Final = 0.05  # of a core, by others: more, and the figures are theirs too
# Of what was sent, the part that may be under way at the edges of a window. Streams that ended have no numbers to miss
# but are missing, so what is short by more than this is lost, too.
EDGES: Final = 0.005
# A generator that sends this late distorts what it measures: bursts grow, and with them latency.
MOST_LATENESS_MS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Window:
    """What was read around one window, and what the plan led to expect. `usage` and `idle_rss_kb` are of no meaning
    when the server is not ours to look at (`server_seen`)."""

    name: str
    plane: str
    srtp_profile: str
    participants: int
    counts: Counts
    usage: Usage
    idle_rss_kb: int
    server_seen: bool
    join: Histogram
    copies: float | None  # of each packet sent, how many should be forwarded; None: the server may choose
    receive_buffer_errors: int


@dataclass(frozen=True, slots=True)
class Point:
    """One row. Costs are `None` when the server runs elsewhere, and those of plane and Python apart when they share a
    thread. Latencies and joins in ms."""

    name: str
    plane: str
    srtp_profile: str
    participants: int
    duration_s: float
    forwarded_pps: float
    loss: float
    cpu: float | None  # cores
    cpu_us_per_forwarded_packet: float | None
    cpu_us_per_forwarded_packet_plane: float | None
    control_us_per_participant_per_s: float | None
    added_latency_ms: dict[str, float | None]
    join_ms: dict[str, float | None]
    received_mbps_per_participant: float  # datagrams' payloads, RTX and probes too
    rss_kb_per_participant: float | None
    rss_kb: int | None
    foreign_cpu: float
    duplicates: int
    reordered: int
    feedbacks_per_s: float
    generator: dict[str, float | None]
    kernel_floor_us_per_packet: float | None = None  # for sending the same alone (floor.py), if that was measured
    # For receiving, decrypting once, and sending the same encrypted (cipher_floor.py), if that was measured
    cipher_floor_us_per_packet: float | None = None
    strangers_pps: float = 0.0  # datagrams from unknown addresses that came besides
    beside: dict[str, Any] | None = None  # requests of an app backend: how many were served, and how fast
    recording: dict[str, Any] | None = None  # of all rooms: what their journals have, and what that cost
    gallery: dict[str, Any] | None = None  # how many pictures each participant sees, by layer

    @property
    def above_kernel_us_per_packet(self) -> float | None:
        """What the server costs beyond that; receiving and the wake-ups of the event loop are in it."""
        return _above(self.cpu_us_per_forwarded_packet, self.kernel_floor_us_per_packet)

    @property
    def above_cipher_us_per_packet(self) -> float | None:
        """What the server costs beyond what nobody who forwards SRTP can leave out."""
        return _above(self.cpu_us_per_forwarded_packet, self.cipher_floor_us_per_packet)

    @property
    def is_quiet(self) -> bool:
        return self.foreign_cpu <= MOST_FOREIGN

    @property
    def flaws(self) -> list[str]:
        """Why this point is to be doubted."""
        generator = self.generator
        lateness = generator["lateness_p99_ms"] or 0.0
        return [
            *([] if self.is_quiet else [f"others took {100 * self.foreign_cpu:.0f} % of a core"]),
            *([f"the generator lost {generator['lost']:.0f} packets"] if generator["lost"] else []),
            *([f"it sent up to {lateness:.1f} ms late (p99)"] if lateness > MOST_LATENESS_MS else []),
            *([f"{generator['undecryptable']:.0f} packets did not decrypt"] if generator["undecryptable"] else []),
            *([f"{generator['unmarked']:.0f} were not what was sent"] if generator["unmarked"] else []),
        ]


def point(window: Window) -> Point:
    counts, usage = window.counts, window.usage
    packets = max(1, counts.received)
    shortfall = 0.0 if window.copies is None else counts.shortfall(window.copies * counts.sent)
    control_s = usage.server_s - usage.plane_s
    seen = window.server_seen
    apart = seen and usage.plane_s > 0  # the readable plane has no thread of its own
    return Point(
        name=window.name,
        plane=window.plane,
        srtp_profile=window.srtp_profile,
        participants=window.participants,
        duration_s=counts.duration_s,
        forwarded_pps=counts.received_per_s,
        loss=shortfall if shortfall > counts.loss + EDGES else counts.loss,
        cpu=usage.server_s / usage.at_s if seen else None,
        cpu_us_per_forwarded_packet=1e6 * usage.server_s / packets if seen else None,
        cpu_us_per_forwarded_packet_plane=1e6 * usage.plane_s / packets if apart else None,
        control_us_per_participant_per_s=1e6 * control_s / usage.at_s / window.participants if apart else None,
        added_latency_ms=percentiles(counts.latency),
        join_ms=percentiles(window.join),
        received_mbps_per_participant=8e-6 * counts.received_bytes / counts.duration_s / window.participants,
        rss_kb_per_participant=(usage.rss_kb - window.idle_rss_kb) / window.participants if seen else None,
        rss_kb=usage.rss_kb if seen else None,
        foreign_cpu=usage.foreign,
        duplicates=sum(stream.duplicates for stream in counts.streams),
        reordered=sum(stream.reordered for stream in counts.streams),
        feedbacks_per_s=counts.feedbacks / counts.duration_s,
        generator={
            "sent_pps": counts.sent / counts.duration_s,
            "cpu": usage.own_s / usage.at_s,
            "lateness_p99_ms": counts.lateness.percentile_ms(99),
            "lost": counts.kernel_dropped + counts.send_refused,
            "receive_buffer_errors": window.receive_buffer_errors,
            "undecryptable": counts.undecryptable,
            "unmarked": counts.unmarked,
            "latency_samples": counts.latency.count,
        },
    )


def percentiles(histogram: Histogram) -> dict[str, float | None]:
    return {name: histogram.percentile_ms(percent) for name, percent in (("p50", 50), ("p99", 99), ("p999", 99.9))}


def to_json(points: Sequence[Point], machine: Machine, scenario: str) -> dict[str, Any]:
    """The last point's figures at the top, all of them under `points`."""
    return {
        "scenario": scenario,
        **_plain(points[-1]),
        "machine": {name: getattr(machine, name) for name in machine.__slots__},
        "points": [_plain(one) for one in points],
    }


COLUMNS: Final = (
    "",
    "packets/s",
    "loss %",
    "CPU %",
    "µs/packet",
    "of it plane",
    "above kernel",
    "and cryptography",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "join p50",
    "control µs/participant/s",
    "kB/participant",
)


def row(one: Point) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.forwarded_pps:.0f}",
        f"{100 * one.loss:.2f}",
        _number(one.cpu, 1, 100),
        _number(one.cpu_us_per_forwarded_packet, 2),
        _number(one.cpu_us_per_forwarded_packet_plane, 2),
        _number(one.above_kernel_us_per_packet, 2),
        _number(one.above_cipher_us_per_packet, 2),
        *(_number(one.added_latency_ms[name], 2) for name in ("p50", "p99", "p999")),
        _number(one.join_ms["p50"], 0),
        _number(one.control_us_per_participant_per_s, 0),
        _number(one.rss_kb_per_participant, 0),
    )


def table(points: Sequence[Point]) -> str:
    """In the terminal; with what is to be doubted below."""
    rows = [COLUMNS, *map(row, points)]
    widths = [max(len(cells[index]) for cells in rows) for index in range(len(COLUMNS))]
    lines = [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in rows
    ]
    floors = [
        f"{one.name}: the kernel takes {one.kernel_floor_us_per_packet:.2f} µs/packet for sending alone"
        f"{_with_cryptography(one)}"
        for one in points
        if one.kernel_floor_us_per_packet is not None
    ]
    doubts = [f"! {one.name}: {', '.join(one.flaws)}" for one in points if one.flaws]
    return "\n".join([*lines, *floors, *doubts])


def _number(value: float | None, digits: int, factor: float = 1) -> str:
    return "–" if value is None else f"{factor * value:.{digits}f}"


def _with_cryptography(one: Point) -> str:
    if one.cipher_floor_us_per_packet is None:
        return ""
    return f", with what SRTP takes at least {one.cipher_floor_us_per_packet:.2f}"


def _above(cost_us: float | None, floor_us: float | None) -> float | None:
    return None if cost_us is None or floor_us is None else cost_us - floor_us


def _plain(one: Point) -> dict[str, Any]:
    derived = {
        "flaws": one.flaws,
        "above_kernel_us_per_packet": one.above_kernel_us_per_packet,
        "above_cipher_us_per_packet": one.above_cipher_us_per_packet,
    }
    return {**{name: getattr(one, name) for name in one.__slots__}, **derived}
