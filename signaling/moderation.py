"""What moderators and app backends do to the people in a room. Sans-IO; part of the directory (`rooms.py`).

`by` is the identity of the moderator, empty for the app itself; who may is looked at by whoever calls. What a moderator
has decided of somebody outlives a reload of his page: it is kept by identity, for as long as the room is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from signaling import events
from signaling.auth import Grant, check_room
from signaling.entering import Entering
from signaling.errors import Refused
from signaling.message_values import Grants, Source
from signaling.moderation_messages import (
    AttributesChanged,
    ConsentChanged,
    GrantChanges,
    HandChanged,
    StageChanged,
    UnmuteRequested,
)
from signaling.room import Member, Room, merge_grant_changes
from signaling.room_events import Hold, Permit, Post, Release, RoomMessage, Stop, Transfer
from signaling.room_settings import default_settings


class Moderation(Entering):
    """Every method raises Refused with `room_not_found` or `unknown_participant`, or as it says."""

    def remove(self, name: str, identity: str, now: float, *, reason: str = "", revoke: bool = True) -> None:
        """`revoke`: the tokens made for it so far are no good for this room any more."""
        room, member = self._present(name, identity)
        if revoke:
            self.revoke(name, identity, now)
        self._turn_out(room, member.identity, "removed", reason or "removed by a moderator", now)

    def mute_track(self, name: str, identity: str, track: str, *, by: str = "") -> None:
        """Keeps everything of its source muted, until `ask_to_unmute`. Raises Refused: `unknown_track`."""
        room, member = self._present(name, identity)
        source = self._track(member, track)
        held = room.held.get(identity, frozenset()) | {source}
        self._decide(room, room.held, identity, held)
        self._tell(member.session, Hold(source, by))

    def stop_track(self, name: str, identity: str, track: str, *, by: str = "") -> None:
        """Raises Refused: `unknown_track`."""
        _, member = self._present(name, identity)
        self._track(member, track)
        self._tell(member.session, Stop(track, by))

    def ask_to_unmute(self, name: str, identity: str, source: Source, *, by: str = "") -> None:
        """It is up to them; nobody can switch on somebody else's microphone."""
        room, member = self._present(name, identity)
        held = room.held.get(identity, frozenset()) - {source}
        if held:
            room.held[identity] = held
        else:
            room.held.pop(identity, None)
        self._keep_decision(room, identity)
        self._tell(member.session, Release(source))
        self._tell(member.session, UnmuteRequested(source=source, by=by))

    def set_grants(self, name: str, identity: str, changes: GrantChanges) -> Grants:
        """What is not permitted any more stops. Returns what is permitted now."""
        room, member = self._present(name, identity)
        before = room.changed_grants.get(identity, GrantChanges())
        self._decide(room, room.changed_grants, identity, merge_grant_changes(before, changes))
        self._permit(room, member)
        return member.grants

    def renew(self, session: int, grant: Grant, now: float) -> None:
        """It is here by another token from now on; what that does not permit stops. Raises Refused: `banned` or
        `removed`. Nothing happens if the session is in no room (any more)."""
        self.check_welcome(grant, now)
        room = self._room_of.get(session)
        if room is not None and session in room.members:
            room.members[session].grant = grant
            self._permit(room, room.members[session])

    def set_hand(self, name: str, identity: str, raised: bool) -> None:
        room, member = self._present(name, identity)
        if raised == bool(member.hand):
            return
        room.hands += raised
        member.hand = room.hands if raised else 0
        self._changed(room, member, hand=member.hand)
        self._announce_of(room, member, HandChanged(identity=identity, hand=member.hand))

    def set_consent(self, name: str, identity: str, given: bool) -> None:
        """To being recorded. Remembered for when he comes back to this room."""
        room, member = self._present(name, identity)
        if member.consent is given:
            return
        member.consent = given
        self._decide(room, room.consents, identity, given)
        self._changed(room, member, consent=given)
        self._announce_of(room, member, ConsentChanged(identity=identity, given=given))

    def set_stage(self, name: str, identity: str, on_stage: bool) -> None:
        """Who comes on stage may publish, and puts the hand down."""
        room, member = self._present(name, identity)
        if member.on_stage == on_stage:
            return
        member.on_stage = on_stage
        self._changed(room, member, on_stage=on_stage)
        self._announce_of(room, member, StageChanged(identity=identity, on_stage=on_stage))
        self._permit(room, member)
        if on_stage:
            self.set_hand(name, identity, False)

    def move(self, name: str, identity: str, to_room: str, now: float) -> None:
        """To another room, which is made if there is none; past its lobby and lock, but not beyond its seats. Raises
        Refused: `out_of_range`, `room_full`, `banned` or `limit`."""
        room, member = self._present(name, identity)
        try:
            check_room(to_room)
        except ValueError as error:
            raise Refused("out_of_range", str(error)) from error
        if to_room == name:
            raise Refused("out_of_range", "to another room, not the same")
        # What was given or taken here goes along; the stage does not.
        grant = dataclasses.replace(member.grant, room=to_room, grants=room.grants_of(member.grant))
        self.check_welcome(dataclasses.replace(grant, issued_at=math.inf), now)
        target = self._rooms.get(to_room)
        if target is None:
            target = self._create(to_room, "join", default_settings(self._limits))
            target.empty_since = now
        self._check_seat(target, grant, now)
        target.seats[identity] = now + self._limits.move_timeout_s
        if identity in room.held:
            self._decide(target, target.held, identity, room.held[identity])
        self._tell(member.session, Transfer(grant))
        self._drop(room, member, "moved", now)

    def set_metadata(self, name: str, identity: str, metadata: str, *, version: int | None = None) -> None:
        """Raises Refused: `out_of_range` or `version_mismatch`."""
        room, member = self._present(name, identity)
        _check_version(member, version)
        self._check_metadata(metadata)
        if metadata != member.metadata:
            member.metadata = metadata
            self._changed(room, member, metadata=metadata)
            self._announce_attributes(room, member)

    def set_attributes(
        self, name: str, identity: str, attributes: Mapping[str, str | None], *, version: int | None = None
    ) -> None:
        """None takes a key away; keys that are not named stay. Raises Refused: `out_of_range` or `version_mismatch`."""
        room, member = self._present(name, identity)
        _check_version(member, version)
        result = self._merged(member, attributes)
        if result != member.attributes:
            member.attributes = result
            self._changed(room, member, attributes=result)
            self._announce_attributes(room, member)

    def check_description(
        self, name: str, identity: str, metadata: str, attributes: Mapping[str, str | None], version: int | None
    ) -> None:
        """Whether both could be set, for who sets more than one thing. Raises Refused as they would."""
        _, member = self._present(name, identity)
        _check_version(member, version)
        self._check_metadata(metadata)
        self._merged(member, attributes)

    def send_message(
        self,
        name: str,
        payload: bytes | str,
        *,
        topic: str = "",
        to: Sequence[str] | None = None,
        reliable: bool = True,
    ) -> None:
        """From the app, to everybody or to some of those who are here. It arrives with an empty `from`. Raises Refused:
        `out_of_range`."""
        room = self._named(name)
        for identity in to or ():
            self._present(name, identity)
        text, content = isinstance(payload, str), payload.encode() if isinstance(payload, str) else payload
        most = self._limits.message_bytes if reliable else self._limits.lossy_message_bytes
        if len(content) > most:
            raise Refused("out_of_range", f"a message has at most {most} bytes")
        if len(topic) > self._limits.topic_characters or (to is not None and not to):
            raise Refused(
                "out_of_range", f"a topic has at most {self._limits.topic_characters} characters, `to` somebody"
            )
        self._posts.append(Post(room.name, topic, content, text, None if to is None else tuple(to), reliable))

    # --- the rest ---

    def _check_metadata(self, metadata: str) -> None:
        if len(metadata.encode(errors="surrogatepass")) > self._limits.metadata_bytes:
            raise Refused("out_of_range", f"metadata: at most {self._limits.metadata_bytes} bytes")

    def _merged(self, member: Member, attributes: Mapping[str, str | None]) -> dict[str, str]:
        merged: dict[str, str | None] = {**member.attributes, **attributes}
        result = {key: value for key, value in merged.items() if value is not None}
        size = sum(len((key + value).encode(errors="surrogatepass")) for key, value in result.items())
        if size > self._limits.attributes_bytes:
            raise Refused("out_of_range", f"attributes: at most {self._limits.attributes_bytes} bytes, keys included")
        return result

    def _track(self, member: Member, track: str) -> Source:
        description = member.tracks.get(track)
        if description is None:
            raise Refused("unknown_track", f"{member.identity} publishes no track {track[:32]}")
        return description.source

    def _permit(self, room: Room, member: Member) -> None:
        grants = room.grants_of(member.grant, on_stage=member.on_stage)
        if grants != member.grants:
            member.grants = grants
            self._changed(room, member, grants=grants)
            self._tell(member.session, Permit(grants))

    def _changed(self, room: Room, member: Member, **changes: object) -> None:
        member.version += 1
        self._save(room, member)
        self._record(room, events.ParticipantChanged, participant=member.refer(), changes=changes)

    def _announce_attributes(self, room: Room, member: Member) -> None:
        changed = AttributesChanged(
            identity=member.identity, metadata=member.metadata, attributes=dict(member.attributes)
        )
        self._announce_of(room, member, changed)

    def _announce_of(self, room: Room, member: Member, message: RoomMessage) -> None:
        """To everybody, also to whom it is about; of somebody hidden, to himself only."""
        if not member.is_told_of:
            self._tell(member.session, message)
        else:
            self._announce(room, None, message)


def _check_version(member: Member, version: int | None) -> None:
    if version not in (None, member.version):
        raise Refused("version_mismatch", f"{member.identity} is at version {member.version}, not {version}")
