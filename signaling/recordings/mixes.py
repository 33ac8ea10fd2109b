"""Mixes of recordings: asked for, made by the recorder's process, kept beside the recording's files. A shell.

    create ─► waiting ─ Mix ─► recorder/mix_queue.py ─► Mixing: mixing ─► Mixed: ready, or MixFailed: failed

They go with their recording. One that was under way when the recorder or the server was lost is made anew.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import to_builtins
from msgspec.structs import replace

from recorder.control import MIXES, AnyOrder, Mix, Mixed, MixFailed, Mixing, StopMix
from signaling import events
from signaling.errors import Refused
from signaling.limits import RecordingLimits
from signaling.recordings.book import Book
from signaling.recordings.options import MixOptions, StoredMix
from signaling.records import StoredRecording

ID_BYTES: Final = 10


class Mixes:
    """`path_of`: where a recording lies. `given_up` is told of recordings: a mix will not be made after all."""

    def __init__(
        self,
        book: Book,
        path_of: Callable[[str], Path],
        tell: Callable[[AnyOrder], None],
        most: RecordingLimits,
        given_up: Callable[[str], None] = lambda recording: None,
    ) -> None:
        self._book = book
        self._path_of = path_of
        self._tell = tell
        self._most = most
        self._given_up = given_up
        self._shares: dict[str, float] = {}  # of those under way

    # --- for those who want them ---

    async def create(self, recording: str, options: MixOptions) -> StoredMix:
        """Raises Refused: `recording_not_found`, `recording_running`, `unknown_file`, `conflict` or `limit`."""
        one = self._recording(recording)
        if one.state != "ready":
            raise Refused("recording_running", f"its files are not made: it is {one.state}")
        if one.upload is not None and (one.upload.freed_bytes or one.upload.freeing):
            raise Refused("unknown_file", f"its files are in {one.upload.url}, and not here any more")
        if contradiction := options.contradiction(self._most.mix_pixels, self._most.mix_frames_per_s):
            raise Refused("conflict", contradiction)
        self._check_limits(one)
        made = StoredMix(id=f"MIX_{secrets.token_hex(ID_BYTES)}", options=options, created_at=time.time())
        await self._book.change(one, None, mixes=(*one.mixes, made))
        self._order(one, made)
        return made

    def of(self, recording: str) -> tuple[StoredMix, ...]:
        """In the order in which they were asked for. Raises Refused: `recording_not_found`."""
        return self._recording(recording).mixes

    def mix(self, recording: str, id: str) -> StoredMix:
        """Raises Refused: `recording_not_found` or `unknown_mix`."""
        found = next((mix for mix in self.of(recording) if mix.id == id), None)
        if found is None:
            raise Refused("unknown_mix", f"the recording has no mix {id[:64]}")
        return found

    def share(self, mix: StoredMix) -> float:
        """How much of it is made, from 0 to 1."""
        return 1.0 if mix.state == "ready" else self._shares.get(mix.id, 0.0)

    def file(self, recording: str, mix: StoredMix) -> Path:
        """To be fetched. Raises Refused: `recording_not_found`, `mix_running` or `unknown_file`."""
        upload = self._recording(recording).upload
        if mix.state != "ready":
            raise Refused("mix_running", f"it is {mix.state}")
        if upload is not None and upload.freed_bytes:
            raise Refused("unknown_file", f"it is in {upload.url}, and not here any more")
        return self.path(recording, mix)

    def path(self, recording: str, mix: StoredMix) -> Path:
        return self._path_of(recording) / MIXES / f"{mix.id}.{mix.options.container}"

    async def delete(self, recording: str, id: str) -> None:
        """Also one that is not made yet. Raises Refused: `recording_not_found` or `unknown_mix`."""
        mix = self.mix(recording, id)
        one = self._recording(recording)
        self._stop(one, mix)
        kept = self._book.change_soon(one, None, mixes=tuple(other for other in one.mixes if other.id != id))
        self._given_up(recording)
        self._book.check_store()
        await kept
        await asyncio.to_thread(self.path(recording, mix).unlink, missing_ok=True)

    # --- for the recordings ---

    def take_up(self) -> None:
        """Whatever is not made yet, after the recorder was lost, or the server."""
        for one in self._book.by_id.values():
            for mix in one.mixes:
                if mix.is_unfinished:
                    self._order(one, mix)

    def forget(self, one: StoredRecording) -> None:
        """It is about to be deleted."""
        for mix in one.mixes:
            self._stop(one, mix)

    def on_word(self, one: StoredRecording, word: Mixing | Mixed | MixFailed) -> None:
        mix = next((mix for mix in one.mixes if mix.id == word.mix), None)
        if mix is None or not mix.is_unfinished:
            return
        match word:
            case Mixing(share=share):
                self._shares[mix.id] = share
                if mix.state == "waiting":
                    self._change(one, replace(mix, state="mixing"), None)
            case Mixed(size_bytes=size_bytes):
                self._change(one, replace(mix, state="ready", size_bytes=size_bytes), events.RecordingMixReady)
            case MixFailed(reason=reason):
                self._change(one, replace(mix, state="failed", reason=reason), events.RecordingMixFailed)
                self._given_up(one.id)

    # --- the rest ---

    def _recording(self, id: str) -> StoredRecording:
        one = self._book.by_id.get(id)
        if one is None:
            raise Refused("recording_not_found", f"there is no recording {id[:64]}")
        return one

    def _check_limits(self, one: StoredRecording) -> None:
        if len(one.mixes) >= self._most.mixes_per_recording:
            raise Refused("limit", f"the recording has its {self._most.mixes_per_recording} mixes")
        waiting = sum(mix.is_unfinished for each in self._book.by_id.values() for mix in each.mixes)
        if waiting >= self._most.mixes_waiting:
            raise Refused("limit", f"{waiting} mixes wait already")

    def _order(self, one: StoredRecording, mix: StoredMix) -> None:
        order = Mix(
            recording=one.id,
            mix=mix.id,
            directory=str(self._path_of(one.id)),
            path=str(self.path(one.id, mix)),
            layout=to_builtins(mix.options.drawn()),
        )
        self._tell(order)

    def _stop(self, one: StoredRecording, mix: StoredMix) -> None:
        self._shares.pop(mix.id, None)
        if mix.is_unfinished:
            self._tell(StopMix(recording=one.id, mix=mix.id))

    def _change(self, one: StoredRecording, changed: StoredMix, event: type[events.RecordingEvent] | None) -> None:
        if not changed.is_unfinished:
            self._shares.pop(changed.id, None)
        mixes = tuple(changed if mix.id == changed.id else mix for mix in one.mixes)
        self._book.change_soon(one, event, {"mix": changed.id, "reason": changed.reason}, mixes=mixes)
