"""A live composite's files, such that any web server or CDN can serve them.

    live.m3u8       the playlist: a sliding window, without promises that only a server of ours keeps
    window.json     the same for programs: who serves it with blocking reloads, who goes on with it after a kill
    init-1.mp4      how the MP4 of a run begins
    12.m4s 12.0.m4s segments, and their parts

What a playlist names is there before it, and stays a while after it. Raises OSError when the disk fails.
"""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from pathlib import Path

from recorder.live import playlist
from recorder.live.config import LiveConfig
from recorder.live.playlist import Part, Segment, Window
from recorder.live.stream import Piece

logger = logging.getLogger(__name__)

PLAYLIST = "live.m3u8"
WINDOW = "window.json"


class LiveDirectory:
    """`began_unix_s`: the session's time 0. What an earlier run has left is gone on with, behind a discontinuity."""

    def __init__(
        self, path: Path, config: LiveConfig, *, began_unix_s: float, part_s: float, parts_per_segment: int
    ) -> None:
        self.path = path
        self._config = config
        self._began_unix_s = began_unix_s
        self._parts_per_segment = parts_per_segment
        self._going: deque[tuple[float, list[str]]] = deque()  # (from when on, files) that are to be deleted
        path.mkdir(parents=True, exist_ok=True)
        target_s = math.ceil(parts_per_segment * part_s)
        self.window = _kept(path) or Window(target_s, part_s)
        _tidy(path, self.window)
        # What was said once may not become less.
        self.window.target_s = max(self.window.target_s, target_s)
        self.window.part_target_s = max(self.window.part_target_s, part_s)
        self.window.runs += 1

    def add(self, piece: Piece) -> None:
        window = self.window
        if piece.beginning:
            _write(self.path, self._map_uri, piece.beginning)
        if piece.beginning or piece.begins_segment:
            _close_segment(self.path, window)
        last = window.segments[-1] if window.segments else None
        if last is None or last.uri:
            discontinuous = bool(piece.beginning) and last is not None
            last = Segment(
                window.next_number, self._map_uri, self._began_unix_s + piece.begin_s, discontinuous=discontinuous
            )
            window.segments.append(last)
        uri = playlist.part_uri(last.number, len(last.parts))
        _write(self.path, uri, piece.content)
        last.parts.append(Part(uri, piece.duration_s, piece.begins_segment))
        window.dropped_pictures += piece.dropped_pictures
        window.skipped_s += piece.skipped_s
        if len(last.parts) == self._parts_per_segment:
            _close_segment(self.path, window)
        self._slide(piece.begin_s)
        _publish(self.path, window)

    def end(self) -> None:
        _end(self.path, self.window)

    @property
    def _map_uri(self) -> str:
        return f"init-{self.window.runs}.mp4"

    def _slide(self, now: float) -> None:
        window = self.window
        gone: list[str] = []
        length_s = sum(segment.duration_s for segment in window.segments)
        while length_s - window.segments[0].duration_s >= self._config.window_s:
            first = window.segments.pop(0)
            length_s -= first.duration_s
            window.discontinuities += first.discontinuous
            gone += [first.uri, *(part.uri for part in first.parts)]
            if all(segment.map_uri != first.map_uri for segment in window.segments):
                gone.append(first.map_uri)
        if gone:
            self._going.append((now + self._config.kept_s, gone))
        while self._going and self._going[0][0] <= now:
            for name in self._going.popleft()[1]:
                (self.path / name).unlink(missing_ok=True)


def end_left_behind(path: Path) -> None:
    """Of one whose composer was killed: players are told that nothing more comes."""
    window = _kept(path)
    if window is not None and not window.ended:
        _end(path, window)


def _end(path: Path, window: Window) -> None:
    _close_segment(path, window)
    window.ended = True
    _publish(path, window)


def _close_segment(path: Path, window: Window) -> None:
    """What has been promised in parts is kept as a whole, though it may be shorter than others."""
    last = window.segments[-1] if window.segments else None
    if last is not None and not last.uri:
        uri = playlist.segment_uri(last.number)
        _write(path, uri, b"".join((path / part.uri).read_bytes() for part in last.parts))
        last.uri = uri


def _publish(path: Path, window: Window) -> None:
    _write(path, WINDOW, playlist.encode(window))
    if window.has_whole_segment:
        _write(path, PLAYLIST, playlist.render(window, blocking=False).encode())


def _write(path: Path, name: str, content: bytes) -> None:
    """Whole or not at all for who reads. Not synced: after a power cut nobody watches what was live before it."""
    partial = path / f".{name}.partial"
    partial.write_bytes(content)
    os.replace(partial, path / name)


def _kept(path: Path) -> Window | None:
    try:
        return playlist.decode((path / WINDOW).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        logger.warning("%s cannot be gone on with: %s", path / WINDOW, error)
        return None


def _tidy(path: Path, window: Window) -> None:
    """What a kill has left, and what would have been deleted later."""
    named = {WINDOW, PLAYLIST}
    for segment in window.segments:
        named |= {segment.map_uri, segment.uri, *(part.uri for part in segment.parts)}
    for file in path.iterdir():
        if file.name not in named:
            file.unlink()
