"""Bodies of requests: into their type, with a limit on nesting."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from signaling.errors import ProtocolError

# No type here nests deeper than 4; callers' own metadata may, a little. Deeper is an attack on somebody's stack.
MAX_DEPTH: Final = 16

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_OPENING: Final = frozenset((b"[", b"{"))


def decode(body: bytes, expected: type[Struct]) -> Any:
    """Raises ProtocolError: `malformed` is no JSON, `invalid` is not of this type."""
    if depth(body) > MAX_DEPTH:
        raise ProtocolError("malformed", f"nested deeper than {MAX_DEPTH}")
    try:
        return msgspec.convert(_integers(msgspec.json.decode(body)), expected)
    except msgspec.ValidationError as error:
        raise ProtocolError("invalid", str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProtocolError("malformed", f"no JSON: {error}") from error


def _integers(value: Any) -> Any:
    """JSON knows one kind of number, and JSON Schema takes 3.0 for an integer; so do clients that have only floats."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_integers(one) for one in value]
        case dict():
            return {key: _integers(one) for key, one in value.items()}
    return value


def depth(body: bytes) -> int:
    """How deeply lists and objects lie in each other. Of JSON; of anything else, some number."""
    deepest = now = 0
    for match in _BRACKETS.finditer(_STRINGS.sub(b"", body)):
        now += 1 if match[0] in _OPENING else -1
        deepest = max(deepest, now)
    return deepest
