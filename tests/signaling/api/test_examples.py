"""Every example of the document, made as it stands there, and answered as it says."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from signaling.api.operations import Operation
from signaling.api.parameters import PATH
from signaling.client.api import ServerApi
from signaling.server import Server
from tests.signaling.api.calling import backend, present
from tests.signaling.servers import serving

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
}


async def operations() -> tuple[Operation, ...]:
    async with serving() as server:
        return server.api.operations


OPERATIONS = {operation.name: operation for operation in asyncio.run(operations())}
# Those whose example needs somebody with a track, or in the lobby: tests/signaling/api/test_moderation.py. Or something
# delivered: test_webhooks.py.
ELSEWHERE = {
    "admit_participant",
    "deny_participant",
    "change_track",
    "stop_track",
    "explain_subscription",
    "redeliver",
}
STREAMS = {"stream_events", "stream_room_events"}


async def try_example(server: Server, name: str, made: str | None = None) -> Any:
    """`made`: the id of what the example is about, where that is another each time. Returns what it answered."""
    operation = OPERATIONS[name]
    example = operation.example
    path = re.sub(
        r"{(\w+)}",
        lambda found: quote(
            made if made and found[1] in ("webhook", "key") else example.path.get(found[1], PATH[found[1]].example),
            safe="~",
        ),
        operation.address,
    )
    query = f"?{urlencode(example.query)}" if example.query else ""
    async with backend(server) as ask:
        came = await ask.ask(operation.method, path + query, example.body)
    assert came.status == operation.success, f"{name}: {came.status} {came.body}"
    assert says(came.body, example.answer), f"{name}: {came.body}"
    return came.body


def says(answer: Any, expected: Any) -> bool:
    """Whether what is expected stands in the answer, which may say more."""
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(says(answer.get(key), value) for key, value in expected.items())
    return expected is None or bool(answer == expected)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ELSEWHERE | STREAMS])
async def test_the_example_of(name: str) -> None:
    async with serving() as server:
        if name == "create_room":
            await try_example(server, name)
            return
        async with present(server, "ada", "eve", room="standup"):
            made = None
            if name in FIRST:
                made = (await try_example(server, FIRST[name])).get("id")
            await try_example(server, name, made)


def test_the_client_has_a_method_for_each_operation() -> None:
    missing = [name for name in OPERATIONS if not hasattr(ServerApi, name)]
    assert not missing


def test_every_operation_has_an_example_that_fits_its_types() -> None:
    """A body that is taken has one to show."""
    assert not [one.name for one in OPERATIONS.values() if one.body is not None and one.example.body is None]
