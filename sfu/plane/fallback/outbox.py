"""What the plane's parts leave behind for its drivers: datagrams to send, events to tell, drops counted.

Also who is to be looked at again: when there is something to send later, and when feedback is polled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.core.types import DropReason
from sfu.plane.interface import Counters, Datagram, Event, Path

if TYPE_CHECKING:
    from sfu.plane.fallback.transport import Transport


class Outbox:
    """`pending_events` is the limit for events that a remote can cause at will: beyond it they are dropped."""

    __slots__ = ("_pending_events", "counters", "datagrams", "events", "later", "reported_on", "reporting")

    def __init__(self, counters: Counters, pending_events: int) -> None:
        self.counters = counters
        self.datagrams: list[Datagram] = []
        self.events: list[Event] = []
        self.later: dict[Transport, None] = {}  # RTX waits, or a probe runs; in the order in which that began
        self.reporting: dict[Transport, None] = {}  # feedback has come, or is awaited of a probe
        self.reported_on: dict[Transport, None] = {}  # blocks about their Slots have come
        self._pending_events = pending_events

    def send(self, path: Path, payload: bytes) -> None:
        self.datagrams.append(Datagram(payload, path))

    def tell(self, event: Event) -> None:
        """An event that must arrive, because it is told once: few by nature."""
        self.events.append(event)

    def tell_if_room(self, event: Event) -> None:
        """An event of which a remote can cause any number, and which it will repeat."""
        if len(self.events) < self._pending_events:
            self.events.append(event)
        else:
            self.drop(DropReason.EVENTS_FULL)

    def has_room_for_strangers(self) -> bool:
        """Half the room is kept for remotes that we know."""
        return len(self.events) < self._pending_events // 2

    def drop(self, reason: DropReason) -> None:
        dropped = self.counters.dropped
        dropped[reason] = dropped.get(reason, 0) + 1
