"""Webhooks over real HTTP: signed, in order, again after failures; and no request goes where it must not."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from signaling.errors import Refused
from signaling.messages import Join, Leave
from signaling.room_settings import RoomChanges
from signaling.server import Server
from signaling.webhooks import dispatcher
from signaling.webhooks.outbox import MAX_CONCURRENT
from signaling.webhooks.signature import verify
from tests.signaling.servers import connected, serving, token
from tests.support.ice import until

SECRET = "w" * 32
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@dataclass
class Receiver:
    """Answers with what is in `answers`, then with 204."""

    answers: list[web.Response] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    slow_s: float = 0.0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        verify(SECRET, request.headers["Sfu-Signature"], body, now=time.time())
        self.headers.append(dict(request.headers))
        self.heard.append(json.loads(body))
        await asyncio.sleep(self.slow_s)
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    def types(self) -> list[str]:
        return [event["type"] for event in self.heard]


@contextlib.asynccontextmanager
async def receiving(**options: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(**options)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def telling(receiver: Receiver, **options: Any) -> AsyncIterator[Server]:
    configured: dict[str, Any] = {"webhook": (receiver.url,), "webhook_secret": SECRET, "webhook_allow": LOOPBACK}
    async with serving(**configured | options) as server:
        yield server


async def join_and_leave(server: Server, identity: str = "ada", room: str = "demo") -> None:
    async with connected(server, room) as client:
        await client.say(Join, token=token(identity, room))
        await client.say(Leave)


async def test_what_happens_is_told_signed_and_in_order() -> None:
    async with receiving() as receiver, telling(receiver) as server:
        await join_and_leave(server)
        await until(lambda: len(receiver.heard) == 3)
    assert receiver.types() == ["room.created", "participant.joined", "participant.left"]
    assert [event["room_seq"] for event in receiver.heard] == [1, 2, 3]
    joined = receiver.heard[1]
    assert joined["participant"]["identity"] == "ada" and joined["room"]["name"] == "demo"
    assert receiver.headers[1]["Sfu-Event"] == joined["id"] and receiver.headers[1]["Sfu-Attempt"] == "1"
    assert receiver.headers[1]["Content-Type"] == "application/json"


async def test_what_fails_comes_again_with_the_same_id_before_anything_later() -> None:
    failures = [web.Response(status=500), web.Response(status=302, headers={"Location": "/elsewhere"})]
    async with receiving(answers=failures) as receiver, telling(receiver) as server:
        await join_and_leave(server)
        await until(lambda: len(receiver.heard) == 5)
        await until(lambda: server.webhooks.outcomes == {"delivered": 3, "failed": 2, "dead": 0})
    assert receiver.types() == ["room.created"] * 3 + ["participant.joined", "participant.left"]
    assert len({event["id"] for event in receiver.heard[:3]}) == 1
    assert [one["Sfu-Attempt"] for one in receiver.headers[:3]] == ["1", "2", "3"]


async def test_a_slow_receiver_holds_up_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "ATTEMPT_TIMEOUT_S", 600.0)
    async with receiving(slow_s=600.0) as receiver, telling(receiver) as server:
        for number in range(20):
            await join_and_leave(server, f"guest{number}", f"room{number}")
        assert server.webhooks.outcomes == {"delivered": 0, "failed": 0, "dead": 0}, "no webhook is waited for"
        assert len(receiver.heard) <= MAX_CONCURRENT


async def test_private_addresses_are_not_called_unless_they_are_allowed() -> None:
    async with receiving() as receiver, telling(receiver, webhook_allow=()) as server:
        await join_and_leave(server)
        await until(lambda: server.webhooks.outcomes["failed"] >= 1)
        (webhook,) = server.webhooks.registry.all()
        (delivery, *_) = await server.store.deliveries(webhook.id, None, None, 1000)
        assert receiver.heard == []
        failed = [one for one in await server.store.deliveries(webhook.id, "pending", None, 10) if one.attempts]
        assert "127.0.0.1 is no public address" in failed[0].error and failed[0].status is None
        assert delivery.state == "pending"


class Rebinding(AbstractResolver):
    """A name that is public when somebody looks, and is not when he connects."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


async def test_a_name_that_resolves_to_a_private_address_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda *_, **__: Rebinding(receiver.port))
        url = f"http://rebinding.example.com:{receiver.port}/hook"
        async with telling(receiver, webhook=(url,), webhook_allow=()) as server:
            await join_and_leave(server)
            await until(lambda: server.webhooks.outcomes["failed"] >= 1)
        assert receiver.heard == []


async def test_a_test_and_a_redelivery() -> None:
    async with receiving() as receiver, telling(receiver) as server:
        (webhook,) = server.webhooks.registry.all()
        await server.switchboard.perform(lambda directory, now: server.webhooks.registry.test(webhook.id))
        await until(lambda: server.webhooks.outcomes["delivered"] == 1)
        assert receiver.types() == ["webhook.test"] and receiver.heard[0]["webhook"] == webhook.id
        (delivery,) = await server.store.deliveries(webhook.id, "delivered", None, 10)
        assert (delivery.status, delivery.attempts) == (204, 1)
        again = await server.webhooks.redeliver(delivery.id)
        await until(lambda: server.webhooks.outcomes["delivered"] == 2)
        assert receiver.heard[1] == receiver.heard[0] and receiver.headers[1]["Sfu-Delivery"] == again.id
        with pytest.raises(Refused, match="unknown_delivery"):
            await server.webhooks.redeliver("DL_none")


async def test_a_webhook_made_by_api_hears_of_its_room_and_nothing_more_when_it_is_deleted() -> None:
    async with receiving() as receiver, telling(receiver, webhook=(), webhook_secret="") as server:
        registry = server.webhooks.registry
        made = await server.switchboard.perform(
            lambda directory, now: registry.create(
                receiver.url, room="demo", types=("participant.joined",), secret=SECRET
            )
        )
        await join_and_leave(server, room="other")
        await join_and_leave(server, room="demo")
        await until(lambda: len(receiver.heard) == 1)
        await server.switchboard.perform(lambda directory, now: registry.delete(made.id))
        await join_and_leave(server, "bob", room="demo")
        await asyncio.sleep(0.1)
        assert [(event["type"], event["room"]["name"]) for event in receiver.heard] == [("participant.joined", "demo")]


async def test_a_room_s_own_address_hears_of_it_to_the_end() -> None:
    async with receiving() as receiver, telling(receiver, webhook=()) as server:
        changes = RoomChanges(webhook_url=receiver.url)
        await server.switchboard.perform(lambda directory, now: directory.create_room("demo", changes, now))
        await join_and_leave(server)
        await server.switchboard.perform(lambda directory, now: directory.delete_room("demo", now))
        await join_and_leave(server, room="other")
        await until(lambda: len(receiver.heard) == 4)
    assert receiver.types() == ["room.created", "participant.joined", "participant.left", "room.ended"]


async def test_a_receiver_that_never_answers_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "ATTEMPT_TIMEOUT_S", 0.2)
    async with receiving(slow_s=30.0) as receiver, telling(receiver) as server:
        await join_and_leave(server)
        await until(lambda: server.webhooks.outcomes["failed"] >= 1)
        (webhook,) = server.webhooks.registry.all()
        tried = [one for one in await server.store.deliveries(webhook.id, "pending", None, 10) if one.attempts]
        assert "no answer within" in tried[0].error
