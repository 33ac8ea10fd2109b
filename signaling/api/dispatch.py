"""HTTP around the operations: credentials, rates, bodies, repeated requests, and how answers and errors look.

    request ─► who asks ─► rate ─► names, query, body as their types ─► Idempotency-Key ─► Operation.run ─► response

Whatever fails on the way is a problem (RFC 9457) with a code of `problems.py`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from signaling.api.access import NOBODY, Caller, Doorkeeper
from signaling.api.bodies import decode
from signaling.api.idempotency import Idempotency, Kept, Ticket
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Operation
from signaling.api.parameters import IDEMPOTENCY_KEY_PATTERN, check_path
from signaling.api.problems import Problem, status_of
from signaling.api.rates import RateExceeded, Rates
from signaling.errors import ProtocolError, Refused
from signaling.request_body import read_body
from signaling.responses import request_id
from signaling.visitors import why_not_this_machine

logger = logging.getLogger(__name__)

_CHALLENGES: Final = {
    "token_missing": 'Bearer realm="sfu"',
    "key_invalid": 'Bearer realm="sfu", error="invalid_token"',
    "token_invalid": 'Bearer realm="sfu", error="invalid_token"',
    "token_expired": 'Bearer realm="sfu", error="invalid_token"',
    "token_revoked": 'Bearer realm="sfu", error="invalid_token"',
    "token_wrong_room": 'Bearer realm="sfu", error="insufficient_scope"',
    "not_granted": 'Bearer realm="sfu", error="insufficient_scope"',
}
# When to try again what does not say so itself: long enough for somebody to leave, or a Worker to be back.
RETRY_AFTER_S: Final = 5
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Dispatch:
    """Routes for `operations`. `dev`: only this machine may ask. `room_of` a recording: None, if there is none."""

    def __init__(
        self,
        operations: Sequence[Operation],
        doorkeeper: Doorkeeper,
        idempotency: Idempotency,
        observer: Observer,
        room_of: Callable[[str], str | None],
        *,
        dev: bool,
    ) -> None:
        self._operations = operations
        self._dev = dev
        self._doorkeeper = doorkeeper
        self._room_of = room_of
        self._rates = Rates()
        self._idempotency = idempotency
        self._observer = observer
        self._loop = asyncio.get_running_loop()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        for operation in self._operations:
            if operation.run is not None:
                router.add_route(operation.method, operation.address, partial(self._respond, operation))

    async def _respond(self, operation: Operation, request: web.Request) -> web.StreamResponse:
        now = self._loop.time()
        headers = {"Cache-Control": "no-store"}
        try:
            caller = self._admit(operation, request, now)
            headers |= self._rates.count(caller.id, now)
            response = await self._carry_out(operation, request, caller, headers)
        except (ProtocolError, Refused) as error:
            response = _problem(request, error, headers)
        if operation.method in _CHANGES:
            logger.info("%s %s %s: %d", request_id(request), request.method, request.rel_url.path, response.status)
        return response

    def _admit(self, operation: Operation, request: web.Request, now: float) -> Caller:
        if operation.access == "nobody":
            return NOBODY
        # The key is well known then; a page whose name was rebound to this machine could use it, too.
        if self._dev and (reason := why_not_this_machine(request.remote or "", request.headers)) is not None:
            raise Refused("not_granted", f"development mode is for this machine only: {reason}")
        room = None if operation.access == "key" else request.match_info.get("room")
        if "recording" in request.match_info:
            room = self._room_of(request.match_info["recording"])
        authorization, address = request.headers.get("Authorization", ""), request.remote or ""
        needed: Literal["administer", "record"] = "record" if operation.access == "record" else "administer"
        return self._doorkeeper.admit(authorization, room, address, now, needed)

    async def _carry_out(
        self, operation: Operation, request: web.Request, caller: Caller, headers: dict[str, str]
    ) -> web.StreamResponse:
        path = dict(request.match_info)
        check_path(path)
        query = None if operation.query is None else _read_query(request, operation.query)
        body, content = None, b""
        if operation.body is not None:
            if request.content_type != "application/json":
                raise ProtocolError("media_type", "send application/json")
            content = await read_body(request)
            body = decode(content, operation.body)
        asked = Asked(caller, path, query, body, request.headers.get("If-Match"), request)
        if operation.stream is not None:
            return await operation.stream(asked, headers)
        if operation.takes_key and (key := request.headers.get("Idempotency-Key")) is not None:
            kept = await self._once(operation, asked, key, content)
        else:
            kept = _encode(operation, await operation.carry_out(asked))
        return web.Response(status=kept.status, body=kept.body or None, headers=kept.headers | headers)

    async def _once(self, operation: Operation, asked: Asked, key: str, content: bytes) -> Kept:
        """Carried out, unless it has been, or is being."""
        if not re.fullmatch(IDEMPOTENCY_KEY_PATTERN, key):
            raise ProtocolError("invalid", "Idempotency-Key: 1 … 128 printable ASCII characters")
        about = f"{asked.request.method} {asked.request.raw_path}\n"
        if asked.if_match is not None:
            about += f"{asked.if_match}\n"
        fingerprint = blake2b(about.encode() + content, digest_size=16).digest()
        while True:
            found = self._idempotency.ask(asked.caller.id, key, fingerprint, time.time())
            if isinstance(found, Kept):
                return Kept(found.status, found.headers | {"Idempotency-Replayed": "true"}, found.body)
            ticket, first = found
            if first:
                return await self._carry_out_first(operation, asked, ticket)
            answered: asyncio.Future[Kept | None] = self._loop.create_future()
            ticket.waiting.append(partial(_settle, answered))
            await answered  # and look again: it is kept now, or was abandoned, and it is this one's turn

    async def _carry_out_first(self, operation: Operation, asked: Asked, ticket: Ticket) -> Kept:
        try:
            kept = _encode(operation, await operation.carry_out(asked))
        except BaseException:
            self._idempotency.abandon(ticket)
            raise
        await self._keep(operation, ticket, kept)
        return kept

    async def _keep(self, operation: Operation, ticket: Ticket, kept: Kept) -> None:
        """Before the caller hears of it. Who kills the server just here, with the effect kept and the answer not, is
        the one whom repeating does not help."""

        def settle(*_: object) -> None:
            self._idempotency.settle(ticket, kept, time.time(), store=not operation.is_secret)

        try:
            await self._observer.perform(settle)
        except Refused:  # the store does not write at the moment; it will
            settle()


def _settle(answered: asyncio.Future[Kept | None], kept: Kept | None) -> None:
    if not answered.done():
        answered.set_result(kept)


def _read_query(request: web.Request, expected: type[Struct]) -> Any:
    """Raises ProtocolError. A name that comes twice would mean one thing to us and another to whoever wrote it."""
    query = request.query
    if len(query) > len(set(query)):
        raise ProtocolError("invalid", "a name stands in the query twice")
    try:
        return msgspec.convert(dict(query), expected, strict=False)
    except msgspec.ValidationError as error:
        raise ProtocolError("invalid", f"query: {error}") from error


def _encode(operation: Operation, answer: Answer) -> Kept:
    headers = {}
    if answer.version is not None:
        headers["ETag"] = f'"{answer.version}"'
    if answer.location is not None:
        headers["Location"] = answer.location
    if answer.value is None:
        return Kept(204, headers, b"")
    headers["Content-Type"] = "application/json"
    return Kept(answer.status or operation.success, headers, msgspec.json.encode(answer.value))


def _problem(request: web.Request, error: ProtocolError | Refused, headers: Mapping[str, str]) -> web.Response:
    status = status_of(error.code)
    headers = dict(headers)
    if error.code in _CHALLENGES:
        headers["WWW-Authenticate"] = _CHALLENGES[error.code]
    if isinstance(error, RateExceeded):
        headers |= error.headers
    elif status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=error.code,
        detail=error.reason,
        request_id=request_id(request),
    )
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/problem+json", headers=headers
    )
