"""Whether a media playlist is one: rules of RFC 8216 and its successor (draft-pantos-hls-rfc8216bis), by table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DECIMAL = r"\d+(?:\.\d+)?"
_URI = r'URI="[^"\r\n]+"'
TAGS: dict[str, str] = {
    "#EXTM3U": r"",
    "#EXT-X-VERSION": r":(?:9|1\d)",  # 9: EXT-X-PART and what belongs to it
    "#EXT-X-INDEPENDENT-SEGMENTS": r"",
    "#EXT-X-TARGETDURATION": r":\d+",
    "#EXT-X-SERVER-CONTROL": rf":(?:CAN-BLOCK-RELOAD=YES,)?PART-HOLD-BACK={_DECIMAL},HOLD-BACK={_DECIMAL}",
    "#EXT-X-PART-INF": rf":PART-TARGET={_DECIMAL}",
    "#EXT-X-MEDIA-SEQUENCE": r":\d+",
    "#EXT-X-DISCONTINUITY-SEQUENCE": r":\d+",
    "#EXT-X-DISCONTINUITY": r"",
    "#EXT-X-MAP": rf":{_URI}",
    "#EXT-X-PROGRAM-DATE-TIME": r":\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00",
    "#EXT-X-PART": rf":DURATION={_DECIMAL},{_URI}(?:,INDEPENDENT=YES)?",
    "#EXTINF": rf":{_DECIMAL},",
    "#EXT-X-PRELOAD-HINT": rf":TYPE=PART,{_URI}",
    "#EXT-X-ENDLIST": r"",
}
_ONCE = ("TARGETDURATION", "SERVER-CONTROL", "PART-INF", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "VERSION")


@dataclass
class Listed:
    number: int
    duration_s: float = 0.0
    uri: str = ""
    map_uri: str = ""
    parts: list[tuple[str, float]] = field(default_factory=list)
    first_is_independent: bool = False
    discontinuous: bool = False
    dated: bool = False


@dataclass
class Playlist:
    lines: list[str]
    segments: list[Listed] = field(default_factory=list)
    hint: str = ""
    ended: bool = False

    def number(self, tag: str, attribute: str = "") -> float:
        pattern = re.compile(rf"#EXT-X-{tag}:(?:.*{attribute}=)?([\d.]+)" if attribute else rf"#EXT-X-{tag}:([\d.]+)")
        found = [match[1] for line in self.lines if (match := pattern.match(line))]
        return float(found[0]) if found else 0.0


def read(text: str) -> Playlist:
    """Asserts each line's form, and where it stands."""
    assert text.endswith("\n")
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    found = Playlist(lines)
    growing = Listed(int(found.number("MEDIA-SEQUENCE")))
    map_uri = ""
    for line in lines:
        if not line.startswith("#"):
            assert growing.duration_s, f"no EXTINF before {line}"
            growing.uri, growing.map_uri = line, map_uri
            found.segments.append(growing)
            growing = Listed(growing.number + 1)
            continue
        tag = line.split(":", 1)[0]
        assert tag in TAGS and re.fullmatch(TAGS[tag], line[len(tag) :]), line
        assert not found.ended and not found.hint, f"{line} after the end"
        if tag == "#EXT-X-MAP":
            map_uri = line.split('"')[1]
        elif tag == "#EXTINF":
            growing.duration_s = float(line[8:-1])
        elif tag == "#EXT-X-DISCONTINUITY":
            growing.discontinuous = True
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            growing.dated = True
        elif tag == "#EXT-X-PART":
            if not growing.parts:
                growing.first_is_independent = "INDEPENDENT=YES" in line
            growing.parts.append((line.split('"')[1], float(line.split("DURATION=")[1].split(",")[0])))
        elif tag == "#EXT-X-PRELOAD-HINT":
            found.hint = line.split('"')[1]
        elif tag == "#EXT-X-ENDLIST":
            found.ended = True
    if growing.parts:
        growing.map_uri = map_uri
        found.segments.append(growing)
    for name in _ONCE:
        assert sum(line.startswith(f"#EXT-X-{name}:") for line in lines) <= 1, name
    _check_values(found)
    return found


def _check_values(found: Playlist) -> None:
    target_s, part_s = found.number("TARGETDURATION"), found.number("PART-INF", "PART-TARGET")
    assert found.number("SERVER-CONTROL", "PART-HOLD-BACK") >= 2 * part_s > 0  # §4.4.3.8
    assert found.number("SERVER-CONTROL", "HOLD-BACK") >= 3 * target_s
    edge_s = 0.0
    for segment in reversed(found.segments):
        assert segment.map_uri and segment.dated
        assert round(segment.duration_s) <= target_s  # §4.4.3.1
        assert segment.first_is_independent or not segment.parts  # EXT-X-INDEPENDENT-SEGMENTS
        assert all(duration_s <= part_s for _, duration_s in segment.parts)
        assert all(duration_s >= 0.85 * part_s for _, duration_s in segment.parts[:-1])  # §4.4.4.9
        if segment.parts and segment.uri:
            assert abs(sum(duration_s for _, duration_s in segment.parts) - segment.duration_s) < 0.001
        assert segment.parts or edge_s > 3 * target_s - 0.001  # §6.2.2: parts for three targets from the edge at least
        edge_s += sum(duration_s for _, duration_s in segment.parts) or segment.duration_s


def follows(later: Playlist, earlier: Playlist) -> None:
    """Asserts that a playlist is what became of an earlier one: §6.2.1, 6.2.2."""
    assert not earlier.ended
    assert later.number("TARGETDURATION") == earlier.number("TARGETDURATION")
    assert later.number("PART-INF", "PART-TARGET") == earlier.number("PART-INF", "PART-TARGET")
    gone = [one for one in earlier.segments if one.number < later.segments[0].number]
    assert later.segments[0].number - earlier.segments[0].number == len(gone)
    discontinuities = sum(one.discontinuous for one in gone)
    assert later.number("DISCONTINUITY-SEQUENCE") - earlier.number("DISCONTINUITY-SEQUENCE") == discontinuities
    now = {one.number: one for one in later.segments}
    for one in earlier.segments[len(gone) :]:
        same = now[one.number]
        assert (same.map_uri, same.discontinuous) == (one.map_uri, one.discontinuous)
        assert not one.uri or (same.uri, same.duration_s) == (one.uri, one.duration_s)
        assert not same.parts or same.parts[: len(one.parts)] == one.parts
