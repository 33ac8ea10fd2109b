"""Which event goes to which webhook, when, and what becomes of it: at least once, in order per room. Sans-IO.

    a turn's events ─ address ─► Deliveries, kept with them ─ committed ─► admit ─► lanes ─ poll ─► an attempt
                                      kept anew ◄─ delivered · tried again later · dead ◄─ on_outcome ─┘

A lane is one webhook and one room. Its first delivery is under way or waits for its time; the others wait for that.
So a room's events arrive in order, and a room whose event a receiver does not take holds up no other room. `now` is
Unix time throughout, as retries outlive the process.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from signaling.events import AnyEvent
from signaling.webhooks.delivery import Delivery
from signaling.webhooks.registry import Webhooks
from signaling.webhooks.schedule import GIVE_UP_AFTER_S, pause_s

# Requests under way to one webhook: rooms do not wait for each other's round trips, and a small receiver survives it.
MAX_CONCURRENT: Final = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one attempt. `status`: None when there was no response; then `error` says why."""

    status: int | None = None
    error: str = ""
    retry_after_s: float | None = None

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True)
class _Lane:
    waiting: deque[Delivery] = field(default_factory=deque)
    under_way: bool = False


class Outbox:
    """`new_id` gives `DL_…`; `chance` numbers in [0, 1)."""

    def __init__(self, webhooks: Webhooks, new_id: Callable[[], str], chance: Callable[[], float]) -> None:
        self.webhooks = webhooks
        self.on_admitted: Callable[[], object] = lambda: None  # whoever sends sets it
        self._new_id = new_id
        self._chance = chance
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._due: list[tuple[float, tuple[str, str]]] = []  # heap; may hold what is out of date
        self._running: dict[str, int] = {}  # attempts under way, by webhook
        self._held_up: dict[str, set[tuple[str, str]]] = {}  # lanes that are due, behind MAX_CONCURRENT others

    @property
    def pending(self) -> int:
        """Deliveries that are."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def address(self, event: AnyEvent, room_url: str) -> tuple[Delivery, ...]:
        """To be kept with the event. `room_url`: where the room itself wants its events, too; empty: nowhere."""
        deliveries = [self._make(webhook.id, event) for webhook in self.webhooks.interested(event)]
        if room_url:
            deliveries.append(self._make(f"WH_{event.room.id}", event, room_url))
        return tuple(deliveries)

    def readdress(self, delivery: Delivery, now: float) -> Delivery:
        """The same event once more, in a lane of its own: those after it have long been delivered. To be kept."""
        name = self._new_id()
        return replace(
            delivery,
            id=name,
            lane=name,
            created_at=now,
            state="pending",
            attempts=0,
            next_at=0.0,
            finished_at=None,
            status=None,
            error="",
        )

    def admit(self, deliveries: Iterable[Delivery]) -> None:
        """They are kept, and may be sent; in the order of their events."""
        for delivery in deliveries:
            key = (delivery.webhook, delivery.lane)
            lane = self._lanes.setdefault(key, _Lane())
            lane.waiting.append(delivery)
            if len(lane.waiting) == 1:
                heapq.heappush(self._due, (delivery.next_at, key))
        self.on_admitted()

    def next_timeout(self) -> float | None:
        return self._due[0][0] if self._due else None

    def poll(self, now: float) -> Delivery | None:
        """Which attempt to begin; None: no further one yet. Each is followed by `on_outcome`."""
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            lane = self._lanes.get(key)
            if lane is None or lane.under_way or not lane.waiting or lane.waiting[0].next_at > now:
                continue
            if self._running.get(key[0], 0) >= MAX_CONCURRENT:
                self._held_up.setdefault(key[0], set()).add(key)
                continue
            lane.under_way = True
            self._running[key[0]] = self._running.get(key[0], 0) + 1
            return lane.waiting[0]
        return None

    def on_outcome(self, delivery: Delivery, outcome: Outcome, now: float) -> Delivery:
        """Returns what it has become, to be kept."""
        key = (delivery.webhook, delivery.lane)
        lane = self._lanes[key]
        lane.under_way = False
        self._running[key[0]] -= 1
        became = self._judge(delivery, outcome, now)
        if became.state == "pending":
            lane.waiting[0] = became
        else:
            lane.waiting.popleft()
        if lane.waiting:
            heapq.heappush(self._due, (lane.waiting[0].next_at, key))
        else:
            del self._lanes[key]
        for held_up in self._held_up.pop(key[0], ()):
            heapq.heappush(self._due, (now, held_up))
        if outcome.accepted:
            self._hurry(key[0], now)
        return became

    def _make(self, webhook: str, event: AnyEvent, url: str = "") -> Delivery:
        return Delivery(
            id=self._new_id(),
            webhook=webhook,
            url=url,
            lane=event.room.id,
            event=event.seq,
            event_id=event.id,
            type=str(event.__struct_config__.tag),
            created_at=event.created_at.timestamp(),
        )

    def _judge(self, delivery: Delivery, outcome: Outcome, now: float) -> Delivery:
        tried = replace(delivery, attempts=delivery.attempts + 1, status=outcome.status, error=outcome.error)
        if outcome.accepted:
            return replace(tried, state="delivered", finished_at=now)
        if self.webhooks.receiver_of(delivery) is None:
            return _dead(tried, now, "the webhook was deleted")
        again_at = now + pause_s(tried.attempts, outcome.retry_after_s, self._chance())
        if again_at > delivery.created_at + GIVE_UP_AFTER_S:
            return _dead(tried, now, outcome.error)
        return replace(tried, next_at=again_at)

    def _hurry(self, webhook: str, now: float) -> None:
        """It answers again: what found nobody there need not wait for an hour. What it refused goes on waiting."""
        for key, lane in self._lanes.items():
            first = lane.waiting[0]
            if key[0] == webhook and not lane.under_way and first.next_at > now and first.status is None:
                lane.waiting[0] = replace(first, next_at=now)
                heapq.heappush(self._due, (now, key))


def _dead(delivery: Delivery, now: float, error: str) -> Delivery:
    return replace(delivery, state="dead", finished_at=now, error=error)


def no_webhooks() -> Outbox:
    """For a switchboard that has none, and none to be made."""
    return Outbox(Webhooks((), new_id=lambda prefix: prefix, new_secret=lambda: ""), lambda: "DL", lambda: 0.0)
