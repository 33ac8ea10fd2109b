"""A composite as players get it: claps on time, no gaps, a playlist that slides, what a slow machine leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from recorder.journal import AnyEvent, SpeakersChanged, TrackMuted
from recorder.live.config import LiveConfig
from recorder.live.directory import PLAYLIST, LiveDirectory
from recorder.live.pace import Pace
from recorder.live.playlist import Window, render
from recorder.live.stream import LiveStream
from recorder.mix.layouts import Layout, Region, Shows, tiles
from sfu.core.types import Codec
from tests.recorder.clap import claps
from tests.recorder.live.grammar import Playlist, follows, read
from tests.recorder.stage import Entries, Publisher, Stage, rough
from tests.recorder.watching import beep_near, watch, worst

GRID = Layout((Region(Shows.ALL),), width=320, height=192, frames_per_s=25, gap=0, label=12, speaker_border=0)
CONFIG = LiveConfig()
DELAY_S = 0.03  # of the publishers' network
FLUSHED_S = 0.25  # how often a journal is
AV_SKEW_S = 0.040


@dataclass
class Live:
    """A stream that is composed into a directory, told the time; `seconds` is where the journal is."""

    directory: Path
    entries: Entries
    layout: Layout = GRID
    config: LiveConfig = CONFIG
    seconds: float = 0.0
    playlists: list[Playlist] = field(default_factory=list)
    _given: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Also after a kill: the journal is read from its beginning."""
        self.stream = LiveStream(self.layout, self.config)
        self.files = LiveDirectory(
            self.directory, self.config,
            began_unix_s=1e9, part_s=self.stream.part_s, parts_per_segment=self.stream.parts_per_segment,
        )  # fmt: skip
        self._given = 0
        self.give()

    def give(self) -> None:
        begin = self._given
        while self._given < len(self.entries) and self.entries[self._given].at_s <= self.seconds:
            self._given += 1
        self.stream.on_entries(self.entries[begin : self._given])

    def until(self, seconds: float, *, step_s: float = FLUSHED_S) -> None:
        while self.seconds < seconds - 1e-9 and not self.stream.ended:
            self.seconds += step_s
            self.give()
            while (piece := self.stream.piece(self.seconds)) is not None:
                self.files.add(piece)
                if (self.directory / PLAYLIST).exists():
                    self.playlists.append(read((self.directory / PLAYLIST).read_text()))
                else:
                    assert len(self.files.window.segments[0].parts) < self.stream.parts_per_segment
                read(render(self.files.window, blocking=True))

    def to_the_end(self) -> Path:
        self.until(1e9)
        assert self.stream.ended
        self.files.end()
        self.playlists.append(read((self.directory / PLAYLIST).read_text()))
        for later, earlier in zip(self.playlists[1:], self.playlists, strict=False):
            follows(later, earlier)
        return self.directory / PLAYLIST


def stage(*events: tuple[float, int, AnyEvent], until_s: float = 10.0) -> Stage:
    publishers = [
        Publisher("ada", Codec.VP8, until_s=until_s, network=rough(3, loss=0.03, resent=1.0)),
        Publisher("bob", Codec.H264, first=5, from_s=3.9, until_s=until_s, seed=2, ppm=100.0),
        Publisher("cid", None, first=9, until_s=until_s, seed=3),
    ]
    return Stage(publishers, list(events), until_s)


def test_claps_are_seen_and_heard_together_and_without_gaps(tmp_path: Path) -> None:
    live = Live(tmp_path, stage().entries())
    playlist = live.to_the_end()
    expected = [at_s + DELAY_S for at_s in claps(10)]
    seen = watch(playlist)
    assert worst(seen.beeps, expected) < AV_SKEW_S
    assert seen.largest_audio_hole_s < 0.001
    steps = picture_times(playlist)
    assert np.allclose(np.diff(steps), 1 / 25, atol=1e-4) and steps[0] < 0.001 and steps[-1] >= 9.95
    places = tiles(GRID, Region(Shows.ALL), 3)
    assert worst(flashes(playlist, places[0], 4.0), expected[2:]) < AV_SKEW_S
    assert worst(flashes(playlist, places[2], 4.0), expected[2:]) < AV_SKEW_S  # bob came last


def picture_times(path: Path) -> list[float]:
    with av.open(str(path)) as opened:
        return [frame.time or 0.0 for frame in opened.decode(video=0)]


