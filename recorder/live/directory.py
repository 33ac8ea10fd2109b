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
        self.window = self._found(Window(math.ceil(parts_per_segment * part_s), part_s))
        self.window.runs += 1

    def add(self, piece: Piece) -> None:
        window = self.window
        if piece.beginning:
            self._close_segment()
            self._write(self._map_uri, piece.beginning)
        elif piece.begins_segment:
            self._close_segment()
        last = window.segments[-1] if window.segments else None
        if last is None or last.uri:
            discontinuous = bool(piece.beginning) and last is not None
            last = Segment(
                window.next_number, self._map_uri, self._began_unix_s + piece.begin_s, discontinuous=discontinuous
            )
            window.segments.append(last)
        uri = playlist.part_uri(last.number, len(last.parts))
        self._write(uri, piece.content)
        last.parts.append(Part(uri, piece.duration_s, piece.begins_segment))
        window.dropped_pictures += piece.dropped_pictures
        window.skipped_s += piece.skipped_s
        if len(last.parts) == self._parts_per_segment:
            self._close_segment()
        self._slide(piece.begin_s)
        self._publish()

    def end(self) -> None:
        self._close_segment()
        self.window.ended = True
        self._publish()

    @property
    def _map_uri(self) -> str:
        return f"init-{self.window.runs}.mp4"

    def _close_segment(self) -> None:
        """What has been promised in parts is kept as a whole, though it may be shorter than others."""
        last = self.window.segments[-1] if self.window.segments else None
        if last is not None and not last.uri:
            uri = playlist.segment_uri(last.number)
            self._write(uri, b"".join((self.path / part.uri).read_bytes() for part in last.parts))
            last.uri = uri

    def _slide(self, now: float) -> None:
        window, gone = self.window, []
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

    def _publish(self) -> None:
        self._write(WINDOW, playlist.encode(self.window))
        self._write(PLAYLIST, playlist.render(self.window, blocking=False).encode())

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all for who reads. Not synced: after a power cut nobody watches what was live before it."""
        partial = self.path / f".{name}.partial"
        partial.write_bytes(content)
        os.replace(partial, self.path / name)

    def _found(self, fresh: Window) -> Window:
        try:
            window = playlist.decode((self.path / WINDOW).read_bytes())
        except FileNotFoundError:
            window = fresh
        except ValueError as error:
            logger.warning("%s cannot be gone on with: %s", self.path / WINDOW, error)
            window = fresh
        named = {WINDOW, PLAYLIST}
        for segment in window.segments:
            named |= {segment.map_uri, segment.uri, *(part.uri for part in segment.parts)}
        for path in self.path.iterdir():
            if path.name not in named:
                path.unlink()
        window.target_s = max(window.target_s, fresh.target_s)  # may not become less for who has read it
        window.part_target_s = max(window.part_target_s, fresh.part_target_s)
        return window
