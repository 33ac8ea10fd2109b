"""All recordings: begun, paused, stopped, made into files, deleted; what each came to, also after a restart. A shell.

    REST ─► start, pause, stop … ─┬► a session in the switchboard (session.py) ─► Worker, recorder
                                  └► book.py: store and events
    session closes ─► Make ─► Made ─► ready ─► uploading.py, where there is storage
                                         └───► mixes.py, where somebody asks

To take less (pause, stop) never waits until it is kept, also when the store cannot write for a while; to take more
(start, resume) does, so that everybody has been told before.

One that ran when the server was killed is not gone on with: its people come back as new Transports. Its journal is
made into files all the same.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any, Final, Literal

from msgspec.structs import replace

from recorder import control
from recorder.control import AnyWord, Made, Make, Mixed, MixFailed, Mixing, Ping
from signaling import events
from signaling.errors import Refused
from signaling.limits import RecordingLimits, WorkerLimits
from signaling.names import Names
from signaling.recordings.book import Book
from signaling.recordings.kept import KeptRecordings
from signaling.recordings.mixes import Mixes
from signaling.recordings.options import Destination, RecordedFile, RecordingOptions
from signaling.recordings.recorder import RecorderProcess
from signaling.recordings.session import RecordingSession
from signaling.recordings.uploading import UploadFigures, Uploading
from signaling.records import StoredRecording
from signaling.room_settings import check_encrypted
from signaling.rooms import RoomDirectory
from signaling.store import Store
from signaling.switchboard import Switchboard

logger = logging.getLogger(__name__)

# Why a session ends that has nothing: else it is begun and ended when its process has started.
NEVER_BEGUN: Final = frozenset({"recorder_failed", "internal"})
RUNNING: Final = frozenset({"recording", "paused"})
# Within a recording's directory, beside its files.
MANIFEST: Final = "manifest.json"
# Names of directories on the disk, and of nothing else ever: 80 bits.
ID_BYTES: Final = 10
# Who has not been told the address of a live composite does not find it: 144 bits.
VIEW_BYTES: Final = 18


class Recordings:
    """`directory`: where all of them lie, each in a directory of its name. None: nothing is recorded here.
    `destination`: where they are uploaded to; None: nowhere."""

    def __init__(
        self,
        directory: Path | None,
        switchboard: Switchboard,
        store: Store,
        kept: KeptRecordings,
        limits: WorkerLimits,
        most: RecordingLimits,
        destination: Destination | None = None,
    ) -> None:
        self._directory = directory
        self._most = most
        self._switchboard = switchboard
        self._book = Book(kept.by_id, switchboard, store)
        self._recordings = kept.by_id
        self._sessions: dict[str, tuple[int, RecordingSession]] = {}  # with their numbers in the switchboard
        self._recorder = RecorderProcess(
            "recorder.process", "the recorder", Ping(), self._on_word, self._on_recorder_lost, limits
        )
        self._uploading: Uploading | None = None
        if directory is not None and destination is not None:
            self._uploading = Uploading(directory, destination, self._book, limits)
        self.mixes = Mixes(self._book, self.path, self._recorder.tell, most, self._on_mix_given_up)

    def open(self) -> None:
        """Goes on with what the store has."""
        self._book.open()
        for one in list(self._recordings.values()):
            if one.state in RUNNING:
                self._book.change_soon(one, events.RecordingStopped, state="finishing", reason="server_restart")
            if self._recordings[one.id].state == "finishing" and self._directory is not None:
                self._make(one)
            if self._uploading is not None and one.state == "ready":
                self._uploading.take_up(one)
            elif one.upload is not None and one.upload.state == "uploading":  # nobody goes on with it
                self._recordings[one.id] = replace(one, upload=None)
        if self._directory is not None:
            self.mixes.take_up()

    async def close(self) -> None:
        """What runs ends as it is, and is made into files by the next server. Idempotent."""
        await self._recorder.close()
        if self._uploading is not None:
            await self._uploading.close()
        await self._book.close()

    @property
    def recorder_pid(self) -> int | None:
        """While there is one."""
        return self._recorder.pid

    @property
    def uploader_pid(self) -> int | None:
        """While there is one."""
        return None if self._uploading is None else self._uploading.pid

    def upload_figures(self) -> UploadFigures | None:
        """None: the server has no storage for them."""
        return None if self._uploading is None else self._uploading.figures(time.time())

    # --- for those who manage them ---

    async def start(
        self, room: str, options: RecordingOptions, *, by: Literal["api", "room", "token"] = "api"
    ) -> StoredRecording:
        """Raises Refused: `recording_disabled`, `room_not_found`, `end_to_end_encrypted`, `conflict` or `limit`."""
        self.check_enabled()
        if contradiction := options.contradiction():
            raise Refused("conflict", contradiction)
        id = f"REC_{secrets.token_hex(ID_BYTES)}"
        directory = self.path(id)

        def begin(rooms: RoomDirectory, now: float) -> tuple[StoredRecording, int]:
            view = rooms.room(room)
            if view.settings.end_to_end_encrypted:
                check_encrypted(view.settings, options)
            self._check_limits(room, options)
            stored = StoredRecording(
                id=id,
                room_id=view.id,
                room=room,
                state="recording",
                options=options,
                started_at=time.time(),
                by=by,
                live_view="" if options.live is None else secrets.token_urlsafe(VIEW_BYTES),
            )

            def onlook(names: Names) -> RecordingSession:
                observed = rooms.observe(names.session, room)
                return RecordingSession(id, room, str(directory), options, observed, names, now)

            number, session = self._switchboard.seat(onlook, self._recorder.tell, partial(self._on_closed, id))
            self._recordings[id] = stored
            self._sessions[id] = number, session
            rooms.change_recording(events.RecordingStarted, stored)
            return stored, number

        stored, number = await self._switchboard.perform(begin)
        self._switchboard.feed(number, methodcaller("start"))
        return stored

    def check_enabled(self) -> None:
        """Raises Refused: `recording_disabled`."""
        if self._directory is None:
            raise Refused("recording_disabled", "the server has no directory for recordings (--recordings)")

    async def pause(self, id: str) -> StoredRecording:
        """Raises Refused: `recording_not_found` or `recording_ended`. Nothing happens if it is paused already."""
        one = self._running(id)
        if one.state == "recording":
            self._feed(id, methodcaller("pause"))
            await self._book.change(one, events.RecordingPaused, state="paused")
        return self.recording(id)

    async def resume(self, id: str) -> StoredRecording:
        """Raises Refused: `recording_not_found` or `recording_ended`. Nothing happens if it is not paused."""
        one = self._running(id)
        if one.state == "paused":
            self._book.check_store()
            await self._book.change(one, events.RecordingResumed, state="recording")
            if self.recording(id).state == "recording" and id in self._sessions:  # still, or again
                self._feed(id, methodcaller("resume"))
        return self.recording(id)

    async def stop(self, id: str) -> StoredRecording:
        """Nothing happens if it has ended. Raises Refused: `recording_not_found`."""
        one = self.recording(id)
        if one.state in RUNNING and id in self._sessions:
            self._feed(id, methodcaller("stop", "stopped", time.monotonic()))
            await self._book.change(one, events.RecordingStopped, state="finishing", reason="stopped")
        return self.recording(id)

    async def upload(self, id: str) -> StoredRecording:
        """Once more, after it was given up. Raises Refused: `recording_not_found`, `recording_running` or
        `upload_disabled`. Nothing happens if it is there, or under way."""
        one = self.recording(id)
        if self._uploading is None:
            raise Refused("upload_disabled", "the server has no storage for recordings (--recordings-upload)")
        if one.state != "ready":
            raise Refused("recording_running", f"its files are not made: it is {one.state}")
        if one.upload is not None and one.upload.state == "failed":
            await self._book.change(one, None, upload=self._uploading.send(id))
        return self.recording(id)

    async def delete(self, id: str, cause: str = "deleted") -> None:
        """Its files, too. Raises Refused: `recording_not_found` or `recording_running`."""
        one = self.recording(id)
        if one.state in RUNNING or one.state == "finishing":
            raise Refused("recording_running", "stop it first, and wait until its files are made")
        self._book.check_store()
        del self._recordings[id]
        try:
            # Files first: a recording without them can be deleted again, files without it would stay for ever.
            if self._directory is not None:
                await asyncio.to_thread(shutil.rmtree, self.path(id), ignore_errors=True)
            await self._switchboard.perform(lambda rooms, now: rooms.drop_recording(replace(one, reason=cause)))
        except BaseException:
            self._recordings[id] = one
            raise
        self.mixes.forget(one)

    def recording(self, id: str) -> StoredRecording:
        """Raises Refused: `recording_not_found`."""
        one = self._recordings.get(id)
        if one is None:
            raise Refused("recording_not_found", f"there is no recording {id[:64]}")
        return self._with_figures(one)

    def manifest(self, id: str) -> Path:
        """Raises Refused: `recording_not_found` or `recording_running`."""
        return self.path(self._made(id).id) / MANIFEST

    def file(self, id: str, name: str) -> Path:
        """Raises Refused: as `manifest`, and `unknown_file`."""
        one = self._made(id)
        # Only what the manifest lists: no name of a caller's ever becomes a path.
        file = next((file for file in one.files if file.name == name), None)
        if file is None:
            raise Refused("unknown_file", f"the recording has no file {name[:128]}")
        self.check_is_here(id)
        return self.path(one.id) / file.path

    def check_is_here(self, id: str) -> None:
        """With its files. Raises Refused: as `file`."""
        upload = self._made(id).upload
        if upload is not None and upload.freed_bytes:
            raise Refused("unknown_file", f"it is in {upload.url}, and not here any more")

    def _made(self, id: str) -> StoredRecording:
        one = self.recording(id)
        if one.state != "ready":
            raise Refused("recording_running", f"its files are not made: it is {one.state}")
        return one

    def of_room(self, room: str | None) -> list[StoredRecording]:
        """The oldest first."""
        return [self._with_figures(one) for one in self._recordings.values() if room in (None, one.room)]

    def goes_on_by_itself(self, room: str) -> bool:
        """Whether one that began by itself runs, and is not about to end."""
        going = [id for id, (_, session) in self._sessions.items() if session.room == room and not session.is_ending]
        return any(self._recordings[id].by != "api" for id in going)

    def room_of(self, id: str) -> str | None:
        """The name of the room that it is of; None: there is no such recording."""
        one = self._recordings.get(id)
        return None if one is None else one.room

    def path(self, id: str) -> Path:
        assert self._directory is not None
        return self._directory / id

    # --- what comes of them ---

    def _on_closed(self, id: str, ws_code: int, reason: str) -> None:
        """The session has ended, in whatever way; its journal is whole, or as it is."""
        _, session = self._sessions.pop(id)
        one = replace(self._recordings[id], bytes=session.figures.bytes)
        if reason == "server_shutdown":
            return  # goes on in the next server
        if not session.begun and reason in NEVER_BEGUN:
            self._book.change_soon(one, events.RecordingFailed, state="failed", reason=reason)
        elif one.state in RUNNING:
            self._book.change_soon(one, events.RecordingStopped, state="finishing", reason=reason)
            self._make(one)
        else:  # stopped, and told so
            self._recordings[id] = one
            self._make(one)

    def _make(self, one: StoredRecording) -> None:
        order = Make(
            recording=one.id, directory=str(self.path(one.id)), mode=one.options.mode, container=one.options.container
        )
        self._recorder.tell(order)

    def _on_word(self, word: AnyWord) -> None:
        assert not isinstance(word, control.Pong)
        if word.recording in self._sessions:
            self._feed(word.recording, methodcaller("on_word", word, time.monotonic()))
            return
        one = self._recordings.get(word.recording)
        if one is None:
            return
        if isinstance(word, Mixing | Mixed | MixFailed):
            self.mixes.on_word(one, word)
            if isinstance(word, Mixed) and self._uploading is not None:
                self._uploading.send_mix(one.id)
        elif isinstance(word, Made):
            files = tuple(
                RecordedFile(
                    path=file.path,
                    participant=file.participant,
                    size_bytes=file.size_bytes,
                    duration_s=file.duration_s,
                    error=file.error,
                )
                for file in word.files
            )
            self._book.change_soon(
                one,
                events.RecordingReady,
                state="ready",
                duration_s=word.duration_s,
                files=files,
                upload=None if self._uploading is None else self._uploading.send(one.id),
            )
        elif isinstance(word, control.Failed):
            self._book.change_soon(one, events.RecordingFailed, state="failed", reason=word.reason)

    def _on_mix_given_up(self, id: str) -> None:
        if self._uploading is not None:
            self._uploading.on_mix_given_up(id)

    def _on_recorder_lost(self) -> None:
        for id in list(self._sessions):
            self._feed(id, methodcaller("on_recorder_lost", time.monotonic()))
        for one in list(self._recordings.values()):
            if one.state == "finishing" and one.id not in self._sessions:
                self._make(one)
        self.mixes.take_up()

    # --- the rest ---

    def _running(self, id: str) -> StoredRecording:
        one = self.recording(id)
        if one.state not in RUNNING or id not in self._sessions:
            raise Refused("recording_ended", "it does not run any more")
        return one

    def _check_limits(self, room: str, options: RecordingOptions) -> None:
        running = [self._recordings[id].room for id in self._sessions]
        if len(running) >= self._most.running:
            raise Refused("limit", f"the server has its {self._most.running} recordings that run")
        live = [id for id in self._sessions if self._recordings[id].live_view]
        if options.live is not None and len(live) >= self._most.live:
            raise Refused("limit", f"the server composes {self._most.live} recordings live, as many as it may")
        if running.count(room) >= self._most.running_per_room:
            raise Refused("limit", f"the room has its {self._most.running_per_room} recordings that run")

    def _feed(self, id: str, feed: Callable[[Any], None]) -> None:
        number, _ = self._sessions[id]
        self._switchboard.feed(number, feed)

    def _with_figures(self, one: StoredRecording) -> StoredRecording:
        if one.id not in self._sessions:
            return one
        _, session = self._sessions[one.id]
        last = session.figures.last
        return replace(one, bytes=session.figures.bytes, failure=last.failure if last is not None else "")
