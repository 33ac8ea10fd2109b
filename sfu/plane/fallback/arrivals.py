"""What arrives of one remote under transport-cc numbers, and the feedback about it.

note ─► (number, time), the first of each ─► on_timeout, when due ─► ArrivalFeedback ─► twcc.build

Whether there is to be any, and how often, is Python's decision. It is due at multiples of the interval, so that all
publishers' leaves in one turn of the thread, and only when something has arrived.
"""

from __future__ import annotations

from math import floor

from sfu.core.feedback import ArrivalFeedback
from sfu.plane.interface import PlaneConfig
from sfu.wire import twcc
from sfu.wire.serial import Unwrapper


class Arrivals:
    def __init__(self, config: PlaneConfig) -> None:
        self._limit = config.arrivals_per_transport
        self._numbers = Unwrapper()
        self._noted: dict[int, float] = {}
        self._interval_s: float | None = None
        self._due_at: float | None = None
        self._feedback = ArrivalFeedback()

    def set_interval(self, interval_s: float | None, now: float) -> None:
        self._interval_s = interval_s
        self._due_at = None
        self._await(now)

    def note(self, number: bytes, now: float) -> bool:
        """`number` is the transport-cc element: sixteen bits. Whether feedback has become due by it."""
        if len(number) == 2 and len(self._noted) < self._limit:
            self._noted.setdefault(self._numbers.unwrap(int.from_bytes(number, "big")), now)
            return self._await(now)
        return False

    def next_timeout(self) -> float | None:
        return self._due_at

    def on_timeout(self, ssrc: int, media_ssrc: int | None, now: float) -> list[bytes]:
        """Under `ssrc`, about a `media_ssrc` that the remote sends with: libwebrtc ignores feedback about any other,
        though it covers all of them. Until there is one, all is kept."""
        if self._due_at is None or now < self._due_at:
            return []
        self._due_at = None
        if media_ssrc is None:
            self._await(now)
            return []
        noted, self._noted = sorted(self._noted.items()), {}
        return [
            twcc.build(ssrc, media_ssrc, report.feedback_count, report.arrivals, report.first)
            for report in self._feedback.reports(noted)
        ]

    def _await(self, now: float) -> bool:
        if self._due_at is not None or self._interval_s is None or not self._noted:
            return False
        self._due_at = (floor(now / self._interval_s) + 1) * self._interval_s
        if self._due_at <= now:  # by rounding
            self._due_at += self._interval_s
        return True
