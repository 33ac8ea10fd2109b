"""What a room is set to, what of it may be changed, and within which bounds. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from signaling.errors import Refused
from signaling.limits import Duplicates, RoomLimits
from signaling.recordings.options import RecordingOptions


class RoomSettings(Struct, frozen=True, kw_only=True):
    """`empty_timeout_s`: how long a new room waits for the first one; None: for ever, and between its calls, too.
    `departure_timeout_s`: how long it stays after the last one left. `locked`: nobody new comes in but who administers.
    `lobby`: who does not administer waits to be admitted. `history_messages`: so many of the last messages to all are
    kept for who comes later. `recording_consent`: of a recording, only who has consented is taken.
    `record_ciphertext`: though it is end-to-end encrypted it may be recorded, as ciphertext.
    `auto_record`: it is recorded so, from when the first one comes. `quality_events`: app backends hear whose call goes
    well or badly; not by default, as on mobile networks that is more than all else that happens in a room, and a
    request and a row of the store each time."""

    max_participants: int
    empty_timeout_s: float | None
    departure_timeout_s: float
    duplicates: Duplicates
    locked: bool = False
    lobby: bool = False
    end_to_end_encrypted: bool = False
    history_messages: int = 0
    metadata: str = ""
    webhook_url: str = ""
    recording_consent: bool = False
    record_ciphertext: bool = False
    auto_record: RecordingOptions | None = None
    quality_events: bool = False


class RoomChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of RoomSettings is to be otherwise; what is not named stays, or is as the server has it."""

    max_participants: int | UnsetType = UNSET
    empty_timeout_s: float | UnsetType | None = UNSET
    departure_timeout_s: float | UnsetType = UNSET
    duplicates: Duplicates | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    lobby: bool | UnsetType = UNSET
    end_to_end_encrypted: bool | UnsetType = UNSET
    history_messages: int | UnsetType = UNSET
    metadata: str | UnsetType = UNSET
    webhook_url: str | UnsetType = UNSET
    recording_consent: bool | UnsetType = UNSET
    record_ciphertext: bool | UnsetType = UNSET
    auto_record: RecordingOptions | UnsetType | None = UNSET
    quality_events: bool | UnsetType = UNSET


def default_settings(limits: RoomLimits) -> RoomSettings:
    """Of a room that came into being by somebody's joining."""
    return RoomSettings(
        max_participants=limits.max_participants,
        empty_timeout_s=limits.empty_timeout_s,
        departure_timeout_s=limits.departure_timeout_s,
        duplicates=limits.duplicates,
        history_messages=limits.history_messages,
    )


def changed(settings: RoomSettings, changes: RoomChanges, limits: RoomLimits) -> RoomSettings:
    """Raises Refused with `out_of_range` that names what is wrong; then nothing of it is changed."""
    named: dict[str, Any] = {name: value for name, value in asdict(changes).items() if value is not UNSET}
    result = replace(settings, **named)
    _check("max_participants", result.max_participants, 1, limits.max_participants)
    _check("history_messages", result.history_messages, 0, limits.max_history_messages)
    _check("departure_timeout_s", result.departure_timeout_s, 0, limits.max_timeout_s)
    if result.empty_timeout_s is not None:
        _check("empty_timeout_s", result.empty_timeout_s, 0, limits.max_timeout_s)
    if len(result.metadata.encode(errors="surrogatepass")) > limits.metadata_bytes:
        raise Refused("out_of_range", f"metadata: at most {limits.metadata_bytes} bytes")
    if result.webhook_url:
        _check_url(result.webhook_url)
    if result.auto_record is not None:
        if result.end_to_end_encrypted:
            try:
                check_encrypted(result, result.auto_record)
            except Refused as error:
                raise Refused("out_of_range", f"auto_record: {error.reason}") from error
        if contradiction := result.auto_record.contradiction():
            raise Refused("out_of_range", f"auto_record: {contradiction}")
    if result.end_to_end_encrypted and result.history_messages:
        raise Refused("out_of_range", "history_messages: an end-to-end encrypted room keeps none")
    return result


def check_encrypted(settings: RoomSettings, options: RecordingOptions) -> None:
    """Whether an end-to-end encrypted room may be recorded so. Raises Refused."""
    if not settings.record_ciphertext:
        detail = "what passes through this room cannot be decoded here; with record_ciphertext it is recorded as it is"
        raise Refused("end_to_end_encrypted", detail)
    if options.live is not None:
        raise Refused("end_to_end_encrypted", "of what cannot be decoded here there can be no live composite")


def _check(name: str, value: float, lowest: float, highest: float) -> None:
    # Written so that NaN, which compares with nothing, does not pass.
    if not lowest <= value <= highest:
        raise Refused("out_of_range", f"{name}: from {lowest:g} to {highest:g}")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 2048
    except ValueError:
        fits = False
    if not fits or any(character <= " " for character in url):
        raise Refused("out_of_range", "webhook_url: an http or https URL of at most 2048 characters")
