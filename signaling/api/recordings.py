"""Recordings of rooms: begun, paused, stopped, looked at, fetched, deleted. What they are: signaling/recordings/."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from aiohttp import web
from msgspec import UNSET

from signaling.api.files import RANGES, file_response, is_streamed
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import page
from signaling.api.recording_models import (
    LiveQuery,
    PlaybackLink,
    PlaybackWish,
    Recording,
    RecordingFile,
    RecordingPage,
    RecordingQuery,
    RecordingUpload,
)
from signaling.errors import ProtocolError
from signaling.keyring import Keyring
from signaling.playback import links
from signaling.recordings.options import RecordingOptions
from signaling.recordings.recordings import Recordings
from signaling.records import StoredRecording

_IN_ROOM: Final = "/rooms/{room}/recordings"
_RECORDING: Final = "/recordings/{recording}"
# Later than any recording, in microseconds: what is counted down from it comes the latest first.
_LATEST_US: Final = 10**16


class RecordingOperations:
    def __init__(self, recordings: Recordings, keyring: Keyring) -> None:
        self._recordings = recordings
        self._keyring = keyring

    def operations(self) -> tuple[Operation, ...]:
        return (*self._beginning(), *self._looking(), *self._steering(), *self._fetching())

    def _beginning(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="start_recording",
                method="POST",
                path=_IN_ROOM,
                tag="recordings",
                summary="Begin to record a room",
                description="Everybody in the room is told before anything is taken. With `{}` all of it is taken, "
                "also who comes later. It ends by `stop`, a limit, or with the room; then its files are made.",
                run=self._start,
                access="record",
                body=RecordingOptions,
                makes={"recording": "id"},
                answer=Recording,
                status=201,
                problems=("recording_disabled", "end_to_end_encrypted", "conflict", "limit", "unavailable"),
                example=Example(
                    body={"sources": ["microphone", "screen"], "max_duration_s": 3600},
                    answer={"room": "standup", "state": "recording"},
                ),
            ),
        )

    def _looking(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_room_recordings",
                method="GET",
                path=_IN_ROOM,
                tag="recordings",
                summary="Recordings of rooms of this name, the latest first",
                description="Also of rooms that are no more.",
                run=self._list,
                access="record",
                query=RecordingQuery,
                answer=RecordingPage,
            ),
            Operation(
                name="list_recordings",
                method="GET",
                path="/recordings",
                tag="recordings",
                summary="Recordings of all rooms, the latest first",
                run=self._list,
                access="key",
                query=RecordingQuery,
                answer=RecordingPage,
                example=Example(query={"limit": "10"}),
            ),
            Operation(
                name="get_recording",
                method="GET",
                path=_RECORDING,
                tag="recordings",
                summary="One recording",
                run=self._get,
                access="record",
                answer=Recording,
            ),
        )

    def _steering(self) -> tuple[Operation, ...]:
        return (
            self._step(
                "pause",
                self._recordings.pause,
                "Take nothing for a while",
                "The files show the pause as silence; they stay as long as the recording.",
                ("recording_ended",),
            ),
            self._step("resume", self._recordings.resume, "Go on after a pause", "", ("recording_ended",)),
            self._step(
                "stop",
                self._recordings.stop,
                "End a recording, and make its files",
                "It is `finishing` until they are made, then `ready`. Nothing happens if it has ended.",
            ),
            self._step(
                "upload",
                self._recordings.upload,
                "Try once more to upload it",
                "After its upload has failed. Nothing happens if it is there, or under way.",
                ("recording_running", "upload_disabled"),
            ),
            Operation(
                name="delete_recording",
                method="DELETE",
                path=_RECORDING,
                tag="recordings",
                summary="Delete a recording with its files",
                run=self._delete,
                access="record",
                problems=("recording_running", "unavailable"),
            ),
        )

    def _step(
        self,
        verb: str,
        step: Callable[[str], Awaitable[StoredRecording]],
        summary: str,
        description: str,
        problems: tuple[str, ...] = (),
    ) -> Operation:
        """What is done to one recording, and answered with what it is then."""

        async def run(asked: Asked) -> Answer:
            return Answer(_shown(await step(asked.path["recording"])))

        return Operation(
            name=f"{verb}_recording",
            method="POST",
            path=f"{_RECORDING}/{verb}",
            tag="recordings",
            summary=summary,
            description=description,
            run=run,
            access="record",
            answer=Recording,
            problems=(*problems, "unavailable"),
        )

    def _fetching(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="get_recording_manifest",
                method="GET",
                path=_RECORDING + "/manifest",
                tag="recordings",
                summary="The manifest: who, when, which files, and what is missing in them",
                description="Its form is `recorder/manifest.schema.json`.",
                run=is_streamed,
                stream=self._fetch_manifest,
                access="record",
                gives="application/json",
                problems=("recording_running", "unknown_file"),
                also=RANGES,
            ),
            Operation(
                name="get_recording_file",
                method="GET",
                path=_RECORDING + "/files/{file}",
                tag="recordings",
                summary="One of its files, or a part of it",
                description="`Range` is understood, so that players may jump and downloads go on where they were.",
                run=is_streamed,
                stream=self._fetch_file,
                access="record",
                gives="*/*",
                problems=("recording_running",),
                also=RANGES,
            ),
            Operation(
                name="play_recording",
                method="POST",
                path=_RECORDING + "/playback",
                tag="recordings",
                summary="An address under which a browser plays it",
                description="A page with everybody in step, and who speaks when. Who has the address may watch this "
                "recording, until it expires: no longer than the token that it was asked for with, or than the API "
                "key is good.",
                run=self._play,
                access="record",
                body=PlaybackWish,
                answer=PlaybackLink,
                status=201,
                problems=("recording_running", "unknown_file"),
                example=Example(body={"valid_for_s": 3600}),
            ),
        )

    async def _start(self, asked: Asked) -> Answer:
        one = await self._recordings.start(asked.path["room"], asked.body)
        return Answer(_shown(one), location=_address(one.id))

    async def _list(self, asked: Asked) -> Answer:
        query: RecordingQuery = asked.query
        wanted = [one for one in self._recordings.of_room(asked.path.get("room")) if query.state in (UNSET, one.state)]
        found, cursor = page(wanted, _latest_first, query)
        return Answer(RecordingPage(items=[_shown(one) for one in found], next_cursor=cursor))

    async def _get(self, asked: Asked) -> Answer:
        return Answer(_shown(self._recordings.recording(asked.path["recording"])))

    async def _delete(self, asked: Asked) -> Answer:
        await self._recordings.delete(asked.path["recording"])
        return Answer()

    async def _fetch_manifest(self, asked: Asked, headers: dict[str, str]) -> web.StreamResponse:
        return await file_response(self._recordings.manifest(asked.path["recording"]), headers)

    async def _fetch_file(self, asked: Asked, headers: dict[str, str]) -> web.StreamResponse:
        path = self._recordings.file(asked.path["recording"], asked.path["file"])
        return await file_response(path, headers, as_file=path.name)

    async def _play(self, asked: Asked) -> Answer:
        id, wish, now = asked.path["recording"], asked.body, time.time()
        self._recordings.check_is_here(id)
        grant = asked.caller.grant
        until = int(min(now + wish.valid_for_s, math.inf if grant is None else grant.expires_at))
        try:
            link = links.make(id, asked.caller, until, self._keyring)
        except KeyError as error:
            raise ProtocolError("key_invalid", "the key was retired meanwhile") from error
        address = f"/v1/playback/{id}/{link}/"
        return Answer(PlaybackLink(href=address, expires_at=datetime.fromtimestamp(until, UTC)))


def watching() -> Operation:
    """As a row of the document. It is served by `signaling/live/endpoint.py`, to players."""
    return Operation(
        name="watch_recording",
        method="GET",
        path="/live/{recording}/{view}/{file}",
        tag="recordings",
        summary="Its live composite: the playlist that the recording names, and what that names",
        description="Low-latency HLS: a request with `_HLS_msn` and `_HLS_part` waits until that is there.",
        access="nobody",
        query=LiveQuery,
        gives="application/vnd.apple.mpegurl",
        problems=("recording_not_found", "unknown_file", "unavailable"),
    )


def playing() -> Operation:
    """As a row of the document. It is served by `signaling/playback/endpoint.py`, to browsers."""
    return Operation(
        name="play_recording_files",
        method="GET",
        path="/playback/{recording}/{link}/{path}",
        tag="recordings",
        summary="The page that plays a recording, and what it reads",
        description="`manifest.json`, and `files/…` with `Range`, lie beside the page.",
        access="nobody",
        gives="*/*",
        problems=("recording_not_found", "recording_running", "unknown_file", "link_expired"),
        also=RANGES,
    )


def _shown(one: StoredRecording) -> Recording:
    address = _address(one.id)
    return Recording(
        id=one.id,
        room=one.room,
        room_id=one.room_id,
        state=one.state,
        reason=one.reason,
        failure=one.failure,
        by=one.by,
        options=one.options,
        started_at=datetime.fromtimestamp(one.started_at, UTC),
        ended_at=None if one.ended_at is None else datetime.fromtimestamp(one.ended_at, UTC),
        duration_s=one.duration_s,
        journal_bytes=one.bytes,
        files=[
            RecordingFile(
                name=file.name,
                participant=file.participant,
                size_bytes=file.size_bytes,
                duration_s=file.duration_s,
                error=file.error,
                href=f"{address}/files/{quote(file.name)}",
            )
            for file in one.files
        ],
        manifest=f"{address}/manifest" if one.state == "ready" else None,
        live=f"/v1/live/{one.id}/{one.live_view}/live.m3u8" if one.live_view else None,
        upload=None
        if one.upload is None
        else RecordingUpload(state=one.upload.state, url=one.upload.url, reason=one.upload.reason),
    )


def _address(id: str) -> str:
    return f"/v1/recordings/{id}"


def _latest_first(one: StoredRecording) -> str:
    return f"{_LATEST_US - int(one.started_at * 1e6):016}{one.id}"
