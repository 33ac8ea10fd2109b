"""Simulcast layers, resolutions and codecs that change in the middle: the picture goes on, and the manifest says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.journal import Event, LayerDescription, LayerSwitched, SenderReport, TrackStarted
from recorder.manifest import Manifest
from recorder.recovery import recover
from sfu.core.types import Codec
from tests.recorder.clap import FORMATS, HEIGHT, WIDTH, claps, pictures
from tests.recorder.stage import Entries, Publisher, Stage
from tests.recorder.watching import watch, worst

SMALL = FilesConfig(camera_size=(WIDTH, HEIGHT))
RIDS = ("q", "h", "f")


def layer(
    index: int,
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    codec: Codec = Codec.VP8,
    seed: int = 3,
    silent: tuple[tuple[float, float], ...] = (),
) -> Entries:
    """All packets and reports of one encoding, as layer `index` of track 1."""
    publisher = Publisher("ada", codec, seed=seed, sound=False, size=size, silent=silent)
    media = [entry for entry in publisher.entries() if not isinstance(entry, Event)]
    return [entry._replace(layer=index) for entry in media]


def started() -> Event:
    layers = tuple(LayerDescription(index, rid) for index, rid in enumerate(RIDS))
    return Event(1, 0.0, TrackStarted("t", "ada", "video", "camera", "t", FORMATS["video"], layers))


def between(entries: Entries, from_s: float, to_s: float) -> Entries:
    """Packets that arrive then; reports as they come."""
    return [one for one in entries if isinstance(one, SenderReport) or from_s <= one.at_s < to_s]


def made(entries: Entries, directory: Path, mode: Mode = Mode.DECODE) -> Manifest:
    files = replace(SMALL, mode=mode)
    return recover(Stage([], more=[started(), *entries]).write(directory), MediaConfig(), files).manifest


def flashes(directory: Path, manifest: Manifest) -> list[float]:
    return [at_s + file.start_s for file in manifest.files for at_s in watch(directory / file.path).flashes]


@pytest.mark.parametrize("mode", [Mode.DECODE, Mode.COPY])
def test_a_switch_of_layers_by_the_sink_is_followed_at_the_key_frame(tmp_path: Path, mode: Mode) -> None:
    entries = between(layer(0, size=(80, 48)), 0.0, 4.0) + between(layer(2, seed=4), 3.9, 8.0)
    entries += between(layer(1, size=(80, 48), seed=5), 8.0, 11.0)
    entries.append(Event(1, 7.9, LayerSwitched(1, "bandwidth")))
    manifest = made(entries, tmp_path, mode)
    (track,) = manifest.tracks
    assert [change.what for change in track.layers] == ["q", "f", "h"]
    assert worst([change.at_s for change in track.layers], [0.03, 4.03, 8.03]) < 0.01
    assert worst(flashes(tmp_path, manifest), [at_s + 0.03 for at_s in claps(10)]) < 0.02
    assert track.frames == 150 and not track.gaps


def test_of_several_layers_at_once_the_highest_that_flows_is_shown(tmp_path: Path) -> None:
    """The best one stops at 5 s and comes back at 7: the one below fills in from its next key frame on."""
    best = layer(2, seed=4, silent=((4.9, 7.9),))
    manifest = made(layer(0, size=(80, 48)) + best, tmp_path)
    (track,) = manifest.tracks
    assert [change.what for change in track.layers[-3:]] == ["f", "q", "f"]
    assert worst([change.at_s for change in track.layers[-2:]], [6.03, 8.03]) < 0.01
    assert worst(flashes(tmp_path, manifest), [at_s + 0.03 for at_s in claps(10) if at_s != 5.0]) < 0.02


@pytest.mark.parametrize(
    ("codec", "mode", "files"),
    [
        (Codec.VP8, Mode.DECODE, 1),
        (Codec.H264, Mode.DECODE, 1),
        (Codec.VP8, Mode.COPY, 1),  # WebM has it in the stream
        (Codec.VP9, Mode.COPY, 1),
        (Codec.H264, Mode.COPY, 2),  # MP4 has parameter sets once, in front
    ],
)
def test_a_change_of_size_goes_on_in_the_stream_or_in_a_new_file(
    tmp_path: Path, codec: Codec, mode: Mode, files: int
) -> None:
    """Upright instead of broad, as when a phone is turned, in the same stream."""
    turned = pictures(codec, 10.0, HEIGHT, WIDTH)
    publisher = Publisher("ada", codec, seed=3, sound=False, until_s=10.0, later=(6.0, turned))
    manifest = recover(Stage([publisher]).write(tmp_path), MediaConfig(), replace(SMALL, mode=mode)).manifest
    assert len(manifest.files) == files
    assert worst(flashes(tmp_path, manifest), [at_s + 0.03 for at_s in claps(10)]) < 0.02
    (track,) = manifest.tracks
    assert track.frames == 150 and not track.gaps and not track.undecodable
    sizes = set().union(*(watch(tmp_path / file.path).sizes for file in manifest.files))
    assert sizes == ({(WIDTH, HEIGHT)} if mode is Mode.DECODE else {(WIDTH, HEIGHT), (HEIGHT, WIDTH)})
    if files == 2:
        assert abs(manifest.files[1].start_s - 6.03) < 0.005


@pytest.mark.parametrize("mode", [Mode.DECODE, Mode.COPY])
def test_another_codec_in_the_middle_goes_on(tmp_path: Path, mode: Mode) -> None:
    second = between(layer(0, codec=Codec.H264, seed=3), 6.0, 11.0)
    manifest = made(between(layer(0), 0.0, 6.0) + second, tmp_path, mode)
    (track,) = manifest.tracks
    assert track.codecs == ["VP8", "H264"] and not track.undecodable
    assert worst(flashes(tmp_path, manifest), [at_s + 0.03 for at_s in claps(10)]) < 0.02
    assert len(manifest.files) == (1 if mode is Mode.DECODE else 2)
