"""Which changes of quality app backends hear of: those that last. Of one room; sans-IO.

    word ─► the same as was told: nothing
        └─► another, whichever, for `hold_s` together ─► told, as it is by then

A word that comes and goes is never told; one that goes on changing without coming back to what was told, is. At first
everybody counts as well off, so that nobody's coming is told twice (`participant.joined` says it).
"""

from __future__ import annotations

from dataclasses import dataclass

from signaling.message_values import Quality, QualityLevel

# Neither is a reason to do anything, where nothing worse was told before.
UNREMARKABLE: tuple[QualityLevel | None, ...] = (None, "good")


@dataclass(frozen=True, slots=True)
class Lasting:
    """Of somebody's stay. `quality`: None: nothing is sent or received any more. `previous`: as was told before."""

    participant: str
    quality: Quality | None
    previous: QualityLevel | None


class LastingQualities:
    """People by the id of their stay."""

    def __init__(self) -> None:
        self._told: dict[str, QualityLevel | None] = {}  # who is missing: nothing
        # By when it began to differ from what was told, so that the first is the next that is due.
        self._other: dict[str, tuple[float, Quality | None]] = {}

    def told(self, participant: str) -> QualityLevel | None:
        return self._told.get(participant)

    def recall(self, participant: str, told: QualityLevel | None, now: float) -> None:
        """What was told of somebody before a restart. Nothing is known of him at first."""
        if told is not None:
            self._told[participant] = told
            self.on_quality(participant, None, now)

    def on_quality(self, participant: str, quality: Quality | None, now: float) -> None:
        told = self._told.get(participant)
        level = None if quality is None else quality.level
        if level == told or (told in UNREMARKABLE and level in UNREMARKABLE):
            self._other.pop(participant, None)
        else:
            since, _ = self._other.get(participant, (now, None))
            self._other[participant] = since, quality

    def forget(self, participant: str) -> None:
        """It has left."""
        self._told.pop(participant, None)
        self._other.pop(participant, None)

    def next_timeout(self, hold_s: float) -> float | None:
        since, _ = next(iter(self._other.values()), (None, None))
        return None if since is None else since + hold_s

    def poll(self, hold_s: float, now: float) -> Lasting | None:
        """What has lasted and counts as told from now on; None: nothing more."""
        when = self.next_timeout(hold_s)
        if when is None or when > now:
            return None
        participant = next(iter(self._other))
        _, quality = self._other.pop(participant)
        previous = self._told.get(participant)
        self._told[participant] = None if quality is None else quality.level
        return Lasting(participant, quality, previous)
