"""Transport-cc feedback to one publisher: which packets one report speaks of, and where it begins.

A publisher's bandwidth estimate lives on this: without it Chromium falls to 80 kbit/s. A report begins where the last
one ended, so that losses between the two are named; packets that come late are reported with what was known of their
surroundings. Bytes are `sfu.wire.twcc`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Arrivals one report may carry: at worst 2 bytes each, and 2 bytes of chunk per 7 numbers of MAX_SPAN, are 1200 bytes.
MAX_ARRIVALS = 300
# Numbers one report may span. A wider hole is an outage or a restart; naming each loss in it serves nobody.
MAX_SPAN = 2000
# Two neighbours further apart do not fit a delta (± 8.19 s). Arrivals of one report are at most half of that from its
# first, and so are those that are put between them again: any two may become neighbours.
MAX_STEP_S = 8.0
# Reordering beyond this many numbers is reported without its surroundings.
REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """One transport-cc packet: arrivals sorted by number; numbers from `first` on that are not there are lost."""

    feedback_count: int  # 8 bit
    first: int
    arrivals: tuple[tuple[int, float], ...]


class ArrivalFeedback:
    """What to report to one Transport about the packets it sent us."""

    def __init__(self) -> None:
        self._next_count = 0
        self._next_first: int | None = None  # where the next report begins
        self._reported: dict[int, float] = {}  # arrivals of the last REMEMBERED numbers

    def reports(self, arrivals: Sequence[tuple[int, float]]) -> list[FeedbackReport]:
        """About `arrivals` (unwrapped number, time), all since the last call, sorted by number."""
        reports = []
        start = 0
        for end in self._ends(arrivals):
            reports.append(self._report(arrivals[start:end]))
            start = end
        self._forget()
        return reports

    def _ends(self, arrivals: Sequence[tuple[int, float]]) -> list[int]:
        """Where to cut so that each piece fits one report."""
        ends = []
        start = 0
        for index in range(1, len(arrivals)):
            before, (number, at_s) = arrivals[index - 1][0], arrivals[index]
            late = self._next_first is not None and before < self._next_first <= number
            if (
                index - start >= MAX_ARRIVALS
                or number - arrivals[start][0] >= MAX_SPAN
                or abs(at_s - arrivals[start][1]) >= MAX_STEP_S / 2
                or late
            ):
                ends.append(index)
                start = index
        return [*ends, len(arrivals)] if arrivals else []

    def _report(self, arrivals: Sequence[tuple[int, float]]) -> FeedbackReport:
        first, last = arrivals[0][0], arrivals[-1][0]
        expected = self._next_first
        if expected is not None and last < expected:
            # Late ones: what lies between them was reported before, and is so again, not as lost.
            around = self._reported_around(arrivals)
            if len(around) <= MAX_ARRIVALS:
                arrivals = around
        elif expected is not None and first - expected < MAX_SPAN - (last - first):
            first = expected
        if expected is None or last >= expected:
            self._next_first = last + 1
        self._reported.update(arrivals)
        count = self._next_count
        self._next_count = (count + 1) & 0xFF
        return FeedbackReport(count, first, tuple(arrivals))

    def _reported_around(self, late: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
        (first, at_s), (last, _) = late[0], late[-1]
        oldest = first if self._next_first is None else self._next_first - REMEMBERED
        known = {
            number: known_s
            for number, known_s in self._reported.items()
            if max(first, oldest) <= number <= last and abs(known_s - at_s) < MAX_STEP_S / 2
        }
        return sorted((known | dict(late)).items())

    def _forget(self) -> None:
        if len(self._reported) > 2 * REMEMBERED and self._next_first is not None:
            oldest = self._next_first - REMEMBERED
            self._reported = {number: at_s for number, at_s in self._reported.items() if number >= oldest}
