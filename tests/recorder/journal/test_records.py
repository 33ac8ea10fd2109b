"""Entries survive bytes, in any chunks; damage costs what it hits; nothing that a file can hold raises or hangs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.journal import events
from recorder.journal.errors import MalformedJournal
from recorder.journal.events import AnyEvent, FramesDropped, ParticipantJoined, PayloadFormat, TrackMuted, TrackStarted
from recorder.journal.records import (
    HEADER_BYTES,
    MARKER,
    MOST_BODY_BYTES,
    SEGMENT_HEADER,
    Damage,
    Entry,
    EntryKind,
    EntrySplitter,
    Event,
    Packet,
    SenderReport,
    pack,
    pack_entry,
)
from sfu.wire.tap import SenderClock

I64 = st.integers(-(1 << 63), (1 << 63) - 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
EVENTS: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(TrackMuted, st.booleans()),
    st.builds(FramesDropped, st.integers(0, 1 << 32)),
    st.builds(ParticipantJoined, st.text(max_size=20), st.text(max_size=20)),
)
ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Packet, I64, st.integers(0, 255), st.booleans(), I64, TIMES, st.binary(max_size=200)),
    st.builds(
        SenderReport,
        I64,
        st.integers(0, 255),
        TIMES,
        st.builds(SenderClock, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1), st.integers(0, 7)),
    ),
    st.builds(Event, I64, TIMES, EVENTS),
)


def packet(number: int, size: int = 50) -> Packet:
    return Packet(7, 1, False, number, number / 50, bytes((number % 251,)) * size)


def segment(entries: list[Entry]) -> bytes:
    return SEGMENT_HEADER + b"".join(map(pack_entry, entries))


def split(content: bytes, chunk_bytes: int = 1 << 20) -> list[Entry | Damage]:
    splitter = EntrySplitter()
    found: list[Entry | Damage] = []
    for begin in range(0, len(content), chunk_bytes):
        found += splitter.feed(content[begin : begin + chunk_bytes])
    return found + splitter.finish()


@given(st.lists(ENTRIES, max_size=8), st.integers(1, 300))
def test_entries_come_back_as_they_were_in_chunks_of_any_size(entries: list[Entry], chunk_bytes: int) -> None:
    assert split(segment(entries), chunk_bytes) == entries


@given(st.lists(ENTRIES, min_size=1, max_size=6), st.data())
def test_a_segment_cut_anywhere_yields_every_entry_before_the_cut(entries: list[Entry], data: st.DataObject) -> None:
    content = segment(entries)
    cut = data.draw(st.integers(0, len(content)))
    found = split(content[:cut])
    ends = [len(segment(entries[: count + 1])) for count in range(len(entries))]
    whole = sum(end <= cut for end in ends)
    assert [one for one in found if not isinstance(one, Damage)] == entries[:whole]
    intact_until = ends[whole - 1] if whole else len(SEGMENT_HEADER)
    torn = Damage(intact_until, cut - intact_until) if cut >= len(SEGMENT_HEADER) else Damage(0, cut)
    assert [one for one in found if isinstance(one, Damage)] == ([torn] if torn.length else [])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of the body": lambda entry: entry[:-1] + bytes((entry[-1] ^ 1,)),
    "the marker": lambda entry: b"\0" + entry[1:],
    "a length far too large": lambda entry: entry[:8] + b"\xff\xff\xff\xff" + entry[12:],
    "a length that reaches into the next": lambda entry: entry[:8] + (len(entry)).to_bytes(4, "little") + entry[12:],
    "zeros, as after a lost page": lambda entry: bytes(len(entry)),
    "half of it missing": lambda entry: entry[: len(entry) // 2],
    "a marker within": lambda entry: entry[:20] + MARKER + entry[24:],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("chunk_bytes", [1, 37, 1 << 20])
def test_damage_costs_the_entry_it_hits_and_no_other(damage: str, chunk_bytes: int) -> None:
    parts = [pack_entry(packet(number)) for number in range(5)]
    parts[2] = DAMAGES[damage](parts[2])
    found = split(SEGMENT_HEADER + b"".join(parts), chunk_bytes)
    offset = len(SEGMENT_HEADER) + 2 * len(parts[0])
    assert found == [packet(0), packet(1), Damage(offset, len(parts[2])), packet(3), packet(4)]


def test_a_damaged_header_costs_no_entry_but_another_version_is_left_alone() -> None:
    content = segment([packet(0), packet(1)])
    assert split(b"XX" + content[2:]) == [Damage(0, len(SEGMENT_HEADER)), packet(0), packet(1)]
    with pytest.raises(MalformedJournal, match="version 2"):
        split(SEGMENT_HEADER[:-1] + b"\x02" + content[8:])


def test_what_later_versions_may_add_is_skipped() -> None:
    later = [
        pack(9, 0, False, 1, 0, 1.0, b"of another kind"),  # type: ignore[arg-type]
        pack(EntryKind.EVENT, 0, False, 1, 0, 1.0, b'{"event":"moon_landed","x":[1]}'),
        pack(EntryKind.EVENT, 0, False, 1, 0, 1.0, b'{"event":"track_muted","muted":true,"by":"cat"}'),
    ]
    found = split(SEGMENT_HEADER + b"".join(later) + pack_entry(packet(1)))
    assert found == [Event(1, 1.0, TrackMuted(True)), packet(1)]


NO_EVENTS = [
    b"",
    b"null",
    b"[" * 60_000,
    b'{"event":"track_muted"}',
    b'{"event":"track_muted","muted":"yes"}',
    b'{"event":7}',
    b'{"event":"track_muted","muted":true}\xff',
    b'{"event":"epoch","recording":"","room":"","boot":"","monotonic_s":1e999,"unix_s":0}',
    events.encode(
        TrackStarted("t", "p", "video", "camera", "", tuple(PayloadFormat(1, "VP8", 90000) for _ in range(65)))
    ),
]


@pytest.mark.parametrize("body", NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_an_event_that_checks_but_means_nothing_is_damage(body: bytes) -> None:
    bad = pack(EntryKind.EVENT, 0, False, 1, 0, 1.0, body)
    assert split(SEGMENT_HEADER + bad + pack_entry(packet(1))) == [Damage(8, len(bad)), packet(1)]


@pytest.mark.parametrize("at_s", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_number_is_damage(at_s: float) -> None:
    bad = pack(EntryKind.PACKET, 0, False, 1, 0, at_s, b"x")
    assert split(SEGMENT_HEADER + bad) == [Damage(8, len(bad))]


def test_what_the_format_cannot_hold_is_refused_when_written() -> None:
    for wrong in (packet(1)._replace(track=1 << 63), packet(1)._replace(layer=256)):
        with pytest.raises(ValueError):
            pack_entry(wrong)
    with pytest.raises(ValueError, match="most"):
        pack_entry(packet(1, MOST_BODY_BYTES + 1))


def test_noise_and_broken_segments_never_raise_and_account_for_every_byte(seed: int) -> None:
    random = Random(seed)
    for _ in range(300):
        content = bytearray(segment([packet(number, random.randrange(90)) for number in range(12)]))
        for _ in range(random.randrange(1, 8)):
            position = random.randrange(len(content))
            match random.randrange(4):
                case 0:
                    content[position : position + random.randrange(60)] = random.randbytes(random.randrange(60))
                case 1:
                    del content[position : position + random.randrange(60)]
                case 2:
                    content[position:position] = MARKER + random.randbytes(random.randrange(50))
                case _:
                    content[position] ^= 1 << random.randrange(8)
        if content[:7] == SEGMENT_HEADER[:7]:
            content[7:8] = SEGMENT_HEADER[7:]
        at_once, in_pieces = split(bytes(content)), split(bytes(content), random.randrange(1, 100))
        assert at_once == in_pieces
        entries = sum(HEADER_BYTES + len(one.rtp) for one in at_once if isinstance(one, Packet))
        damaged = sum(one.length for one in at_once if isinstance(one, Damage))
        header = len(SEGMENT_HEADER) if content[:8] == SEGMENT_HEADER else 0
        assert header + entries + damaged == len(content)


def test_a_file_made_of_markers_is_given_up_soon() -> None:
    hostile = (MARKER + bytes(4) + (MOST_BODY_BYTES).to_bytes(4, "little") + bytes(4)) * 500_000  # 8 MB
    began = time.process_time()
    found = split(SEGMENT_HEADER + hostile)
    assert found == [Damage(8, len(hostile))]
    assert time.process_time() - began < 5  # a thousand checksums of 64 KB take 0.1 s; all of them, half a minute
