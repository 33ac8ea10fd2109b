"""A server on loopback in this process, and WebSockets to it, for the tests of what is seen from outside."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from typing import Any

import aiohttp
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from signaling.auth import Grant, mint
from signaling.config import ServerConfig
from signaling.messages import Grants
from signaling.server import Server, open_server
from signaling.subprotocols import JSON, SUBPROTOCOLS

SECRET = "s" * 32
WAIT_S = 60.0  # for what should take milliseconds: a loaded machine


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    """On free ports, with one key unless `dev`."""
    keys = () if options.get("dev") else (("a", SECRET),)
    config = ServerConfig(http_port=0, udp_port=0, bind=("127.0.0.1",), keys=keys)
    server = await open_server(replace(config, **options))
    try:
        yield server
    finally:
        await server.close()


def token(identity: str = "ada", room: str = "demo", valid_for_s: float = 86_400.0, **grants: Any) -> str:
    permitted = Grants(**(dict[str, Any](create=True, publish=True, subscribe=True) | grants))
    return mint(
        Grant(identity, identity.title(), room, permitted),
        key_id="a",
        secret=SECRET,
        now=time.time(),
        valid_for_s=valid_for_s,
    )


class Socket:
    """One WebSocket, message by message."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self._subprotocol = SUBPROTOCOLS[websocket.protocol or ""]
        self._requests = count(1)

    async def send(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            await self.websocket.send_str(frame)
        else:
            await self.websocket.send_bytes(frame)

    async def say(self, type: Any, **fields: Any) -> Any:
        """A request; returns its answer, skipping events."""
        request = type(id=next(self._requests), **fields)
        await self.send(self._subprotocol.encode(request))
        while True:
            message = await self.hear()
            if getattr(message, "id", None) == request.id:
                return message

    async def hear(self) -> Any:
        frame = await self.websocket.receive(WAIT_S)
        assert frame.type in (WSMsgType.TEXT, WSMsgType.BINARY), (
            f"{frame.type}, closed with {self.websocket.close_code}"
        )
        return self._subprotocol.read_server_message(frame.data)

    async def end(self) -> tuple[int | None, list[Any]]:
        """Until the server closes: with which code, and what it said before."""
        said: list[Any] = []
        while True:
            frame = await self.websocket.receive(WAIT_S)
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return self.websocket.close_code, said
            said.append(self._subprotocol.read_server_message(frame.data))


@contextlib.asynccontextmanager
async def connected(
    server: Server,
    room: str = "demo",
    subprotocols: tuple[str, ...] = (JSON.name,),
    headers: dict[str, str] | None = None,
    connector: aiohttp.TCPConnector | None = None,
) -> AsyncIterator[Socket]:
    url = f"{server.url}/v1/rooms/{room}/connect"
    async with ClientSession(connector=connector) as http:
        websocket = await http.ws_connect(url, protocols=subprotocols, headers=headers, max_msg_size=0)
        try:
            yield Socket(websocket)
        finally:
            await websocket.close()
