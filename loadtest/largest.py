"""The largest meeting that still goes well: ever more people, until too much is lost or it takes too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from loadtest.results import Point

MOST_LOSS: Final = 0.001
MOST_P99_MS: Final = 200.0  # of added latency: what people who talk to each other begin to notice
STEP: Final = 1.25
EXACT: Final = 0.06  # a meeting so much larger that does not go well is near enough
MOST_PARTICIPANTS: Final = 1000  # more than a generator of one core could be


def goes_well(point: Point) -> bool:
    p99_ms = point.added_latency_ms["p99"]
    return point.loss < MOST_LOSS and p99_ms is not None and p99_ms <= MOST_P99_MS


def next_size(first: int, tried: Mapping[int, bool]) -> int | None:
    """How many participants to try next, by how it went with others; None: enough is known."""
    badly = min((size for size, went_well in tried.items() if not went_well), default=None)
    well = max((size for size, went_well in tried.items() if went_well), default=None)
    if badly is None:
        size = first if well is None else max(well + 1, round(well * STEP))
        return size if size <= MOST_PARTICIPANTS else None
    if well is None:
        return int(badly / STEP) if badly > 2 else None
    return (well + badly) // 2 if badly - well > max(1, EXACT * well) else None


def verdict(points: Sequence[Point]) -> tuple[str, bool]:
    """What to print, and whether any went well."""
    well = max((point.participants for point in points if goes_well(point)), default=None)
    limits = f"less than {100 * MOST_LOSS:.1f} % lost and a 99th percentile of at most {MOST_P99_MS:.0f} ms"
    if well is None:
        return f"no meeting goes well: {limits}", False
    return f"the largest meeting that goes well has {well} participants: {limits}", True
