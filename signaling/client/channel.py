"""Requests to answers, events in order, over one WebSocket after another. Knows nothing of what the messages mean.

One task reads. An answer goes to whoever asked; everything else goes to `on_event`, in order. When a socket is lost,
the session is taken up on a new one (PROTOCOL.md, Resume): requests wait meanwhile, and no event is missed or told
twice. When that fails, or the server ends the session, every request that is still open fails with `RoomClosed`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random, SystemRandom

import aiohttp

from signaling.client.dialling import Socket, SocketLost, dial
from signaling.errors import ProtocolError, Refused
from signaling.messages import (
    Ack,
    AnyAnswer,
    AnyClientMessage,
    AnyEvent,
    AnyRequest,
    AnyServerMessage,
    Closing,
    Error,
    Explanation,
    Joined,
    Ok,
    Published,
    Resume,
    Resumed,
    ResumeTicket,
    Resynced,
)
from signaling.moderation_messages import InLobby
from signaling.subprotocols import Subprotocol

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 15.0  # more than the server gives its Worker; while there is no socket, the time stands still
ACK_INTERVAL_S = 1.0
FIRST_PAUSE_S = 0.1  # before the second try to get a socket; twice as long each time
LONGEST_PAUSE_S = 3.0


class RoomClosed(ConnectionError):
    """The connection ended. `code` is one of PROTOCOL.md's, `left` when we left, `disconnected` when the server
    gave no reason; `websocket_code` is what the socket was closed with."""

    def __init__(self, code: str, reason: str, websocket_code: int | None) -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code = code
        self.reason = reason
        self.websocket_code = websocket_code


@dataclass(slots=True)
class _Pending:
    request: AnyRequest
    answer: asyncio.Future[AnyAnswer]
    deadline: asyncio.Timeout


class Channel:
    """`on_resynced` is told how things stand when more was missed than the server keeps."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[Socket]],
        socket: Socket,
        subprotocol: Subprotocol,
        on_event: Callable[[AnyEvent], None],
        on_closed: Callable[[RoomClosed], None],
        on_resynced: Callable[[Resynced], None] = lambda _: None,
        random: Random | None = None,
    ) -> None:
        self._dial = dial
        self._socket = socket
        self._subprotocol = subprotocol
        self._on_event = on_event
        self._on_closed = on_closed
        self._on_resynced = on_resynced
        self._random = random or SystemRandom()
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, _Pending] = {}
        self._last_id = 0
        self._ticket: ResumeTicket | None = None
        self._received = 0  # the last seq
        self._acknowledged = 0
        self._connected = True
        self._closing: Closing | None = None
        self._left = False
        self._closed: RoomClosed | None = None
        self.resumed = 0  # how often
        self._reader = asyncio.create_task(self._run())

    async def request(self, build: Callable[[int], AnyRequest]) -> AnyAnswer:
        """`build` makes the request of its id. Raises Refused with the server's code and reason when it declines,
        RoomClosed when the connection ends first, TimeoutError when there is no answer."""
        if self._closed is not None:
            raise self._closed
        self._last_id += 1
        number = self._last_id
        async with asyncio.timeout(ANSWER_TIMEOUT_S if self._connected else None) as deadline:
            pending = self._pending[number] = _Pending(build(number), self._loop.create_future(), deadline)
            try:
                if self._connected:
                    await self._send(pending.request)
                answer = await pending.answer
            finally:
                del self._pending[number]
        if isinstance(answer, Error):
            raise Refused(answer.code, answer.reason)
        return answer

    async def acknowledge(self) -> None:
        """Everything that has come, at once instead of within a second."""
        if self._connected and self._received > self._acknowledged:
            self._acknowledged = self._received
            await self._send(Ack(received=self._received))

    async def close(self) -> None:
        """Idempotent; waits for the reader."""
        self._left = True
        if not self._connected:
            self._reader.cancel()
        await self._socket.close()
        await asyncio.wait([self._reader])

    async def wait_closed(self) -> None:
        """Until the server has closed its side, or we ours."""
        await asyncio.wait([self._reader])

    async def _run(self) -> None:
        ended = RoomClosed("disconnected", "", None)
        acking = asyncio.create_task(self._acknowledge_regularly())
        try:
            while True:
                try:
                    await self._read()
                except SocketLost as lost:
                    ended = self._ended(lost)
                    if self._is_final(lost):
                        break
                await self._resume()
        except RoomClosed as closed:
            ended = closed
        except ProtocolError as error:
            ended = RoomClosed("disconnected", str(error), None)
        finally:
            acking.cancel()
            self._end(ended)
            await self._socket.close()

    async def _acknowledge_regularly(self) -> None:
        while True:
            await asyncio.sleep(ACK_INTERVAL_S)
            await self.acknowledge()

    async def _read(self) -> None:
        """Until SocketLost, or ProtocolError for what cannot be understood."""
        while True:
            self._on_message(self._subprotocol.read_server_message(await self._socket.receive()))

    async def _send(self, message: AnyClientMessage) -> None:
        """What a lost socket does not take is sent again on the next."""
        try:
            await self._socket.send(self._subprotocol.encode(message))
        except SocketLost:
            logger.debug("lost while sending")

    def _on_message(self, message: AnyServerMessage) -> None:
        if message.seq:
            self._received = message.seq
        match message:
            case Joined():
                self._ticket = message.resume
                self._answer(message)
            case Published() | Explanation() | Ok() | Error():
                self._answer(message)
            case Closing():
                self._closing = message
                self._on_event(message)
            case InLobby():
                for pending in self._pending.values():
                    pending.deadline.reschedule(None)
                self._on_event(message)
            case Resumed() | Resynced():
                raise ProtocolError("unexpected", "nobody asked to resume")
            case _:
                self._on_event(message)

    def _answer(self, answer: AnyAnswer) -> None:
        pending = self._pending.get(answer.id)
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(answer)

    # --- coming back

    async def _resume(self) -> None:
        """A new socket for the same session. Raises RoomClosed when there is none in time, or the server declines."""
        assert self._ticket is not None
        self._connected = False
        for pending in self._pending.values():
            pending.deadline.reschedule(None)
        until = self._loop.time() + self._ticket.within_s
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._socket.close()
                self._socket = await self._dial()
                await self._take_up()
                break
            except (aiohttp.ClientError, SocketLost, TimeoutError, OSError) as error:
                if isinstance(error, SocketLost) and self._is_final(error):
                    raise self._ended(error) from error
                if self._loop.time() + pause > until:
                    raise RoomClosed("disconnected", f"no way back to the session: {error}", None) from error
                await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))
                pause = min(2 * pause, LONGEST_PAUSE_S)
        self.resumed += 1
        self._connected = True

    async def _take_up(self) -> None:
        assert self._ticket is not None
        self._last_id += 1
        await self._send(Resume(id=self._last_id, token=self._ticket.token, received=self._received))
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            answer = self._subprotocol.read_server_message(await self._socket.receive())
        if isinstance(answer, Error):
            raise RoomClosed(answer.code, answer.reason, None)
        if not isinstance(answer, Resumed | Resynced):
            raise ProtocolError("unexpected", "neither resumed nor declined")
        self._ticket = answer.resume
        if isinstance(answer, Resynced):
            self._on_resynced(answer)
        sent = 0
        while more := [number for number in self._pending if number > sent]:
            for number in more:
                sent = number
                if (pending := self._pending.get(number)) is not None:
                    pending.deadline.reschedule(self._loop.time() + ANSWER_TIMEOUT_S)
                    if number > answer.handled:
                        await self._send(pending.request)

    # --- the end

    def _is_final(self, lost: SocketLost) -> bool:
        """Codes from 4000 on are the server's own; the others may be a proxy's, which knows nothing of sessions."""
        told = self._closing is not None or lost.code == aiohttp.WSCloseCode.OK or (lost.code or 0) >= 4000
        return self._left or told or self._ticket is None

    def _ended(self, lost: SocketLost) -> RoomClosed:
        if self._left or lost.code == aiohttp.WSCloseCode.OK:
            return RoomClosed("left", lost.reason, lost.code)
        if self._closing is not None:
            return RoomClosed(self._closing.code, self._closing.reason, lost.code)
        return RoomClosed("disconnected", lost.reason, lost.code)

    def _end(self, closed: RoomClosed) -> None:
        if self._left:
            closed = RoomClosed("left", closed.reason, closed.websocket_code)
        self._closed = closed
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(closed)
        self._on_closed(closed)


async def open_channel(
    url: str,
    room: str,
    subprotocol: Subprotocol,
    on_event: Callable[[AnyEvent], None],
    on_closed: Callable[[RoomClosed], None],
    on_resynced: Callable[[Resynced], None] = lambda _: None,
) -> Channel:
    """`url` is the server's, http(s) or ws(s). Raises aiohttp.ClientError when it cannot be reached or refuses."""

    async def redial() -> Socket:
        return await dial(url, room, subprotocol)

    return Channel(redial, await redial(), subprotocol, on_event, on_closed, on_resynced)
