"""The WebSocket of a tap: who may, where its socket lies, and what comes out of it to the client. A shell.

    GET /v1/rooms/{room}/participants/{identity}/tap?kind=audio&format=pcm16    (PROTOCOL.md, Taps)

    Worker ─ Unix socket ─► TapReader ─ TapFeed, decoder in a thread ─► WebSocket
                                 └─ or, for a program on this machine, its own socket

Who reads too slowly holds up this loop alone: then the socket's queue in the kernel is full, and the plane drops for
this tap only, and counts. There is no other queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from operator import methodcaller
from pathlib import Path
from typing import Final, Literal, cast, get_args

import msgspec
from aiohttp import WSMsgType, web

from sfu.core.types import Kind
from sfu.tap import TapReader
from sfu.wire import tap
from sfu.wire.addresses import shortened
from signaling.api.access import Caller, Doorkeeper
from signaling.api.problems import PROBLEMS
from signaling.auth import check_identity, check_room
from signaling.config import ServerConfig
from signaling.errors import ProtocolError, Refused
from signaling.keyring import Keyring
from signaling.message_values import KIND_OF_SOURCE, Source
from signaling.names import Names
from signaling.responses import problem
from signaling.rooms import RoomDirectory
from signaling.switchboard import Switchboard
from signaling.taps.feed import Heard, TapFeed
from signaling.taps.messages import AnyTapMessage, Format, SinkAnswer, SinkOffered, encode
from signaling.taps.session import TapSession, Wish
from signaling.taps.sound import SoundFrames
from signaling.visitors import may_connect, why_not_this_machine

logger = logging.getLogger(__name__)

# Each is a socket of the plane's and a copy of the media; whoever needs more taps of one room should relay them.
MAX_TAPS: Final = 64
# Whether it can bind a socket takes a client no time.
ANSWER_TIMEOUT_S: Final = 10.0
HEARTBEAT_S: Final = 20.0
MAX_FRAME_BYTES: Final = 4096  # clients have next to nothing to say
INTERNAL_ERROR: Final = 1011  # RFC 6455 §7.4.1
DECODING_THREADS: Final = 2  # a packet takes 30 µs: enough for hundreds of taps


class Taps:
    def __init__(
        self, config: ServerConfig, switchboard: Switchboard, doorkeeper: Doorkeeper, keyring: Keyring
    ) -> None:
        self._config = config
        self._switchboard = switchboard
        self._doorkeeper = doorkeeper
        self._keyring = keyring
        self._by_key: dict[int, str] = {}  # ids of keys, by number of session
        keyring.on_retired.append(self._on_retired)
        self._pool = ThreadPoolExecutor(DECODING_THREADS, "tap")
        # Where only we and our like may write; the path is short, as a socket's has 107 bytes at most.
        self._sockets = Path(tempfile.mkdtemp(prefix="sfu-taps-"))
        self._numbers = count(1)
        self._open: set[asyncio.Task[object]] = set()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/rooms/{room}/participants/{identity}/tap", self._tap)

    async def close(self) -> None:
        """After the switchboard has said farewell. Idempotent."""
        if self._open:
            await asyncio.wait(self._open, timeout=2.0)
        self._pool.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def _tap(self, request: web.Request) -> web.StreamResponse:
        try:
            wish, form, local, caller = self._admit(request)
        except (ProtocolError, Refused) as error:
            return problem(PROBLEMS[error.code][0], error.code, error.reason)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return problem(426, "malformed", "a WebSocket belongs here", {"Upgrade": "websocket"})
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)  # in the same turn in which its number was looked at
        try:
            socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_FRAME_BYTES, compress=False)
            await socket.prepare(request)
            room, peer = request.match_info["room"], shortened(request.remote or "")
            await self._serve(socket, room, wish, form, local, caller, peer)
        finally:
            self._open.discard(task)
        return socket

    def _admit(self, request: web.Request) -> tuple[Wish, Format, bool, Caller]:
        """Raises ProtocolError and Refused."""
        room, identity, query = request.match_info["room"], request.match_info["identity"], request.query
        peer, now = request.remote or "", asyncio.get_running_loop().time()
        if self._config.dev and (reason := why_not_this_machine(peer, request.headers)) is not None:
            raise Refused("not_granted", f"development mode is for this machine only: {reason}")
        if not may_connect(self._config.origin, request.headers):
            raise Refused("not_granted", "pages of this origin may not connect")
        caller = self._doorkeeper.admit(request.headers.get("Authorization", ""), room, peer, now, "record")
        wish, form = _wish(room, identity, query.get("kind", "audio"), query.get("source"), query.get("max_layer"))
        form = query.get("format", form)
        if form not in get_args(Format) or (wish.kind == "video" and form != "rtp"):
            raise Refused("invalid", "format is rtp, or of sound opus or pcm16")
        if self._switchboard.directory.room(room).settings.end_to_end_encrypted:
            raise Refused("end_to_end_encrypted", "what passes through this room cannot be decoded here")
        if len(self._open) >= MAX_TAPS:
            raise Refused("limit", f"the server has its {MAX_TAPS} taps")
        return wish, cast(Format, form), form == "rtp" and query.get("local") == "1", caller

    async def _serve(
        self,
        socket: web.WebSocketResponse,
        room: str,
        wish: Wish,
        form: Format,
        local: bool,
        caller: Caller,
        peer: str,
    ) -> None:
        address = str(self._sockets / f"{next(self._numbers)}.sock")
        elsewhere = local and await _is_bound(socket, address)
        client = TapClient(socket, SoundFrames(decoded=form == "pcm16") if form != "rtp" else None, self._pool)
        with contextlib.ExitStack() as stack:
            reader = None if elsewhere else stack.enter_context(TapReader(address))

            def begin(rooms: RoomDirectory, now: float) -> int:
                def onlook(names: Names) -> TapSession:
                    observed = rooms.observe(names.session, room, caller.grant)
                    return TapSession(room, wish, address, observed, names, *self._ending(caller, now))

                number = self._switchboard.seat(onlook, client.say, client.close, peer)[0]
                if caller.key is not None:
                    self._by_key[number] = caller.key
                return number

            try:
                number = await self._switchboard.perform(begin)
            except Refused as error:
                await socket.close(code=4404 if error.code == "room_not_found" else 4429, message=error.code.encode())
                return
            logger.info("taps room=%s participant=%s kind=%s format=%s", room, wish.participant, wish.kind, form)
            self._switchboard.feed(number, methodcaller("start"))
            try:
                await client.run(reader)
            finally:
                self._by_key.pop(number, None)
                self._switchboard.feed(number, methodcaller("on_gone"))

    def _ending(self, caller: Caller, now: float) -> tuple[float, Literal["token_expired", "key_invalid"]]:
        """When what he came by is no good any more, and what is said then. A key needs no grace: nothing renews it."""
        if caller.grant is not None:
            return now + caller.grant.valid_for_s + self._config.session_limits.token_grace_s, "token_expired"
        assert caller.key is not None
        return now + self._keyring.good_for_s(caller.key), "key_invalid"

    def _on_retired(self, key: str) -> None:
        """After the turn in which it is: a turn is no place to begin another."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._end, key, loop.time() + self._keyring.good_for_s(key))

    def _end(self, key: str, when: float) -> None:
        for number in [number for number, by in self._by_key.items() if by == key]:
            self._switchboard.feed(number, methodcaller("end_at", when))


