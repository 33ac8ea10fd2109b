"""Uploads in a program that runs: submit a recording, be told what became of it. A shell around `transfer.py`.

    await uploads.submit(directory) ─► .upload.json ─► schedule.py ─► a thread ─► on_event(Uploaded | Delayed | Failed)

What was submitted is gone on with by the next one that is told `take_up`, wherever it was interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recorder.uploads import state as states
from recorder.uploads.bucket import Bucket, Stopped, StorageError
from recorder.uploads.config import UploadConfig
from recorder.uploads.contents import CannotUpload
from recorder.uploads.schedule import Schedule
from recorder.uploads.state import UploadState
from recorder.uploads.target import Target
from recorder.uploads.transfer import Sent, Transfer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """All of it is there, and was verified. `sent_bytes`: of what was not when it was submitted."""

    directory: Path
    objects: int
    size_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Delayed:
    """It is tried again at `next_at` (Unix time). `refused`: that will not help unless somebody changes something."""

    directory: Path
    error: str
    refused: bool
    attempts: int
    next_at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not tried again. What is here stays."""

    directory: Path
    error: str


UploadEvent = Uploaded | Delayed | Failed


class Uploads:
    """`on_event` is called on the event loop; `on_progress(directory, bytes there, of how many)` in a thread."""

    def __init__(
        self,
        target: Target,
        config: UploadConfig,
        on_event: Callable[[UploadEvent], None],
        on_progress: Callable[[Path, int, int], None] = lambda directory, there, of: None,
    ) -> None:
        """Raises CannotUpload when the library is missing, or its settings make no sense."""
        self._config = config
        self._on_event = on_event
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._bucket = Bucket(target, config, self._stop)
        self._schedule = Schedule(config, random.random)
        self._pool = ThreadPoolExecutor(config.concurrency + 1, "upload")  # one more, for the disk
        self._attempts: set[asyncio.Task[None]] = set()
        self._again: dict[str, bool] = {}  # there is more of them than when their attempt began; whether to delete
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def submit(self, directory: Path, *, delete: bool | None = None) -> None:
        """When this returns, it will be sent, though we are killed; all that is there now. `delete`: here, what is
        verified there; None: as the configuration says. Raises OSError."""
        delete = self._config.delete if delete is None else delete
        if self._schedule.is_under_way(str(directory)):
            self._again[str(directory)] = delete
        elif str(directory) not in self._schedule.names:
            await self._loop.run_in_executor(self._pool, self._begin, directory, delete)
            self._schedule.submit(str(directory), time.time())
        self._go_on()

    async def take_up(self, recordings: Path) -> None:
        """Goes on with what was submitted before, in the directories of `recordings`; to this target, that is."""
        pending = await self._loop.run_in_executor(self._pool, _pending, recordings, str(self._bucket.target))
        for directory, state in pending:
            self._schedule.submit(
                str(directory), time.time(), since=state.since, attempts=state.attempts, at=state.next_at
            )
        self._go_on()

    async def close(self) -> None:
        """Breaks off what is under way. Idempotent."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=self._config.close_within_s)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stop.is_set():
            return
        now = time.time()
        while (name := self._schedule.poll(now)) is not None:
            attempt = self._loop.create_task(self._attempt(Path(name)))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        at = self._schedule.next_timeout()
        if at is not None:
            self._timer = self._loop.call_later(max(0.0, at - now), self._go_on)

    async def _attempt(self, directory: Path) -> None:
        name = str(directory)
        try:
            sent = await self._loop.run_in_executor(self._pool, self._transfer, directory)
        except Stopped:
            return
        except (StorageError, OSError) as error:
            later = self._schedule.on_failed(name, time.time())
            await self._loop.run_in_executor(self._pool, self._note, directory, str(error), later)
            refused = isinstance(error, StorageError) and error.refused
            self._tell(
                Failed(directory, str(error)) if later is None else Delayed(directory, str(error), refused, *later)
            )
        except CannotUpload as error:
            await self._loop.run_in_executor(self._pool, self._note, directory, str(error), None)
            self._schedule.on_done(name)  # with no turn of the loop before it is told: who submits it then begins anew
            self._tell(Failed(directory, str(error)))
        except Exception as error:
            self._schedule.on_done(name)
            logger.exception("%s: an error of ours", directory)
            self._tell(Failed(directory, f"internal: {error}"))
        else:
            self._schedule.on_done(name)
            if name in self._again:
                await self._submit_again(directory)
            else:
                self._tell(Uploaded(directory, sent.objects, sent.size_bytes, sent.sent_bytes))
        if not self._schedule.is_under_way(name):
            self._again.pop(name, None)
        self._go_on()

    async def _submit_again(self, directory: Path) -> None:
        """What has been verified is not sent a second time."""
        delete = self._again.pop(str(directory))
        try:
            await self.submit(directory, delete=delete)
        except OSError as error:
            self._tell(Failed(directory, str(error)))

    def _tell(self, event: UploadEvent) -> None:
        match event:
            case Delayed(directory, error, _, attempts):
                logger.warning("%s: attempt %d: %s", directory, attempts, error)
            case Failed(directory, error):
                logger.error("%s is not uploaded: %s", directory, error)
            case Uploaded(directory, objects, size_bytes):
                logger.info("%s: %d objects, %d bytes are in %s", directory, objects, size_bytes, self._bucket.target)
        self._on_event(event)

    # --- in threads ---

    def _begin(self, directory: Path, delete: bool) -> None:
        """Also if it was given up, or has been sent: files may have been made anew. What is there is not sent again."""
        before, target = states.load(directory), str(self._bucket.target)
        known = before.objects if before is not None and before.target == target else {}
        state = UploadState(
            target=target,
            with_journal=self._config.with_journal,
            delete=delete,
            since=time.time(),
            objects=known,
        )
        states.save(directory, state)

    def _transfer(self, directory: Path) -> Sent:
        state = states.load(directory)
        if state is None:
            raise CannotUpload(f"{directory / states.FILE_NAME} has gone")

        def progress(there: int, of: int) -> None:
            self._on_progress(directory, there, of)

        return Transfer(directory, self._bucket, self._config, state, progress).run()

    def _note(self, directory: Path, error: str, later: tuple[int, float] | None) -> None:
        """What the next of us is to know."""
        state = states.load(directory)
        if state is None:
            return
        state.error = error
        if later is not None:
            state.attempts, state.next_at = later
        else:
            state.standing = "failed"
        try:
            states.save(directory, state)
        except OSError:
            logger.exception("%s: its state cannot be kept", directory)


def _pending(recordings: Path, target: str) -> list[tuple[Path, UploadState]]:
    found = []
    for path in sorted(recordings.glob(f"*/{states.FILE_NAME}")):
        state = states.load(path.parent)
        if state is not None and state.standing == "pending" and state.target == target:
            found.append((path.parent, state))
    return found
