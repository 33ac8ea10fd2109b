"""Moderating a room as a participant does: each method is a request of PROTOCOL.md, "Moderation".

They raise Refused with what the server declines with (`not_granted` without the grant to administer), and RoomClosed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import UNSET, UnsetType

from signaling.client.channel import Channel
from signaling.messages import AnyRequest, Source
from signaling.moderation_messages import (
    Admit,
    AskToUnmute,
    Ban,
    Deny,
    GrantChanges,
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


class Moderation:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def mute_track(self, participant: str, track: str) -> None:
        """And keep its source muted, until they are asked to unmute."""
        await self._ask(lambda id: MuteTrack(id=id, participant=participant, track=track))

    async def ask_to_unmute(self, participant: str, source: Source) -> None:
        await self._ask(lambda id: AskToUnmute(id=id, participant=participant, source=source))

    async def stop_track(self, participant: str, track: str) -> None:
        await self._ask(lambda id: StopTrack(id=id, participant=participant, track=track))

    async def set_grants(self, participant: str, grants: GrantChanges) -> None:
        await self._ask(lambda id: SetGrants(id=id, participant=participant, grants=grants))

    async def remove(self, participant: str, *, reason: str = "") -> None:
        """Tokens that were made for them so far are no good for this room any more."""
        await self._ask(lambda id: Remove(id=id, participant=participant, reason=reason))

    async def ban(self, participant: str, *, reason: str = "", for_s: float | None = None) -> None:
        """Whoever it is, here or not. None: until `unban`."""
        await self._ask(lambda id: Ban(id=id, participant=participant, reason=reason, for_s=for_s))

    async def unban(self, participant: str) -> None:
        await self._ask(lambda id: Unban(id=id, participant=participant))

    async def admit(self, participant: str) -> None:
        await self._ask(lambda id: Admit(id=id, participant=participant))

    async def deny(self, participant: str) -> None:
        await self._ask(lambda id: Deny(id=id, participant=participant))

    async def set_hand(self, raised: bool, *, participant: str | UnsetType = UNSET) -> None:
        """One's own, or to lower somebody's."""
        await self._ask(lambda id: SetHand(id=id, raised=raised, participant=participant))

    async def set_stage(self, participant: str, on_stage: bool) -> None:
        await self._ask(lambda id: SetStage(id=id, participant=participant, on_stage=on_stage))

    async def move(self, participant: str, to_room: str) -> None:
        """To another room of the same family."""
        await self._ask(lambda id: Move(id=id, participant=participant, to_room=to_room))

    async def set_metadata(self, metadata: str, *, participant: str | UnsetType = UNSET) -> None:
        await self._ask(lambda id: SetMetadata(id=id, metadata=metadata, participant=participant))

    async def set_attributes(
        self, attributes: Mapping[str, str | None], *, participant: str | UnsetType = UNSET
    ) -> None:
        """None takes a key away; keys that are not named stay."""
        await self._ask(lambda id: SetAttributes(id=id, attributes=dict(attributes), participant=participant))

    async def set_consent(self, given: bool) -> None:
        """To being recorded; one's own."""
        await self._ask(lambda id: SetConsent(id=id, given=given))

    async def set_room(
        self,
        *,
        locked: bool | UnsetType = UNSET,
        lobby: bool | UnsetType = UNSET,
        metadata: str | UnsetType = UNSET,
    ) -> None:
        """What is not named stays."""
        await self._ask(lambda id: SetRoom(id=id, locked=locked, lobby=lobby, metadata=metadata))

    async def _ask(self, build: Callable[[int], AnyRequest]) -> None:
        await self._channel.request(build)
