"""Limits and intervals of live composites, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveConfig:
    delay_s: float = 2.0  # behind the call: a lost packet may come for a second, the journal is flushed four times in
    # one, and what is composed waits for both. Lower: losses that were made good are not seen
    part_s: float = 0.4  # what players wait for at the live edge is about three of them. Lower: more requests and files
    segment_s: float = 2.0  # players join at their beginnings, with key frames. Lower: more bytes for the same picture
    window_s: float = 30.0  # that playlists have: who was away for so long goes on where he was
    kept_s: float = 60.0  # files stay so long after they left the playlist: who has just read it still gets them
    # (RFC 8216 §6.2.2: a segment's and a playlist's duration)
    thin_after_s: float = 1.0  # that composing is late: then a part has one picture instead of all
    skip_after_s: float = 6.0  # then what was missed is left out, with a discontinuity: the delay stays bounded
    poll_s: float = 0.1  # between looks at the journal. Lower: wake-ups for nothing, it grows four times a second
    held_bytes: int = 16 << 20  # of pictures of one track that were not needed yet; more are decoded before their time
    video_bps: int = 2_500_000  # at most, of 1280 x 720: players on narrow paths have no other rendition
    buffer_s: float = 2.0  # over which that is kept to: a segment
    x264_preset: str = "superfast"
    quality: int = 25  # x264's constant rate factor
    audio_bps: int = 96_000
