"""When the next part is composed, and how much of it: late, but bounded. Pure; times are of the session."""

from __future__ import annotations

from typing import NamedTuple

from recorder.live.config import LiveConfig


class Turn(NamedTuple):
    """Compose the part that begins at `begin_s`. `thin`: one picture of it. `skipped_s` was left out before it."""

    begin_s: float
    thin: bool
    skipped_s: float


class Pace:
    """Parts lie on a grid; each is composed once all of it is `delay_s` old."""

    def __init__(self, config: LiveConfig, part_s: float, now: float) -> None:
        self._config = config
        self._part_s = part_s
        self.next_s = max(0.0, now - config.delay_s)

    def wait_s(self, now: float) -> float:
        """Until the next part is due; 0 when it is."""
        return max(0.0, -self._late_s(now))

    def turn(self, now: float) -> Turn | None:
        """None: nothing is due yet."""
        late_s = self._late_s(now)
        if late_s < 0:
            return None
        skipped_s = 0.0
        if late_s > self._config.skip_after_s:
            skipped_s = late_s // self._part_s * self._part_s
            self.next_s += skipped_s
        thin = not skipped_s and late_s > self._config.thin_after_s
        turn = Turn(self.next_s, thin, skipped_s)
        self.next_s += self._part_s
        return turn

    def _late_s(self, now: float) -> float:
        return now - self._config.delay_s - (self.next_s + self._part_s)
