"""What happened in rooms: as lists, and as a stream (Server-Sent Events) that goes on as it happens.

Both read what the store has kept, so nobody is told of what a crash could undo, and whoever comes back with the `seq`
of the last event he has seen misses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from signaling.api.models import EventList
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Operation
from signaling.errors import ProtocolError, Refused
from signaling.events import AnyEvent
from signaling.store import Store

# The largest answer is some 100 kB.
MAX_EVENTS: Final = 200
# Proxies close what says nothing for a minute, and a reader that is gone is noticed by it.
HEARTBEAT_S: Final = 15.0
# Each costs a socket and a read per event.
MAX_STREAMS: Final = 200


class EventQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    since: Annotated[int, Meta(ge=0, lt=2**53, description="`seq` of the last event that was seen.")] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_EVENTS)] = MAX_EVENTS


class StreamQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    since: Annotated[
        int,
        Meta(ge=0, lt=2**53, description="As in the list. The header `Last-Event-ID` goes before."),
    ] = 0


class Events:
    def __init__(self, observer: Observer, store: Store) -> None:
        self._observer = observer
        self._store = store
        self._streams: set[asyncio.Event] = set()
        observer.switchboard.turns.on_kept.append(self._wake)

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_events",
                method="GET",
                path="/events",
                tag="events",
                summary="What happened in all rooms, in order",
                description="Those after `since`. Ask again with `next_since`: it is that of the last event here.",
                run=self._list,
                access="key",
                query=EventQuery,
                answer=EventList,
            ),
            Operation(
                name="list_room_events",
                method="GET",
                path="/rooms/{room}/events",
                tag="events",
                summary="What happened in rooms of this name, in order",
                run=self._list,
                query=EventQuery,
                answer=EventList,
            ),
            Operation(
                name="stream_events",
                method="GET",
                path="/events/stream",
                tag="events",
                summary="What happens in all rooms, as it does",
                description="Server-Sent Events: `id` is the `seq`, `event` the type, `data` the event as in lists. "
                "A browser's `EventSource` comes back where it was.",
                run=_is_streamed,
                stream=self._stream,
                access="key",
                query=StreamQuery,
                gives="text/event-stream",
                problems=("limit",),
            ),
            Operation(
                name="stream_room_events",
                method="GET",
                path="/rooms/{room}/events/stream",
                tag="events",
                summary="What happens in rooms of this name, as it does",
                run=_is_streamed,
                stream=self._stream,
                query=StreamQuery,
                gives="text/event-stream",
                problems=("limit",),
            ),
        )

    def close(self) -> None:
        """All streams end."""
        for wakened in self._streams:
            wakened.set()
        self._streams.clear()

    async def _list(self, asked: Asked) -> Answer:
        query: EventQuery = asked.query
        events = await self._store.events(query.since, asked.path.get("room"), query.limit)
        next_since = events[-1].seq if events else query.since
        return Answer(EventList(items=events, next_since=next_since))

    async def _stream(self, asked: Asked, headers: dict[str, str]) -> web.StreamResponse:
        since = _since(asked)
        if len(self._streams) >= MAX_STREAMS:
            raise Refused("limit", f"there are {MAX_STREAMS} streams of events already")
        response = web.StreamResponse(
            headers=headers | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        happened = asyncio.Event()
        self._streams.add(happened)
        try:
            await response.prepare(asked.request)
            while happened in self._streams:
                happened.clear()
                events = await self._store.events(since, asked.path.get("room"), MAX_EVENTS)
                await response.write(_written(events))
                if events:
                    since = events[-1].seq
                    continue
                try:
                    await asyncio.wait_for(happened.wait(), HEARTBEAT_S)
                except TimeoutError:
                    await response.write(b":\n\n")
        except ConnectionError:
            pass  # the reader is gone
        finally:
            self._streams.discard(happened)
        return response

    def _wake(self) -> None:
        for happened in self._streams:
            happened.set()


async def _is_streamed(asked: Asked) -> Answer:
    raise AssertionError("a stream is no single answer")


def _since(asked: Asked) -> int:
    """Raises ProtocolError."""
    query: StreamQuery = asked.query
    last = asked.request.headers.get("Last-Event-ID")
    if last is None:
        return query.since
    if not (last.isascii() and last.isdigit() and len(last) < 16):
        raise ProtocolError("invalid", "Last-Event-ID: it is none of ours")
    return int(last)


def _written(events: Sequence[AnyEvent]) -> bytes:
    """One line of JSON each: in it there are no line ends."""
    return b"".join(
        b"id: %d\nevent: %s\ndata: %s\n\n"
        % (event.seq, str(event.__struct_config__.tag).encode(), msgspec.json.encode(event))
        for event in events
    )
