"""A tap: one participant's sound as samples, or pictures as RGB, for a program that listens or looks.

    server ─┬─ its own Unix socket, where we are on its machine ─┬─► TapFeed ─► decoder, in a thread ─► queue ─► you
            └─ WebSocket, elsewhere ─────────────────────────────┘

Whoever takes them too slowly misses the oldest, counted in `dropped`, and costs nobody else anything. A tap that is
lost (another media worker, a network that was away) is begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Final, Literal

import aiohttp
import msgspec
import numpy as np
from aiohttp import WSMsgType
from numpy.typing import NDArray

from recorder.files.decoding import PictureDecoder, SoundDecoder
from sfu.core.types import Kind
from sfu.tap import TapReader
from sfu.wire import tap
from sfu.wire.errors import MalformedTapFrame
from signaling.errors import Refused
from signaling.message_values import Source
from signaling.taps import messages
from signaling.taps.feed import Heard, TapFeed
from signaling.taps.messages import SinkAnswer, SinkOffered

logger = logging.getLogger(__name__)

SAMPLE_RATE: Final = 48_000
HEARTBEAT_S: Final = 20.0
# Frames that wait for whoever takes them: 2 s of sound, a second of pictures (each of megabytes).
WAITING: Final[Mapping[Kind, int]] = MappingProxyType({"audio": 100, "video": 30})
# Whole frames that wait for the decoder; it is many times faster than a conversation.
UNDECODED: Final = 256
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
# What another attempt would not change, by HTTP status.
_REFUSALS: Final = MappingProxyType({401: "token_invalid", 403: "not_granted", 404: "room_not_found"})
# The server has begun to serve it, and the room was there no more.
_ROOM_ENDED: Final = 4404


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """`samples`: (count, 2), at 48 kHz. `at_s`: when it came, on the monotonic clock of the server's machine.
    `timestamp` counts samples on the publisher's clock: where it jumps by more than `count`, nothing was sent
    (silence), or it was lost."""

    participant: str
    track: str
    source: Source
    at_s: float
    timestamp: int
    samples: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """`picture`: (height, width, 3), RGB, turned as its sender wants it. Its size changes with the layer that is sent,
    and when a phone is turned."""

    participant: str
    track: str
    source: Source
    at_s: float
    picture: NDArray[np.uint8]


class Tap:
    """An async iterator of AudioFrame or VideoFrame, made by `Room.tap`; ends with the room. Raises Refused when the
    server declines. Leave it by `aclose`, or use it as `async with`."""

    def __init__(
        self,
        url: str,
        room: str,
        token: Callable[[], str],
        participant: str,
        kind: Kind,
        source: Source | None,
        *,
        local: bool,
    ) -> None:
        path = f"{url.rstrip('/')}/v1/rooms/{room}/participants/{participant}/tap"
        self._url = path
        self._query = {"kind": kind, "format": "rtp"} | ({"source": source} if source else {})
        self._query |= {"local": "1"} if local else {}
        self._token = token
        self._decoding = _Decoding(participant, kind)
        self._frames: deque[AudioFrame | VideoFrame] = deque()
        self._most = WAITING[kind]
        self._changed = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, "tap")
        self._undecoded: deque[Heard] = deque(maxlen=UNDECODED)
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: Exception | Literal[True] | None = None
        self._late = self._before = self._lost = 0
        self.via: Literal["socket", "websocket", ""] = ""  # what media come by

    @property
    def dropped(self) -> int:
        """Frames and packets that were there and not taken in time, here or at the server."""
        return self._late + self._before + self._lost

    async def __aenter__(self) -> Tap:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Tap:
        return self

    async def __anext__(self) -> AudioFrame | VideoFrame:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._decode())]
        while not self._frames:
            if isinstance(self._ended, Exception):
                raise self._ended
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._frames.popleft()

    async def aclose(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._end(True)

    def _end(self, why: Exception | Literal[True]) -> None:
        self._ended = self._ended or why
        self._changed.set()

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._ended is None:
            try:
                async with (
                    aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token()}"}) as http,
                    http.ws_connect(self._url, params=self._query, heartbeat=HEARTBEAT_S) as socket,
                ):
                    connected_at = time.monotonic()
                    await _Connection(socket, self).run()
                    if time.monotonic() - connected_at > LONGEST_PAUSE_S:  # else it may be closed at once again
                        pause_s = FIRST_PAUSE_S
                    if socket.close_code == _ROOM_ENDED:
                        self._end(True)
                        return
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 404 and self.via:
                    self._end(True)  # the room ended while we were away
                    return
                if error.status < 500 and error.status != 429:
                    self._end(Refused(_REFUSALS.get(error.status, "conflict"), f"HTTP {error.status}"))
                    return
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                logger.info("a tap is begun anew: %s", error)
            except Exception as error:
                self._end(error)
                raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _take(self, heard: list[Heard]) -> None:
        for one in heard:
            self._late += len(self._undecoded) == UNDECODED
            self._undecoded.append(one)
        if heard:
            self._work.set()

    async def _decode(self) -> None:
        try:
            await self._go_on_decoding()
        except Exception as error:  # whoever waits for frames would wait for ever
            self._end(error)

    async def _go_on_decoding(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            self._work.clear()
            batch = list(self._undecoded)
            self._undecoded.clear()
            for frame in await loop.run_in_executor(self._pool, self._decoding.run, batch):
                if len(self._frames) >= self._most:
                    self._frames.popleft()
                    self._late += 1
                self._frames.append(frame)
            self._changed.set()


class _Connection:
    """One WebSocket of a tap, and the socket on this machine if there is one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, owner: Tap) -> None:
        self._socket = socket
        self._owner = owner
        self._feed = TapFeed()
        self._reading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self._owner.via = "websocket"
        try:
            while (message := await self._socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if message.type is WSMsgType.BINARY:
                    with contextlib.suppress(MalformedTapFrame):
                        self._on_frame(tap.parse(message.data))
                else:
                    with contextlib.suppress(msgspec.MsgspecError):  # of a newer server
                        await self._on_message(messages.decode(message.data))
        finally:
            self._owner._before, self._owner._lost = self._owner._before + self._owner._lost, 0
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)

    async def _on_message(self, message: messages.AnyTapMessage) -> None:
        if isinstance(message, SinkOffered):
            await self._socket.send_str(msgspec.json.encode(SinkAnswer(bound=self._bind(message.address))).decode())
        else:
            self._owner._take(self._feed.on_message(message))

    def _bind(self, address: str) -> bool:
        """On another machine, or as another user, there is no such directory for us."""
        try:
            reader = TapReader(address)
        except OSError:
            return False
        self._owner.via = "socket"
        self._reading = asyncio.create_task(self._read(reader))
        return True

    async def _read(self, reader: TapReader) -> None:
        with reader:
            async for frame in reader:
                self._on_frame(frame)

    def _on_frame(self, frame: tap.TapFrame) -> None:
        self._owner._lost = frame.dropped
        self._owner._take(self._feed.on_frame(frame))


