"""Entries ↔ bytes of a journal's segment; pure. JOURNAL.md has the layout.

Written in one go per entry; read by `EntrySplitter`, which takes chunks as they come and finds its way again behind
whatever is damaged.
"""

from __future__ import annotations

import math
import struct
from enum import IntEnum
from typing import Final, NamedTuple
from zlib import crc32

from recorder.journal import events
from recorder.journal.errors import MalformedJournal
from recorder.journal.events import AnyEvent
from sfu.wire import tap
from sfu.wire.errors import MalformedTapFrame
from sfu.wire.tap import SenderClock

__all__ = ["Damage", "Entry", "EntrySplitter", "Event", "MalformedJournal", "Packet", "SenderReport"]

VERSION: Final = 1
SEGMENT_HEADER: Final = b"SFUJRNL" + bytes((VERSION,))
MARKER: Final = b"\xf5\x4a\x0d\xe1"  # no UTF-8, and nothing that RTP packets begin with
MOST_BODY_BYTES: Final = 1 << 16  # the largest datagram
_LEAD = struct.Struct("<4sI")  # marker, checksum of all that follows
_HEAD = struct.Struct("<IBBBxqqd")  # length of the body, kind, layer, flags, track, sequence number, time
HEADER_BYTES: Final = _LEAD.size + _HEAD.size
_RECOVERED: Final = 1
# Markers that turn out to be none, per segment. Each may cost the checksum of a whole body, so that a file made of
# markers would take hours; in a real one, damaged in places, there are a handful.
_MOST_FALSE_MARKERS: Final = 1000


class EntryKind(IntEnum):
    PACKET = 1
    SENDER_REPORT = 2
    EVENT = 3


class Packet(NamedTuple):
    """An RTP packet as the plane delivered it (`sfu/wire/tap.py`). `at_s`: when it arrived."""

    track: int
    layer: int
    recovered: bool
    sequence_number: int
    at_s: float
    rtp: bytes


class SenderReport(NamedTuple):
    track: int
    layer: int
    at_s: float
    clock: SenderClock


class Event(NamedTuple):
    """`track` is 0 where it means nothing."""

    track: int
    at_s: float
    event: AnyEvent


Entry = Packet | SenderReport | Event


class Damage(NamedTuple):
    """`length` bytes at `offset` of the segment mean nothing."""

    offset: int
    length: int


def pack(
    kind: EntryKind, layer: int, recovered: bool, track: int, sequence_number: int, at_s: float, body: bytes
) -> bytes:
    """Raises ValueError for what the fields cannot hold."""
    if len(body) > MOST_BODY_BYTES:
        raise ValueError(f"a body of {len(body)} bytes, where {MOST_BODY_BYTES} are the most")
    try:
        head = _HEAD.pack(len(body), kind, layer, _RECOVERED if recovered else 0, track, sequence_number, at_s)
    except struct.error as error:
        raise ValueError(str(error)) from error
    return _LEAD.pack(MARKER, crc32(body, crc32(head))) + head + body


def pack_entry(entry: Entry) -> bytes:
    if isinstance(entry, Packet):
        track, layer, recovered, number, at_s, rtp = entry
        return pack(EntryKind.PACKET, layer, recovered, track, number, at_s, rtp)
    if isinstance(entry, SenderReport):
        body = tap.pack_clock(entry.clock)
        return pack(EntryKind.SENDER_REPORT, entry.layer, False, entry.track, 0, entry.at_s, body)
    return pack(EntryKind.EVENT, 0, False, entry.track, 0, entry.at_s, events.encode(entry.event))


