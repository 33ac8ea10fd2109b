"""Tokens, made by the server for backends that would rather not sign."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from signaling.api.models import IdentityToRevoke, Token, TokenReading, TokenToRead, TokenWish
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.server_models import TokenToRevoke
from signaling.auth import Grant, mint, verify
from signaling.errors import ProtocolError, Refused
from signaling.message_values import Grants
from signaling.public_keys import PublicKey
from signaling.recordings.recordings import Recordings
from signaling.records import EVERYBODY

# Nobody revokes another's by guessing.
TOKEN_ID_BYTES = 10
DEFAULT_GRANTS = Grants(create=True, publish=True, subscribe=True, message=True)


class Tokens:
    """`keys`: of the server, by id. What is made here is signed with the caller's own."""

    def __init__(self, keys: Mapping[str, str | PublicKey], observer: Observer, recordings: Recordings) -> None:
        self._keys = keys
        self._observer = observer
        self._recordings = recordings

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="create_token",
                method="POST",
                path="/rooms/{room}/tokens",
                tag="tokens",
                summary="A token for one person and this room",
                description="The room need not exist. Nothing is kept: each token is as good as the next.",
                run=self._create,
                access="key",
                body=TokenWish,
                answer=Token,
                status=201,
                problems=("recording_disabled",),
                is_secret=True,
                example=Example(
                    body={"identity": "ada", "name": "Ada Lovelace", "valid_for_s": 3600},
                    answer={"identity": "ada", "room": "standup", "expires_in_s": 3600},
                ),
            ),
            Operation(
                name="revoke_tokens",
                method="POST",
                path="/rooms/{room}/tokens/revoke",
                tag="tokens",
                summary="Revoke all tokens of one identity for this room",
                description="Those made until now. Who is in the room already stays: remove him to be rid of him.",
                run=self._revoke,
                body=IdentityToRevoke,
                problems=("unavailable",),
                example=Example(body={"identity": "mallory"}),
            ),
            Operation(
                name="revoke_room_tokens",
                method="POST",
                path="/rooms/{room}/tokens/revoke-all",
                tag="tokens",
                summary="Revoke all tokens of everybody for this room",
                description="Those made until now, the caller's too if it is one. Who is in the room already stays.",
                run=self._revoke_all,
                problems=("unavailable",),
            ),
            Operation(
                name="revoke_token",
                method="POST",
                path="/tokens/revoke",
                tag="tokens",
                summary="Revoke one token, in all rooms",
                description="By its `jti`. Whoever is somewhere by it has to go.",
                run=self._revoke_one,
                access="key",
                body=TokenToRevoke,
                problems=("unavailable",),
                example=Example(body={"token_id": "TK_5d41402abc4b2a76b971"}),
            ),
            Operation(
                name="read_token",
                method="POST",
                path="/rooms/{room}/tokens/introspect",
                tag="tokens",
                summary="What a token says, and whether it is good for this room",
                run=self._read,
                body=TokenToRead,
                answer=TokenReading,
                problems=("unavailable",),
                example=Example(body={"token": "eyJhbGciOi…"}, answer={"valid": False}),
            ),
        )

    async def _revoke(self, asked: Asked) -> Answer:
        room, identity = asked.path["room"], asked.body.identity
        await self._observer.perform(lambda directory, now: directory.revoke(room, identity, now))
        return Answer()

    async def _revoke_all(self, asked: Asked) -> Answer:
        room = asked.path["room"]
        await self._observer.perform(lambda directory, now: directory.revoke(room, EVERYBODY, now))
        return Answer()

    async def _revoke_one(self, asked: Asked) -> Answer:
        await self._observer.perform(lambda directory, now: directory.revoke_token(asked.body.token_id, now))
        return Answer()

    async def _read(self, asked: Asked) -> Answer:
        try:
            grant = verify(asked.body.token, self._keys, asked.path["room"], time.time())
            await self._observer.perform(lambda directory, now: directory.check_welcome(grant, now))
        except (ProtocolError, Refused) as error:
            return Answer(
                TokenReading(
                    valid=False, why=str(error), identity=None, name=None, grants=None, auto_record=None, token_id=None
                )
            )
        return Answer(
            TokenReading(
                valid=True,
                why="",
                identity=grant.identity,
                name=grant.name,
                grants=grant.grants,
                auto_record=grant.auto_record,
                token_id=grant.token_id,
            )
        )

    async def _create(self, asked: Asked) -> Answer:
        wish: TokenWish = asked.body
        token_id = f"TK_{secrets.token_hex(TOKEN_ID_BYTES)}"
        if wish.auto_record is not None:
            self._recordings.check_enabled()
        grant = Grant(
            identity=wish.identity,
            name=wish.name,
            room=asked.path["room"],
            grants=wish.grants or DEFAULT_GRANTS,
            token_id=token_id,
            auto_record=wish.auto_record,
        )
        key_id = asked.caller.key
        secret = None if key_id is None else self._keys.get(key_id)
        if key_id is None or not isinstance(secret, str):
            raise ProtocolError("key_invalid", "the key was retired meanwhile")
        try:
            token = mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=wish.valid_for_s)
        except ValueError as error:
            raise ProtocolError("invalid", str(error)) from error
        return Answer(
            Token(
                token=token,
                token_id=token_id,
                identity=wish.identity,
                room=grant.room,
                expires_in_s=wish.valid_for_s,
            )
        )
