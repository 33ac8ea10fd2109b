"""Uploads as a process: `python -m recorder.uploads.process FD`, where FD is a connected Unix socket to signaling.

    orders in ─► Storage, Upload ─► uploads.py            words out ◄─ Uploaded, UploadDelayed, UploadFailed

It ends with its socket, or by a kill: the next one goes on with what was under way. One of its own, beside the
recorder's, which has packets to read while this one computes checksums.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from recorder import control
from recorder.beginning import begin
from recorder.control import Ping, Pong, Storage, Upload, UploadDelayed, UploadFailed
from recorder.uploads import Delayed, Failed, Target, UploadConfig, Uploaded, UploadEvent, Uploads, parse_target, state
from recorder.uploads.contents import CannotUpload, mixes
from sfu.control import MalformedFrame
from sfu.frame_socket import FrameSocket

logger = logging.getLogger("recorder.uploads.process")  # runs as `__main__`

# The call goes first.
NICENESS = 10
# A disk that is full does not even take the note that something is to be sent; and settings may be mended.
SUBMIT_AGAIN_S = 60.0


def main() -> None:
    link = begin("uploads")
    os.nice(NICENESS)
    asyncio.run(_run(link))


async def _run(link: socket.socket) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    process = Process()
    frames = await FrameSocket.over(link, process.on_frame, lambda reason: stopping.set(), pauses=True)
    process.send = frames.send
    try:
        await stopping.wait()
    finally:
        await process.close()
        frames.close()


class Process:
    def __init__(self) -> None:
        self.send: Callable[[bytes], None] = lambda frame: None
        self._recordings = Path()
        self._target: Target | None = None
        self._config = UploadConfig()
        self._uploads: Uploads | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._orders: dict[str, int] = {}  # the latest, by recording

    def on_frame(self, frame: bytes) -> None:
        try:
            order: control.AnyOrder = control.decode(frame, control.AnyOrder)
        except MalformedFrame:
            logger.exception("what signaling said cannot be read")
            return
        match order:
            case Storage():
                self._do(self._open(order))
            case Upload():
                self._do(self._submit(order))
            case Ping():
                self._say(Pong())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._uploads is not None:
            await self._uploads.close()

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, order: Storage) -> None:
        self._recordings = Path(order.recordings)
        self._target = parse_target(order.url, order.endpoint)
        self._config = replace(UploadConfig(), with_journal=order.with_journal)
        try:
            await self._opened()
        except CannotUpload as error:
            logger.error("nothing can be uploaded: %s", error)  # as is told of each recording, too
        self._say(Pong())

    async def _opened(self) -> Uploads:
        """Raises CannotUpload: of its settings, some lie in files that somebody may mend."""
        if self._uploads is None:
            assert self._target is not None, "signaling begins with it"
            self._uploads = Uploads(self._target, self._config, self._on_event)
            await self._uploads.take_up(self._recordings)
        return self._uploads

    async def _submit(self, wanted: Upload) -> None:
        recording, order = wanted.recording, wanted.order
        directory = self._recordings / recording
        if self._is_there(directory, deleted=wanted.delete):
            self._say(control.Uploaded(recording=recording, order=order, sent_bytes=0))
            return
        while True:
            try:
                uploads = await self._opened()
                self._orders[recording] = order  # of an attempt that is under way, or else of the next
                await uploads.submit(directory, delete=wanted.delete)
                return
            except FileNotFoundError:
                self._say(UploadFailed(recording=recording, order=order, reason="it is not there any more"))
                return
            except (CannotUpload, OSError) as error:
                self._say(UploadDelayed(recording=recording, reason=str(error)))
            await asyncio.sleep(SUBMIT_AGAIN_S)

    def _is_there(self, directory: Path, *, deleted: bool) -> bool:
        """All of it, and deleted here if that is wished: signaling was gone when it was told, or had not asked yet."""
        known = state.load(directory)
        if known is None or known.standing != "uploaded" or known.target != str(self._target):
            return False
        if deleted and not known.delete:
            return False
        return known.objects.keys() >= set(mixes(directory))

    def _on_event(self, event: UploadEvent) -> None:
        recording = event.directory.name
        order = self._orders.get(recording)
        match event:
            case Delayed(error=error):
                self._say(UploadDelayed(recording=recording, reason=error))
            case _ if order is None:
                pass  # gone on with before signaling asked: it will, and be told then
            case Uploaded(sent_bytes=sent_bytes):
                self._say(control.Uploaded(recording=recording, order=order, sent_bytes=sent_bytes))
            case Failed(error=error):
                self._say(UploadFailed(recording=recording, order=order, reason=error))

    def _say(self, word: control.AnyWord) -> None:
        self.send(control.encode(word))


if __name__ == "__main__":
    main()
