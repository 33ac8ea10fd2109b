"""What the paths to all subscribers carry: from the plane's feedback to the estimator of `core`, and what comes of it.

    every 50 ms   plane.poll_feedback ─► Estimator ─┬► estimates that changed ─► Subscribers: enough for all it has?
                                                    └► probes ─► plane.probe

One tick for all Transports, while any is estimated; four a second while nobody reports: nobody is sent anything then.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfu.context import Context, next_round
from sfu.endpoint import Endpoint


class Estimating:
    endpoint = None  # of all Transports

    def __init__(self, context: Context, endpoints: Mapping[int, Endpoint]) -> None:
        """`endpoints`: all there are, by the plane's number."""
        self._context = context
        self._endpoints = endpoints

    def start(self, endpoint: Endpoint, now: float) -> None:
        """What it is sent is numbered, and it reports on that. Again: nothing changes."""
        if endpoint.number not in self._context.estimator:
            self._context.estimator.add(endpoint.number, now)
            self._wake(now)

    def forget(self, endpoint: Endpoint) -> None:
        self._context.estimator.remove(endpoint.number)

    def on_timeout(self, now: float) -> None:
        estimator, plane = self._context.estimator, self._context.plane
        if len(estimator):
            self._wake(now)  # first: whatever may go wrong below, the next tick comes
        estimator.on_feedback(plane.poll_feedback(now), now)
        for transport in estimator.take_changed(now):
            self._endpoints[transport].subscriber.on_estimate(now)
        for probe in estimator.take_probes(now):
            if not plane.probe(probe.transport, probe.rate_bps, probe.packets, probe.cluster, now):
                estimator.on_probe_refused(probe.transport, now)

    def _wake(self, now: float) -> None:
        config = self._context.config
        is_awaited = self._context.estimator.is_awaited(now)
        at = next_round(config.estimation_interval_s if is_awaited else config.estimation_rest_s, now)
        self._context.deadlines.set(self, at)
