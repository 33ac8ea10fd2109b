"""Somebody joins a room by WebSocket and leaves at once, for as little CPU as can be: nothing is looked at but answers.

Our client costs several times as much, and would share its core with the process that receives the call's packets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from dataclasses import dataclass
from typing import Final

import msgspec

from signaling.errors import Refused
from signaling.messages import Join, Leave
from signaling.subprotocols import JSON

_TEXT: Final = 0x81  # RFC 6455 §5.2: the last fragment, of text
_CLOSE: Final = 0x88
_NORMALLY: Final = (1000).to_bytes(2)
_MASKED: Final = 0x80
# A mask protects proxies from what pages send; ours leaves the bytes as they are.
_MASK: Final = bytes(4)


@dataclass(frozen=True, slots=True)
class Where:
    host: str
    port: int
    tls: bool


class _Answer(msgspec.Struct):
    id: int = 0
    code: str = ""
    reason: str = ""


_decode: Final = msgspec.json.Decoder(_Answer).decode


async def visit(where: Where, room: str, token: str) -> None:
    """Raises Refused, OSError, EOFError."""
    reader, writer = await asyncio.open_connection(where.host, where.port, ssl=where.tls or None)
    try:
        await _upgrade(reader, writer, where, room)
        for request in (Join(id=1, token=token), Leave(id=2)):
            writer.write(_frame(_TEXT, JSON.encode(request)))
            await _answered(reader, request.id)
        while (await _read(reader))[0] != _CLOSE:
            pass
        # The server has said its last, and does not wait for what we answer to that.
        with contextlib.suppress(ConnectionError):
            writer.write(_frame(_CLOSE, _NORMALLY))
            await reader.read()
    finally:
        writer.close()


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: Where, room: str) -> None:
    writer.write(
        f"GET /v1/rooms/{room}/connect HTTP/1.1\r\nHost: {where.host}:{where.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {JSON.name}\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    if status != b"101":
        raise Refused("http", f"the WebSocket was answered {status.decode()}")


async def _answered(reader: asyncio.StreamReader, request: int) -> None:
    """What else is said before is passed over. Raises Refused."""
    while True:
        opcode, content = await _read(reader)
        if opcode == _CLOSE:
            raise Refused("closed", content[2:].decode())
        answer = _decode(content)
        if answer.code:
            raise Refused(answer.code, answer.reason)
        if answer.id == request:
            return


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    opcode, length = await reader.readexactly(2)
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
    return opcode, await reader.readexactly(length)


def _frame(opcode: int, content: str | bytes) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    length = len(content)
    size = bytes((_MASKED | length,)) if length < 126 else bytes((_MASKED | 126,)) + length.to_bytes(2)
    return bytes((opcode,)) + size + _MASK + content
