"""How far apart claps are in the files of a recording: of each participant sound and picture, and all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.recorder.watching import Seen

# ITU-R BT.1359 lets viewers notice 45 ms; speakers who talk to one another are heard closer together than that.
AV_SKEW_S = 0.040
BETWEEN_S = 0.020
NEAR_S = 0.5  # of two claps at once there are none
Times = dict[float, float]  # when in the file, by when it was due


@dataclass(slots=True)
class Claps:
    """By participant. Times are seconds of the recording."""

    flashes: dict[str, Times] = field(default_factory=dict)
    beeps: dict[str, Times] = field(default_factory=dict)

    def add(
        self, identity: str, seen: Seen, *, flashes_due: set[float], beeps_due: set[float], most_missing: int = 0
    ) -> None:
        """All of them must be there, but for so many of each."""
        self.flashes[identity] = _paired(seen.flashes, flashes_due)
        self.beeps[identity] = _paired(seen.beeps, beeps_due)
        missing = (flashes_due - self.flashes[identity].keys(), beeps_due - self.beeps[identity].keys())
        assert max(map(len, missing)) <= most_missing, (identity, missing, seen.flashes, seen.beeps)

    @property
    def av_skews_s(self) -> list[float]:
        """How much later pictures are than sound, clap by clap."""
        return [
            flash_s - self.beeps[identity][due_s]
            for identity, flashes in self.flashes.items()
            for due_s, flash_s in flashes.items()
            if due_s in self.beeps[identity]
        ]

    def between_s(self, of: Callable[[Claps], dict[str, Times]]) -> list[float]:
        """How far apart the same clap is in the files of those who took part in it."""
        found: dict[float, list[float]] = {}
        for times in of(self).values():
            for due_s, at_s in times.items():
                found.setdefault(due_s, []).append(at_s)
        return [max(times) - min(times) for times in found.values() if len(times) > 1]

    def check(self, judged: Callable[[Iterable[float]], float] = max, between_s: float = BETWEEN_S) -> None:
        """`judged`: which of the claps must keep the limits: the worst, so all of them. `between_s`: the one between
        participants."""
        beeps, flashes = self.between_s(lambda claps: claps.beeps), self.between_s(lambda claps: claps.flashes)
        assert self.av_skews_s and beeps and flashes, self
        skews = list(map(abs, self.av_skews_s))
        figures = [
            f"{name} {1000 * judged(found):.1f} ms (worst {1000 * max(found):.1f} of {len(found)})"
            for name, found in (("A/V", skews), ("beeps", beeps), ("flashes", flashes))
        ]
        print(", ".join(figures))
        assert judged(skews) <= AV_SKEW_S and max(judged(beeps), judged(flashes)) <= between_s, (figures, self)


def _paired(found: list[float], due: set[float]) -> Times:
    pairs = {one: min(found, key=lambda at_s: abs(at_s - one), default=float("inf")) for one in due}
    return {due_s: at_s for due_s, at_s in pairs.items() if abs(at_s - due_s) < NEAR_S}
