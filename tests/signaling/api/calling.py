"""Requests to the API of a server in this process, and people in its rooms."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from sfu.core.types import Codec
from signaling.client import SourceToPublish, connect
from signaling.client.api import ApiError
from signaling.messages import Join, Joined
from signaling.server import Server
from tests.signaling.servers import SECRET, Socket, connected, token

KEY = f"a:{SECRET}"


@dataclass(frozen=True, slots=True)
class Came:
    status: int
    headers: Any
    body: Any  # read as JSON; None without one

    @property
    def code(self) -> str:
        """Of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        code: str = self.body["code"]
        assert self.body["request_id"] == self.headers["X-Request-Id"]
        return code


class Backend:
    """Asks with `key`; `None`: without credentials."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, key: str | None = KEY) -> None:
        self.server = server
        self.http = http
        self.key = key

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Came:
        """`path` is below /v1 unless it begins there, and is sent as it is written."""
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        address = self.server.url + (path if path.startswith(("/v1", "/healthz", "/readyz")) else f"/v1{path}")
        content = {"data": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        if isinstance(body, bytes):
            headers.setdefault("Content-Type", "application/json")
        async with self.http.request(
            method, URL(address, encoded=True), headers=headers, allow_redirects=False, **content
        ) as response:
            is_json = response.content_type.endswith("json")
            return Came(response.status, response.headers, await response.json(content_type=None) if is_json else None)


@contextlib.asynccontextmanager
async def losing_answers(server: Server) -> AsyncIterator[str]:
    """An address before this server's: of all that is asked there, the first answer gets lost, and no other."""
    lost = False

    async def pass_on(request: web.Request) -> web.Response:
        nonlocal lost
        async with http.request(
            request.method, server.url + request.raw_path, headers=request.headers, data=await request.read()
        ) as came:
            content = await came.read()
        if not lost:
            lost = True
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=came.status, headers={"Content-Type": came.headers["Content-Type"]}, body=content)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", pass_on)
    async with aiohttp.ClientSession() as http, TestServer(application) as front:
        yield str(front.make_url("")).rstrip("/")
    assert lost


def says(answer: Any, expected: Any) -> bool:
    """Whether what is expected stands in the answer, which may say more."""
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(says(answer.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(says, answer, expected))
    return expected is None or bool(answer == expected)


@contextlib.contextmanager
def declined(code: str) -> Iterator[None]:
    with pytest.raises(ApiError) as caught:
        yield
    assert caught.value.code == code
    assert caught.value.request_id.startswith("REQ_")


@contextlib.asynccontextmanager
async def backend(server: Server, key: str | None = KEY) -> AsyncIterator[Backend]:
    async with aiohttp.ClientSession() as http:
        yield Backend(server, http, key)


@contextlib.asynccontextmanager
async def present(server: Server, *identities: str, room: str = "demo") -> AsyncIterator[list[Socket]]:
    """These people are in the room, each with a socket."""
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for identity in identities:
            socket = await stack.enter_async_context(connected(server, room))
            joined = await socket.say(Join, token=token(identity, room))
            assert isinstance(joined, Joined), joined
            sockets.append(socket)
        yield sockets


@contextlib.asynccontextmanager
async def publishing(
    server: Server, identity: str, room: str = "demo", rids: tuple[str, ...] = ()
) -> AsyncIterator[str]:
    """Somebody has a camera; its track."""
    async with connect(server.url, room, token(identity, room)) as client:
        (camera,) = await client.publish([SourceToPublish("camera", Codec.VP8, rids)])
        yield camera.track
