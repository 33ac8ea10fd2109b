"""How much of what its tiles could use a subscriber's machine can show, by its own word that it cannot keep up.

    says twice in a row that it cannot ─► a level down: fewer frames, and smaller pictures, the grid first
    has not said so for a while        ─► a level up; if that was too much, it takes twice as long the next time

Bandwidth cannot tell: what a machine is too slow to decode arrives all the same. Lower layers cost it a quarter each;
of frames it is spared half. A shared screen keeps its size longest, as it is to be read.
"""

from __future__ import annotations

from sfu.core.layout import Rank

# Reports come every ten seconds. One alone may tell of a moment: another tab that loads, a window that is moved.
# Lower: pictures shrink for that. Higher: who cannot keep up stutters for longer.
REPORTS = 2
# Without trouble for so long, there is room for more again. Lower: a machine at its limit swings; higher: one that was
# busy for a moment shows small pictures for no reason.
CALM_S = 40.0
MOST_CALM_S = 600.0
# Trouble within so long after a level up is because of it.
BLAMED_S = 60.0

FRAME_RATE = 15.0
# From which level on pictures are smaller, and by how many steps at most. Each has a quarter of the pixels.
FIRST_LEVEL = {Rank.GRID: 1, Rank.SELECTED: 1, Rank.STAGE: 2, Rank.SCREEN: 3, Rank.STAGE_SCREEN: 3}
MOST_STEPS = 2
MOST_LEVEL = 4


class Strain:
    def __init__(self) -> None:
        self.level = 0  # 0: it keeps up
        self._overused = 0  # reports in a row
        self._calm_since: float | None = None
        self._calm_s = CALM_S
        self._rose_at: float | None = None

    def on_report(self, *, overused: bool, now: float) -> bool:
        """Returns whether it bears another load from now on."""
        if overused:
            self._calm_since = None
            self._overused += 1
            return self._overused >= REPORTS and self._fall(now)
        self._overused = 0
        if self.level == 0:
            return False
        if self._calm_since is None:
            self._calm_since = now
        return now - self._calm_since >= self._calm_s and self._rise(now)

    def most(self, rank: Rank, pixels: int | None) -> tuple[int | None, float | None]:
        """Pixels and frames per second that it bears of a tile of so many pixels. `None`: any number."""
        if self.level == 0:
            return None, None
        steps = min(MOST_STEPS, max(0, self.level - FIRST_LEVEL[rank] + 1))
        return (None if pixels is None or steps == 0 else pixels >> 2 * steps), FRAME_RATE

    def _fall(self, now: float) -> bool:
        self._overused = 0
        if self._rose_at is not None and now - self._rose_at < BLAMED_S:
            self._calm_s = min(MOST_CALM_S, 2 * self._calm_s)
        elif self.level == 0:
            self._calm_s = CALM_S
        self._rose_at = None
        if self.level == MOST_LEVEL:
            return False
        self.level += 1
        return True

    def _rise(self, now: float) -> bool:
        self.level -= 1
        self._calm_since, self._rose_at = now, now
        return True
