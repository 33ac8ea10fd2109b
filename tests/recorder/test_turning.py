"""Cameras that are not held upright: their pictures are, in files, mixes, composites and taps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.files.turning import turned
from recorder.live.composite import Composite
from recorder.live.config import LiveConfig
from recorder.manifest import File, Turn
from recorder.mix.layouts import Layout, Region, Shows
from recorder.mix.mixing import mix
from recorder.recovery import recover
from sfu.core.types import Codec
from sfu.wire.extensions import UPRIGHT, Orientation
from tests.recorder import clap, turning
from tests.recorder.stage import Publisher, Stage

SQUARE = FilesConfig(camera_size=(320, 320))
COPY = FilesConfig(mode=Mode.COPY)
NUMBERS = range(round(turning.UNTIL_S * clap.FPS))
LAYOUT = Layout((Region(Shows.ALL),), width=320, height=320, frames_per_s=30, gap=0, label=0, speaker_border=0)


def stage(codec: Codec = Codec.VP8) -> Stage:
    later = (0.0, turning.pictures(codec))
    ada = Publisher("ada", codec, sound=False, until_s=turning.UNTIL_S, later=later, orientations=turning.HELD)
    return Stage([ada], until_s=turning.UNTIL_S + 0.5)


def is_whole(found: dict[int, tuple[int, int]], large: int) -> None:
    """All are there, upright and in their own shape; the longer side of each picture is `large`."""
    assert sorted(found) == list(NUMBERS)
    small = large * turning.HEIGHT // turning.WIDTH
    for number, size in found.items():
        expected = (small, large) if turning.held_at(number / clap.FPS).turns % 2 else (large, small)
        assert np.abs(np.subtract(size, expected)).max() <= 4, (number, size)


@pytest.mark.parametrize("orientation", [Orientation(turns, flip) for turns in range(4) for flip in (False, True)])
@pytest.mark.parametrize("size", [(160, 96), (37, 21)])
def test_turned_is_what_it_was_before_it_was_sent(orientation: Orientation, size: tuple[int, int]) -> None:
    """Also of odd sizes, whose colours have half a sample more."""
    random = np.random.default_rng(3)
    width, height = size if not orientation.turns % 2 else size[::-1]
    frame = av.VideoFrame(width, height, "yuv420p")
    before = [random.integers(0, 255, (plane.height, plane.width), np.uint8) for plane in frame.planes]
    sent = av.VideoFrame(*size, "yuv420p")
    for plane, samples in zip(sent.planes, before, strict=True):
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        lines[: plane.height, : plane.width] = turning.sent(samples, orientation)
    sent.pts, sent.time_base = 7, Fraction(1, 90_000)
    made = turned(sent, orientation)
    assert (made.width, made.height, made.pts) == (width, height, 7)
    assert (made is sent) == (orientation == UPRIGHT)
    for plane, samples in zip(made.planes, before, strict=True):
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        assert (lines[: plane.height, : plane.width] == samples).all()


@pytest.mark.parametrize("form", ["yuv444p", "yuv420p10le", "yuvj420p"])
def test_whatever_decoders_give_is_turned(form: str) -> None:
    bright = np.full((96, 160, 3), 40, np.uint8)
    bright[:48, :80] = 220  # at the left above: a quarter turn later at the right
    frame = av.VideoFrame.from_ndarray(bright, format="rgb24").reformat(format=form)
    frame.pts, frame.time_base = 7, Fraction(1, 90_000)
    made = turned(frame, Orientation(1))
    shown = np.asarray(made.to_ndarray(format="gray"))
    assert shown.shape == (160, 96)
    assert shown[10:70, 58:86].min() > 180 > 80 > shown[10:70, 10:38].max()


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.H264])
def test_a_decoded_file_has_each_picture_upright_from_the_first_on_that_is_held_so(
    tmp_path: Path, codec: Codec
) -> None:
    (file,) = recover(stage(codec).write(tmp_path), MediaConfig(), SQUARE).manifest.files
    is_whole(turning.upright_numbers(turning.decoded(tmp_path / file.path)), 320)


def test_a_journal_without_the_extensions_id_is_read_as_it_was(tmp_path: Path) -> None:
    older = stage()
    older.publishers[0].orientations = ()
    (file,) = recover(older.write(tmp_path), MediaConfig(), SQUARE).manifest.files
    found = turning.upright_numbers(turning.decoded(tmp_path / file.path))
    assert sorted(found) == [number for number in NUMBERS if turning.held_at(number / clap.FPS) == UPRIGHT]


def test_a_live_composite_has_them_upright() -> None:
    composite = Composite(LAYOUT, MediaConfig(clock_wait_s=0.0), LiveConfig())
    composite.on_entries(stage().entries())
    pictures = [composite.picture(number / 30) for number in range(round(turning.UNTIL_S * 30) + 2)]
    # A picture that is shown twice counts once.
    found = turning.upright_numbers(pictures)
    assert sorted(found) == list(NUMBERS)
    assert {turning.held_at(number / clap.FPS).turns % 2 for number in found} == {0, 1}


def told(file: File) -> list[tuple[float, Orientation]]:
    """From where on pictures are turned otherwise, in time of the publisher."""
    return [(round(turn.at_s - 0.03, 2), Orientation(turn.degrees // 90, turn.mirrored)) for turn in file.turns]


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9])
def test_a_copied_webm_is_as_it_was_sent_and_the_manifest_tells_how_to_turn_it(tmp_path: Path, codec: Codec) -> None:
    (file,) = recover(stage(codec).write(tmp_path), MediaConfig(), COPY).manifest.files
    assert told(file) == [(at_s, held) for at_s, held in turning.HELD] and file.container_degrees == 0
    mix(tmp_path, tmp_path / "mix.mp4", LAYOUT)
    is_whole(turning.upright_numbers(turning.decoded(tmp_path / "mix.mp4")), 320)


def test_copied_h264_begins_a_new_file_with_the_key_frame_that_is_turned_otherwise(tmp_path: Path) -> None:
    """A key frame each two seconds; what changes in between is in the manifest alone."""
    files = recover(stage(Codec.H264).write(tmp_path), MediaConfig(), COPY).manifest.files
    assert [round(file.start_s - 0.03, 2) for file in files[1:]] == [2.0, 4.0]
    assert [file.container_degrees for file in files] == [0, 180, 90]
    assert sorted(turn for file in files for turn in told(file)) == list(turning.HELD)
    for file in files:
        first, *_ = turning.decoded(tmp_path / file.path)
        assert first.rotation % 360 == -file.container_degrees % 360  # FFmpeg's goes counter-clockwise
    mix(tmp_path, tmp_path / "mix.mp4", LAYOUT)
    is_whole(turning.upright_numbers(turning.decoded(tmp_path / "mix.mp4")), 320)


def test_who_turns_a_phone_faster_than_hands_can_is_listed_up_to_a_limit(tmp_path: Path) -> None:
    few = FilesConfig(mode=Mode.COPY, turns_per_file=3)
    (file,) = recover(stage().write(tmp_path), MediaConfig(), few).manifest.files
    assert len(file.turns) == 3 and isinstance(file.turns[0], Turn)
