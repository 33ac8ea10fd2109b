"""Development mode: a page on this machine gets a token for a fresh identity, so that a call needs no backend."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from signaling.auth import Grant, check_name, check_room, mint, verify
from signaling.config import DEVELOPMENT_KEY, ServerConfig
from signaling.errors import ProtocolError
from signaling.messages import Grants
from signaling.responses import problem
from signaling.visitors import why_not_this_machine

GRANTS: Final = Grants(create=True, publish=True, subscribe=True, message=True, update_own_metadata=True)
# A page that stays open joins again with the same token.
VALID_FOR_S: Final = 12 * 3600.0


class _Wish(Struct, frozen=True):
    room: str
    name: str = ""
    moderator: bool = False
    # Another one for whoever has this token, before it expires: it stands for name, identity and grants.
    renew: str = ""


class DevelopmentTokens:
    def __init__(self, config: ServerConfig) -> None:
        self._config = config

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/dev/tokens", self._post)

    async def _post(self, request: web.Request) -> web.Response:
        if not self._config.dev:
            return problem(404, "not_granted", "the server is not in development mode (--dev)")
        reason = why_not_this_machine(request.remote or "", request.headers)
        if reason is not None:
            return problem(403, "not_granted", f"development tokens are for this machine only: {reason}")
        # No page from elsewhere can send this type without asking first, and we never say yes.
        if request.content_type != "application/json":
            return problem(415, "malformed", "send application/json")
        try:
            wish = msgspec.json.decode(await request.read(), type=_Wish)
            check_room(wish.room)
            check_name(wish.name.strip())
        except (ValueError, RecursionError) as error:
            return problem(400, "malformed", str(error))
        key_id, secret = DEVELOPMENT_KEY
        now = time.time()
        try:
            grant = verify(wish.renew, {key_id: secret}, wish.room, now) if wish.renew else _granted(wish)
        except ProtocolError as error:
            return problem(403, error.code, error.reason)
        token = mint(grant, key_id=key_id, secret=secret, now=now, valid_for_s=VALID_FOR_S)
        return web.json_response(
            {"token": token, "identity": grant.identity, "room": grant.room},
            status=201,
            headers={"Cache-Control": "no-store"},
        )


def _granted(wish: _Wish) -> Grant:
    name = wish.name.strip()
    grants = replace(GRANTS, administer=wish.moderator, record=wish.moderator)
    return Grant(identity=fresh_identity(name), name=name, room=wish.room, grants=grants)


def fresh_identity(name: str) -> str:
    """`Ada Lovelace` → `ada-lovelace-3f9c17d2`: readable in logs, and nobody else's."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-") or "guest"
    return f"{readable}-{secrets.token_hex(4)}"
