"""If-Match against the version that a thing has. Pure.

Most things count their changes. What the participant's own client changes as well, without a count, has a version made
of its content: the same again is the same version, and whoever changes it meanwhile is noticed all the same.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from signaling.errors import Refused

_ENTITY_TAG: Final = re.compile(r'"(\d{1,15})"')

# No version is this one: what is not an entity tag of ours matches nothing (RFC 9110 §13.1.1).
NONE: Final = -1


def expected_version(if_match: str | None) -> int | None:
    """The version that a change is to be made upon; None: any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ENTITY_TAG.fullmatch(if_match.strip())
    return int(found[1]) if found is not None else NONE


def version_of(content: Struct) -> int:
    """Of 48 bits, which every reader of JSON keeps exactly."""
    return int.from_bytes(blake2b(msgspec.json.encode(content), digest_size=6).digest())


def check_version(expected: int | None, content: Struct) -> None:
    """Raises Refused `version_mismatch`."""
    if expected not in (None, version_of(content)):
        raise Refused("version_mismatch", f"it is at version {version_of(content)}, not {expected}")
