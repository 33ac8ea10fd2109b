"""Media playlists with parts (RFC 8216bis §4.4, §6.2): what there is of a composite, and how that is written. Pure.

A `Window` is the segments that players may still ask for, and the parts of those at the live edge. Rendered `blocking`
it promises what a server has to keep: that it waits for what was asked for too early (§6.2.5).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

_PARTS_FOR_TARGETS = 3  # durations from the live edge: so long parts are listed (§6.2.2 wants three at least)
_HOLD_BACK_PARTS = 3  # part durations from the edge where players stay (§4.4.3.8 wants two at least, three are advised)
_HOLD_BACK_TARGETS = 3  # of those that know no parts
_MOST_AHEAD = 2  # segments after the last that may be waited for (§6.2.5.2)


class Part(Struct, frozen=True):
    uri: str
    duration_s: float
    independent: bool  # it begins with a key frame


class Segment(Struct):
    """`uri` is empty while it grows. `map_uri`: how its MP4 begins. `discontinuous`: another run than before."""

    number: int
    map_uri: str
    began_unix_s: float
    discontinuous: bool = False
    uri: str = ""
    parts: list[Part] = []

    @property
    def duration_s(self) -> float:
        return sum(part.duration_s for part in self.parts)


class Window(Struct):
    """In order; the last one may still grow. `dropped_pictures`, `skipped_s`: what the machine had no time for."""

    target_s: int
    part_target_s: float
    segments: list[Segment] = []
    discontinuities: int = 0  # of segments that have gone
    runs: int = 0  # how often somebody began to compose
    ended: bool = False
    dropped_pictures: int = 0
    skipped_s: float = 0.0

    @property
    def next_number(self) -> int:
        return self.segments[-1].number + 1 if self.segments else 0

    @property
    def has_whole_segment(self) -> bool:
        """Players that know no parts take a playlist without one for broken."""
        return bool(self.segments) and bool(self.segments[0].uri)

    @property
    def next_part_uri(self) -> str:
        last = self.segments[-1] if self.segments else None
        if last is None or last.uri:
            return part_uri(self.next_number, 0)
        return part_uri(last.number, len(last.parts))

    def has(self, number: int, part: int | None) -> bool:
        """Whether it has come: the whole segment, or this part of it (§6.2.5.2)."""
        if not self.segments or number < self.segments[0].number:
            return bool(self.segments)
        last = self.segments[-1]
        whole = last.number if last.uri else last.number - 1
        if part is None or number > last.number:
            return number <= whole
        segment = self.segments[number - self.segments[0].number]
        if part < len(segment.parts):
            return True
        return bool(segment.uri) and self.has(number + 1, 0)

    def is_too_far_ahead(self, number: int) -> bool:
        """Nobody waits for so long: who asks for it is mistaken."""
        return number > self.next_number - 1 + _MOST_AHEAD


def part_uri(number: int, part: int) -> str:
    return f"{number}.{part}.m4s"


def segment_uri(number: int) -> str:
    return f"{number}.m4s"


def encode(window: Window) -> bytes:
    return msgspec.json.encode(window)


def decode(content: bytes) -> Window:
    """Raises ValueError."""
    return msgspec.json.decode(content, type=Window)


def render(window: Window, *, blocking: bool) -> str:
    hold_back_s = _HOLD_BACK_PARTS * window.part_target_s
    control = f"PART-HOLD-BACK={hold_back_s:.3f},HOLD-BACK={_HOLD_BACK_TARGETS * window.target_s:.1f}"
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-TARGETDURATION:{window.target_s}",
        f"#EXT-X-SERVER-CONTROL:{'CAN-BLOCK-RELOAD=YES,' if blocking else ''}{control}",
        f"#EXT-X-PART-INF:PART-TARGET={window.part_target_s:.5f}",
        f"#EXT-X-MEDIA-SEQUENCE:{window.segments[0].number if window.segments else 0}",
    ]
    if window.discontinuities:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.discontinuities}")
    map_uri = ""
    for segment, with_parts in zip(window.segments, _with_parts(window), strict=True):
        if segment.discontinuous:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.map_uri != map_uri:
            map_uri = segment.map_uri
            lines.append(f'#EXT-X-MAP:URI="{map_uri}"')
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.began_unix_s)}")
        if with_parts:
            lines += [_part(part) for part in segment.parts]
        if segment.uri:
            lines += [f"#EXTINF:{segment.duration_s:.5f},", segment.uri]
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    elif blocking:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{window.next_part_uri}"')
    return "\n".join(lines) + "\n"


def _with_parts(window: Window) -> list[bool]:
    """Per segment: whether its parts are listed."""
    listed, after_s = [], 0.0
    for segment in reversed(window.segments):
        listed.append(not segment.uri or after_s < _PARTS_FOR_TARGETS * window.target_s)
        after_s += segment.duration_s
    return listed[::-1]


def _part(part: Part) -> str:
    independent = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={part.duration_s:.5f},URI="{part.uri}"{independent}'


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(math.floor(unix_s * 1000) / 1000, UTC).isoformat(timespec="milliseconds")
