"""All participants together, at any time up to now: entries of a journal in, pictures and sound out.

    entry ─► Session ─► LivePictures, LiveSound per track ─► Painter (mix/), SoundMix (mix/)
                    └─► marks: who is there, who speaks ─► the scene of the moment

No I/O but decoding; times are of the session.
"""

from __future__ import annotations

from collections.abc import Iterable

from av.video.frame import VideoFrame

from recorder.config import MediaConfig
from recorder.journal import Entry
from recorder.live.config import LiveConfig
from recorder.live.sources import LivePictures, LiveSound
from recorder.media.sound import Samples
from recorder.mix.layouts import Layout
from recorder.mix.pictures import Painter
from recorder.mix.scenes import Scene, steady_speakers, tiles_of
from recorder.mix.sound import SoundMix
from recorder.session import Session, TrackFrame

# A track that has ended still has frames that were not shown yet.
_FORGET_AFTER_S = 10.0


class Composite:
    """Ask for growing times."""

    def __init__(self, layout: Layout, media: MediaConfig, config: LiveConfig) -> None:
        self.session = Session(media)
        self._layout = layout
        self._config = config
        self._pictures: dict[str, LivePictures] = {}  # by track
        self._sounds: dict[str, LiveSound] = {}
        self._scenes: list[Scene] = []
        self._shown: dict[tuple[str, bool], list[LivePictures]] = {}
        self._heard: list[LiveSound] = []
        self._names: dict[str, str] = {}
        self._painter = Painter(layout, self._scenes, self._shown, self._names)
        self._mix = SoundMix(self._heard)
        self._speakers: list[tuple[float, str]] = []
        self._speaker_changes = 0
        self._finished = False

    @property
    def ended_s(self) -> float | None:
        """When the recording ended; None while it runs."""
        return None if self.session.marks.ended is None else self.session.now

    def on_entries(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.session.on_entry(entry)
        self._take(self.session.frames())
        if self.session.marks.ended is not None and not self._finished:
            self._finished = True
            self._take(self.session.finish())

    def picture(self, at_s: float) -> VideoFrame:
        self._set_scene(at_s)
        return self._painter.frame(at_s)

    def sound(self, begin: int, count: int) -> Samples:
        """Samples `begin` to `begin + count` of the session."""
        self._mix.position = begin
        return self._mix.take(count)

    def skip(self, until_s: float) -> None:
        """There was no time for what came before."""
        for pictures in self._pictures.values():
            pictures.skip(until_s)

    def forget(self, at_s: float) -> None:
        """Tracks that ended long ago."""
        tracks = self.session.marks.tracks
        for name in [*self._pictures, *self._sounds]:
            ended_s = tracks[name].ended_s
            if ended_s is not None and ended_s < at_s - _FORGET_AFTER_S:
                pictures, sound = self._pictures.pop(name, None), self._sounds.pop(name, None)
                if pictures is not None:
                    self._shown[_tile(pictures)].remove(pictures)
                if sound is not None:
                    self._heard.remove(sound)

    def _take(self, frames: list[TrackFrame]) -> None:
        for track, timed in frames:
            marks = self.session.marks.tracks[track]
            if marks.kind == "audio":
                if track not in self._sounds:
                    self._sounds[track] = LiveSound(track)
                    self._heard.append(self._sounds[track])
                self._sounds[track].add(timed)
                continue
            if track not in self._pictures:
                pictures = self._pictures[track] = LivePictures(marks, self._config.held_bytes)
                self._shown.setdefault(_tile(pictures), []).append(pictures)
            self._pictures[track].add(timed)

    def _set_scene(self, at_s: float) -> None:
        marks = self.session.marks
        if len(marks.speakers) != self._speaker_changes:
            self._speaker_changes = len(marks.speakers)
            self._speakers = steady_speakers(marks.speakers)
        speaker = next((who for since_s, who in reversed(self._speakers) if since_s <= at_s), None)
        present = [one.identity for one in marks.participants.values() if one.presence.contains(at_s)]
        sharing = [
            one.participant for one in marks.tracks.values() if one.source == "screen" and one.presence.contains(at_s)
        ]
        self._names.update((one.identity, one.name) for one in marks.participants.values())
        tiles = tiles_of(self._layout, present, sharing, speaker)
        if not self._scenes or self._scenes[-1].tiles != tiles:
            self._scenes.append(Scene(at_s, tiles))


def _tile(pictures: LivePictures) -> tuple[str, bool]:
    return pictures.marks.participant, pictures.marks.source == "screen"
