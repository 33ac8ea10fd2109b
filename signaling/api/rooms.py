"""Rooms: made, looked at, set, locked, ended."""

from __future__ import annotations

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict

from signaling.api.models import Room, RoomChange, RoomPage, RoomWish, Waiting, WhyQuery
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import PageQuery, page
from signaling.api.versions import expected_version
from signaling.recordings.options import RecordingOptions
from signaling.recordings.recordings import Recordings
from signaling.room_settings import RoomChanges
from signaling.room_table import RoomView

_ROOM = "/rooms/{room}"


class Rooms:
    def __init__(self, observer: Observer, recordings: Recordings) -> None:
        self._observer = observer
        self._recordings = recordings

    def operations(self) -> tuple[Operation, ...]:
        return (*self._looking(), *self._changing())

    def _looking(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="create_room",
                method="POST",
                path="/rooms",
                tag="rooms",
                summary="Make a room",
                description="It waits for people as long as `empty_timeout_s` says. Without this, the first one who "
                "joins with a token that may `create` makes it.",
                run=self._create,
                access="key",
                body=RoomWish,
                makes={"room": "name"},
                answer=Room,
                status=201,
                versioned=True,
                problems=("room_exists", "out_of_range", "recording_disabled", "limit", "draining", "unavailable"),
                example=Example(
                    body={"name": "standup", "lobby": True, "metadata": "team 7"},
                    answer={"name": "standup", "lobby": True, "metadata": "team 7", "participants": 0},
                ),
            ),
            Operation(
                name="list_rooms",
                method="GET",
                path="/rooms",
                tag="rooms",
                summary="All rooms, by name",
                run=self._list,
                access="key",
                query=PageQuery,
                answer=RoomPage,
                example=Example(query={"limit": "10"}),
            ),
            Operation(
                name="get_room",
                method="GET",
                path=_ROOM,
                tag="rooms",
                summary="One room",
                run=self._get,
                answer=Room,
                versioned=True,
                example=Example(answer={"name": "standup"}),
            ),
        )

    def _changing(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="change_room",
                method="PATCH",
                path=_ROOM,
                tag="rooms",
                summary="Set a room otherwise",
                run=self._change,
                body=RoomChange,
                answer=Room,
                changes=True,
                problems=("out_of_range", "recording_disabled", "unavailable"),
                example=Example(body={"max_participants": 12}, answer={"name": "standup", "max_participants": 12}),
            ),
            Operation(
                name="delete_room",
                method="DELETE",
                path=_ROOM,
                tag="rooms",
                summary="End a room",
                description="Everybody has to go, and hears `room_deleted` with the reason.",
                run=self._delete,
                query=WhyQuery,
                problems=("unavailable",),
            ),
            Operation(
                name="lock_room",
                method="POST",
                path=_ROOM + "/lock",
                tag="rooms",
                summary="Let nobody new in",
                run=self._lock,
                answer=Room,
                problems=("unavailable",),
                example=Example(answer={"locked": True}),
            ),
            Operation(
                name="unlock_room",
                method="POST",
                path=_ROOM + "/unlock",
                tag="rooms",
                summary="Let people in again",
                run=self._unlock,
                answer=Room,
                problems=("unavailable",),
                example=Example(answer={"locked": False}),
            ),
        )

    async def _create(self, asked: Asked) -> Answer:
        wish: RoomWish = asked.body
        changes = self._changes(wish)
        view = await self._observer.perform(lambda directory, now: directory.create_room(wish.name, changes, now))
        return self._answer(view, location=f"/v1/rooms/{wish.name}")

    async def _list(self, asked: Asked) -> Answer:
        directory = self._observer.directory
        names, cursor = page(directory.names(), str, asked.query)
        return Answer(RoomPage(items=[self._room(directory.room(name)) for name in names], next_cursor=cursor))

    async def _get(self, asked: Asked) -> Answer:
        return self._answer(self._observer.directory.room(asked.path["room"]))

    async def _change(self, asked: Asked) -> Answer:
        name, version = asked.path["room"], expected_version(asked.if_match)
        changes = self._changes(asked.body)
        return self._answer(
            await self._observer.perform(
                lambda directory, now: directory.update_room(name, changes, now, version=version)
            )
        )

    async def _delete(self, asked: Asked) -> Answer:
        why: WhyQuery = asked.query
        name = asked.path["room"]
        reason = why.reason or "the room was closed"
        await self._observer.perform(lambda directory, now: directory.delete_room(name, now, reason=reason))
        return Answer()

    async def _lock(self, asked: Asked) -> Answer:
        return await self._set_locked(asked, True)

    async def _unlock(self, asked: Asked) -> Answer:
        return await self._set_locked(asked, False)

    async def _set_locked(self, asked: Asked, locked: bool) -> Answer:
        name, changes = asked.path["room"], RoomChanges(locked=locked)
        return self._answer(
            await self._observer.perform(lambda directory, now: directory.update_room(name, changes, now))
        )

    def _changes(self, change: RoomChange) -> RoomChanges:
        if isinstance(change.auto_record, RecordingOptions):
            self._recordings.check_enabled()
        given = {name: value for name, value in asdict(change).items() if value is not UNSET and name != "name"}
        return msgspec.convert(given, RoomChanges)

    def _answer(self, view: RoomView, location: str | None = None) -> Answer:
        return Answer(self._room(view), version=str(view.version), location=location)

    def _room(self, view: RoomView) -> Room:
        return Room(
            id=view.id,
            name=view.name,
            version=view.version,
            participants=view.participants,
            tracks=view.tracks,
            waiting=[Waiting(identity=one.identity, name=one.name) for one in view.waiting],
            **asdict(view.settings),
        )
