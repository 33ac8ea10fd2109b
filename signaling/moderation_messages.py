"""The messages of PROTOCOL.md by which a room is moderated: what moderators ask for, and who is told what of it.

Values only, as in messages.py. Requests that name a `participant` need the grant `administer`, unless they are about
oneself.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from signaling.message_values import Grants, Request, ServerMessage, Source


class GrantChanges(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a participant may do otherwise than its token says; what is not named stays. Who may administer, create or
    record is for tokens alone."""

    publish: bool | UnsetType = UNSET
    sources: tuple[Source, ...] | UnsetType | None = UNSET
    subscribe: bool | UnsetType = UNSET
    message: bool | UnsetType = UNSET
    update_own_metadata: bool | UnsetType = UNSET


class Waiting(Struct, frozen=True, kw_only=True):
    """Somebody in the lobby."""

    identity: str
    name: str


class RoomState(Struct, frozen=True, kw_only=True):
    """What concerns the people in a room: of its settings, and whether it is recorded. `recording_paused`: nothing is
    taken for now. `recording_consent`: of whom who has consented. `version` grows with each change of the former."""

    locked: bool = False
    lobby: bool = False
    end_to_end_encrypted: bool = False
    max_participants: int
    metadata: str = ""
    recording: bool = False
    recording_paused: bool = False
    recording_consent: bool = False
    version: int


# --- requests ------------------------------------------------------------------------------------------------


class MuteTrack(Request, frozen=True, kw_only=True):
    """Mute somebody's track, and keep its source muted until they are asked to unmute."""

    participant: str
    track: str


class StopTrack(Request, frozen=True, kw_only=True):
    """Unpublish somebody's track."""

    participant: str
    track: str


class AskToUnmute(Request, frozen=True, kw_only=True):
    """Let somebody unmute again, and ask for it. Nobody can be unmuted by another."""

    participant: str
    source: Source


class SetGrants(Request, frozen=True, kw_only=True):
    participant: str
    grants: GrantChanges


class Remove(Request, frozen=True, kw_only=True):
    """The token that they came with is not good for this room any more."""

    participant: str
    reason: Annotated[str, Meta(max_length=200)] = ""


class Ban(Request, frozen=True, kw_only=True):
    """Also somebody who is not here (any more). `for_s`: None: until `unban`."""

    participant: str
    reason: Annotated[str, Meta(max_length=200)] = ""
    for_s: Annotated[float, Meta(gt=0, le=1e9)] | None = None


class Unban(Request, frozen=True, kw_only=True):
    participant: str


class Admit(Request, frozen=True, kw_only=True):
    participant: str


class Deny(Request, frozen=True, kw_only=True):
    participant: str


class SetHand(Request, frozen=True, kw_only=True):
    """One's own, or to lower somebody else's."""

    raised: bool
    participant: str | UnsetType = UNSET


class SetStage(Request, frozen=True, kw_only=True):
    """Who is on stage may publish, whatever else it may."""

    participant: str
    on_stage: bool


class Move(Request, frozen=True, kw_only=True):
    """To a room of the same family: `standup`, `standup~red`, `standup~blue`."""

    participant: str
    to_room: str


class SetMetadata(Request, frozen=True, kw_only=True):
    """One's own (grant `update_own_metadata`), or somebody's."""

    metadata: str
    participant: str | UnsetType = UNSET


class SetAttributes(Request, frozen=True, kw_only=True):
    """Likewise; a value of null takes the key away, keys that are not named stay."""

    attributes: dict[str, str | None]
    participant: str | UnsetType = UNSET


class SetRoom(Request, frozen=True, kw_only=True):
    """What is not named stays."""

    locked: bool | UnsetType = UNSET
    lobby: bool | UnsetType = UNSET
    metadata: str | UnsetType = UNSET


class SetConsent(Request, frozen=True, kw_only=True):
    """To being recorded; one's own, and at any time another."""

    given: bool


AnyModeration = (
    MuteTrack
    | StopTrack
    | AskToUnmute
    | SetGrants
    | Remove
    | Ban
    | Unban
    | Admit
    | Deny
    | SetHand
    | SetStage
    | Move
    | SetMetadata
    | SetAttributes
    | SetRoom
    | SetConsent
)


# --- events --------------------------------------------------------------------------------------------------


class InLobby(ServerMessage, frozen=True, kw_only=True):
    """Instead of an answer to `join`, which comes when somebody has admitted or denied us."""

    room: str


class Lobby(ServerMessage, frozen=True, kw_only=True):
    """To who may admit: who waits now, the longest first."""

    waiting: tuple[Waiting, ...]


class RoomChanged(ServerMessage, frozen=True, kw_only=True):
    room: RoomState


class HandChanged(ServerMessage, frozen=True, kw_only=True):
    """`hand`: 0, not raised; else hands were raised in the order of these numbers."""

    identity: str
    hand: int


class StageChanged(ServerMessage, frozen=True, kw_only=True):
    identity: str
    on_stage: bool


class AttributesChanged(ServerMessage, frozen=True, kw_only=True):
    """Both as they are now."""

    identity: str
    metadata: str
    attributes: dict[str, str]


class ConsentChanged(ServerMessage, frozen=True, kw_only=True):
    """To being recorded."""

    identity: str
    given: bool


class MutedBy(ServerMessage, frozen=True, kw_only=True):
    """A track of ours is muted, and we may not unmute it before we are asked to. `by`: empty: the app itself."""

    track: str
    by: str


class UnmuteRequested(ServerMessage, frozen=True, kw_only=True):
    source: Source
    by: str


class TrackStopped(ServerMessage, frozen=True, kw_only=True):
    """A track of ours is not published any more."""

    track: str
    by: str


class GrantsChanged(ServerMessage, frozen=True, kw_only=True):
    """What we may do from now on; what we may not any more has ended."""

    grants: Grants


class Moved(ServerMessage, frozen=True, kw_only=True):
    """Go on in another room, with this token. The session ends."""

    room: str
    token: str


AnyModerationEvent = (
    InLobby
    | Lobby
    | RoomChanged
    | HandChanged
    | StageChanged
    | AttributesChanged
    | ConsentChanged
    | MutedBy
    | UnmuteRequested
    | TrackStopped
    | GrantsChanged
    | Moved
)
