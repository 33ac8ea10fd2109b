"""A mix, measured as it was written: everybody's claps at their time, at their place, and the sound of all."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from recorder import manifest as manifests
from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.journal import SpeakersChanged
from recorder.mix.layouts import BUILT_IN, Layout, Region, Shows, tiles
from recorder.mix.mixing import CannotMix, load, mix, stems
from recorder.mix.sound import Limiter
from recorder.recovery import checksum, recover
from sfu.core.types import Codec
from signaling.cli import main
from tests.recorder.clap import HEIGHT, WIDTH, claps
from tests.recorder.stage import Publisher, Stage
from tests.recorder.watching import watch, worst

GRID = Layout((Region(Shows.ALL),), width=320, height=192, frames_per_s=30, gap=0, label=12, speaker_border=0)
EXPECTED = [at_s + 0.03 for at_s in claps(10)]


@pytest.fixture(scope="module", params=[Mode.DECODE, Mode.COPY])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("recording")
    stage = Stage(
        [
            Publisher("ada", Codec.VP8),
            Publisher("bob", Codec.H264, first=5, from_s=3.9, seed=2),
            Publisher("cid", None, first=9, seed=3),
        ],
        [(0.5, 0, SpeakersChanged(("ada",))), (5.0, 0, SpeakersChanged(("bob",)))],
    )
    recover(stage.write(directory), MediaConfig(), FilesConfig(camera_size=(WIDTH, HEIGHT), mode=request.param))
    return directory


def test_claps_are_seen_in_each_tile_and_heard_when_they_were(recording: Path, tmp_path: Path) -> None:
    target = tmp_path / "mix.mp4"
    shares: list[float] = []
    mix(recording, target, GRID, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert worst(watch(target).beeps, EXPECTED) < 0.01
    places = tiles(GRID, Region(Shows.ALL), 3)
    onsets: list[list[float]] = [[], []]
    bright = [False, False]
    with av.open(str(target)) as opened:
        for frame in opened.decode(video=0):
            luma = np.asarray(frame.to_ndarray(format="gray"))
            assert frame.time is not None
            for index, place in enumerate((places[0], places[2])):  # cid came before bob
                left, top, width, height = place
                middle = luma[top + height // 8 : top + height // 3, left + width * 2 // 5 : left + width * 3 // 5]
                was, bright[index] = bright[index], bool(middle.mean() > 150)
                if bright[index] and not was and frame.time >= 4:
                    onsets[index].append(frame.time)
    # One frame of the mix, and the least that a picture waits for it.
    assert worst(onsets[0], EXPECTED[2:]) < 0.04
    assert worst(onsets[1], EXPECTED[2:]) < 0.04


def test_a_mix_of_sound_alone_and_stems_are_as_long_as_the_session(recording: Path, tmp_path: Path) -> None:
    duration_s = load(recording).duration_s
    mix(recording, tmp_path / "mix.wav", GRID)
    written = stems(recording, tmp_path / "stems", "wav")
    assert sorted(path.name for path in written) == ["ada.wav", "bob.wav", "cid.wav"]
    for path in (tmp_path / "mix.wav", *written):
        seen = watch(path)
        assert abs(seen.audio_end_s - duration_s) < 0.001
        assert worst(seen.beeps, EXPECTED[2:] if path.name == "bob.wav" else EXPECTED) < 0.01


def test_the_same_recording_and_layout_give_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    few = Layout((Region(Shows.ALL),), width=240, height=136, frames_per_s=5)
    for name in ("one.mp4", "two.mp4"):
        mix(recording, tmp_path / name, few)
    assert checksum(tmp_path / "one.mp4") == checksum(tmp_path / "two.mp4")


def test_a_manifest_that_names_files_elsewhere_is_refused(recording: Path, tmp_path: Path) -> None:
    content = (recording / "manifest.json").read_bytes()
    for path in ("../../../etc/passwd", "/etc/passwd"):
        hostile = manifests.decode(content)
        (tmp_path / "manifest.json").write_bytes(
            manifests.encode(hostile).replace(hostile.files[0].path.encode(), path.encode())
        )
        with pytest.raises(CannotMix, match="outside"):
            load(tmp_path)


def test_a_file_that_is_gone_costs_its_tile_alone(recording: Path, tmp_path: Path) -> None:
    for path in recording.rglob("*"):
        if path.is_file() and "journal" not in path.parts and path.stem != "ada":
            copy = tmp_path / path.relative_to(recording)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    mix(tmp_path, tmp_path / "mix.wav", BUILT_IN["grid"])
    assert worst(watch(tmp_path / "mix.wav").beeps, EXPECTED) < 0.01  # those of the others


def test_what_is_too_loud_is_turned_down_and_not_clipped() -> None:
    times = np.arange(48_000) / 48_000
    tone = np.repeat((1.8 * np.sin(2 * np.pi * 440 * times))[:, np.newaxis], 2, axis=1).astype(np.float32)
    out = Limiter().limit(tone).astype(np.float64) / 32767
    assert 0.9 < np.abs(out[4800:]).max() <= 0.99
    spectrum = np.abs(np.fft.rfft(out[4800:43_200, 0] * np.hanning(38_400)))
    fundamental = spectrum[round(440 * 0.8)]
    third = spectrum[round(1320 * 0.8)]
    assert third < fundamental / 300  # clipping alone would make a tenth of it
    quiet = (tone * 0.1).astype(np.float32)
    assert np.abs(Limiter().limit(quiet).astype(np.float64) / 32767 - quiet).max() < 1e-4


def test_the_command_recovers_and_mixes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Stage([Publisher("ada", until_s=3.0)], until_s=3.0).write(tmp_path)
    assert main(["recover", str(tmp_path), "--mode", "copy"]) == 0
    assert "files/ada.webm" in capsys.readouterr().out
    assert main(["mix", str(tmp_path), "--out", str(tmp_path / "sound.flac")]) == 0
    assert worst(watch(tmp_path / "sound.flac").beeps, [1.03]) < 0.01
    assert main(["mix", str(tmp_path / "nowhere")]) == 1
    assert main(["mix", str(tmp_path), "--layout", "cats"]) == 2
    assert main(["mix", str(tmp_path), "--out", "mix.avi"]) == 2
    assert main(["recover", str(tmp_path / "nowhere")]) == 1
    assert main(["recover", str(tmp_path), "--mode", "audio", "--container", "mp4"]) == 2
    errors = capsys.readouterr().err
    for words in ("No such file", "neither one of grid, speaker nor a file", "must end with", "writes no mp4"):
        assert words in errors
