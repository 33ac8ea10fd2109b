"""Paths without packets: groups that pass a bottleneck, and the batches in which a plane would tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.transport_feedback import CLUSTER, GROUP, REPORT, FeedbackBatch

PACKET_BYTES = 1000

GroupRow = tuple[float, float, float, float, float, int]


def groups(*rows: GroupRow) -> NDArray[Any]:
    return np.array(list(rows), GROUP)


@dataclass
class Bottleneck:
    """Whoever sends into it sends a group every `spacing_s`; the remote's clock is `ahead_s` of ours."""

    transport: int
    rate_bps: float
    spacing_s: float = 0.02
    delay_s: float = 0.02
    ahead_s: float = 1000.0
    jitter_s: Sequence[float] = (0.0,)  # of one group after the other
    loss: float = 0.0  # of packets, evenly
    groups: list[GroupRow] = field(default_factory=list)
    lost: float = 0.0
    acked: float = 0.0
    _free_at: float = 0.0
    _before: tuple[float, float] | None = None
    _count: int = 0

    def send(self, size: int, now: float) -> None:
        begins_at = max(now, self._free_at)
        self._free_at = begins_at + 8 * size / self.rate_bps
        later_s = self.delay_s + self.ahead_s + self.jitter_s[self._count % len(self.jitter_s)]
        arrived_at = self._free_at + later_s
        packet_s = 8 * min(size, PACKET_BYTES) / self.rate_bps
        self._count += 1
        packets = max(1.0, size / PACKET_BYTES)
        self.lost += self.loss * packets
        self.acked += (1 - self.loss) * packets
        if self._before is not None:
            sent_delta, arrived_delta = now - self._before[0], arrived_at - self._before[1]
            gap = max(packet_s, begins_at + packet_s + later_s - self._before[1])
            self.groups.append((now, arrived_at, sent_delta, arrived_delta, gap, round(size * (1 - self.loss))))
        self._before = now, arrived_at

    def queue_s(self, now: float) -> float:
        return max(0.0, self._free_at - now)

    def run(self, sent_bps: float, since: float, until: float) -> None:
        count = round((until - since) / self.spacing_s)
        for n in range(count):
            self.send(round(sent_bps * self.spacing_s / 8), since + n * self.spacing_s)


def batch(paths: Sequence[Bottleneck], now: float, clusters: Sequence[tuple[Any, ...]] = ()) -> FeedbackBatch:
    """What they have not told of yet; `paths` by Transport, ascending."""
    reports, rows = [], []
    for path in paths:
        arrived = [group for group in path.groups if group[1] - path.ahead_s + path.delay_s <= now]
        if not arrived:
            continue
        del path.groups[: len(arrived)]
        acked, lost = int(path.acked), int(path.lost)
        path.acked -= acked
        path.lost -= lost
        rtt_s = now - arrived[-1][0] if arrived else nan
        size = sum(group[4] for group in arrived)
        reports.append((path.transport, now, rtt_s, acked, size, lost, 0, 0, len(arrived)))
        rows += arrived
    return FeedbackBatch(np.array(reports, REPORT), np.array(rows, GROUP), np.array(list(clusters), CLUSTER))
