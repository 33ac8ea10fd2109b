"""Who is in a room, and what is done to them."""

from __future__ import annotations

from msgspec import UNSET

from signaling.api.models import (
    Destination,
    ParticipantChange,
    ParticipantItem,
    ParticipantPage,
    RemoveQuery,
    SourceToUnmute,
    WhyQuery,
)
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import PageQuery, page
from signaling.api.versions import expected_version
from signaling.room_table import ParticipantView
from signaling.rooms import RoomDirectory

ROOM = "/rooms/{room}/participants"
PARTICIPANT = ROOM + "/{identity}"


class Participants:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def operations(self) -> tuple[Operation, ...]:
        return (*self._people(), *self._moving())

    def _people(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_participants",
                method="GET",
                path=ROOM,
                tag="participants",
                summary="Who is in a room, by identity",
                description="Hidden ones, too. Who waits in the lobby is not in the room; see the room's `waiting`.",
                run=self._list,
                query=PageQuery,
                answer=ParticipantPage,
            ),
            Operation(
                name="get_participant",
                method="GET",
                path=PARTICIPANT,
                tag="participants",
                summary="One participant",
                run=self._get,
                answer=ParticipantItem,
                versioned=True,
                example=Example(answer={"identity": "ada"}),
            ),
            Operation(
                name="change_participant",
                method="PATCH",
                path=PARTICIPANT,
                tag="participants",
                summary="Change what a participant may do, and what is said of it",
                run=self._change,
                body=ParticipantChange,
                answer=ParticipantItem,
                changes=True,
                problems=("out_of_range", "unavailable"),
                example=Example(
                    body={"grants": {"publish": False}, "attributes": {"role": "guest"}},
                    answer={"identity": "ada", "attributes": {"role": "guest"}},
                ),
            ),
            Operation(
                name="remove_participant",
                method="DELETE",
                path=PARTICIPANT,
                tag="participants",
                summary="Remove a participant",
                description="Unless `revoke=false`, the token that it came with does not let it in again.",
                run=self._remove,
                query=RemoveQuery,
                problems=("limit", "unavailable"),
            ),
        )

    def _moving(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="move_participant",
                method="POST",
                path=PARTICIPANT + "/move",
                tag="participants",
                summary="Move a participant to another room",
                description="Its client goes on there by itself. Past lobby and lock, but not beyond the seats.",
                run=self._move,
                access="key",
                body=Destination,
                problems=("out_of_range", "room_full", "banned", "limit", "draining", "unavailable"),
                example=Example(body={"to_room": "standup~red"}),
            ),
            Operation(
                name="ask_to_unmute",
                method="POST",
                path=PARTICIPANT + "/ask-to-unmute",
                tag="participants",
                summary="Let a participant unmute again, and ask for it",
                run=self._ask_to_unmute,
                body=SourceToUnmute,
                problems=("unavailable",),
                example=Example(body={"source": "microphone"}),
            ),
            Operation(
                name="admit_participant",
                method="POST",
                path=PARTICIPANT + "/admit",
                tag="participants",
                summary="Let somebody in who waits in the lobby",
                run=self._admit,
                problems=("room_full", "unavailable"),
            ),
            Operation(
                name="deny_participant",
                method="POST",
                path=PARTICIPANT + "/deny",
                tag="participants",
                summary="Send somebody away who waits in the lobby",
                run=self._deny,
                query=WhyQuery,
                problems=("unavailable",),
            ),
        )

    async def _list(self, asked: Asked) -> Answer:
        present = self._observer.directory.participants(asked.path["room"])
        found, cursor = page(present, lambda one: one.participant.identity, asked.query)
        return Answer(ParticipantPage(items=[_item(one) for one in found], next_cursor=cursor))

    async def _get(self, asked: Asked) -> Answer:
        return _answer(self._observer.directory.participant(asked.path["room"], asked.path["identity"]))

    async def _change(self, asked: Asked) -> Answer:
        room, identity, change = asked.path["room"], asked.path["identity"], asked.body
        version = expected_version(asked.if_match)

        def change_all(directory: RoomDirectory, now: float) -> ParticipantView:
            _apply(directory, room, identity, change, version)
            return directory.participant(room, identity)

        return _answer(await self._observer.perform(change_all))

    async def _remove(self, asked: Asked) -> Answer:
        room, identity, how = asked.path["room"], asked.path["identity"], asked.query

        def remove(directory: RoomDirectory, now: float) -> None:
            directory.participant(room, identity)
            if how.ban:
                directory.ban(room, identity, now, reason=how.reason, for_s=how.ban_for_s)
                if how.revoke:
                    directory.revoke(room, identity, now)
            else:
                directory.remove(room, identity, now, reason=how.reason, revoke=how.revoke)

        await self._observer.perform(remove)
        return Answer()

    async def _move(self, asked: Asked) -> Answer:
        room, identity, to_room = asked.path["room"], asked.path["identity"], asked.body.to_room
        await self._observer.perform(lambda directory, now: directory.move(room, identity, to_room, now))
        return Answer()

    async def _ask_to_unmute(self, asked: Asked) -> Answer:
        room, identity, source = asked.path["room"], asked.path["identity"], asked.body.source
        await self._observer.perform(lambda directory, now: directory.ask_to_unmute(room, identity, source))
        return Answer()

    async def _admit(self, asked: Asked) -> Answer:
        room, identity = asked.path["room"], asked.path["identity"]
        await self._observer.perform(lambda directory, now: directory.admit(room, identity, now))
        return Answer()

    async def _deny(self, asked: Asked) -> Answer:
        room, identity, reason = asked.path["room"], asked.path["identity"], asked.query.reason
        await self._observer.perform(lambda directory, now: directory.deny(room, identity, now, reason=reason))
        return Answer()


def _apply(directory: RoomDirectory, room: str, identity: str, change: ParticipantChange, version: int | None) -> None:
    """All of it or, refused, nothing: what may be refused is only that."""
    metadata = "" if change.metadata is UNSET else change.metadata
    attributes = {} if change.attributes is UNSET else change.attributes
    directory.check_description(room, identity, metadata, attributes, version)
    if change.metadata is not UNSET:
        directory.set_metadata(room, identity, change.metadata)
    if change.attributes is not UNSET:
        directory.set_attributes(room, identity, change.attributes)
    if change.grants is not UNSET:
        directory.set_grants(room, identity, change.grants)
    if change.on_stage is not UNSET:
        directory.set_stage(room, identity, change.on_stage)
    if change.hand_raised is not UNSET:
        directory.set_hand(room, identity, change.hand_raised)


def _answer(view: ParticipantView) -> Answer:
    return Answer(_item(view), version=str(view.version))


def _item(view: ParticipantView) -> ParticipantItem:
    one = view.participant
    return ParticipantItem(
        id=view.id,
        identity=one.identity,
        name=one.name,
        state=one.state,
        version=view.version,
        grants=view.grants,
        held=list(view.held),
        hand=one.hand,
        consent=one.consent,
        on_stage=one.on_stage,
        metadata=one.metadata,
        attributes=one.attributes,
        tracks=list(one.tracks),
        quality=one.quality,
    )
