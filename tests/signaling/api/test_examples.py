"""Every example of the document, made as it stands there, and answered as it says."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from signaling.api.exchanges import exchanges
from signaling.api.operations import Operation
from signaling.api.parameters import PATH
from signaling.client import connect
from signaling.client.api import ServerApi
from signaling.moderation_messages import InLobby
from signaling.server import Server
from tests.signaling.api.calling import backend, present, publishing, says
from tests.signaling.servers import WAIT_S, connected, serving, token

# Where an example is about something that has to be there first: which one makes it.
FIRST = {
    "unban": "ban",
    "get_webhook": "create_webhook",
    "change_webhook": "create_webhook",
    "delete_webhook": "create_webhook",
    "rotate_webhook_secret": "create_webhook",
    "test_webhook": "create_webhook",
    "list_deliveries": "create_webhook",
    "retire_key": "create_key",
    "get_key": "create_key",
    "delete_key": "create_key",
    "get_recording": "start_recording",
    "pause_recording": "start_recording",
    "resume_recording": "start_recording",
    "stop_recording": "start_recording",
    "list_mixes": "start_recording",
}


async def operations() -> tuple[Operation, ...]:
    async with serving() as server:
        return server.api.operations


OPERATIONS = {operation.name: operation for operation in asyncio.run(operations())}
# A recording with files takes seconds: test_recordings.py.
ELSEWHERE = {
    *("delete_recording", "upload_recording", "get_recording_manifest", "get_recording_file", "play_recording"),
    *("create_mix", "get_mix", "get_mix_file", "delete_mix"),
}
STREAMS = {"stream_events", "stream_room_events"}


async def try_example(server: Server, name: str, made: Mapping[str, str] | None = None) -> Any:
    """`made`: what in the path is another each time. Returns what it answered."""
    operation = OPERATIONS[name]
    example = operation.example
    values = {one: PATH[one].example for one in operation.names} | dict(example.path) | dict(made or {})
    path = re.sub(r"{(\w+)}", lambda found: quote(values[found[1]], safe="~"), operation.address)
    query = f"?{urlencode(example.query)}" if example.query else ""
    async with backend(server) as ask:
        came = await ask.ask(operation.method, path + query, example.body)
    assert came.status == operation.success, f"{name}: {came.status} {came.body}"
    assert says(came.body, example.answer), f"{name}: {came.body}"
    return came.body


@contextlib.asynccontextmanager
async def somebody_publishes(server: Server) -> AsyncIterator[str]:
    """Ada, and eve receives it."""
    async with publishing(server, "ada", "standup") as track, present(server, "eve", room="standup"):
        yield track


@contextlib.asynccontextmanager
async def somebody_watches(server: Server) -> AsyncIterator[str]:
    """Ada, what eve publishes."""
    async with (
        publishing(server, "eve", "standup") as track,
        connect(server.url, "standup", token("ada", "standup")) as ada,
    ):
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        yield track


@contextlib.asynccontextmanager
async def somebody_waits(server: Server) -> AsyncIterator[None]:
    await try_example(server, "create_room")
    async with connected(server, "standup") as socket:
        await socket.send(f'{{"type": "join", "id": 1, "token": "{token("ada", "standup")}"}}')
        assert isinstance(await socket.hear(), InLobby)
        yield


@contextlib.asynccontextmanager
async def something_was_delivered(server: Server) -> AsyncIterator[tuple[str, str]]:
    """Or was tried, at least."""
    webhook = (await try_example(server, "create_webhook"))["id"]
    await try_example(server, "test_webhook", {"webhook": webhook})
    async with backend(server) as ask:
        (delivery, *_) = (await ask.ask("GET", f"/webhooks/{webhook}/deliveries")).body["items"]
    yield webhook, delivery["id"]


# What there has to be, and what in the path is another each time.
SCENES: dict[str, tuple[Callable[[Server], AbstractAsyncContextManager[Any]], tuple[str, ...]]] = {
    "admit_participant": (somebody_waits, ()),
    "deny_participant": (somebody_waits, ()),
    "change_track": (somebody_publishes, ("track",)),
    "stop_track": (somebody_publishes, ("track",)),
    "change_subscription": (somebody_watches, ("track",)),
    "get_subscription": (somebody_watches, ("track",)),
    "explain_subscription": (somebody_watches, ("track",)),
    "redeliver": (something_was_delivered, ("webhook", "delivery")),
}


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in STREAMS | ELSEWHERE | SCENES.keys()])
async def test_the_example_of(name: str, tmp_path: Path) -> None:
    async with serving(recordings=tmp_path) as server:
        if name == "create_room":
            await try_example(server, name)
            return
        async with present(server, "ada", "eve", room="standup"):
            made: dict[str, str] = {}
            if name in FIRST:
                came = await try_example(server, FIRST[name])
                made = {OPERATIONS[name].names[-1]: came["id"]} if "id" in came else {}
            await try_example(server, name, made)


@pytest.mark.parametrize("name", SCENES)
async def test_the_example_in_its_scene_of(name: str) -> None:
    scene, names = SCENES[name]
    async with serving() as server, scene(server) as found:
        values = found if isinstance(found, tuple) else (found,)
        await try_example(server, name, dict(zip(names, values, strict=False)))


@pytest.mark.parametrize("name", [row.name for row in OPERATIONS.values() if row.method == "POST"])
def test_no_secret_is_written_down_for_who_repeats_a_request(name: str) -> None:
    row = OPERATIONS[name]
    fields = set() if row.answer is None else set(row.answer.__struct_fields__)
    assert row.is_secret == bool(fields & {"secret", "token"})


def test_nothing_in_the_document_is_left_out() -> None:
    """Streams have no end, and tests of their own: test_events.py."""
    assert {*FIRST, *SCENES, *STREAMS, *ELSEWHERE} <= OPERATIONS.keys()
    assert all(OPERATIONS[name].stream is not None for name in STREAMS)


def test_the_client_has_a_method_for_each_operation() -> None:
    missing = [name for name in OPERATIONS if not hasattr(ServerApi, name)]
    assert not missing


async def test_whip_and_whep_stand_in_the_document_as_they_are_served() -> None:
    """What is sent them here gets no further than each row says it may."""
    async with serving() as server, backend(server, None) as ask:
        paths = (await ask.ask("GET", "/openapi.json")).body["paths"]
        for row in exchanges():
            responses = paths[row.address][row.method.lower()]["responses"]
            path = re.sub(r"{(\w+)}", lambda found: PATH[found[1]].example, row.address)
            options = await ask.ask("OPTIONS", path)
            assert row.method in options.headers["Allow"]
            for headers in ({}, {"Content-Type": row.takes}, {"Content-Type": row.takes, "Authorization": "Bearer x"}):
                came = await ask.ask(row.method, path, b"v=0" if row.takes else None, **headers)
                assert f"`{came.code}`" in responses[str(came.status)]["description"], (row.name, came)


def test_every_operation_has_an_example_that_fits_its_types() -> None:
    """A body that is taken has one to show."""
    assert not [one.name for one in OPERATIONS.values() if one.body is not None and one.example.body is None]
