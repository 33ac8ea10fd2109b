"""Fragmented MP4 (ISO/IEC 14496-12, -14, -15): how it begins, and fragments of one H.264 and one AAC track. Pure.

FFmpeg's muxer decides itself where fragments end; parts of a playlist have to end at times that were promised.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

VIDEO_TRACK: Final = 1
AUDIO_TRACK: Final = 2
VIDEO_TIMESCALE: Final = 90_000
AUDIO_TIMESCALE: Final = 48_000

_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC: Final = 0x02000000  # depends on no other
_NOT_SYNC: Final = 0x01010000
_UNDETERMINED: Final = 0x55C4  # the language, packed


class Sample(NamedTuple):
    """`duration`: in the track's timescale. `content`: an AAC frame, or NAL units with their lengths in front."""

    duration: int
    is_sync: bool
    content: bytes


class Run(NamedTuple):
    """Samples of one track that follow each other, the first decoded at `decode_time` of its timescale."""

    track: int
    decode_time: int
    samples: Sequence[Sample]


def beginning(size: tuple[int, int], parameter_sets: tuple[bytes, bytes], audio_config: bytes) -> bytes:
    """What players read before any fragment. `parameter_sets`: SPS and PPS without start codes; `audio_config`: an
    AudioSpecificConfig."""
    video = _track(
        VIDEO_TRACK, VIDEO_TIMESCALE, b"vide", size, _full(b"vmhd", 1, bytes(8)), _avc1(size, parameter_sets)
    )
    audio = _track(AUDIO_TRACK, AUDIO_TIMESCALE, b"soun", (0, 0), _full(b"smhd", 0, bytes(4)), _mp4a(audio_config))
    header = struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100) + _MATRIX + bytes(24) + struct.pack(">I", 3)
    extends = b"".join(
        _full(b"trex", 0, struct.pack(">IIIII", track, 1, 0, 0, 0)) for track in (VIDEO_TRACK, AUDIO_TRACK)
    )
    brands = _box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"mp41")
    return brands + _box(b"moov", _full(b"mvhd", 0, header), video, audio, _box(b"mvex", extends))


def fragment(number: int, runs: Sequence[Run]) -> bytes:
    """`number` grows from fragment to fragment. Runs without samples are left out."""
    runs = [run for run in runs if run.samples]
    data = b"".join(sample.content for run in runs for sample in run.samples)
    header_bytes = len(_moof(number, runs, 0))
    return _moof(number, runs, header_bytes + 8) + _box(b"mdat", data)


def with_lengths(units: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def _moof(number: int, runs: Sequence[Run], data_offset: int) -> bytes:
    tracks = []
    for run in runs:
        tracks.append(_traf(run, data_offset))
        data_offset += sum(len(sample.content) for sample in run.samples)
    return _box(b"moof", _full(b"mfhd", 0, struct.pack(">I", number)), *tracks)


def _traf(run: Run, data_offset: int) -> bytes:
    entries = b"".join(
        struct.pack(">III", sample.duration, len(sample.content), _SYNC if sample.is_sync else _NOT_SYNC)
        for sample in run.samples
    )
    return _box(
        b"traf",
        _full(b"tfhd", 0x020000, struct.pack(">I", run.track)),  # offsets count from the moof
        _full(b"tfdt", 0, struct.pack(">Q", run.decode_time), version=1),
        _full(b"trun", 0x000701, struct.pack(">Ii", len(run.samples), data_offset), entries),
    )


def _track(track: int, timescale: int, kind: bytes, size: tuple[int, int], media_header: bytes, entry: bytes) -> bytes:
    volume = 0x100 if kind == b"soun" else 0
    header = struct.pack(">IIII4x8xHHH2x", 0, 0, track, 0, 0, 0, volume)
    header += _MATRIX + struct.pack(">II", size[0] << 16, size[1] << 16)
    table = _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        *(_full(name, 0, bytes(4)) for name in (b"stts", b"stsc")),
        _full(b"stsz", 0, bytes(8)),
        _full(b"stco", 0, bytes(4)),
    )
    here = _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, _UNDETERMINED, 0)),
        _full(b"hdlr", 0, struct.pack(">I4s12x", 0, kind), b"\x00"),
        _box(b"minf", media_header, here, table),
    )
    return _box(b"trak", _full(b"tkhd", 3, header), media)


def _avc1(size: tuple[int, int], parameter_sets: tuple[bytes, bytes]) -> bytes:
    sps, pps = parameter_sets
    config = b"\x01" + sps[1:4] + b"\xff\xe1" + struct.pack(">H", len(sps)) + sps
    config += b"\x01" + struct.pack(">H", len(pps)) + pps
    entry = struct.pack(">6xH16xHHIIIH32xHh", 1, *size, 0x480000, 0x480000, 0, 1, 0x18, -1)
    return _box(b"avc1", entry, _box(b"avcC", config))


def _mp4a(audio_config: bytes) -> bytes:
    def descriptor(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    decoder = b"\x40\x15" + bytes(11) + descriptor(5, audio_config)  # MPEG-4 audio, an audio stream
    elementary = struct.pack(">HB", 0, 0) + descriptor(4, decoder) + descriptor(6, b"\x02")
    entry = struct.pack(">6xH8xHHHHI", 1, 2, 16, 0, 0, AUDIO_TIMESCALE << 16)
    return _box(b"mp4a", entry, _full(b"esds", 0, descriptor(3, elementary)))


def _box(kind: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return struct.pack(">I4s", 8 + len(joined), kind) + joined


def _full(kind: bytes, flags: int, *content: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)
