"""RTP header extensions of a description (`a=extmap`, RFC 8285): which are taken, under which ids.

In one BUNDLE group an id means the same on every m-line (RFC 8843 §9), and the plane keeps one numbering per
Transport, so the numbering is gathered over the m-lines; a line that contradicts an earlier one does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sfu.core.types import Codec, Kind
from sfu.wire.extensions import URIS, ExtensionIds
from signaling.sdp import Description, Media, Section, malformed, number
from signaling.sdp_streams import Direction

# Taken from a publisher, in these kinds of m-line.
RECEIVED: Final[dict[Kind, tuple[str, ...]]] = {
    "audio": ("mid", "abs_capture_time", "abs_send_time", "transport_cc", "audio_level"),
    "video": (
        "mid",
        "rid",
        "repaired_rid",
        "abs_capture_time",
        "abs_send_time",
        "transport_cc",
        "video_orientation",
        "playout_delay",
    ),
}
# Written towards subscribers. A Slot has one fixed SSRC, so rids mean nothing there.
SENT: Final[dict[Kind, tuple[str, ...]]] = {
    "audio": ("mid", "abs_send_time", "transport_cc", "audio_level"),
    "video": ("mid", "abs_send_time", "transport_cc", "video_orientation", "playout_delay", "dependency_descriptor"),
}
# The dependency descriptor is asked of a publisher whose favourite is one of these: nothing else tells their layers.
# Not with VP8: once it is answered, Chromium leaves picture id, TL0PICIDX and temporal id out of the VP8 descriptor,
# and a subscriber cannot tell a lost frame that nothing depends on from one that it must wait for. Nor with VP9, whose
# own descriptor says as much, in the clear, and would be sent all the same.
DESCRIBED: Final = frozenset({Codec.H264, Codec.AV1})

_DESCRIPTOR: Final = "dependency_descriptor"
_NAMES: Final = {uri: name for name, uri in URIS.items()}
_DIRECTIONS: Final = {
    "": Direction(True, True),
    "/sendrecv": Direction(True, True),
    "/sendonly": Direction(True, False),
    "/recvonly": Direction(False, True),
    "/inactive": Direction(False, False),
}
_LAST_ONE_BYTE_ID = 14
_LAST_TWO_BYTE_ID = 255


@dataclass(frozen=True, slots=True)
class Extension:
    name: str  # a field of ExtensionIds
    number: int
    direction: Direction  # as the remote sees it
    qualified: bool  # the remote wrote a direction, so an answer writes one too


@dataclass(slots=True)
class Numbering:
    """Ids of one connection, gathered while its m-lines are read in order."""

    two_byte_allowed: bool = False  # `a=extmap-allow-mixed`
    _numbers: dict[str, int] = field(default_factory=dict)

    def take(self, media: Media, session: Section, names: Sequence[str]) -> tuple[Extension, ...]:
        """Those of `names` that the m-line has, under ids that contradict nothing. Raises ProtocolError."""
        taken: dict[str, Extension] = {}
        for one in _read(media, session):
            if one.name in names and one.name not in taken and self._agrees(one):
                taken[one.name] = one
        return tuple(taken.values())

    def _agrees(self, one: Extension) -> bool:
        if one.name == _DESCRIPTOR and not self.two_byte_allowed:
            return False  # that of a key frame is longer than the one-byte form can say
        if one.number == 15 or one.number > (_LAST_TWO_BYTE_ID if self.two_byte_allowed else _LAST_ONE_BYTE_ID):
            return False  # 15 ends a one-byte block; above 255 are proposals that need another number
        if one.name not in self._numbers and one.number in self._numbers.values():
            return False
        return self._numbers.setdefault(one.name, one.number) == one.number


def offered_names(kind: Kind, codecs: Sequence[Codec], direction: Direction) -> tuple[str, ...]:
    """What is taken of an m-line that the remote offers with these codecs, its favourite first."""
    # Whoever only receives cannot be led to send less; AV1 with spatial layers cannot be decoded without it.
    wanted = codecs[:1] and codecs[0] in DESCRIBED if direction.sends else Codec.AV1 in codecs
    return (*RECEIVED[kind], _DESCRIPTOR) if wanted else RECEIVED[kind]


def allows_mixed(description: Description) -> bool:
    """Whether the remote takes the two-byte form (RFC 8285 §4.1.2)."""
    return any(section.has("extmap-allow-mixed") for section in (description.session, *description.media))


def to_ids(extensions: Iterable[Extension]) -> ExtensionIds:
    return ExtensionIds(**{one.name: one.number for one in extensions})


def write_answered(extensions: Iterable[Extension], sent: Collection[str] = (), *, received: bool = True) -> list[str]:
    """`sent`: those that we put into packets of this line; `received`: we take some, too. `/sendonly` of the offer is
    `/recvonly` here."""
    lines = []
    for one in extensions:
        direction = Direction(one.name in sent and one.direction.receives, received and one.direction.sends)
        if any(direction):
            lines.append(f"a=extmap:{one.number}{f'/{direction}' if one.qualified else ''} {URIS[one.name]}")
    return lines


def write_offered(ids: ExtensionIds, kind: Kind) -> list[str]:
    numbers = {URIS[name]: getattr(ids, name) for name in SENT[kind]}
    return [f"a=extmap:{number} {uri}" for uri, number in numbers.items() if number]


def _read(media: Media, session: Section) -> Iterable[Extension]:
    """What we know by URI; an `a=extmap` of the session counts for every m-line (RFC 8285 §5)."""
    for attribute in (*session.every("extmap"), *media.every("extmap")):
        words = attribute.value.split()  # the third and further words are attributes such as `vad=on`
        if len(words) < 2:
            raise malformed(attribute.line, "not `a=extmap:<id> <uri>`")
        identifier, slash, qualifier = words[0].partition("/")
        value = number(identifier, attribute.line, 4351)  # RFC 8285 §4.1.4: 4096 … 4351 in offers
        direction = _DIRECTIONS.get(slash + qualifier)
        if direction is None or value == 0:
            raise malformed(attribute.line, "not `a=extmap:<id>[/<direction>] <uri>`")
        if words[1] in _NAMES:
            yield Extension(_NAMES[words[1]], value, direction, bool(slash))
