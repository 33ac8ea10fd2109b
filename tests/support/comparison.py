"""A run of the comparison with nothing wrong about it, and variations of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loadtest.compare.results import Run
from loadtest.machine import Machine
from loadtest.results import Point

MACHINE = Machine(cpu="A processor", cores=2, kernel="Linux 6", governor=None, load=0.0)
POINT = Point(
    name="1 → 50",
    plane="",
    srtp_profile="SRTP_AEAD_AES_128_GCM",
    participants=51,
    duration_s=10.0,
    forwarded_pps=10_000.0,
    loss=0.0,
    cpu=0.015,
    cpu_us_per_forwarded_packet=1.5,
    cpu_us_per_forwarded_packet_plane=1.0,
    control_us_per_participant_per_s=100.0,
    added_latency_ms={"p50": 0.3, "p99": 0.9, "p999": 1.5},
    join_ms={"p50": None, "p99": None, "p999": None},
    received_mbps_per_participant=1.0,
    rss_kb_per_participant=100.0,
    rss_kb=80_000,
    foreign_cpu=0.01,
    duplicates=0,
    reordered=0,
    feedbacks_per_s=0.0,
    generator={"lateness_p99_ms": 0.1, "lost": 0, "undecryptable": 0, "unmarked": 0},
)
RUN = Run("ours", "1.0", POINT)


def with_point(**changes: Any) -> Run:
    return replace(RUN, point=replace(POINT, **changes))
