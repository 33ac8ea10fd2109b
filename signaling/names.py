"""The names signaling gives to what the Worker keeps: Transports, Slots, Subscriptions, Tracks, sinks, and calls.

Names are opaque to the Worker and never used twice. Those only we and the Worker see begin with the session's number,
so that a Notice finds its session without a table. Track names are public, so they tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count


class Names:
    """One session's. `calls` is shared by all sessions; `new_track` gives `TR_…`."""

    def __init__(self, session: int, calls: Iterator[int], new_track: Callable[[], str]) -> None:
        self.session = session
        self._calls = calls
        self._counter = count(1)
        self.track = new_track

    def call(self) -> int:
        return next(self._calls)

    def transport(self) -> str:
        return self._next("transport")

    def slot(self) -> str:
        return self._next("slot")

    def subscription(self) -> str:
        return self._next("subscription")

    def correspondent(self) -> str:
        return self._next("messages")

    def sink(self) -> str:
        return self._next("sink")

    def media(self, track: str) -> str:
        """A further Track of the Worker for a track that has had one; the first goes by the track's own name."""
        return f"{track}/{next(self._counter)}"

    def _next(self, kind: str) -> str:
        return f"{self.session}/{kind}/{next(self._counter)}"


def session_of(name: str) -> int:
    """Whose Transport, Slot, Subscription or sink this is. Raises ValueError for names we did not give."""
    return int(name.partition("/")[0])


def public_name(media: str) -> str:
    """Of the track that the Worker knows by this name, or by a further one."""
    return media.partition("/")[0]
