"""Signaling's numbers for Prometheus, and all of them as text, read at scrape time. Workers': see `sfu/metrics.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from signaling.loop_lag import Histogram
from signaling.recordings.uploading import UploadFigures
from signaling.seat import SignalingCounters

TIMES: Final = {
    "sfu_event_loop_lag_seconds": "how late signaling's event loop is, looked at four times a second",
    "sfu_join_seconds": "from the WebSocket to the answer to join, the client's part included",
    "sfu_first_media_seconds": "from having joined to the first packet sent, of who joined when others were publishing",
    "sfu_store_commit_seconds": "until what was done is kept, which answers wait for",
}


def exposition(signaling: SignalingCollector, workers: Iterable[Metric]) -> bytes:
    """What a scrape is answered: of this process (`process_…`: CPU, memory, descriptors), of signaling, of Workers."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(signaling)
    registry.register(_Read(workers))
    return generate_latest(registry)


class _Read(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class SignalingCollector(Collector):
    """`times`: histograms by their name in TIMES. `attempts` to deliver to webhooks by what came of them, and how many
    deliveries are `pending`. `uploads` of recordings; None: there is no storage for them."""

    def __init__(
        self,
        read: Callable[[], SignalingCounters],
        times: Mapping[str, Histogram],
        attempts: Mapping[str, int],
        pending: Callable[[], int],
        uploads: UploadFigures | None = None,
    ) -> None:
        self._read = read
        self._times = times
        self._attempts = attempts
        self._pending = pending
        self._uploads = uploads

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        counters = self._read()
        yield GaugeMetricFamily("sfu_signaling_rooms", "rooms, the just emptied included", value=counters.rooms)
        yield GaugeMetricFamily("sfu_signaling_participants", "who is in a room", value=counters.participants)
        yield GaugeMetricFamily(
            "sfu_signaling_sessions", "open WebSockets, and who may come back", value=counters.sessions
        )
        yield CounterMetricFamily(
            "sfu_signaling_resumed_sessions", "sessions that went on with another WebSocket", value=counters.resumed
        )
        closed = CounterMetricFamily(
            "sfu_signaling_closed_sessions", "sessions that ended, by code of PROTOCOL.md", labels=["code"]
        )
        for code, number in counters.closed.items():
            closed.add_metric([code], number)
        yield closed
        yield from self._webhooks()
        if self._uploads is not None:
            yield from _uploads(self._uploads)
        for name, text in TIMES.items():
            yield self._times[name].family(name, text)

    def _webhooks(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "sfu_webhook_pending_deliveries", "events on their way to a webhook", value=self._pending()
        )
        attempts = CounterMetricFamily(
            "sfu_webhook_attempts",
            "requests to webhooks; failed: tried again later, dead: not any more",
            labels=["outcome"],
        )
        for outcome, number in self._attempts.items():
            attempts.add_metric([outcome], number)
        yield attempts


def _uploads(figures: UploadFigures) -> Iterator[Metric]:
    outcomes = CounterMetricFamily(
        "sfu_recording_uploads",
        "recordings sent to storage; delayed: an attempt that is followed by another, failed: given up",
        labels=["outcome"],
    )
    for outcome, number in figures.outcomes.items():
        outcomes.add_metric([outcome], number)
    yield outcomes
    yield CounterMetricFamily(
        "sfu_recording_upload_bytes", "of what has arrived there whole, and was verified", value=figures.sent_bytes
    )
    yield GaugeMetricFamily("sfu_recording_uploads_pending", "recordings on their way there", value=figures.pending)
    yield GaugeMetricFamily(
        "sfu_recording_upload_oldest_seconds",
        "how long the one that waits for longest has been on its way",
        value=figures.oldest_s,
    )
