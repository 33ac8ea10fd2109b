"""Session descriptions (RFC 8866): text into sections of attributes. What the attributes mean is read elsewhere.

A description is one session section followed by media sections, one per m-line. Lines that WebRTC does not use
(`b=`, `c=`, `i=`, …) are skipped. Everything that leaves here is bounded in size and free of control characters; line
numbers stay attached, so that an error can name its line. Only ProtocolError is raised, with `sdp_malformed` or
`sdp_unsupported`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from signaling.errors import ProtocolError

# A description travels in one message of at most 320 KiB. Chromium writes 4 000 characters per simulcast m-line.
MAX_CHARACTERS: Final = 250_000
# The longest lines in practice are H.264 parameter sets and the mids of a large group, some hundred characters.
MAX_LINE_CHARACTERS: Final = 4_000
# Camera and microphone of a hundred others, and some to spare. Ours take 1 000 characters each, so more do not fit.
MAX_MEDIA: Final = 256
# Browsers write a dozen. Every m-line looks here for what it does not say itself, so the two multiply.
MAX_SESSION_LINES: Final = 256

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+")
_LINE = re.compile(r"[a-z]=[^\x00-\x08\x0a-\x1f\x7f]*")  # no control characters but tabs
_DIGITS = re.compile(r"[0-9]{1,10}")
_MEDIA_WORDS = 4  # kind, port, protocol, and one format at least


class Attribute(NamedTuple):
    name: str
    value: str  # empty for a flag such as `a=rtcp-mux`
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """The attributes of the session or of one m-line, in order. `line` is where it begins, counted from 1."""

    line: int
    attributes: tuple[Attribute, ...]

    def every(self, name: str) -> list[Attribute]:
        return [attribute for attribute in self.attributes if attribute.name == name]

    def first(self, name: str) -> Attribute | None:
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    def has(self, name: str) -> bool:
        return self.first(name) is not None


@dataclass(frozen=True, slots=True)
class Media(Section):
    """`m=<kind> <port> <protocol> <formats>`"""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Description:
    session: Section
    media: tuple[Media, ...]


def parse(text: str) -> Description:
    """Raises ProtocolError when the text is too large, not SDP, or has no m-line."""
    lines = _split(text)
    if not lines or lines[0] != "v=0":
        raise malformed(1, "a description begins with v=0")
    description = _read(lines)
    if not description.media:
        raise malformed(len(lines), "there is no m-line")
    return description


def parse_fragment(text: str) -> Description:
    """What trickle ICE sends (RFC 8840 §9): attributes, perhaps under m-lines, and no `v=0`. Raises ProtocolError."""
    return _read(_split(text))


def write(lines: Iterable[str]) -> str:
    """Lines into a description, each with its line end."""
    return "".join(f"{line}\r\n" for line in lines)


def malformed(line: int, why: str) -> ProtocolError:
    return ProtocolError("sdp_malformed", f"line {line}: {why}")


def unsupported(line: int, why: str) -> ProtocolError:
    return ProtocolError("sdp_unsupported", f"line {line}: {why}")


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def number(text: str, line: int, highest: int) -> int:
    """A decimal number from 0 to `highest`; plain ASCII digits only, unlike `int`."""
    if not _DIGITS.fullmatch(text) or int(text) > highest:
        raise malformed(line, f"{text[:20]!r} is not a number up to {highest}")
    return int(text)


def _read(lines: list[str]) -> Description:
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    if len(starts) > MAX_MEDIA:
        raise unsupported(starts[MAX_MEDIA] + 1, f"more than {MAX_MEDIA} m-lines")
    ends = [*starts, len(lines)]
    if ends[0] > MAX_SESSION_LINES:
        raise unsupported(MAX_SESSION_LINES + 1, f"more than {MAX_SESSION_LINES} lines before the first m-line")
    session = Section(1, _attributes(lines, 0, ends[0]))
    return Description(session, tuple(_media(lines, start, end) for start, end in zip(starts, ends[1:], strict=True)))


def _split(text: str) -> list[str]:
    if len(text) > MAX_CHARACTERS:
        raise ProtocolError("sdp_unsupported", f"{len(text)} characters are more than {MAX_CHARACTERS}")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    for index, line in enumerate(lines):
        if len(line) > MAX_LINE_CHARACTERS:
            raise unsupported(index + 1, f"longer than {MAX_LINE_CHARACTERS} characters")
        # Not ASCII only in names of sessions and media, which nobody reads.
        if not _LINE.fullmatch(line) or not (line.isascii() or line[0] in "si"):
            raise malformed(index + 1, "not a line of SDP")
    return lines


def _attributes(lines: list[str], start: int, end: int) -> tuple[Attribute, ...]:
    attributes = []
    for index in range(start, end):
        if lines[index].startswith("a="):
            name, _, value = lines[index][2:].partition(":")
            attributes.append(Attribute(name, value.strip(), index + 1))
    return tuple(attributes)


def _media(lines: list[str], start: int, end: int) -> Media:
    line = start + 1
    words = lines[start][2:].split()
    if len(words) < _MEDIA_WORDS:
        raise malformed(line, "an m-line has a kind, a port, a protocol and formats")
    kind, port, protocol, *formats = words
    if not is_token(kind) or not all(map(is_token, protocol.split("/"))) or not all(map(is_token, formats)):
        raise malformed(line, "an m-line is made of tokens")
    return Media(
        line=line,
        attributes=_attributes(lines, start + 1, end),
        kind=kind,
        port=number(port, line, 65535),
        protocol=protocol,
        formats=tuple(formats),
    )
