"""Who comes into a room, who waits before it, and who is kept out. Sans-IO; part of the directory (`rooms.py`).

    enter ─► banned? revoked? locked? full? ─► Refused
               └─► lobby? ─► InLobby … admit ─► Admitted, or deny ─► Evicted
                     └─► Entered

Bans and revocations are kept by the name of the room, and outlive it. Whoever has been admitted once does not wait
again for as long as the room is; nor does who is moved here.
"""

from __future__ import annotations

from collections.abc import Callable

from signaling import events
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import RoomLimits
from signaling.message_values import LeaveReason
from signaling.messages import ParticipantJoined
from signaling.records import EVERYBODY, Drop, Put, StoredBan, StoredRevocation, StoredTokenRevocation
from signaling.room import Member, Room
from signaling.room_events import Admitted, Entered, Evicted
from signaling.room_settings import RoomSettings, default_settings
from signaling.room_table import RoomTable


class Entering(RoomTable):
    def __init__(
        self, limits: RoomLimits, new_id: Callable[[str], str] | None = None, clock_offset_s: float = 0.0
    ) -> None:
        super().__init__(limits, new_id, clock_offset_s)
        self._bans: dict[str, dict[str, StoredBan]] = {}  # by room, by identity
        self._revoked_tokens: dict[str, StoredTokenRevocation] = {}  # by their id, the oldest first
        self._revocations: dict[tuple[str, str], StoredRevocation] = {}  # by room and identity, the oldest first

    def enter(self, session: int, grant: Grant, now: float) -> Entered | None:
        """None: it waits in the lobby, for Admitted or Evicted. Raises Refused: `room_not_found`, `limit`, `banned`,
        `removed`, `room_locked`, `room_full` or `identity_in_use`; then nothing has changed."""
        self.check_welcome(grant, now)
        room = self._rooms.get(grant.room)
        if room is None:
            room = self._made_by(grant)
        self._check_lock(room, grant)
        present = room.present(grant.identity)
        # Who is away does not keep himself out: it is he who comes back, by a page that he reloaded, say.
        if present is not None and room.settings.duplicates == "reject" and not present.away:
            raise Refused("identity_in_use", f"{grant.identity} is in the room already")
        self._check_seat(room, grant, now)
        if self._must_wait(room, grant):
            self._wait(room, session, grant)
            return None
        return self._seat(room, session, grant, now)

    def leave(self, session: int, reason: LeaveReason, now: float) -> None:
        """Nothing happens if the session is in no room (any more)."""
        room = self._room_of.get(session)
        if room is None:
            return
        if session in room.members:
            self._drop(room, room.members[session], reason, now)
        else:
            self._stop_waiting(room, session, now)

    def admit(self, name: str, identity: str, now: float) -> None:
        """Raises Refused: `room_not_found`, `unknown_participant` or `room_full`; then they go on waiting."""
        room, session = self._waiting(name, identity)
        grant = room.waiting[session]
        self._check_seat(room, grant, now)
        del room.waiting[session]
        self._decide(room, room.admitted, identity, None)
        self._tell(session, Admitted(self._seat(room, session, grant, now)))
        self._tell_moderators(room)

    def deny(self, name: str, identity: str, now: float, *, reason: str = "") -> None:
        """Raises Refused: `room_not_found` or `unknown_participant`."""
        room, session = self._waiting(name, identity)
        self._tell(session, Evicted("denied", reason or "a moderator did not admit you", "removed"))
        self._stop_waiting(room, session, now)

    def ban(self, name: str, identity: str, now: float, *, reason: str = "", for_s: float | None = None) -> StoredBan:
        """Whoever it is, here or not; the room need not be open. Raises Refused: `limit`."""
        bans = self._bans.setdefault(name, {})
        if identity not in bans and len(bans) >= self._limits.max_bans:
            raise Refused("limit", f"a room has at most {self._limits.max_bans} bans")
        until = None if for_s is None else now + self._clock_offset_s + for_s
        ban = bans[identity] = StoredBan(room=name, identity=identity, reason=reason, until=until)
        self._records.append(Put(ban))
        room = self._rooms.get(name)
        if room is not None:
            self._turn_out(room, identity, "banned", reason or "banned by a moderator", now)
            self._look_after_onlookers(room, now)
        return ban

    def unban(self, name: str, identity: str) -> None:
        """Raises Refused: `unknown_ban`."""
        ban = self._bans.get(name, {}).pop(identity, None)
        if ban is None:
            raise Refused("unknown_ban", f"{identity[:128]} is not banned from {name[:64]}")
        self._records.append(Drop(StoredBan, ban.key))

    def bans(self, name: str, now: float) -> list[StoredBan]:
        """Those that are still in force."""
        self._forget_bans(name, now)
        return list(self._bans.get(name, {}).values())

    def revoke(self, name: str, identity: str, now: float) -> None:
        """Tokens made for it until now are no good for the room any more. `identity` may be EVERYBODY."""
        revocation = StoredRevocation(room=name, identity=identity, revoked_at=now + self._clock_offset_s)
        self._revocations.pop((name, identity), None)
        self._revocations[name, identity] = revocation
        self._records.append(Put(revocation))
        while len(self._revocations) > self._limits.max_revocations:
            oldest = self._revocations.pop(next(iter(self._revocations)))
            self._records.append(Drop(StoredRevocation, oldest.key))
        if name in self._rooms:
            self._look_after_onlookers(self._rooms[name], now)

    def revoke_token(self, token_id: str, now: float) -> None:
        """The token with this `jti`; whoever is somewhere by it has to go."""
        revocation = StoredTokenRevocation(token_id=token_id, revoked_at=now + self._clock_offset_s)
        self._revoked_tokens.pop(token_id, None)
        self._revoked_tokens[token_id] = revocation
        self._records.append(Put(revocation))
        while len(self._revoked_tokens) > self._limits.max_revocations:
            oldest = self._revoked_tokens.pop(next(iter(self._revoked_tokens)))
            self._records.append(Drop(StoredTokenRevocation, oldest.key))
        for room in list(self._rooms.values()):
            grants = [*(member.grant for member in room.members.values()), *room.waiting.values()]
            for identity in [grant.identity for grant in grants if grant.token_id == token_id]:
                self._turn_out(room, identity, "token_revoked", "the token was revoked", now)
            self._look_after_onlookers(room, now)

    # --- may they? ---

    def check_welcome(self, grant: Grant, now: float) -> None:
        """Raises Refused: `banned`, `removed` or `token_revoked`."""
        self._forget_bans(grant.room, now)
        ban = self._bans.get(grant.room, {}).get(grant.identity)
        if ban is not None:
            raise Refused("banned", ban.reason or "banned from this room")
        if grant.token_id and grant.token_id in self._revoked_tokens:
            raise Refused("token_revoked", "the token was revoked")
        for identity in (grant.identity, EVERYBODY):
            revocation = self._revocations.get((grant.room, identity))
            if revocation is not None and grant.issued_at <= revocation.revoked_at:
                raise Refused("removed", "removed from this room; to come back takes another token")

    def _look_after_onlookers(self, room: Room, now: float) -> None:
        """Nobody can remove who is in no roster: with what they came by, they go."""
        for session, grant in room.onlookers.items():
            try:
                if grant is not None:
                    self.check_welcome(grant, now)
            except Refused as refused:
                self._tell(session, Evicted(refused.code, refused.reason, "removed"))

    def _check_lock(self, room: Room, grant: Grant) -> None:
        if not room.settings.locked or grant.grants.administer:
            return
        if room.present(grant.identity) is None and grant.identity not in room.seats:
            raise Refused("room_locked", "the room is locked")

    def _check_seat(self, room: Room, grant: Grant, now: float) -> None:
        """Who comes again, or is moved here, has a seat."""
        if room.present(grant.identity) is not None or room.seats.get(grant.identity, now) > now:
            return
        if grant.grants.hidden:
            if sum(member.hidden for member in room.members.values()) >= self._limits.max_hidden:
                raise Refused("limit", f"a room has at most {self._limits.max_hidden} hidden participants")
        elif room.seats_taken(now) >= room.settings.max_participants:
            raise Refused("room_full", f"the room has its {room.settings.max_participants} participants")

    def _must_wait(self, room: Room, grant: Grant) -> bool:
        if not room.settings.lobby or grant.grants.administer:
            return False
        identity = grant.identity
        return room.present(identity) is None and identity not in room.seats and identity not in room.admitted

    # --- then ---

    def _made_by(self, grant: Grant) -> Room:
        if not grant.grants.create:
            raise Refused("room_not_found", f"no room {grant.room}, and the token may not create it")
        return self._create(grant.room, "join", default_settings(self._limits))

    def _wait(self, room: Room, session: int, grant: Grant) -> None:
        before = room.session_waiting(grant.identity)
        if before is None and len(room.waiting) >= self._limits.max_waiting:
            raise Refused("limit", f"{self._limits.max_waiting} wait already")
        if before is not None:
            del room.waiting[before], self._room_of[before]
            self._tell(before, Evicted("replaced", "joined again with the same identity"))
        room.waiting[session] = grant
        self._room_of[session] = room
        room.empty_since = None
        self._tell_moderators(room)

    def _seat(self, room: Room, session: int, grant: Grant, now: float) -> Entered:
        present = room.present(grant.identity)
        if present is not None:
            self._tell(present.session, Evicted("replaced", "joined again with the same identity"))
            self._drop(room, present, "replaced", now)
        returning = room.expected.pop(grant.identity, None)
        number = returning.id if returning is not None else self._new_id("PA")
        grants = room.grants_of(grant, on_stage=returning is not None and returning.on_stage)
        is_listed = room.lists(grants, self._limits.listed_viewers)
        consent = room.consents.get(grant.identity)
        member = Member(number, session, grant, grants, is_listed=is_listed, consent=consent)
        if returning is not None:
            member.recall(returning)
            room.qualities.recall(member.id, returning.quality_told, now)
        self._room_of[session] = room
        room.members[session] = member
        room.seats.pop(grant.identity, None)
        room.empty_since = None
        room.was_entered = True
        self._save(room, member)
        if returning is None:
            self._record(room, events.ParticipantJoined, participant=member.refer())
        self._announce_presence(room, member, ParticipantJoined(participant=member.describe()))
        self._tell_state(room, member)
        self._look_if_to_record(room)
        return self.describe(session)

    def describe(self, session: int) -> Entered:
        """How the room is now for one who is in it."""
        room = self._room_of[session]
        you = room.members[session]
        others = [one for one in room.members.values() if one is not you and one.is_told_of]
        return Entered(
            you=you.describe(),
            others=tuple(member.describe() for member in others),
            media={track: media for member in others for track, media in member.media.items()},
            grants=you.grants,
            held=room.held.get(you.identity, frozenset()),
            keeps_messages=room.settings.history_messages,
            room=room.state(),
            viewers=room.viewers - (not (you.is_listed or you.hidden)),
        )

    def _waiting(self, name: str, identity: str) -> tuple[Room, int]:
        room = self._named(name)
        session = room.session_waiting(identity)
        if session is None:
            raise Refused("unknown_participant", f"nobody called {identity[:128]} waits")
        return room, session

    def _stop_waiting(self, room: Room, session: int, now: float) -> None:
        del room.waiting[session], self._room_of[session]
        self._tell_moderators(room)
        self._look_if_empty(room, now)

    def _turn_out(self, room: Room, identity: str, code: str, reason: str, now: float) -> None:
        """From the room, or from its lobby."""
        if identity in room.admitted:
            del room.admitted[identity]
            self._keep_decision(room, identity)
        member, session = room.present(identity), room.session_waiting(identity)
        if member is not None:
            self._tell(member.session, Evicted(code, reason, "removed"))
            self._drop(room, member, "removed", now)
        if session is not None:
            self._tell(session, Evicted(code, reason, "removed"))
            self._stop_waiting(room, session, now)

    def _settings_changed(self, room: Room, before: RoomSettings, now: float) -> None:
        """Without a lobby nobody waits: whoever has a seat comes in."""
        self._look_if_to_record(room)
        if not before.lobby or room.settings.lobby:
            return
        for session, grant in list(room.waiting.items()):
            try:
                self.admit(room.name, grant.identity, now)
            except Refused as refused:
                self._tell(session, Evicted(refused.code, refused.reason, "removed"))
                self._stop_waiting(room, session, now)

    def _tell_state(self, room: Room, member: Member) -> None:
        """What is no part of the roster, to who comes or comes back."""
        if room.speakers is not None:
            self._tell(member.session, room.speakers)
        if room.loudest is not None:
            self._tell(member.session, room.loudest)
        if member.grants.administer and room.waiting:
            self._tell(member.session, self._lobby(room))

    def _forget_bans(self, name: str, now: float) -> None:
        until_now = now + self._clock_offset_s
        for ban in list(self._bans.get(name, {}).values()):
            if ban.until is not None and ban.until <= until_now:
                self.unban(name, ban.identity)
