"""What a participant may do to its room and the people in it: requests of its client ─► operations of the directory.

Who may is looked at here, by what counts in the room at this moment: not by what the client, or an old token, says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import UNSET

from signaling.errors import Refused
from signaling.message_values import Grants
from signaling.moderation_messages import (
    Admit,
    AnyModeration,
    AskToUnmute,
    Ban,
    Deny,
    Move,
    MuteTrack,
    Remove,
    SetAttributes,
    SetConsent,
    SetGrants,
    SetHand,
    SetMetadata,
    SetRoom,
    SetStage,
    StopTrack,
    Unban,
)
from signaling.room_settings import RoomChanges
from signaling.rooms import RoomDirectory

# Rooms into which people can be moved by who moderates one of them share what stands before this.
FAMILY_MARK: Final = "~"


def carry_out(directory: RoomDirectory, session: int, request: AnyModeration, now: float) -> None:
    """Raises Refused."""
    place = directory.place_of(session)
    if place is None:
        raise Refused("unexpected", "not in a room any more")
    room, identity, grants = place
    if not _is_permitted(request, identity, grants):
        raise Refused("not_granted", "this takes the grant to administer the room")
    _OPERATIONS[type(request)](directory, room, identity, request, now)


def _is_permitted(request: AnyModeration, identity: str, grants: Grants) -> bool:
    if grants.administer:
        return True
    match request:
        case SetHand(participant=participant):
            return participant in (UNSET, identity)
        case SetMetadata(participant=participant) | SetAttributes(participant=participant):
            return grants.update_own_metadata and participant in (UNSET, identity)
        case SetConsent():
            return True
        case _:
            return False


def _move(directory: RoomDirectory, room: str, by: str, request: Move, now: float) -> None:
    """A moderator of one room is none of all others: only the app moves people out of the family."""
    if request.to_room.partition(FAMILY_MARK)[0] != room.partition(FAMILY_MARK)[0]:
        raise Refused("not_granted", f"only to {room.partition(FAMILY_MARK)[0]} and rooms named after it")
    directory.move(room, request.participant, request.to_room, now)


def _set_room(directory: RoomDirectory, room: str, by: str, request: SetRoom, now: float) -> None:
    changes = RoomChanges(locked=request.locked, lobby=request.lobby, metadata=request.metadata)
    directory.update_room(room, changes, now)


def _whom(request: SetHand | SetMetadata | SetAttributes, by: str) -> str:
    return by if request.participant is UNSET else request.participant


_Operation = Callable[[RoomDirectory, str, str, Any, float], object]
_OPERATIONS: Final[dict[type, _Operation]] = {
    MuteTrack: lambda all, room, by, it, now: all.mute_track(room, it.participant, it.track, by=by),
    StopTrack: lambda all, room, by, it, now: all.stop_track(room, it.participant, it.track, by=by),
    AskToUnmute: lambda all, room, by, it, now: all.ask_to_unmute(room, it.participant, it.source, by=by),
    SetGrants: lambda all, room, by, it, now: all.set_grants(room, it.participant, it.grants),
    Remove: lambda all, room, by, it, now: all.remove(room, it.participant, now, reason=it.reason),
    Ban: lambda all, room, by, it, now: all.ban(room, it.participant, now, reason=it.reason, for_s=it.for_s),
    Unban: lambda all, room, by, it, now: all.unban(room, it.participant),
    Admit: lambda all, room, by, it, now: all.admit(room, it.participant, now),
    Deny: lambda all, room, by, it, now: all.deny(room, it.participant, now),
    SetHand: lambda all, room, by, it, now: all.set_hand(room, _whom(it, by), it.raised),
    SetStage: lambda all, room, by, it, now: all.set_stage(room, it.participant, it.on_stage),
    Move: _move,
    SetMetadata: lambda all, room, by, it, now: all.set_metadata(room, _whom(it, by), it.metadata),
    SetAttributes: lambda all, room, by, it, now: all.set_attributes(room, _whom(it, by), it.attributes),
    SetRoom: _set_room,
    SetConsent: lambda all, room, by, it, now: all.set_consent(room, by, it.given),
}
