"""If-Match against the version that a thing has. Pure."""

from __future__ import annotations

import re
from typing import Final

_ENTITY_TAG: Final = re.compile(r'"(\d{1,15})"')

# No version is this one: what is not an entity tag of ours matches nothing (RFC 9110 §13.1.1).
NONE: Final = -1


def expected_version(if_match: str | None) -> int | None:
    """The version that a change is to be made upon; None: any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ENTITY_TAG.fullmatch(if_match.strip())
    return int(found[1]) if found is not None else NONE
