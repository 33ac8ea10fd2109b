"""What is missing of one published layer: when to ask for it again, and when to give up.

    gap ──REORDERING──► asked ──RTT──► asked again … ──► arrived
                                                    └──► ATTEMPTS or AGE: abandoned, a key frame is the way on

The plane knows what has arrived meanwhile: `due()` names candidates, the caller has the plane filter them
(`Plane.missing`) and returns what is left to `on_checked()`. Numbers are unwrapped sequence numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Packets overtake each other on Wi-Fi by a few ms. Lower: asking for packets that were on their way; higher: later
# video.
REORDERING_S = 0.012
# Before anything was measured; libwebrtc assumes the same.
USUAL_RTT_S = 0.1
# A repeat sooner than this crosses its own answer in the publisher's pacer; later than this the viewers stand still.
MIN_REPEAT_S = 0.04
MAX_REPEAT_S = 0.4
# Each attempt may be lost like the packet was: at 30 % loss, eight leave 1 in 15 000.
ATTEMPTS = 8
# For a recorder, who does not wait and can put in what comes late: until the publisher has forgotten it, which browsers
# do after a second (MAX_AGE_S).
PATIENT_ATTEMPTS = 25
# Viewers' jitter buffers wait no longer than about a second before they ask for a key frame themselves.
MAX_AGE_S = 1.0
# Per layer: most of a second at 2 Mbit/s. More than this at once is an outage: asking for all of it again would fill
# the uplink that has just come back, and a key frame is cheaper.
MAX_MISSING = 200


@dataclass(slots=True)
class _Loss:
    noticed_at: float
    due_at: float
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    """`ask` for these now, sorted. `abandoned`: something that mattered will not come any more."""

    ask: tuple[int, ...]
    abandoned: bool


class MissingPackets:
    """The losses of one layer."""

    def __init__(self) -> None:
        self._losses: dict[int, _Loss] = {}
        self._next_at: float | None = None
        self._key_frame_at: float | None = None
        self._overflowed = False
        self.asked = 0  # numbers asked for, repeats included
        self.abandoned = 0

    def __len__(self) -> int:
        return len(self._losses)

    def on_gap(self, first: int, last: int, now: float) -> None:
        """`first … last` were jumped over."""
        if len(self._losses) + last - first + 1 > MAX_MISSING:
            self.abandoned += len(self._losses) + last - first + 1
            self._losses.clear()
            self._overflowed = True
            self._next_at = now
            return
        for number in range(first, last + 1):
            self._losses.setdefault(number, _Loss(now, now + REORDERING_S))
        self._next_at = min(now + REORDERING_S, self._next_at or now + REORDERING_S)

    def on_key_frame(self, now: float) -> None:
        """What was lost before a key frame may still help a recorder, but nobody needs another one for it."""
        self._key_frame_at = now
        self._overflowed = False

    def next_timeout(self) -> float | None:
        return self._next_at

    def due(self, now: float) -> list[int]:
        """Numbers to be checked with the plane, sorted."""
        return sorted(number for number, loss in self._losses.items() if loss.due_at <= now)

    def on_checked(
        self,
        due: Sequence[int],
        still_missing: Sequence[int],
        rtt_s: float | None,
        now: float,
        *,
        patient: bool = False,
    ) -> Recovery:
        """`still_missing` is what the plane left of `due`. `rtt_s` is the publisher's, if known. `patient`: somebody
        keeps this layer, and has use for what comes late."""
        attempts = PATIENT_ATTEMPTS if patient else ATTEMPTS
        repeat_s = min(MAX_REPEAT_S, max(MIN_REPEAT_S, USUAL_RTT_S if rtt_s is None else rtt_s))
        abandoned, self._overflowed = self._overflowed, False
        missing = set(still_missing)
        ask = []
        for number in due:
            loss = self._losses[number]
            if number not in missing:
                del self._losses[number]
            elif loss.attempts >= attempts or now - loss.noticed_at >= MAX_AGE_S:
                del self._losses[number]
                self.abandoned += 1
                abandoned = abandoned or self._key_frame_at is None or loss.noticed_at > self._key_frame_at
            else:
                loss.attempts += 1
                loss.due_at = now + repeat_s
                ask.append(number)
        self.asked += len(ask)
        self._next_at = min((loss.due_at for loss in self._losses.values()), default=None)
        return Recovery(tuple(ask), abandoned)
