"""Events as lists and as a stream."""

from __future__ import annotations

import asyncio

from signaling.api.models import RoomWish
from signaling.client.api import ServerApi
from signaling.events import AnyEvent
from tests.signaling.api.calling import KEY, backend, present
from tests.signaling.servers import WAIT_S, serving


def tag(event: AnyEvent) -> str:
    return str(event.__struct_config__.tag)


async def test_what_happened_is_listed_in_order_and_from_any_place() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api:
        await api.create_room(RoomWish(name="other"))
        async with present(server, "ada", room="demo"):
            everything = (await api.list_events()).items
            assert [tag(event) for event in everything] == ["room.created", "room.created", "participant.joined"]
            assert [event.seq for event in everything] == [1, 2, 3]
            page = await api.list_events(since=1, limit=1)
            assert [event.seq for event in page.items] == [2] and page.next_since == 2
            mine = await api.list_room_events("demo", since=0)
            assert [event.room_seq for event in mine.items] == [1, 2]
            assert (await api.list_events(since=99)).next_since == 99


async def test_a_stream_begins_where_it_is_told_and_goes_on_as_things_happen() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api:
        await api.create_room(RoomWish(name="demo"))
        stream = api.stream_room_events("demo", since=1)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.1)
        assert not first.done(), "nothing has happened yet"
        async with present(server, "ada"):
            assert tag(await asyncio.wait_for(first, WAIT_S)) == "participant.joined"
        assert tag(await asyncio.wait_for(anext(stream), WAIT_S)) == "participant.left"


async def test_a_stream_ends_with_the_server_and_not_before() -> None:
    async with serving() as server, backend(server) as ask:
        address = f"{server.url}/v1/events/stream"
        async with ask.http.get(address, headers={"Authorization": f"Bearer {KEY}"}) as response:
            assert response.status == 200 and response.content_type == "text/event-stream"
            await server.close()
            assert await asyncio.wait_for(response.content.read(), WAIT_S) == b""


async def test_last_event_id_is_a_number() -> None:
    async with serving() as server, backend(server) as ask:
        came = await ask.ask("GET", "/events/stream", **{"Last-Event-ID": "x"})
        assert (came.status, came.code) == (422, "invalid")