class _Decoding:
    """Runs in the thread."""

    def __init__(self, participant: str, kind: Kind) -> None:
        self._participant = participant
        self._kind = kind
        self._sounds: dict[str, SoundDecoder] = {}
        self._pictures: dict[str, PictureDecoder] = {}
        self._count = 0

    def run(self, batch: list[Heard]) -> list[AudioFrame | VideoFrame]:
        decode = self._sound if self._kind == "audio" else self._picture
        return [frame for heard in batch for frame in decode(heard)]

    def _sound(self, heard: Heard) -> list[AudioFrame | VideoFrame]:
        track, (at_s, _, frame) = heard.track, heard.timed
        samples = self._sounds.setdefault(track.track, SoundDecoder()).decode(frame.bitstream)
        if not len(samples):
            return []
        return [AudioFrame(self._participant, track.track, track.source, at_s, frame.timestamp, samples)]

    def _picture(self, heard: Heard) -> list[AudioFrame | VideoFrame]:
        track, (at_s, _, frame) = heard.track, heard.timed
        self._count += 1
        pictures = self._pictures.setdefault(track.track, PictureDecoder()).decode(frame, self._count)
        made: list[AudioFrame | VideoFrame] = []
        for picture in pictures:
            rgb = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
            made.append(VideoFrame(self._participant, track.track, track.source, at_s, rgb))
        return made
