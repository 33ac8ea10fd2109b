"""When a delivery that failed is tried again. Pure: `chance` is uniform in [0, 1)."""

from __future__ import annotations

from typing import Final

# Seconds, doubling: a receiver that restarts is back within some, one that somebody has to mend within hours.
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 3600.0
# Receivers that came down under load get up more easily if not all knock at once.
JITTER: Final = 0.2
# After this an event is old news, and the ones behind it have waited long enough.
GIVE_UP_AFTER_S: Final = 24 * 3600.0


def pause_s(attempts: int, retry_after_s: float | None, chance: float) -> float:
    """After so many attempts that failed (at least one). `retry_after_s`: as the receiver asked for."""
    backoff = min(FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 30), LONGEST_PAUSE_S)
    backoff *= 1 + JITTER * (2 * chance - 1)
    return min(max(backoff, retry_after_s or 0.0), LONGEST_PAUSE_S)
