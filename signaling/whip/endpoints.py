"""WHIP and WHEP over HTTP (RFC 9725): headers, methods, CORS. What is asked goes to a session of the switchboard.

    /v1/whip/{room}        POST, OPTIONS            an offer begins a session: 201 with its address
    /v1/whip/{room}/{id}   PATCH, DELETE, OPTIONS   and the same under /v1/whep

GET finds nothing to show: 204 (§4.1). Errors are problem+json. Pages of any origin may ask, unless `--origin` says
otherwise: there are no cookies, and without a token nothing is to be had.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Final, cast

from aiohttp import web

from sfu.wire.addresses import shortened
from signaling.attempts import Attempts
from signaling.auth import check_identity, check_room
from signaling.config import ServerConfig
from signaling.errors import ProtocolError, Refused
from signaling.messages import IceServer
from signaling.request_body import read_body
from signaling.responses import problem
from signaling.switchboard import Switchboard
from signaling.visitors import may_connect, why_not_this_machine
from signaling.whip.exchange import (
    FRAGMENT_TYPE,
    OFFER_TYPE,
    STATUSES,
    Created,
    Declined,
    Delete,
    Ended,
    Patch,
    Post,
    Request,
    Response,
    Restarted,
    Taken,
)
from signaling.whip.session import Direction

# 144 bits: who has not been told the address of a session does not find it.
SESSION_ID_BYTES: Final = 18
MAX_CLIENT_CHARACTERS: Final = 64
# When to try again after 429 and 503; long enough for somebody to leave.
RETRY_AFTER_S: Final = 5
PREFLIGHT_MAX_AGE_S: Final = 24 * 3600

_ENDPOINT_METHODS: Final = "GET, HEAD, OPTIONS, POST"
_SESSION_METHODS: Final = "DELETE, GET, HEAD, OPTIONS, PATCH"
_EXPOSED: Final = "Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After, WWW-Authenticate"
_CHALLENGES: Final = {
    "token_missing": 'Bearer realm="sfu"',
    "token_invalid": 'Bearer realm="sfu", error="invalid_token"',
    "token_expired": 'Bearer realm="sfu", error="invalid_token"',
    "token_revoked": 'Bearer realm="sfu", error="invalid_token"',
    "token_wrong_room": 'Bearer realm="sfu", error="insufficient_scope"',
    "not_granted": 'Bearer realm="sfu", error="insufficient_scope"',
}

Respond = Callable[[web.Request], Awaitable[web.Response]]


class Endpoints:
    def __init__(self, config: ServerConfig, switchboard: Switchboard, attempts: Attempts) -> None:
        self._config = config
        self._switchboard = switchboard
        self._attempts = attempts
        self._loop_time = asyncio.get_running_loop().time
        self._sessions: dict[str, _Session] = {}  # by path

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/v1/{direction:whip|whep}/{room}", self._on_endpoint)
        router.add_route("*", "/v1/{direction:whip|whep}/{room}/{session}", self._on_session)

    async def _on_endpoint(self, request: web.Request) -> web.Response:
        return await self._answer(request, {"POST": self._post}, _ENDPOINT_METHODS, {"Accept-Post": OFFER_TYPE})

    async def _on_session(self, request: web.Request) -> web.Response:
        methods = {"PATCH": self._patch, "DELETE": self._delete}
        return await self._answer(request, methods, _SESSION_METHODS, {"Accept-Patch": FRAGMENT_TYPE})

    async def _answer(
        self, request: web.Request, methods: Mapping[str, Respond], allowed: str, accepted: Mapping[str, str]
    ) -> web.Response:
        if self._config.dev and (reason := why_not_this_machine(request.remote or "", request.headers)) is not None:
            return problem(403, "not_granted", f"development mode is for this machine only: {reason}")
        if not may_connect(self._config.origin, request.headers):
            return problem(403, "not_granted", "pages of this origin may not connect")
        if request.method == "OPTIONS":
            response = web.Response(status=200, headers={**_preflight(allowed), "Allow": allowed, **accepted})
        elif request.method in ("GET", "HEAD"):
            response = self._look(request)
        elif request.method in methods:
            response = await self._carry_out(methods[request.method], request)
            if response.status == 415:
                response.headers.update(accepted)  # RFC 5789 §2.2
        else:
            response = problem(405, "http", f"{request.method} has no meaning here", {"Allow": allowed})
        self._share(request, response)
        return response

    async def _carry_out(self, method: Respond, request: web.Request) -> web.Response:
        peer = request.remote or ""
        if not self._attempts.may_try(peer, self._loop_time()):
            return _declined("rate", "too many bad tokens from this address")
        try:
            return await method(request)
        except (ProtocolError, Refused) as error:
            if error.code == "token_invalid":
                self._attempts.on_failure(peer, self._loop_time())
            return _declined(error.code, error.reason)

    def _look(self, request: web.Request) -> web.Response:
        if "session" in request.match_info and request.path not in self._sessions:
            return _declined("unknown_session", "there is no such session")
        return web.Response(status=204)

    async def _post(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        try:
            check_room(room)
        except ValueError as error:
            return _declined("room_not_found", str(error))
        offer = await _body(request, OFFER_TYPE)
        direction = cast(Direction, request.match_info["direction"])
        path = f"/v1/{direction}/{room}/{secrets.token_urlsafe(SESSION_ID_BYTES)}"
        session = _Session(self._switchboard, lambda: self._sessions.pop(path, None))
        session.number = self._switchboard.admit(
            direction, room, _participant(request), session, shortened(request.remote or "")
        )
        token, client = _token(request), request.headers.get("User-Agent", "")[:MAX_CLIENT_CHARACTERS]
        response = await session.ask(lambda number: Post(number, token, offer, client))
        if not isinstance(response, Created):
            return _response(response)
        if not session.ended:
            self._sessions[path] = session
        headers = {"Location": path, "ETag": response.entity_tag, "Accept-Patch": FRAGMENT_TYPE}
        created = web.Response(status=201, body=response.answer.encode(), content_type=OFFER_TYPE, headers=headers)
        for server in self._switchboard.ice_servers(path):
            created.headers.add("Link", _link(server))
        return created

    async def _patch(self, request: web.Request) -> web.Response:
        session = self._session(request)
        fragment = await _body(request, FRAGMENT_TYPE)
        token, if_match = _token(request), request.headers.get("If-Match")
        return _response(await session.ask(lambda number: Patch(number, token, if_match, fragment)))

    async def _delete(self, request: web.Request) -> web.Response:
        token = _token(request)
        return _response(await self._session(request).ask(lambda number: Delete(number, token)))

    def _session(self, request: web.Request) -> _Session:
        session = self._sessions.get(request.path)
        if session is None:
            raise Refused("unknown_session", "there is no such session (any more)")
        return session

    def _share(self, request: web.Request, response: web.Response) -> None:
        """For pages of other origins (CORS), errors too: otherwise a page would not see why."""
        origin = request.headers.get("Origin")
        if not self._config.origin and not self._config.dev:
            response.headers["Access-Control-Allow-Origin"] = "*"
        elif origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED


class _Session:
    """The requests of one session that wait for their responses."""

    def __init__(self, switchboard: Switchboard, on_end: Callable[[], object]) -> None:
        self.number = 0
        self.ended = False
        self._switchboard = switchboard
        self._on_end = on_end
        self._requests = count(1)
        self._waiting: dict[int, asyncio.Future[Response]] = {}

    async def ask(self, make: Callable[[int], Request]) -> Response:
        number = next(self._requests)
        if self.ended:
            return Declined(number, "unknown_session", "the session has ended")
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._switchboard.on_request(self.number, make(number))
        return await future

    def respond(self, response: Response) -> None:
        future = self._waiting.pop(response.request)
        if not future.done():
            future.set_result(response)

    def close(self, ws_code: int, reason: str) -> None:
        self.ended = True
        # The session answered everything before it ended; these came after that.
        for number in list(self._waiting):
            self.respond(Declined(number, "unknown_session", "the session has ended"))
        self._on_end()


def _link(server: IceServer) -> str:
    """§4.6. Quotes and backslashes in a quoted string are escaped (RFC 9110 §5.6.4)."""
    return ", ".join(_one_link(url, server) for url in server.urls)


def _one_link(url: str, server: IceServer) -> str:
    parts = [f'<{url}>; rel="ice-server"']
    if server.username:
        for name, value in (("username", server.username), ("credential", server.credential)):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'{name}="{escaped}"')
        parts.append('credential-type="password"')
    return "; ".join(parts)


def _response(response: Response) -> web.Response:
    """Raises Refused: it was declined."""
    match response:
        case Declined(code=code, reason=reason):
            raise Refused(code, reason)
        case Taken():
            return web.Response(status=204)
        case Ended():
            return web.Response(status=200)
        case Restarted(fragment=fragment, entity_tag=entity_tag):
            return web.Response(
                status=200, body=fragment.encode(), content_type=FRAGMENT_TYPE, headers={"ETag": entity_tag}
            )
        case Created():
            raise AssertionError("only a POST creates")


def _declined(code: str, reason: str) -> web.Response:
    status = STATUSES[code]
    headers = {"WWW-Authenticate": _CHALLENGES[code]} if code in _CHALLENGES else {}
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return problem(status, code, reason, headers)


def _preflight(allowed: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
    }


def _token(request: web.Request) -> str | None:
    """RFC 6750 §2.1; the name of a scheme may be written in any case (RFC 9110 §11.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _participant(request: web.Request) -> str | None:
    identity = request.query.get("participant")
    if identity is not None:
        try:
            check_identity(identity)
        except ValueError as error:
            raise ProtocolError("malformed", f"participant: {error}") from error
    return identity


async def _body(request: web.Request, media_type: str) -> str:
    """Raises ProtocolError."""
    if request.content_type != media_type:
        raise ProtocolError("media_type", f"{media_type} is expected here")
    try:
        return (await read_body(request)).decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("malformed", f"the body cannot be read: {type(error).__name__}") from error
