"""Janus's JSON over a WebSocket: one session, requests told apart by their transaction.

A message to a plugin is acknowledged first and answered by an event later, or answered at once; here both are one
request with one reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from loadtest.compare.servers import CannotCompare

PLUGIN: Final = "janus.plugin.videoroom"
REQUEST_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """`description`: the SDP that came with it, or nothing."""

    plugin: Mapping[str, Any]
    description: str


class JanusApi:
    """`connect` makes one. Every request raises CannotCompare when Janus declines or does not answer."""

    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._http = http
        self._socket = socket
        self._session = 0
        self._transactions = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._up: dict[int, asyncio.Event] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str) -> JanusApi:
        http = aiohttp.ClientSession()
        try:
            socket = await http.ws_connect(url, protocols=["janus-protocol"])
        except aiohttp.ClientError as error:
            await http.close()
            raise CannotCompare(f"Janus's WebSocket: {error}") from error
        api = cls(http, socket)
        api._session = (await api._request({"janus": "create"}))["data"]["id"]
        return api

    async def attach(self) -> int:
        """A new handle of the VideoRoom: one peer connection at most."""
        attached = await self._request({"janus": "attach", "plugin": PLUGIN})
        handle: int = attached["data"]["id"]
        self._up[handle] = asyncio.Event()
        return handle

    async def until_up(self, handle: int) -> None:
        """Until its peer connection stands. Only then does a publisher's feed exist for others."""
        try:
            await asyncio.wait_for(self._up[handle].wait(), REQUEST_TIMEOUT_S)
        except TimeoutError:
            raise CannotCompare("Janus did not connect to a publisher") from None

    async def message(self, handle: int, body: Mapping[str, Any], sdp: tuple[str, str] | None = None) -> Reply:
        """`sdp`: type and text of a description that goes with it."""
        request: dict[str, Any] = {"janus": "message", "handle_id": handle, "body": body}
        if sdp is not None:
            request["jsep"] = {"type": sdp[0], "sdp": sdp[1]}
        answered = await self._request(request)
        plugin = answered["plugindata"]["data"]
        if "error" in plugin:
            raise CannotCompare(f"Janus declined {body['request']}: {plugin['error']}")
        return Reply(plugin, answered.get("jsep", {}).get("sdp", ""))

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()
        await self._http.close()

    async def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        transaction = str(next(self._transactions))
        answered = self._waiting[transaction] = asyncio.get_running_loop().create_future()
        session = {"session_id": self._session} if self._session else {}
        await self._socket.send_json({**request, **session, "transaction": transaction})
        try:
            answer: dict[str, Any] = await asyncio.wait_for(answered, REQUEST_TIMEOUT_S)
        except TimeoutError:
            raise CannotCompare(f"Janus did not answer {request['janus']}") from None
        finally:
            del self._waiting[transaction]
        if answer["janus"] == "error":
            raise CannotCompare(f"Janus declined {request['janus']}: {answer['error']['reason']}")
        return answer

    async def _read(self) -> None:
        async for message in self._socket:
            answer = message.json()
            if answer["janus"] == "webrtcup":
                self._up[answer["sender"]].set()
            waiting = self._waiting.get(answer.get("transaction", ""))
            if waiting is not None and not waiting.done() and answer["janus"] != "ack":
                waiting.set_result(answer)
