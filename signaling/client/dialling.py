"""One WebSocket: opening it, frames in and out, and how it ended. What the frames mean is not looked at.

A socket that the other side closed for good says so in a close frame; any other end may be followed by another socket.
"""

from __future__ import annotations

import aiohttp
from aiohttp import WSMsgType

from signaling.subprotocols import MAX_FRAME_BYTES, Frame, Subprotocol

HEARTBEAT_S = 20.0


class SocketLost(ConnectionError):
    """It ended. `code` is that of the close frame, if one came."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason or "the connection ended")
        self.code = code
        self.reason = reason


class Socket:
    """Made by `dial`."""

    def __init__(self, http: aiohttp.ClientSession, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._http = http
        self._websocket = websocket

    async def send(self, frame: Frame) -> None:
        """Raises SocketLost."""
        try:
            if isinstance(frame, bytes):
                await self._websocket.send_bytes(frame)
            else:
                await self._websocket.send_str(frame)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise SocketLost(None, str(error)) from error

    async def receive(self) -> Frame:
        """Raises SocketLost."""
        message = await self._websocket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            frame: Frame = message.data
            return frame
        code = message.data if message.type is WSMsgType.CLOSE else None
        raise SocketLost(code, str(message.extra or self._websocket.exception() or ""))

    async def close(self, code: int = aiohttp.WSCloseCode.OK) -> None:
        await self._websocket.close(code=code)
        await self._http.close()


async def dial(url: str, room: str, subprotocol: Subprotocol) -> Socket:
    """`url` is the server's, http(s) or ws(s). Raises aiohttp.ClientError when it cannot be reached or refuses."""
    http = aiohttp.ClientSession()
    try:
        websocket = await http.ws_connect(
            f"{url.rstrip('/')}/v1/rooms/{room}/connect",
            protocols=(subprotocol.name,),
            max_msg_size=MAX_FRAME_BYTES,
            heartbeat=HEARTBEAT_S,
        )
    except BaseException:
        await http.close()
        raise
    return Socket(http, websocket)