def flashes(path: Path, place: tuple[int, int, int, int], from_s: float) -> list[float]:
    """When what is shown there becomes bright."""
    left, top, width, height = place
    found: list[float] = []
    bright = False
    with av.open(str(path)) as opened:
        for frame in opened.decode(video=0):
            luma = np.asarray(frame.to_ndarray(format="gray"))
            middle = luma[top + height // 8 : top + height // 3, left + width * 2 // 5 : left + width * 3 // 5]
            was, bright = bright, bool(middle.mean() > 150)
            if bright and not was and (frame.time or 0.0) >= from_s:
                found.append(frame.time or 0.0)
    return found


def test_each_part_and_segment_stands_alone_behind_the_beginning(tmp_path: Path) -> None:
    live = Live(tmp_path, stage(until_s=5.0).entries())
    live.to_the_end()
    segment = live.files.window.segments[-2]
    beginning = (tmp_path / segment.map_uri).read_bytes()
    parts = [(tmp_path / part.uri).read_bytes() for part in segment.parts]
    assert (tmp_path / segment.uri).read_bytes() == b"".join(parts)
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(beginning + b"".join(parts))
    times = picture_times(whole)
    assert len(times) == 50 and abs(times[0] - (segment.began_unix_s - 1e9)) < 0.001
    whole.write_bytes(beginning + parts[0])
    assert len(picture_times(whole)) == 10


def test_a_killed_composer_is_followed_by_one_that_goes_on_in_the_same_playlist(tmp_path: Path) -> None:
    live = Live(tmp_path, stage().entries())
    live.until(5.0)
    (tmp_path / ".7.m4s.partial").write_bytes(b"half a file")
    live.seconds = 6.1
    live.start()
    live.to_the_end()
    listed = live.playlists[-1].segments
    assert [one.number for one in listed] == list(range(len(listed)))
    assert [one.discontinuous for one in listed].count(True) == 1
    assert sorted({one.map_uri for one in listed}) == ["init-1.mp4", "init-2.mp4"]
    assert not list(tmp_path.glob(".*.partial"))
    # The picture that was there before is there at once, though no key frame has come since.
    later = listed[[one.discontinuous for one in listed].index(True) :]
    run = tmp_path / "run.mp4"
    run.write_bytes(b"".join((tmp_path / uri).read_bytes() for uri in (later[0].map_uri, *(one.uri for one in later))))
    with av.open(str(run)) as opened:
        first = next(opened.decode(video=0)).to_ndarray(format="gray")
    left, top, width, height = tiles(GRID, Region(Shows.ALL), 3)[0]
    shown = first[top : top + height, left : left + width]
    assert (
        int(shown[height * 4 // 5 :].max()) - int(shown[height * 4 // 5 :].min()) > 100
    )  # the strip of the frame's number
    assert worst([beep_near(run, at_s) for at_s in (7.03, 9.03)], [7.03, 9.03]) < AV_SKEW_S


def test_what_the_window_has_left_is_deleted_later(tmp_path: Path) -> None:
    config = LiveConfig(window_s=6.0, kept_s=3.0)
    live = Live(tmp_path, stage(until_s=16.0).entries(), config=config)
    live.until(5.0)
    live.start()  # in the midst of it: discontinuities leave the window, too
    live.to_the_end()
    last = live.playlists[-1]
    assert last.segments[0].number > 3 and last.number("DISCONTINUITY-SEQUENCE") == 1
    assert 6.0 <= sum(one.duration_s for one in last.segments) < 10.0
    assert not (tmp_path / "0.m4s").exists() and not (tmp_path / "0.0.m4s").exists()
    assert not (tmp_path / "init-1.mp4").exists() and (tmp_path / "init-2.mp4").exists()
    gone = last.segments[0].number - 1
    assert (tmp_path / f"{gone}.m4s").exists()  # who has read the playlist before still gets it


def test_who_is_muted_or_speaks_is_shown_so(tmp_path: Path) -> None:
    speaker = Layout((Region(Shows.SPEAKER, most=1),), width=320, height=192, gap=0, label=0, speaker_border=0)
    events: list[tuple[float, int, AnyEvent]] = [
        (0.2, 0, SpeakersChanged(("bob",))),
        (4.5, 1, TrackMuted(True)),
        (5.0, 0, SpeakersChanged(("ada",))),
    ]
    live = Live(tmp_path, stage(*events).entries(), layout=speaker)
    playlist = live.to_the_end()
    # Until bob comes ada is shown; then bob, who speaks; then ada, who is muted: a name instead of claps.
    place = (0, 0, 320, 192)
    found = flashes(playlist, place, 0.0)
    assert worst(found, [1.03, 3.03]) < AV_SKEW_S


# --- a machine that is too slow ---------------------------------------------------------------------------------


def test_one_that_is_late_leaves_pictures_out_and_then_time(tmp_path: Path) -> None:
    live = Live(tmp_path, stage(until_s=20.0).entries())
    live.until(4.0)
    live.until(7.5, step_s=3.5)  # nobody looked for so long
    live.until(9.0)
    thin = live.files.window.dropped_pictures
    assert thin and not live.files.window.skipped_s
    live.until(18.0, step_s=9.0)
    live.to_the_end()
    window = live.files.window
    assert 6.0 < window.skipped_s < 9.1 and window.dropped_pictures == thin
    assert [one.discontinuous for one in window.segments].count(True) == 1
    # The sound of what was only thinned is whole.
    assert [round(beep - 0.03) for beep in watch(tmp_path / PLAYLIST).beeps][:3] == [1, 3, 5]


@pytest.mark.parametrize(
    ("late_s", "thin", "skipped_s"), [(-0.01, None, 0.0), (0.0, False, 0.0), (1.2, True, 0.0), (6.9, False, 6.8)]
)
def test_paces(late_s: float, thin: bool | None, skipped_s: float) -> None:
    pace = Pace(CONFIG, 0.4, 12.0)
    assert pace.next_s == 10.0
    now = 12.4 + late_s
    turn = pace.turn(now)
    if thin is None or turn is None:
        assert turn is None and thin is None and abs(pace.wait_s(now) + late_s) < 1e-9
        return
    assert (turn.thin, round(turn.skipped_s, 6)) == (thin, skipped_s)
    assert abs(turn.begin_s - 10.0 - skipped_s) < 1e-9 and abs(pace.next_s - turn.begin_s - 0.4) < 1e-9


def test_a_window_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "window.json").write_bytes(b'{"segments": 7}')
    live = Live(tmp_path, stage(until_s=4.0).entries(), layout=GRID)
    live.to_the_end()
    assert live.files.window.runs == 1 and isinstance(live.files.window, Window)