class TapClient:
    """What goes to it, in order. `sound`: media are made into this; None: RTP as it came."""

    def __init__(self, socket: web.WebSocketResponse, sound: SoundFrames | None, pool: ThreadPoolExecutor) -> None:
        self._socket = socket
        self._sound = sound
        self._pool = pool
        self._feed = TapFeed()
        self._early: list[Heard] = []  # what came before the word of what it is
        self._texts: deque[AnyTapMessage] = deque()
        self._farewell: tuple[int, str] | None = None
        self._wake = asyncio.Event()

    def say(self, message: AnyTapMessage) -> None:
        self._texts.append(message)
        self._wake.set()

    def close(self, ws_code: int, reason: str) -> None:
        self._farewell = self._farewell or (ws_code, reason)
        self._wake.set()

    async def run(self, reader: TapReader | None) -> None:
        """Until the client, or the session, closes it."""
        tasks = [asyncio.create_task(one) for one in (self._listen(), self._talk())]
        if reader is not None:
            tasks.append(asyncio.create_task(self._pump(reader)))
        await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                logger.error("a tap failed", exc_info=result)
        if not self._socket.closed:
            code, reason = self._farewell or (1000, "")
            await self._socket.close(code=code, message=reason.encode())

    async def _listen(self) -> None:
        while (await self._socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            pass  # nothing that a client says means anything yet

    async def _talk(self) -> None:
        while True:
            while self._texts:
                message = self._texts.popleft()
                await self._socket.send_str(encode(message))
                if self._sound is not None:
                    self._early += self._feed.on_message(message)
            if self._farewell is not None:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _pump(self, reader: TapReader) -> None:
        try:
            await self._pass_on(reader)
        except ConnectionError:
            return  # the client has gone, as its listener sees, too
        except Exception:
            logger.exception("a tap failed")
            self.close(INTERNAL_ERROR, "internal")

    async def _pass_on(self, reader: TapReader) -> None:
        loop = asyncio.get_running_loop()
        async for frame in reader:
            if self._sound is None:
                await self._socket.send_bytes(tap.with_dropped(tap.pack(frame), reader.dropped))
                continue
            heard = self._early + self._feed.on_frame(frame)
            self._early.clear()
            if not heard:
                continue
            pack = partial(self._sound.pack, heard, reader.dropped, self._feed.numbers)
            for made in await loop.run_in_executor(self._pool, pack):
                await self._socket.send_bytes(made)


def _wish(room: str, identity: str, kind: str, source: str | None, max_layer: str | None) -> tuple[Wish, str]:
    """And the format that goes without saying. Raises Refused."""
    try:
        check_room(room)
        check_identity(identity)
    except ValueError as error:
        raise Refused("unknown_participant", str(error)) from error
    if kind not in ("audio", "video"):
        raise Refused("invalid", "kind is audio or video")
    if source is not None and KIND_OF_SOURCE.get(cast(Source, source)) != kind:
        raise Refused("invalid", f"source is none of {kind}: camera, screen; microphone, screen_audio")
    if max_layer is not None and max_layer not in tuple("01234567"):
        raise Refused("invalid", "max_layer is 0 … 7")
    layer = None if max_layer is None else int(max_layer)
    return Wish(identity, cast(Kind, kind), cast("Source | None", source), layer), "pcm16" if kind == "audio" else "rtp"


async def _is_bound(socket: web.WebSocketResponse, address: str) -> bool:
    """Whether the client has a socket there: it can only be on this machine, and allowed to write where we do."""
    await socket.send_str(encode(SinkOffered(address=address)))
    try:
        answer = await asyncio.wait_for(socket.receive_str(), ANSWER_TIMEOUT_S)
        return msgspec.json.decode(answer, type=SinkAnswer).bound
    except (TimeoutError, TypeError, ConnectionError, msgspec.MsgspecError):
        return False
