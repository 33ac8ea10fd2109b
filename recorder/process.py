"""The recorder as a process: `python -m recorder.process FD`, where FD is a connected Unix socket to signaling.

    orders in ─► Taking, one per recording ─► journals          Make ─► finishing.py, a process of its own
                 Composing, where it is wished: live/, a process of its own
                                                                Mix ─► mix_queue.py ─► mixing.py, likewise
    words out ◄─ Begun, Listening, Progress, Ended, Made, Failed

One serves all rooms. It ends with its socket: without signaling nobody would tell it who comes and goes. What it was
taking then stays as it is, journals without an end, for the next one to go on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path

import msgspec
from msgspec.structs import replace

from recorder import control
from recorder.beginning import begin
from recorder.composing import Composing
from recorder.config import JournalConfig
from recorder.control import Begin, Begun, End, Ended, Failed, Listening, Made, Make, Mix, Note, Ping, Pong, StopMix
from recorder.mix_queue import MixQueue
from recorder.taking import Taking
from sfu.control import MalformedFrame
from sfu.frame_socket import FrameSocket

logger = logging.getLogger("recorder.process")  # runs as `__main__`

# Journals are flushed when they say, looked at so often.
TURN_S = 0.1
PROGRESS_EVERY_S = 1.0
# Making files takes a core for each; more at once would only make all of them late.
FINISHING_AT_ONCE = 1


def main() -> None:
    asyncio.run(_run(begin("recorder")))


async def _run(link: socket.socket) -> None:
    process = Process()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.stop)
    frames = await FrameSocket.over(link, process.on_frame, lambda reason: process.stop(), pauses=True)
    try:
        await process.serve(frames.send)
    finally:
        await process.close()
        frames.close()


class Process:
    def __init__(self) -> None:
        self._send: Callable[[bytes], None] = lambda frame: None
        self._stopping = asyncio.Event()
        self._takings: dict[str, Taking] = {}
        self._composings: dict[str, Composing] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._mixes = MixQueue(self._say)
        self._finishing = asyncio.Semaphore(FINISHING_AT_ONCE)
        # Sockets lie where only we may write; the path is short, as theirs has 107 bytes at most.
        self._sockets = Path(tempfile.mkdtemp(prefix="sfu-recorder-"))
        self._numbers = count(1)

    async def serve(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        progress_at = time.monotonic()
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                # Nothing to take, nothing to wake for.
                await asyncio.wait_for(self._stopping.wait(), TURN_S if self._takings else PROGRESS_EVERY_S)
            now = time.monotonic()
            due = now >= progress_at
            for taking in self._takings.values():
                taking.on_timer(now)
                if due or taking.state_changed:
                    self._say(taking.progress())
            if due:
                progress_at = now + PROGRESS_EVERY_S

    def stop(self) -> None:
        self._stopping.set()

    async def close(self) -> None:
        for taking in self._takings.values():
            taking.end(None)
        await asyncio.gather(*(composing.close() for composing in self._composings.values()))
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._mixes.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def on_frame(self, frame: bytes) -> None:
        try:
            order: control.AnyOrder = control.decode(frame, control.AnyOrder)
        except MalformedFrame:
            logger.exception("what signaling said cannot be read")
            return
        match order:
            case Begin():
                self._begin(order)
            case Note(recording=recording):
                if recording in self._takings:
                    self._takings[recording].note(order.event, order.track, muted=order.muted)
            case End():
                self._end(order)
            case Make():
                self._do(self._make(order))
            case Mix():
                self._mixes.add(order)
            case StopMix(mix=mix):
                self._mixes.stop(mix)
            case Ping():
                self._say(Pong())

    def _begin(self, order: Begin) -> None:
        taking = self._takings.get(order.recording)
        try:
            if taking is not None:
                taking.begin_again()
            else:
                taking = self._takings[order.recording] = Taking(
                    order.recording,
                    order.room,
                    Path(order.directory),
                    JournalConfig(),
                    self._new_address,
                    lambda: self._say(Listening(recording=order.recording)),
                )
        except OSError as error:
            logger.error("recording %s cannot begin: %s", order.recording, error)
            self._say(Failed(recording=order.recording, reason=error.strerror or str(error)))
            return
        if order.live and order.recording not in self._composings:
            self._composings[order.recording] = Composing(Path(order.directory), order.live)
        self._say(Begun(recording=order.recording, address=taking.address))

    def _end(self, order: End) -> None:
        taking = self._takings.pop(order.recording, None)
        if taking is not None:
            taking.end(order.reason)
            self._say(taking.progress())
        composing = self._composings.pop(order.recording, None)
        if composing is not None:
            self._do(composing.end())
        self._say(Ended(recording=order.recording))

    def _do(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _make(self, order: Make) -> None:
        """In a process of its own: decoding and encoding hold a core, and a broken stream must not end this one."""
        arguments = [order.directory, order.mode, *([order.container] if order.container else [])]
        async with self._finishing:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "recorder.finishing", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                out, err = await child.communicate()
            except asyncio.CancelledError:
                child.kill()
                await child.wait()
                raise
        try:
            made = msgspec.json.decode(out, type=Made)
        except msgspec.MsgspecError:
            lines = err.decode(errors="replace").strip().splitlines() or [f"ended with status {child.returncode}"]
            logger.error("the files of %s cannot be made: %s", order.recording, "\n".join(lines[-20:]))
            self._say(Failed(recording=order.recording, reason=lines[-1]))
        else:
            self._say(replace(made, recording=order.recording))

    def _new_address(self) -> str:
        return str(self._sockets / f"{next(self._numbers)}.sock")

    def _say(self, word: control.AnyWord) -> None:
        self._send(control.encode(word))


if __name__ == "__main__":
    main()
