"""Which streams an m-line carries: its mid, its direction, simulcast rids, or SSRCs where there are no rids.

Rids win over SSRCs: Firefox states both for simulcast and Chromium only rids. Of an `a=simulcast` list, the order is
kept (it is taken as ascending quality), a paused stream counts as any other, and of alternatives the first is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sfu.control import SsrcGroup
from signaling.sdp import Attribute, Media, Section, is_token, malformed, number

# Browsers send three layers at most, and a Track's tables in the plane are sized for that.
MAX_RIDS: Final = 3
# As many bytes as an element of the one-byte form of a header extension holds; mid and rid travel in those.
MAX_NAME_CHARACTERS: Final = 16

_RID = re.compile(r"[0-9A-Za-z_-]{1,16}")
_DIRECTIONS: Final = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}


class Direction(NamedTuple):
    """As the writer of the description sees it."""

    sends: bool
    receives: bool

    def __str__(self) -> str:
        return _DIRECTIONS[self.sends, self.receives]


@dataclass(frozen=True, slots=True)
class Rid:
    """A simulcast stream (RFC 8851); `restrictions` as the remote wrote them, often empty."""

    name: str
    restrictions: str


def read_mid(media: Media) -> str | None:
    attribute = media.first("mid")
    if attribute is None:
        return None
    if not is_token(attribute.value) or len(attribute.value) > MAX_NAME_CHARACTERS:
        raise malformed(attribute.line, f"a mid is a token of at most {MAX_NAME_CHARACTERS} characters")
    return attribute.value


def read_direction(media: Media, session: Section) -> Direction:
    """An m-line without one has the session's, and without that `sendrecv` (RFC 8866 §6.7)."""
    for section in (media, session):
        for (sends, receives), name in _DIRECTIONS.items():
            if section.has(name):
                return Direction(sends, receives)
    return Direction(True, True)


def read_rids(media: Media) -> tuple[Rid, ...]:
    """What the remote sends by rid, in the order of `a=simulcast`, at most MAX_RIDS. Raises ProtocolError.

    One rid needs no `a=simulcast`; several without it say nothing of their order, so they are not used.
    """
    declared = _declared_rids(media)
    simulcast = media.first("simulcast")
    if simulcast is None:
        return tuple(declared.values()) if len(declared) == 1 else ()
    names = dict.fromkeys(name for name in _simulcast_names(simulcast) if name in declared)
    return tuple(declared[name] for name in names)[:MAX_RIDS]


def write_received_rids(media: Media, payload_types: Sequence[str]) -> list[str]:
    """The answer to what `read_rids` gives: restrictions are repeated (RFC 8851 §6 lets an answer only tighten them),
    but a `pt` list keeps only what this m-line still has."""
    rids = read_rids(media)
    lines = [f"a=rid:{rid.name} recv{_kept_restrictions(rid, payload_types)}" for rid in rids]
    if rids and media.has("simulcast"):
        lines.append(f"a=simulcast:recv {';'.join(rid.name for rid in rids)}")
    return lines


def read_ssrcs(media: Media) -> tuple[SsrcGroup, ...]:
    """The one stream that an m-line without rids carries (RFC 8829 §5.2.1), if its SSRC is stated at all."""
    stated = [number(_words(one)[0], one.line, 0xFFFFFFFF) for one in media.every("ssrc")]
    repaired_by: dict[int, int] = {}
    secondary: set[int] = set()
    for one in media.every("ssrc-group"):
        semantics, *members = _words(one)
        ssrcs = [number(word, one.line, 0xFFFFFFFF) for word in members]
        if semantics.upper() in ("FID", "FEC-FR"):
            secondary.update(ssrcs[1:])
        if semantics.upper() == "FID" and len(ssrcs) == 2:
            repaired_by[ssrcs[0]] = ssrcs[1]
    primary = next((ssrc for ssrc in stated if ssrc not in secondary), None)
    return () if primary is None else (SsrcGroup(primary, repaired_by.get(primary)),)


def _declared_rids(media: Media) -> dict[str, Rid]:
    rids: dict[str, Rid] = {}
    for attribute in media.every("rid"):
        name, direction, restrictions = [*attribute.value.split(maxsplit=2), "", "", ""][:3]
        if direction not in ("send", "recv") or not _RID.fullmatch(name):
            raise malformed(attribute.line, "not `a=rid:<rid> send`")
        if name in rids:
            raise malformed(attribute.line, f"rid {name} comes twice")
        if direction == "send":
            rids[name] = Rid(name, restrictions)
    return rids


def _simulcast_names(simulcast: Attribute) -> list[str]:
    words = simulcast.value.split()
    directions, lists = words[::2], words[1::2]
    if sorted(directions) not in (["send"], ["recv"], ["recv", "send"]) or len(lists) != len(directions):
        raise malformed(simulcast.line, "not `a=simulcast:send <rid>;<rid>…`")
    streams = dict(zip(directions, lists, strict=True)).get("send", "")
    return [stream.split(",")[0].removeprefix("~") for stream in streams.split(";")]


def _kept_restrictions(rid: Rid, payload_types: Iterable[str]) -> str:
    kept = []
    for restriction in filter(None, rid.restrictions.split(";")):
        key, _, value = restriction.partition("=")
        if key == "pt":
            value = ",".join(one for one in value.split(",") if one in payload_types)
            restriction = f"pt={value}" if value else ""
        if restriction:
            kept.append(restriction)
    return f" {';'.join(kept)}" if kept else ""


def _words(attribute: Attribute) -> list[str]:
    words = attribute.value.split()
    if not words:
        raise malformed(attribute.line, f"a={attribute.name} says nothing")
    return words
