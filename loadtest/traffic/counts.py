"""What was counted: of each SSRC, and of all together. Counts only grow; a window is the difference of two readings.

Loss is what the SSRC's own sequence numbers say. A stream that ended, or never began, has no numbers to miss:
`Counts.shortfall` compares with what was sent, and shows that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sfu.core.types import Kind

# Of a histogram: up to 32 ns exactly, then 32 steps for each doubling, so that a value is known to 3 %.
STEPS_BITS = 5
BUCKETS = 40 << STEPS_BITS  # up to about 18 minutes


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations in ns, counted in buckets that grow with the value. `buckets` is as long as needed."""

    buckets: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def since(self, earlier: Histogram) -> Histogram:
        before = earlier.buckets + (0,) * (len(self.buckets) - len(earlier.buckets))
        return Histogram(tuple(now - then for now, then in zip(self.buckets, before, strict=True)))

    def percentile_ms(self, percent: float) -> float | None:
        """The middle of the bucket in which it lies; `None` of nothing."""
        total = self.count
        if not total:
            return None
        wanted = max(1, -(-total * percent // 100))
        seen = 0
        for index, number in enumerate(self.buckets):
            seen += number
            if seen >= wanted:
                return _middle_ns(index) / 1e6
        raise AssertionError("percentiles are at most 100")


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """One SSRC that arrived on one connection. `expected` counts from its first number to its highest.

    `source_ssrc` is that of the publisher, as the payload of a decrypted packet said; `first_at_s` the arrival of the
    first packet on the clock of `time.monotonic`, `None` before it.
    """

    connection: int
    ssrc: int
    kind: Kind
    received: int  # distinct packets
    expected: int
    duplicates: int
    reordered: int
    source_ssrc: int | None
    first_at_s: float | None

    @property
    def lost(self) -> int:
        """Negative when in a window more was late than was lost."""
        return self.expected - self.received

    def since(self, earlier: StreamCounts) -> StreamCounts:
        return StreamCounts(
            self.connection,
            self.ssrc,
            self.kind,
            self.received - earlier.received,
            self.expected - earlier.expected,
            self.duplicates - earlier.duplicates,
            self.reordered - earlier.reordered,
            self.source_ssrc,
            self.first_at_s,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything, at one moment (`at_s`, as `time.monotonic`) or between two.

    `latency` is from the moment a packet was handed to the kernel to the moment the kernel had it for the receiver:
    of sampled packets, the only ones that are decrypted. `lateness` is ours: how long after its time a frame left.
    """

    at_s: float
    duration_s: float = 0.0
    sent: int = 0  # media packets
    sent_bytes: int = 0  # datagrams' payloads
    send_refused: int = 0  # by the kernel: our fault or the machine's, never the server's
    received: int = 0  # media packets of all streams, distinct
    received_bytes: int = 0
    repairs: int = 0  # packets on RTX SSRCs, bandwidth probes among them
    kernel_dropped: int = 0  # at our sockets, because we read too late: our fault
    sampled: int = 0  # decrypted
    undecryptable: int = 0  # of those tried
    unmarked: int = 0  # decrypted, but not what any of our publishers sent
    feedbacks: int = 0  # transport-cc that we sent
    reports: int = 0  # sender and receiver reports that we sent
    key_frame_requests: int = 0  # that we got
    latency: Histogram = field(default=Histogram(), repr=False)
    lateness: Histogram = field(default=Histogram(), repr=False)
    streams: tuple[StreamCounts, ...] = field(default=(), repr=False)

    @property
    def lost(self) -> int:
        return sum(stream.lost for stream in self.streams)

    @property
    def loss(self) -> float:
        """The part of the packets that by their sequence numbers should have come and did not."""
        expected = sum(stream.expected for stream in self.streams)
        return max(0, self.lost) / expected if expected else 0.0

    @property
    def received_per_s(self) -> float:
        return self.received / self.duration_s if self.duration_s else 0.0

    def shortfall(self, expected: float) -> float:
        """The part missing of `expected`, what was sent times those who should have got it."""
        return max(0.0, 1 - self.received / expected) if expected else 0.0

    def since(self, earlier: Counts) -> Counts:
        """What happened between two readings. Streams that ended before this one are left out."""
        before = {(stream.connection, stream.ssrc): stream for stream in earlier.streams}
        return Counts(
            at_s=self.at_s,
            duration_s=self.at_s - earlier.at_s,
            latency=self.latency.since(earlier.latency),
            lateness=self.lateness.since(earlier.lateness),
            streams=tuple(_since(stream, before.get((stream.connection, stream.ssrc))) for stream in self.streams),
            **{name: getattr(self, name) - getattr(earlier, name) for name in SUMS},
        )


SUMS = (
    "sent",
    "sent_bytes",
    "send_refused",
    "received",
    "received_bytes",
    "repairs",
    "kernel_dropped",
    "sampled",
    "undecryptable",
    "unmarked",
    "feedbacks",
    "reports",
    "key_frame_requests",
)


def _since(stream: StreamCounts, earlier: StreamCounts | None) -> StreamCounts:
    return stream if earlier is None else stream.since(earlier)


def _middle_ns(bucket: int) -> float:
    steps = 1 << STEPS_BITS
    if bucket < steps:
        return bucket
    doublings, step = divmod(bucket, steps)
    width = 1 << (doublings - 1)
    return (steps + step) * width + (width - 1) / 2


def bucket_of(duration_ns: int) -> int:
    """As compiled/histogram.pxd counts."""
    steps = 1 << STEPS_BITS
    if duration_ns < steps:
        return max(0, duration_ns)
    doublings = duration_ns.bit_length() - STEPS_BITS
    return min(BUCKETS - 1, (doublings << STEPS_BITS) + (duration_ns >> (doublings - 1)) - steps)


def count_durations(durations_ns: Iterable[int]) -> Histogram:
    """A histogram of these, for what Python measures."""
    buckets = [0] * BUCKETS
    for duration_ns in durations_ns:
        buckets[bucket_of(duration_ns)] += 1
    return Histogram(tuple(buckets))
