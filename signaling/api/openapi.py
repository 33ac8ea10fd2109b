"""The OpenAPI 3.1 document, made from the table of operations and the types that validate. Pure.

JSON Schema comes from msgspec, in the dialect that OpenAPI 3.1 uses (2020-12), so document and validation are one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from signaling.api.operations import Operation
from signaling.api.parameters import IDEMPOTENCY_KEY_PATTERN, PATH
from signaling.api.problems import ALWAYS, PROBLEMS, WITH_BODY, WITH_CREDENTIALS, WITH_IDEMPOTENCY, Problem

_DESCRIPTION: Final = """\
Manage rooms and the people in them, from an app backend.

**Credentials.** `Authorization: Bearer ID:SECRET` with an API key of the server, or a token with `administer`
(recordings: with `record`), which is for its one room. Keys are those the server was given
(`--keys`), and those made here.

**Errors** are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems. `code` is stable; `detail` is for people.
`request_id` is also the header `X-Request-Id` of every response, and stands in the server's log.

**Repeating.** A `GET`, `PUT`, `PATCH` or `DELETE` may be repeated as it is. Give a `POST` an `Idempotency-Key` (any
string of yours, a UUID say): repeated with the same key and body within a day it has no further effect, and is answered
what the first was, also while that is under way.

**Versions.** What can be changed has an `ETag`. With `If-Match` a change is made only if nobody else made one since;
otherwise the answer is 412. So it would be when that change itself is repeated because its answer was lost: with an
`Idempotency-Key` it is answered what the first was.

**Pages.** Lists take `limit` and `cursor`; `next_cursor` is null on the last page.

