"""Reports of all Transports, both ways, in one turn: who reports now, and what has been reported to us.

at common moments   schedules ─► who is due ─► plane.send_reports
                    plane.poll_reports ─► quality of what its Subscriber receives, round trips, that the remote is alive

The plane writes what is sent, and reads what comes; one Transport alone took fifty microseconds a second in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sfu.context import Context
from sfu.endpoint import Endpoint
from sfu.subscription import Slot
from sfu.wire.rtcp import ReportBlock


class Reporting:
    endpoint = None  # of all Transports

    def __init__(self, context: Context, endpoints: Mapping[int, Endpoint], slots: Mapping[int, Slot]) -> None:
        """`endpoints` and `slots`: all there are, by the plane's number."""
        self.on_heard: Callable[[int, float], None] = lambda transport, now: None  # its remote has reported
        self._context = context
        self._endpoints = endpoints
        self._slots = slots
        self._due_at: float | None = None

    def touch(self, endpoint: Endpoint) -> None:
        """Its schedule has changed."""
        at = endpoint.reports.next_timeout()
        if at is not None and (self._due_at is None or at < self._due_at):
            self._wake(at)

    def on_timeout(self, now: float) -> None:
        due = [endpoint for endpoint in self._endpoints.values() if endpoint.reports.on_timeout(now)]
        times = (endpoint.reports.next_timeout() for endpoint in self._endpoints.values())
        self._wake(min((at for at in times if at is not None), default=None))
        self.take(now)
        connected = [endpoint.number for endpoint in due if endpoint.is_connected]
        self._context.plane.send_reports(connected, self._context.clock.ntp(now), now)

    def take(self, now: float) -> None:
        """What has been reported by now: also for who is about to judge by it."""
        for transport, slot, at_s, *fields in self._context.plane.poll_reports().tolist():
            self.on_heard(transport, now)
            block = ReportBlock(*fields)
            if transport in self._endpoints:
                self._endpoints[transport].on_report(block, at_s)
            if slot in self._slots:
                self._slots[slot].on_report(block)

    def _wake(self, at: float | None) -> None:
        self._due_at = at
        self._context.deadlines.set(self, at)
