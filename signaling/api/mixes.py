"""Mixes of recordings: asked for, looked at, fetched, deleted. How they are made: signaling/recordings/mixes.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from signaling.api.files import RANGES, file_response, is_streamed
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.recording_models import Mix, MixList
from signaling.recordings.mixes import Mixes
from signaling.recordings.options import MixOptions, StoredMix

_MIXES: Final = "/recordings/{recording}/mixes"
_MIX: Final = _MIXES + "/{mix}"


class MixOperations:
    def __init__(self, mixes: Mixes) -> None:
        self._mixes = mixes

    def operations(self) -> tuple[Operation, ...]:
        return (*self._making(), *self._looking())

    def _making(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="create_mix",
                method="POST",
                path=_MIXES,
                tag="recordings",
                summary="Make one file of a recording: everybody in a layout, or sound alone",
                description="It is made at low priority, one after another; `recording.mix_ready` tells when. With "
                "`{}` an MP4 of everybody in a grid, with names.",
                run=self._create,
                access="record",
                body=MixOptions,
                answer=Mix,
                status=201,
                problems=("recording_running", "unknown_file", "conflict", "limit", "unavailable"),
                example=Example(body={"layout": "speaker"}, answer={"layout": "speaker", "container": "mp4"}),
            ),
            Operation(
                name="delete_mix",
                method="DELETE",
                path=_MIX,
                tag="recordings",
                summary="Delete a mix, made or not",
                run=self._delete,
                access="record",
                problems=("unknown_mix", "unavailable"),
            ),
        )

    def _looking(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_mixes",
                method="GET",
                path=_MIXES,
                tag="recordings",
                summary="A recording's mixes, in the order in which they were asked for",
                run=self._list,
                access="record",
                answer=MixList,
            ),
            Operation(
                name="get_mix",
                method="GET",
                path=_MIX,
                tag="recordings",
                summary="One mix, and how far it has come",
                run=self._get,
                access="record",
                answer=Mix,
                problems=("unknown_mix",),
            ),
            Operation(
                name="get_mix_file",
                method="GET",
                path=_MIX + "/file",
                tag="recordings",
                summary="Its file, or a part of it",
                description="`Range` is understood.",
                run=is_streamed,
                stream=self._fetch,
                access="record",
                gives="*/*",
                problems=("unknown_mix", "mix_running"),
                also=RANGES,
            ),
        )

    async def _create(self, asked: Asked) -> Answer:
        recording = asked.path["recording"]
        mix = await self._mixes.create(recording, asked.body)
        return Answer(self._shown(recording, mix), location=_address(recording, mix))

    async def _delete(self, asked: Asked) -> Answer:
        await self._mixes.delete(asked.path["recording"], asked.path["mix"])
        return Answer()

    async def _list(self, asked: Asked) -> Answer:
        recording = asked.path["recording"]
        return Answer(MixList(items=[self._shown(recording, mix) for mix in self._mixes.of(recording)]))

    async def _get(self, asked: Asked) -> Answer:
        recording = asked.path["recording"]
        return Answer(self._shown(recording, self._mixes.mix(recording, asked.path["mix"])))

    async def _fetch(self, asked: Asked, headers: dict[str, str]) -> web.StreamResponse:
        recording = asked.path["recording"]
        mix = self._mixes.mix(recording, asked.path["mix"])
        path = self._mixes.file(recording, mix)
        return await file_response(path, headers, as_file=path.name)

    def _shown(self, recording: str, mix: StoredMix) -> Mix:
        return Mix(
            id=mix.id,
            recording=recording,
            state=mix.state,
            share=self._mixes.share(mix),
            reason=mix.reason,
            layout=mix.options.layout,
            names=mix.options.names,
            container=mix.options.container,
            created_at=datetime.fromtimestamp(mix.created_at, UTC),
            size_bytes=mix.size_bytes if mix.state == "ready" else None,
            href=f"{_address(recording, mix)}/file" if mix.state == "ready" else None,
        )


def _address(recording: str, mix: StoredMix) -> str:
    return f"/v1/recordings/{recording}/mixes/{mix.id}"