**Rates.** `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds) are on every response that knows who asks; 429 says
when to try again.
"""

_TAGS: Final = {
    "rooms": "Where people meet. A room is made by this API, or by the first one who joins with a token that may.",
    "tokens": "What lets somebody join one room, and says what he may do there.",
    "participants": "Who is in a room.",
    "tracks": "What a participant publishes: camera, microphone, screen, and its sound.",
    "subscriptions": "What a participant receives, and why in this quality.",
    "messages": "From the backend to people in a room.",
    "events": "What happened, in order, as it happens or afterwards.",
    "webhooks": "Events, sent to your backend.",
    "recordings": "What happened in a room, as files: one per participant, all of the same length.",
    "bans": "Who may not come back.",
    "keys": "API keys, beside those of the configuration.",
    "nodes": "The machines that serve.",
    "whip and whep": "Publishing and watching with tools that speak WHIP (RFC 9725) and WHEP.",
    "health": "For balancers and Prometheus.",
}

_COMMON_HEADERS: Final = {
    "X-Request-Id": {"description": "Which request it was.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests at once.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "So many are left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until all are.", "schema": {"type": "integer"}},
}
_SCHEMES: Final = {
    "key": ("key",),
    "room": ("key", "administrator"),
    "record": ("key", "recorder"),
    "nobody": (),
    "participant": ("participant",),
}
_REF: Final = "#/components/schemas/{name}"


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """Everything that is served, as an OpenAPI 3.1 document."""
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=True))
    used = {operation.tag for operation in operations}
    paths: dict[str, Any] = {}
    for operation in operations:
        described = _operation(operation, by_type, components)
        if operation.makes:
            described["responses"][str(operation.success)]["links"] = _links(operation, operations)
        paths.setdefault(operation.address, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "sfu", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "ID:SECRET of an API key."},
                "administrator": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token with `administer`, for its room.",
                },
                "participant": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token for joining the room.",
                },
                "recorder": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token with `record`, for recordings of its room.",
                },
            },
            "schemas": {name: _without_tag(schema) for name, schema in components.items()},
        },
    }


def _types(operations: Sequence[Operation]) -> list[Any]:
    found: dict[Any, None] = {Problem: None}
    for operation in operations:
        for one in (operation.query, operation.body, operation.answer):
            if one is not None:
                found[one] = None
    return list(found)


def _operation(operation: Operation, types: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(operation, components),
        "responses": _responses(operation, types),
        "security": [{scheme: []} for scheme in _SCHEMES[operation.access]],
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        content: dict[str, Any] = {"schema": types[operation.body]}
        if operation.example.body is not None:
            content["example"] = operation.example.body
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    elif operation.takes:
        described["requestBody"] = {"required": True, "content": {operation.takes: {"schema": {"type": "string"}}}}
    return described


def _links(operation: Operation, others: Sequence[Operation]) -> dict[str, Any]:
    """To all that can be done with what it has made: for people, and for tools that chain requests."""
    found: dict[str, Any] = {}
    own = {name: f"$request.path.{name}" for name in operation.names}
    known = own | {name: f"$response.body#/{key}" for name, key in operation.makes.items()}
    for other in others:
        names = set(other.names)
        if other.run is not None and names <= known.keys() and names & operation.makes.keys():
            found[other.name] = {"operationId": other.name, "parameters": {name: known[name] for name in other.names}}
    return found


def _parameters(operation: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in operation.names:
        parameter = PATH[name]
        example = operation.example.path.get(name, parameter.example)
        found.append(
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": parameter.description,
                "schema": parameter.schema,
                "example": example,
            }
        )
    if operation.query is not None:
        schema = components[operation.query.__name__]
        for name, field in schema["properties"].items():
            described: dict[str, Any] = {"name": name, "in": "query", "required": name in schema.get("required", ())}
            if "description" in field:
                described["description"] = field["description"]
            described["schema"] = _as_text(field)
            if name in operation.example.query:
                described["example"] = operation.example.query[name]
            found.append(described)
    if operation.takes_key:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Makes repeating safe: see above.",
                "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY_PATTERN}$"},
            }
        )
    if operation.changes:
        text = "The ETag it must still have, or `*`. Without it, the change is made whatever it is."
        found.append({"name": "If-Match", "in": "header", "description": text, "schema": {"type": "string"}})
    if (text := operation.needs_if_match) != "":
        schema = {"type": "string"}
        found.append({"name": "If-Match", "in": "header", "required": True, "description": text, "schema": schema})
    return found


def _as_text(field: dict[str, Any]) -> dict[str, Any]:
    """Of a query parameter: it is left out rather than null."""
    kept = {name: value for name, value in field.items() if name != "description"}
    if "anyOf" in kept:
        (one,) = [choice for choice in kept.pop("anyOf") if choice != {"type": "null"}]
        kept.pop("default", None)
        kept |= one
    return kept


def _responses(operation: Operation, types: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(operation.success).phrase}
    is_counted = operation.access in ("key", "room", "record")
    headers = dict(_COMMON_HEADERS) if is_counted else {"X-Request-Id": _COMMON_HEADERS["X-Request-Id"]}
    for name, text in operation.headers.items():
        headers[name] = {"description": text, "schema": {"type": "string"}}
    if operation.changes or operation.versioned:
        headers["ETag"] = {"description": "Its version.", "schema": {"type": "string"}}
    success["headers"] = headers
    if operation.answer is not None:
        content: dict[str, Any] = {"schema": types[operation.answer]}
        if operation.example.answer is not None:
            content["example"] = operation.example.answer
        success["content"] = {"application/json": content}
    elif operation.gives:
        success["content"] = {operation.gives: {"schema": {"type": "string"}}}
    responses = {str(operation.success): success}
    for status, meanings in _problems_by_status(operation).items():
        lines = [f"`{code}`: {meaning}" for code, meaning in meanings.items()]
        responses[str(status)] = {
            "description": "\n\n".join(lines),
            "headers": {"X-Request-Id": _COMMON_HEADERS["X-Request-Id"]},
            "content": {"application/problem+json": {"schema": types[Problem]}},
        }
    for status, text in operation.also.items():
        told = success | {"description": text}
        if status == 204:
            told.pop("content", None)
        responses[str(status)] = told
    return dict(sorted(responses.items()))


def _problems_by_status(operation: Operation) -> dict[int, dict[str, str]]:
    """Code → meaning, by status."""
    grouped: dict[int, dict[str, str]] = {}
    for code, (status, meaning) in (_problems(operation) if operation.refuses is None else operation.refuses).items():
        grouped.setdefault(status, {})[code] = meaning
    return grouped


def _problems(operation: Operation) -> dict[str, tuple[int, str]]:
    codes = {*ALWAYS, *operation.problems}
    if operation.access != "nobody":
        codes |= {*WITH_CREDENTIALS, "not_granted"}
    if operation.access == "record" or (operation.access == "room" and "room" in operation.names):
        codes |= {"token_wrong_room"}
    codes |= {PATH[name].code for name in operation.names}
    if operation.body is not None or operation.takes:
        codes |= set(WITH_BODY)
    if operation.takes_key:
        codes |= set(WITH_IDEMPOTENCY)
    if operation.changes:
        codes.add("version_mismatch")
    return {code: found for code, found in PROBLEMS.items() if code in codes}


def _without_tag(schema: dict[str, Any]) -> dict[str, Any]:
    """Class names are not titles, and docstrings of ours are one paragraph."""
    kept = {name: value for name, value in schema.items() if name != "title"}
    if "description" in kept:
        kept["description"] = re.sub(r"\s*\n\s*", " ", kept["description"])
    return kept