class EntrySplitter:
    """One segment. `feed` and `finish` give what is complete: entries, and where something is damaged."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._offset = 0  # of `_rest` in the segment
        self._begun = False
        self._damaged_from: int | None = None
        self._false_markers = 0

    def feed(self, chunk: bytes) -> list[Entry | Damage]:
        """Raises MalformedJournal when the segment is of another version."""
        self._rest += chunk
        if not self._begun and not self._begin(final=False):
            return []
        return self._read(final=False)

    def finish(self) -> list[Entry | Damage]:
        """The segment ends here, perhaps within an entry."""
        self._begin(final=True)
        found = self._read(final=True)
        if self._rest:
            self._damage(0)
            self._drop(len(self._rest))
        return found + self._mended()

    def _begin(self, final: bool) -> bool:
        """A header that is damaged is skipped like anything else: what follows it is worth reading."""
        size = len(SEGMENT_HEADER)
        if self._begun or (len(self._rest) < size and not final):
            return self._begun
        self._begun = True
        head = bytes(self._rest[:size])
        if head == SEGMENT_HEADER:
            self._drop(size)
        elif head[:-1] == SEGMENT_HEADER[:-1]:
            raise MalformedJournal(f"version {head[-1]}, not {VERSION}")
        return True

    def _read(self, final: bool) -> list[Entry | Damage]:
        found: list[Entry | Damage] = []
        position, rest = 0, self._rest
        while len(rest) - position >= HEADER_BYTES:
            if self._false_markers >= _MOST_FALSE_MARKERS:
                self._damage(position)
                position = len(rest)
                break
            if rest[position : position + 4] != MARKER:
                self._damage(position)
                position = _next_marker(rest, position)
                continue
            end = _end(rest, position)
            if end is not None and end > len(rest) and not final:
                break
            entry = None if end is None or end > len(rest) else _parse(rest, position, end)
            if entry is None or end is None:
                self._damage(position)
                self._false_markers += 1
                position = _next_marker(rest, position + 1)
                continue
            if self._damaged_from is not None:
                found += self._mended(position)
            if not isinstance(entry, _Unknown):
                found.append(entry)
            position = end
        self._drop(position)
        return found

    def _damage(self, position: int) -> None:
        if self._damaged_from is None:
            self._damaged_from = self._offset + position

    def _mended(self, position: int = 0) -> list[Entry | Damage]:
        begin, self._damaged_from = self._damaged_from, None
        return [] if begin is None else [Damage(begin, self._offset + position - begin)]

    def _drop(self, count: int) -> None:
        del self._rest[:count]
        self._offset += count


class _Unknown:
    """An intact entry of a later version."""


_UNKNOWN = _Unknown()


def _next_marker(rest: bytearray, position: int) -> int:
    """The place of the next marker, or of the last bytes that may begin one."""
    found = rest.find(MARKER, position)
    return found if found >= 0 else max(position, len(rest) - len(MARKER) + 1)


def _end(rest: bytearray, position: int) -> int | None:
    length = int.from_bytes(rest[position + _LEAD.size : position + _LEAD.size + 4], "little")
    return None if length > MOST_BODY_BYTES else position + HEADER_BYTES + length


def _parse(rest: bytearray, position: int, end: int) -> Entry | _Unknown | None:
    """`None` when it is damaged, or checks but means nothing."""
    _, checksum = _LEAD.unpack_from(rest, position)
    with memoryview(rest) as view, view[position + _LEAD.size : end] as checked:
        if crc32(checked) != checksum:
            return None
        body = bytes(checked[_HEAD.size :])
    _, kind, layer, flags, track, number, at_s = _HEAD.unpack_from(rest, position + _LEAD.size)
    if not math.isfinite(at_s):
        return None
    if kind == EntryKind.PACKET:
        return Packet(track, layer, bool(flags & _RECOVERED), number, at_s, body)
    try:
        if kind == EntryKind.SENDER_REPORT:
            return SenderReport(track, layer, at_s, tap.parse_clock(body))
        if kind == EntryKind.EVENT:
            event = events.decode(body)
            return _UNKNOWN if event is None else Event(track, at_s, event)
    except (MalformedTapFrame, MalformedJournal):
        return None
    return _UNKNOWN
