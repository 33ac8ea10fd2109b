"""A server that is killed again and again while people come and go: whatever was answered is told, in order, once or
more often under the same id; and whoever came has left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from signaling.messages import Join, Joined, Leave, Ok
from signaling.subprotocols import JSON
from tests.signaling.servers import SECRET, Socket, token
from tests.signaling.webhooks.test_dispatcher import SECRET as WEBHOOK_SECRET
from tests.support.ice import until
from tests.support.server import RunningServer, running_server

ACTIONS = 200
KILLS = 3
PEOPLE = 6  # at once
ROOMS = ("a", "b", "c", "d", "e", "f")
PATIENCE_S = 90.0


@dataclass
class Backend:
    """An app that hears webhooks, and refuses one now and then."""

    source: random.Random
    heard: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        if self.source.random() < 0.01:
            return web.Response(status=503)
        self.heard.append(json.loads(await request.read()))
        self.changed.set()
        return web.Response()

    def first_by_room(self) -> dict[str, list[dict[str, Any]]]:
        seen: set[str] = set()
        rooms: dict[str, list[dict[str, Any]]] = {}
        for event in self.heard:
            if event["id"] not in seen:
                seen.add(event["id"])
                rooms.setdefault(event["room"]["id"], []).append(event)
        return rooms

    def all_is_over(self) -> bool:
        return all(events[-1]["type"] == "room.ended" for events in self.first_by_room().values())


@dataclass
class Crowd:
    source: random.Random
    joined: set[tuple[str, str]] = field(default_factory=set)  # answered: room and identity
    left: set[tuple[str, str]] = field(default_factory=set)
    asked: int = 0
    names: Any = field(default_factory=count)

    def has_asked(self, enough: int) -> bool:
        return self.asked >= enough

    async def come_and_go(self, server: RunningServer, enough: int) -> None:
        """One person after the other, until so many actions were asked for or the server is gone."""
        with contextlib.suppress(aiohttp.ClientError, AssertionError, ConnectionError):
            async with aiohttp.ClientSession() as http:
                while self.asked < enough:
                    await self._visit(http, server.url)

    async def _visit(self, http: aiohttp.ClientSession, url: str) -> None:
        who = (self.source.choice(ROOMS), f"guest-{next(self.names)}")
        address = f"{url}/v1/rooms/{who[0]}/connect"
        async with http.ws_connect(address, protocols=(JSON.name,), max_msg_size=0) as websocket:
            client = Socket(websocket)
            self.asked += 1
            if isinstance(await client.say(Join, token=token(who[1], who[0])), Joined):
                self.joined.add(who)
            await asyncio.sleep(self.source.random() * 0.02)
            if self.source.random() < 0.7:
                self.asked += 1
                if isinstance(await client.say(Leave), Ok):
                    self.left.add(who)


async def test_whatever_was_answered_is_told_though_the_server_is_killed(seed: int, tmp_path: Path) -> None:
    source = random.Random(seed)
    backend, crowd = Backend(source), Crowd(source)
    application = web.Application()
    application.router.add_post("/hook", backend.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    options = (
        *(f"--keys=a:{SECRET}", f"--store={tmp_path / 'sfu.sqlite'}", "--bind=127.0.0.1", "--log-level=warning"),
        *(f"--webhook=http://127.0.0.1:{runner.addresses[0][1]}/hook", f"--webhook-secret={WEBHOOK_SECRET}"),
        *("--webhook-allow=127.0.0.0/8", "--return-timeout=2s", "--empty-room-timeout=1s"),
    )
    points = sorted(source.sample(range(5, ACTIONS - 5), KILLS))
    try:
        for point in (*points, None):
            async with running_server(*options) as server:
                people = [asyncio.create_task(crowd.come_and_go(server, enough=ACTIONS)) for _ in range(PEOPLE)]
                if point is not None:
                    await until(partial(crowd.has_asked, point))
                    await asyncio.sleep(source.random() * 0.01)
                    server.process.kill()
                    await server.process.wait()
                await asyncio.gather(*people)
                if point is None:
                    async with asyncio.timeout(PATIENCE_S):
                        while not backend.all_is_over() or not crowd.joined <= joined(backend):
                            backend.changed.clear()
                            await backend.changed.wait()
    finally:
        await runner.cleanup()
    check(backend, crowd)


def joined(backend: Backend) -> set[tuple[str, str]]:
    return {
        (event["room"]["name"], event["participant"]["identity"])
        for event in backend.heard
        if event["type"] == "participant.joined"
    }


def check(backend: Backend, crowd: Crowd) -> None:
    bodies: dict[str, dict[str, Any]] = {}
    for event in backend.heard:
        assert bodies.setdefault(event["id"], event) == event, "one id, one event"
    left: set[tuple[str, str]] = set()
    for events in backend.first_by_room().values():
        assert [event["room_seq"] for event in events] == list(range(1, len(events) + 1)), "in order, without a gap"
        present: set[str] = set()
        for event in events:
            if event["type"] == "participant.joined":
                present.add(event["participant"]["id"])
            elif event["type"] == "participant.left":
                present.remove(event["participant"]["id"])
                if event["reason"] == "left":
                    left.add((event["room"]["name"], event["participant"]["identity"]))
        assert not present, "who came has left"
    assert crowd.joined <= joined(backend) and crowd.left <= left, "what was answered is told"
    assert crowd.asked >= ACTIONS and len(crowd.joined) > ACTIONS / 4
