"""A Worker's numbers for Prometheus, read at scrape time from the counters that the packet path and the cores keep.

Nothing is counted here, and no label is looked up per packet. Labels have few values: never a room or a participant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sfu.context import Context
from sfu.control import MetricFamily, MetricSample
from sfu.core.allocation import LimitedBy
from sfu.core.quality.rating import Level
from sfu.core.types import DropReason, TransportState
from sfu.net.transports import Transports
from sfu.registry import Registry

# Sound only, small pictures, one good one, a few, a room in full: where a call begins to look different.
ESTIMATE_BOUNDS_BPS = (100_000, 300_000, 1_000_000, 3_000_000, 8_000_000)

# Counters of the plane and of the Worker: attribute, metric, help.
PLANE_COUNTERS = (
    ("forwarded", "sfu_forwarded_packets", "RTP packets sent on to subscribers, each counted once per subscriber"),
    ("retransmitted", "sfu_retransmitted_packets", "RTX packets sent to subscribers who asked for them"),
    ("probes", "sfu_probe_packets", "packets sent to find out what a path carries"),
    ("transport_feedback_sent", "sfu_transport_feedback_sent", "transport-cc feedback packets sent to publishers"),
    ("feedback_forgotten", "sfu_feedback_forgotten", "groups and probes that were not looked at in time: a busy loop"),
    ("recovered", "sfu_recovered_packets", "packets lost from publishers that came back by RTX or RED"),
    ("sent_datagrams", "sfu_sent_datagrams", "datagrams handed to the kernel"),
    ("sent_bytes", "sfu_sent_bytes", "UDP payload of these"),
    ("sink_frames", "sfu_sink_frames", "packets and reports handed to local sinks"),
)
WORKER_COUNTERS = (
    ("key_frame_requests", "sfu_key_frame_requests", "PLIs sent to publishers"),
    ("key_frame_wishes", "sfu_key_frame_wishes", "PLIs and FIRs received from subscribers"),
    ("key_frame_wishes_refused", "sfu_key_frame_wishes_refused", "of these, beyond what one subscriber may cost"),
    ("nacks_sent", "sfu_nacked_packets_sent", "sequence numbers asked of publishers again, repeats included"),
    ("packets_abandoned", "sfu_abandoned_packets", "lost from publishers and never recovered"),
    ("nacks_received", "sfu_nacked_packets_received", "sequence numbers that subscribers asked for again"),
    ("rtcp_malformed", "sfu_rtcp_malformed", "RTCP packets that could not be read"),
    ("commands", "sfu_commands", "Commands of signaling"),
    ("commands_refused", "sfu_commands_refused", "of these, declined"),
    ("internal_errors", "sfu_internal_errors", "bugs of ours that were caught; the log has a traceback for each"),
    ("timer_wakeups", "sfu_timer_wakeups", "how often the Worker's timer fired"),
    ("timer_lateness_s", "sfu_timer_lateness_seconds", "how much too late in all: the event loop was busy"),
)


def families(collector: WorkerCollector) -> list[MetricFamily]:
    """What it collects, so that it can pass to signaling, where a scrape is answered for all Workers."""
    return [
        MetricFamily(
            name=metric.name,
            text=metric.documentation,
            kind=metric.type,
            samples=[
                MetricSample(name=sample.name, labels=dict(sample.labels), value=float(sample.value))
                for sample in metric.samples
            ],
        )
        for metric in collector.collect()
    ]


class WorkerCollector(Collector):
    """One Worker's. `describe` is left to a scrape: nothing is registered twice."""

    def __init__(self, context: Context, registry: Registry, transports: Transports) -> None:
        self._context = context
        self._registry = registry
        self._transports = transports

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._population()
        yield from self._plane()
        counters = self._context.counters
        for attribute, name, text in WORKER_COUNTERS:
            yield CounterMetricFamily(name, text, value=getattr(counters, attribute))
        yield from self._messages()
        yield from self._quality()
        yield self._limits()
        yield self._cpu()

    def _cpu(self) -> Metric:
        text = (
            "CPU time of the plane's thread, and of all else in its process (signaling too, if the Worker is embedded)"
        )
        spent = self._context.cpu_s()
        family = CounterMetricFamily("sfu_worker_cpu_seconds", text, labels=["part"])
        family.add_metric(["plane"], spent.plane)
        # Read one after the other, so that the difference of two small times could be below zero.
        family.add_metric(["control"], max(0.0, spent.process - spent.plane))
        return family

    def _messages(self) -> Iterator[Metric]:
        counters = self._registry.messages.counters
        for name, text, label, values in (
            ("sfu_messages_received", "messages that participants sent", "kind", counters.received),
            ("sfu_messages_sent", "messages handed to receivers, each once per receiver", "kind", counters.sent),
            ("sfu_messages_refused", "messages not taken, or not for all they named", "reason", counters.refused),
            ("sfu_messages_dropped", "messages that ended on their way to a receiver", "reason", counters.dropped),
        ):
            family = CounterMetricFamily(name, text, labels=[label])
            for value, count in values.items():
                family.add_metric([value], count)
            yield family

    def _quality(self) -> Iterator[Metric]:
        assessing = self._registry.assessing
        text = "how well participants send (up) and receive (down), 1 to 4.5, each looked at every two seconds"
        scores = HistogramMetricFamily("sfu_quality_score", text, labels=["direction"])
        for direction, tally in assessing.tallies.items():
            scores.add_metric([direction.value], tally.buckets(), tally.sum)
        yield scores
        text = "participants by how well off they are; unknown: nothing is sent or received"
        family = GaugeMetricFamily("sfu_quality_participants", text, labels=["quality"])
        levels = assessing.levels()
        for level in (*Level, None):
            family.add_metric(["unknown" if level is None else level.value], levels[level])
        yield family

    def _limits(self) -> Metric:
        """Counted when it is scraped: some ten thousand take a millisecond or two."""
        text = "Subscriptions by what keeps them from being better (reason: a word of ALLOCATION.md)"
        found = Counter((s.track.spec.kind, s.share.limited_by) for s in self._registry.subscriptions.values())
        family = GaugeMetricFamily("sfu_subscriptions_limited", text, labels=["kind", "reason"])
        for kind in ("audio", "video"):
            for reason in LimitedBy:
                family.add_metric([kind, reason.value], found[kind, reason])
        return family

    def _estimates(self) -> Metric:
        """Of those who receive now, not of all time: a gauge for each bound, at or below which so many are."""
        text = "subscribers of whom it is estimated what their path carries, by that in bit/s; le is an upper bound"
        endpoints = self._registry.endpoints.values()
        rates = [one.bps for e in endpoints if (one := e.subscriber.budget.estimate) is not None]
        family = GaugeMetricFamily("sfu_estimated_subscribers", text, labels=["le"])
        for bound in ESTIMATE_BOUNDS_BPS:
            family.add_metric([str(bound)], sum(rate <= bound for rate in rates))
        family.add_metric(["+Inf"], len(rates))
        return family

    def _population(self) -> Iterator[Metric]:
        registry = self._registry
        endpoints = registry.endpoints.values()
        yield GaugeMetricFamily("sfu_rooms", "rooms with a Transport", value=len({e.room for e in endpoints}))
        participants = {(e.room, e.participant) for e in endpoints}
        yield GaugeMetricFamily("sfu_participants", "participants with a Transport", value=len(participants))
        yield self._estimates()
        states = Counter(self._transports.state(e.number) for e in endpoints)
        transports = GaugeMetricFamily("sfu_transports", "Transports by liveness", labels=["state"])
        for state in TransportState:
            if state is not TransportState.GONE:
                transports.add_metric([state.value], states[state])
        yield transports
        for name, text, kinds in (
            ("sfu_tracks", "published Tracks", [t.spec.kind for t in registry.tracks.values()]),
            (
                "sfu_subscriptions",
                "Tracks on their way to somebody",
                [s.track.spec.kind for s in registry.subscriptions.values()],
            ),
        ):
            family = GaugeMetricFamily(name, text, labels=["kind"])
            for kind in ("audio", "video"):
                family.add_metric([kind], kinds.count(kind))
            yield family

    def _plane(self) -> Iterator[Metric]:
        plane = self._context.plane
        yield InfoMetricFamily("sfu_plane", "the per-packet engine", value={"name": plane.name})
        counters = plane.counters
        received = CounterMetricFamily("sfu_received_datagrams", "datagrams by what they were", labels=["kind"])
        for kind in ("rtp", "rtcp", "stun", "dtls"):
            received.add_metric([kind], getattr(counters, f"received_{kind}"))
        yield received
        for attribute, name, text in PLANE_COUNTERS:
            yield CounterMetricFamily(name, text, value=getattr(counters, attribute))
        dropped = CounterMetricFamily("sfu_dropped_packets", "packets that ended here, by reason", labels=["reason"])
        for reason in DropReason:
            dropped.add_metric([reason.value], counters.dropped.get(reason, 0))
        yield dropped
        net = self._transports.counters
        checks = CounterMetricFamily("sfu_stun_refused", "STUN that was no valid connectivity check", labels=["reason"])
        checks.add_metric(["not_a_check"], net.stun_dropped)
        checks.add_metric(["not_authentic"], net.stun_refused)
        yield checks
        yield CounterMetricFamily("sfu_moved", "Transports followed to another port without a check", value=net.moved)
        yield CounterMetricFamily(
            "sfu_dtls_dropped", "DTLS datagrams beyond a Transport's queue", value=net.dtls_dropped
        )
