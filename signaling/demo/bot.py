"""One participant without a person: publishes a generated picture and a tone, decodes everybody else, and counts.

`Bot.join` makes one; leave the `async with` block and it has left the room. What it saw of others is in `seen`,
by identity, and stays there when they leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sfu.core.types import Codec
from signaling.client import Impairment, Reception, Room, SourceToPublish, connect
from signaling.client.changes import Changes
from signaling.demo.listening import AudioListener, VideoListener
from signaling.demo.measure import AudioMeasure, VideoMeasure
from signaling.demo.sources import Camera, Microphone
from signaling.messages import AnyEvent
from signaling.subprotocols import MSGPACK

RIDS = ("q", "h", "f")


@dataclass(frozen=True, slots=True)
class BotOptions:
    """`layers` of video: 1 is published without simulcast. `impairment` stands in front of its media sockets."""

    layers: int = 3
    codec: Codec = Codec.VP8
    subprotocol: str = MSGPACK.name
    impairment: Impairment | None = None


@dataclass(slots=True)
class Seen:
    """What a bot saw of one other. `sender` is the number that other draws and whose pitch it plays."""

    sender: int
    video: VideoMeasure = field(default_factory=VideoMeasure)
    audio: AudioMeasure = field(default_factory=AudioMeasure)


class Bot:
    """`senders` maps identities to the numbers they draw; bots share it, and others in the room are not measured."""

    def __init__(self, name: str, sender: int, senders: Mapping[str, int], pool: Executor) -> None:
        self.name = name
        self.sender = sender
        self.seen: dict[str, Seen] = {}
        self.room: Room
        self.camera: Camera
        self.microphone: Microphone
        self.started_at_s = asyncio.get_running_loop().time()
        self._senders = senders
        self._pool = pool
        self._changes = Changes()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def join(
        cls,
        url: str,
        room: str,
        token: str,
        *,
        name: str,
        sender: int,
        senders: Mapping[str, int],
        pool: Executor,
        options: BotOptions = BotOptions(),
        on_event: Callable[[AnyEvent], None] = lambda _: None,
    ) -> AsyncIterator[Bot]:
        """Join, publish, and run until the end of the block. Raises what `connect` and `publish` raise."""
        bot = cls(name, sender, senders, pool)
        try:
            async with connect(
                url,
                room,
                token,
                subprotocol=options.subprotocol,
                impairment=options.impairment,
                on_event=on_event,
                on_reception=bot._on_reception,
            ) as bot.room:
                await bot._publish(options)
                yield bot
        finally:
            await bot._stop()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until `condition` over what was seen holds; it is asked again whenever something was decoded."""
        await self._changes.until(condition, timeout_s)

    async def stay(self, over: asyncio.Event) -> None:
        """Until `over` is set. Raises what ends the room, or a source or a listener, before that."""
        end = asyncio.create_task(over.wait())
        failures = [asyncio.create_task(one.failed()) for one in (self.room, self._changes)]
        try:
            await asyncio.wait([end, *failures], return_when=asyncio.FIRST_COMPLETED)
            for failure in failures:
                if failure.done():
                    raise failure.result()
        finally:
            for task in (end, *failures):
                task.cancel()

    async def _publish(self, options: BotOptions) -> None:
        rids = RIDS[-options.layers :] if options.layers > 1 else ()
        microphone, camera = await self.room.publish(
            [SourceToPublish("microphone", Codec.OPUS), SourceToPublish("camera", options.codec, rids)]
        )
        self.microphone = Microphone(microphone, self.sender, self._pool)
        self.camera = Camera(camera, self.name, self.sender, self._pool)
        self._run(self.microphone.run())
        self._run(self.camera.run())

    def _on_reception(self, reception: Reception) -> None:
        if reception.kind == "audio":
            self._run(AudioListener(reception, self._pool, self._audio_of, self._changes.changed).run())
        else:
            self._run(VideoListener(reception, self._pool, self._video_of, self._changes.changed).run())

    def _audio_of(self, identity: str) -> tuple[AudioMeasure, int] | None:
        seen = self._seen(identity)
        return None if seen is None else (seen.audio, seen.sender)

    def _video_of(self, identity: str) -> tuple[VideoMeasure, int] | None:
        seen = self._seen(identity)
        return None if seen is None else (seen.video, seen.sender)

    def _seen(self, identity: str) -> Seen | None:
        seen = self.seen.get(identity)
        if seen is None and identity in self._senders:
            seen = self.seen[identity] = Seen(self._senders[identity])
        return seen

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_done)
        self._tasks.append(task)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """A source or a listener that failed must not look like silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._changes.fail(error if isinstance(error, Exception) else RuntimeError(str(error)))

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
