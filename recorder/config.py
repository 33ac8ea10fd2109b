"""Limits and intervals of a recording, each with its reason. Nothing is read from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Sync(StrEnum):
    """When the kernel is told to bring the journal to the disk. A crash of the recorder loses nothing that was flushed,
    whichever it is; a crash of the machine loses what was not synced."""

    NEVER = "never"  # the kernel's own time, some 30 s
    INTERVAL = "interval"
    ALWAYS = "always"  # after each flush


@dataclass(frozen=True, slots=True)
class JournalConfig:
    sync: Sync = Sync.INTERVAL
    sync_interval_s: float = 1.0  # what a power cut may cost. Lower: more waiting of a disk that others use as well
    flush_interval_s: float = 0.25  # what a crash of the recorder may cost. Lower: more system calls per packet
    flush_bytes: int = 1 << 18  # a second of twenty cameras; a flush then comes before its time
    segment_bytes: int = 64 << 20  # some five minutes of a room of two: a damaged segment costs no more than that
    segment_s: float = 600.0  # so that a quiet room's segments are uploaded and checked in good time, too
    early_packets: int = 4096  # of tracks that nobody has told of yet: the first key frames of fifty cameras. Some 5 MB
    held_bytes: int = 8 << 20  # while the disk refuses: some ten seconds of one room. Beyond, records are lost, counted
    retry_after_s: float = 1.0  # a full disk is tried again. Lower: no use, somebody must delete something
    slow_after_s: float = 0.5  # a flush that took longer is told as a slow disk: the sink's queue holds about as much


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """From packets to frames at session times."""

    reorder_wait_s: float = 1.0  # a lost packet may still come by retransmission: publishers' histories are that long
    reorder_packets: int = 2048  # a second of the fastest video, behind one hole
    frame_bytes: int = 4 << 20  # a picture larger than this is an attack or a mistake: 4K key frames stay below
    clock_wait_s: float = 6.0  # frames wait for the first sender report, which says when they were captured: RFC 3550's
    # 5 s, and its way. Without one their arrivals must do
    held_frames: int = 1500  # while waiting for it: 25 s of 60 fps; then the wait is over
    sequence_jump: int = 10_000  # no network reorders so far: the sender has begun anew
    layer_silent_s: float = 1.0  # then a smaller layer that flows is taken instead
    settled_after_s: float = (
        3.0  # what has not come by then counts as silence: the longest wait for a hole, and a queue
    )
    longest_frame_gap_s: float = 1.0  # between pictures; more is a gap worth marking

    # Against journals made to hurt, and rooms beyond reason
    longest_s: float = 48 * 3600.0  # of a recording. Files are filled up to the latest entry, however late it claims
    tracks: int = 4096  # ever, in one recording
    layers_per_track: int = 8  # browsers send three
    intervals_per_track: int = 10_000  # in the manifest, of each kind; then it says that there were more


class Mode(StrEnum):
    """How files are made. `copy` costs hardly more than reading, and keeps the publisher's pictures as they are, layer
    switches and all; `decode` gives every file one size, codec and steady quality, for a share of a core each."""

    DECODE = "decode"
    COPY = "copy"
    AUDIO = "audio"  # sound only, one stem per participant


# Where none is asked for.
DEFAULT_CONTAINER: Final = {Mode.DECODE: "mp4", Mode.COPY: "mp4", Mode.AUDIO: "flac"}


@dataclass(frozen=True, slots=True)
class FilesConfig:
    mode: Mode = Mode.DECODE
    container: str = "mp4"  # decode: mp4 (H.264, AAC), mkv (H.264, Opus) or webm (VP8, Opus); audio: wav, flac or ogg;
    # copy chooses itself
    camera_size: tuple[int, int] = (1280, 720)  # decode: pictures of any size are fitted in
    screen_size: tuple[int, int] = (1920, 1080)
    key_frame_interval_s: float = 2.0  # where a player can jump to, and what a kill -9 costs the file (not the journal)
    hold_s: float = 2.0  # of silence of a video track, its last picture stays; then a slate says that there is none
    repeat_s: float = 1.0  # a picture that stays is written again: players show the moment they jump to
    x264_preset: str = "superfast"  # a third of the time of `medium`, for a third more bytes
    quality: int = 23  # x264's constant rate factor
    vp8_bps: int = 1_500_000  # of webm at camera_size
    audio_bps: int = 96_000  # stereo
    turns_per_file: int = (
        10_000  # copy, in the manifest: how pictures are to be turned; more is no hand that holds a phone
    )
