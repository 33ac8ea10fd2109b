"""What is told to the members of large rooms waits a moment for company. Sans-IO.

    delivery ─► in a small room: at once
             └► in a large one: who joined, left, published … waits until the next moment; then all in one message

What waits goes before anything that does not, so that everybody hears everything in the order in which it happened.
"""

from __future__ import annotations

from signaling.limits import RoomLimits
from signaling.messages import RosterEvent, Speakers, ViewersChanged
from signaling.room_events import Delivery, LoudestChanged, MediaMoved, RoomEvent, SingleEvent, Together

# These are about now, and name nobody whom it would matter to know.
_URGENT = LoudestChanged | Speakers


class Batches:
    def __init__(self, limits: RoomLimits) -> None:
        self._limits = limits
        self._waiting: dict[int, list[SingleEvent]] = {}  # by session
        self._due_at: float | None = None

    def next_timeout(self) -> float | None:
        return self._due_at

    def admit(self, delivery: Delivery, now: float) -> list[RoomEvent]:
        """What the session is to hear now."""
        event = delivery.event
        if isinstance(event, _URGENT):
            return [event]
        waits = isinstance(event, RosterEvent | MediaMoved)
        if delivery.members < self._limits.batched_from or not waits:
            return [*self.take(delivery.session), event]
        waiting = self._waiting.setdefault(delivery.session, [])
        if isinstance(event, ViewersChanged):
            waiting[:] = [other for other in waiting if not isinstance(other, ViewersChanged)]
        waiting.append(event)
        if self._due_at is None:
            self._due_at = now + self._limits.batch_s
        return []

    def take(self, session: int) -> list[RoomEvent]:
        """What waits for this one: nothing, or one event."""
        events = self._waiting.pop(session, [])
        return [*events] if len(events) < 2 else [Together(tuple(events))]

    def due(self, now: float) -> list[tuple[int, RoomEvent]]:
        """By session."""
        if self._due_at is None or now < self._due_at:
            return []
        self._due_at = None
        return [(session, event) for session in list(self._waiting) for event in self.take(session)]
