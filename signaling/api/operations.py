"""What an operation of the API is: a row from which the route, the checks and the OpenAPI document are all made.

Nothing here knows HTTP beyond methods and status codes: `run` gets values and gives values, or raises Refused or
ProtocolError with a code of `problems.py`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web
from msgspec import Struct

from signaling.api.access import Caller

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
# key: an API key, which is for the whole server. room: that, or a token with `administer` for the room in the path.
# record: that, or a token with `record` for the room in the path, or for that of the recording in the path.
# nobody: no credentials are asked for. participant: a token for joining the room, which `whip/` looks at itself.
Access = Literal["key", "room", "record", "nobody", "participant"]

PREFIX: Final = "/v1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has passed all checks: who asks, the names in the path, query and body as their types."""

    caller: Caller
    path: Mapping[str, str]
    query: Any = None
    body: Any = None
    if_match: str | None = None  # the header as it came
    request: Any = None  # of aiohttp, for what is no single answer


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is of the operation's type. `version` becomes the ETag, without its quotes; `location` the address of
    what was made. `status` only where it is another than the operation's."""

    value: Struct | None = None
    version: str | None = None
    location: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One request and what came of it, for the document and for a test that makes it: `{names}` in the path are
    filled in from `path`. `answer` is compared where it says something; what differs each time it leaves out."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    answer: Any = None


Run = Callable[[Asked], Awaitable[Answer]]
# With the headers that the response is to have.
Stream = Callable[[Asked, dict[str, str]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is the operationId. `path` is below PREFIX, with `{names}` that `parameters.py` knows. `answer` None means
    204. `changes`: it may be given `If-Match`. `problems`: codes beside those that every operation may answer."""

    name: str
    method: Method
    path: str
    tag: str
    summary: str
    run: Run | None = None  # None: it is served elsewhere, and only described here
    access: Access = "room"
    description: str = ""
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    answer: type[Struct] | None = None
    status: int | None = None  # None: 200, or 204 where there is nothing to say
    changes: bool = False
    versioned: bool = False  # answers with an ETag
    problems: tuple[str, ...] = ()
    example: Example = Example()
    is_secret: bool = False  # the answer has a secret in it, which is not written down
    stream: Stream | None = None  # instead of `run`: writes the response itself
    takes: str = ""  # media types of bodies that are no JSON
    gives: str = ""
    also: Mapping[int, str] = field(default_factory=dict)  # statuses that answer with the same type, and their meaning
    headers: Mapping[str, str] = field(default_factory=dict)  # of the answer, with what they mean
    needs_if_match: str = ""  # what it has to name
    refuses: Mapping[str, tuple[int, str]] | None = None  # code → status, meaning: instead of those of `problems.py`
    makes: Mapping[str, str] = field(default_factory=dict)  # name in the paths of others → where the answer has it
    unversioned: bool = False  # stands at the root, not below PREFIX

    def carry_out(self, asked: Asked) -> Awaitable[Answer]:
        """Raises Refused, ProtocolError."""
        assert self.run is not None, f"{self.name} is served elsewhere"
        return self.run(asked)

    @property
    def address(self) -> str:
        return self.path if self.unversioned else PREFIX + self.path

    @property
    def takes_key(self) -> bool:
        """An Idempotency-Key: what a second time would have another effect, or, with If-Match, another answer."""
        return self.run is not None and (self.method == "POST" or self.changes)

    @property
    def names(self) -> tuple[str, ...]:
        """In the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def success(self) -> int:
        return self.status or (204 if self.answer is None and not self.gives else 200)
