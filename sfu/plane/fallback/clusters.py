"""How probe clusters fared: what was sent of each, and what of it was reported, until all is or a second has passed."""

from __future__ import annotations

from math import inf, nan

from sfu.plane.interface import Counters

_PATIENCE_S = 1.0  # after its last packet a cluster waits no longer for feedback
_KEPT = 8  # of one Transport, when nobody polls; one is asked for in a second or so

ClusterRow = tuple[int, int, int, int, float, float, int, int, float, float, int, int]  # transport_feedback.CLUSTER


class Cluster:
    """`id` is the caller's name for it; `serial` tells it from all others of its Transport, for the caller may not."""

    def __init__(self, id: int, serial: int) -> None:
        self.id = id
        self.serial = serial
        self.running = True
        self._sent_packets = self._sent_bytes = self._last_sent_bytes = 0
        self._first_sent_at = self._last_sent_at = nan
        self._reported_packets = self._acked_packets = self._acked_bytes = self._first_arrived_bytes = 0
        self._first_arrived_at, self._last_arrived_at = inf, -inf

    def on_sent(self, size: int, now: float) -> None:
        if self._sent_packets == 0:
            self._first_sent_at = now
        self._last_sent_at = now
        self._last_sent_bytes = size
        self._sent_packets += 1
        self._sent_bytes += size

    def on_reported(self) -> None:
        """One of them, for the first time."""
        self._reported_packets += 1

    def on_arrived(self, size: int, arrived_at: float) -> None:
        self._acked_packets += 1
        self._acked_bytes += size
        if arrived_at < self._first_arrived_at:
            self._first_arrived_at = arrived_at
            self._first_arrived_bytes = size
        self._last_arrived_at = max(self._last_arrived_at, arrived_at)

    def is_over(self, now: float) -> bool:
        if self.running:
            return False
        if self._reported_packets == self._sent_packets:
            return True
        return now - self._last_sent_at >= _PATIENCE_S

    def row(self, transport: int) -> ClusterRow:
        return (
            transport,
            self.id,
            self._sent_packets,
            self._sent_bytes,
            self._first_sent_at,
            self._last_sent_at,
            self._acked_packets,
            self._acked_bytes,
            self._first_arrived_at if self._acked_packets else nan,
            self._last_arrived_at if self._acked_packets else nan,
            self._first_arrived_bytes,
            self._last_sent_bytes,
        )


class Clusters:
    """Those of one Transport that nobody has taken yet, the oldest first."""

    __slots__ = ("_counters", "_kept", "_last_serial")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._kept: list[Cluster] = []
        self._last_serial = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def open(self, id: int) -> Cluster:
        """No other may be running."""
        if len(self._kept) == _KEPT:
            del self._kept[0]
            self._counters.feedback_forgotten += 1
        self._last_serial += 1
        cluster = Cluster(id, self._last_serial)
        self._kept.append(cluster)
        return cluster

    def find(self, serial: int) -> Cluster | None:
        return next((cluster for cluster in self._kept if cluster.serial == serial), None)

    def take(self, now: float) -> list[Cluster]:
        """Those that are over."""
        over = [cluster for cluster in self._kept if cluster.is_over(now)]
        self._kept = [cluster for cluster in self._kept if cluster not in over]
        return over
