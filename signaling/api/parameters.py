"""The names that stand in paths, and headers: what they are, how they are checked, how the document shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from signaling.auth import IDENTITY_PATTERN, ROOM_PATTERN, check_identity, check_room
from signaling.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Parameter:
    """`check` raises ValueError. What cannot be a name is not found, with `code`: no such thing can exist."""

    description: str
    pattern: str
    example: str
    code: str
    check: Callable[[str], None] | None = None

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$", "examples": [self.example]}


# RFC-to-be of the same name; any UUID fits.
IDEMPOTENCY_KEY_PATTERN: Final = r"[!-~]{1,128}"

_OPAQUE: Final = r"[A-Za-z0-9_-]{1,64}"

PATH: Final[Mapping[str, Parameter]] = {
    "room": Parameter("The room's name.", ROOM_PATTERN.pattern, "standup", "room_not_found", check_room),
    "identity": Parameter(
        "The participant's identity, as in its token.",
        IDENTITY_PATTERN.pattern,
        "ada",
        "unknown_participant",
        check_identity,
    ),
    "webhook": Parameter("The webhook's id.", _OPAQUE, "WH_8f14e45fceea167a5a36", "unknown_webhook"),
    "delivery": Parameter("The delivery's id.", _OPAQUE, "DL_c204ad00add323eaffb3", "unknown_delivery"),
    "key": Parameter("The key's id.", _OPAQUE, "KEY_45c48cce2e2d7fbdea1a", "unknown_key"),
    "session": Parameter("Of the `Location` that a POST was answered.", _OPAQUE, "UzJ0r8fLk1", "unknown_session"),
    "recording": Parameter("The recording's id.", _OPAQUE, "REC_5d41402abc4b2a76b971", "recording_not_found"),
    "file": Parameter("The file's name, as the recording lists it.", r"[^/]{1,255}", "ada.mp4", "unknown_file"),
    "view": Parameter("The secret of a live composite's address.", _OPAQUE, "x8Gk2mVb1QeR", "recording_not_found"),
    "link": Parameter(
        "What the server gave for it.", r"[A-Za-z0-9_.-]{1,4096}", "WyJhIiwx.k3J9", "recording_not_found"
    ),
    "path": Parameter("Empty for the page itself.", r"[A-Za-z0-9_./-]{0,300}", "manifest.json", "unknown_file"),
    "mix": Parameter("The mix's id.", _OPAQUE, "MIX_7d793037a0760186574b", "unknown_mix"),
    "track": Parameter("The track's id.", _OPAQUE, "TR_3c2a9bd17f0e4c5ab6d1", "unknown_track"),
}


def check_path(values: Mapping[str, str]) -> None:
    """Raises ProtocolError for what cannot be the name of anything."""
    for name, value in values.items():
        parameter = PATH[name]
        try:
            if parameter.check is not None:
                parameter.check(value)
        except ValueError as error:
            raise ProtocolError(parameter.code, str(error)) from error
