"""One event on its way to one webhook. A value; how it goes on is decided in `outbox.py`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

DeliveryState = Literal["pending", "delivered", "dead"]


class Delivery(Struct, frozen=True, kw_only=True):
    """Times are Unix. `lane`: deliveries of one webhook and lane go one after the other, in the order of `event`."""

    id: str
    webhook: str
    url: str = ""  # of the room's own settings, where it is to none of the registry
    lane: str  # the room's id; of a redelivery its own
    event: int  # `seq`
    event_id: str
    type: str
    created_at: float
    state: DeliveryState = "pending"
    attempts: int = 0
    next_at: float = 0.0  # no earlier attempt
    finished_at: float | None = None
    status: int | None = None  # of HTTP, at the last attempt
    error: str = ""  # what was wrong with it
