"""The clap test: what written files show and sound like, against when it happened. Files are decoded whole, by PyAV.

Everything arrives 30 ms after it was captured, the least delay there is; that is where session time lies for all alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.journal import AnyEvent, ParticipantLeft, TrackEnded, TrackMuted
from recorder.manifest import File, Manifest, Track
from recorder.recovery import recover
from sfu.core.types import Codec
from tests.recorder.clap import FPS, HEIGHT, WIDTH, claps
from tests.recorder.stage import Publisher, Stage, changed, rough
from tests.recorder.watching import Seen, beep_near, watch, worst

DELAY_S = 0.03
AV_SKEW_S = 0.040
PARTICIPANT_SKEW_S = 0.020
SMALL = FilesConfig(camera_size=(WIDTH, HEIGHT))
MODES = [Mode.DECODE, Mode.COPY]


def made(stage: Stage, directory: Path, files: FilesConfig = SMALL) -> Manifest:
    return recover(stage.write(directory), MediaConfig(), files).manifest


def of(manifest: Manifest, identity: str) -> File:
    (found,) = [file for file in manifest.files if file.participant == identity]
    return found


def track(manifest: Manifest, identity: str, kind: str) -> Track:
    (found,) = [one for one in manifest.tracks if (one.participant, one.kind) == (identity, kind)]
    return found


def delayed(times: list[float]) -> list[float]:
    return [at_s + DELAY_S for at_s in times]


def with_mode(mode: Mode) -> FilesConfig:
    return FilesConfig(camera_size=(WIDTH, HEIGHT), mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.H264, Codec.AV1])
def test_each_codec_shows_every_frame_and_claps_on_time(tmp_path: Path, codec: Codec, mode: Mode) -> None:
    manifest = made(Stage([Publisher("ada", codec)]), tmp_path, with_mode(mode))
    seen = watch(tmp_path / of(manifest, "ada").path)
    assert worst(seen.flashes, delayed(claps(10))) < 0.005
    assert worst(seen.beeps, delayed(claps(10))) < 0.005
    numbers = {number for _, number in seen.numbers}
    # What our AV1 encoder makes of a strip of 32 cells cannot always be read; nor could it before it was sent.
    assert len(numbers) >= 10 * FPS - (2 if codec is Codec.AV1 else 0)
    assert [number for _, number in seen.numbers] == sorted(number for _, number in seen.numbers)
    assert seen.largest_audio_hole_s < 0.002
    assert abs(seen.audio_end_s - manifest.duration_s) < 0.025
    video, audio = track(manifest, "ada", "video"), track(manifest, "ada", "audio")
    assert (video.frames, video.lost, video.gaps, video.undecodable) == (10 * FPS, 0, [], 0)
    assert (audio.frames, audio.lost, audio.gaps, audio.undecodable) == (500, 0, [], 0)
    assert video.codecs == [codec.value] and len(video.key_frames_s) == 5


@pytest.mark.parametrize("container", ["mp4", "mkv", "webm"])
def test_each_container_is_in_time(tmp_path: Path, container: str) -> None:
    files = FilesConfig(camera_size=(WIDTH, HEIGHT), container=container)
    manifest = made(Stage([Publisher("ada")]), tmp_path, files)
    seen = watch(tmp_path / of(manifest, "ada").path)
    assert worst(seen.flashes, delayed(claps(10))) < 0.005
    assert worst(seen.beeps, delayed(claps(10))) < 0.005


@pytest.mark.parametrize("container", ["wav", "flac", "ogg"])
def test_stems_have_sound_alone_and_are_in_time(tmp_path: Path, container: str) -> None:
    files = FilesConfig(mode=Mode.AUDIO, container=container)
    manifest = made(Stage([Publisher("ada"), Publisher("bob", first=5, from_s=4.0)]), tmp_path, files)
    for identity, from_s in (("ada", 0.0), ("bob", 4.0)):
        file = of(manifest, identity)
        seen = watch(tmp_path / file.path)
        assert worst(seen.beeps, delayed(claps(10, from_s))) < 0.005
        assert abs(seen.audio_end_s - manifest.duration_s) < 0.025
        assert not seen.flashes and file.width is None


# --- what networks and people do -------------------------------------------------------------------------------

LEAVES = ParticipantLeft("ada")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One publisher in trouble beside an untroubled one. `heard`, `shown`: claps that must be there, of (from, to)."""

    publishers: list[Publisher]
    heard: list[float]
    shown: list[float]
    events: list[tuple[float, int, AnyEvent]] = field(default_factory=list)
    until_s: float = 10.0


ADA = Publisher("ada", seed=7)
EVERY = claps(10)
DTX = ((3.5, 4.9), (5.5, 6.9))

TROUBLES = {
    "silence by DTX": Trouble([changed(ADA, quiet=DTX)], EVERY, EVERY),
    "muted for a while": Trouble(
        [changed(ADA, silent=((3.5, 5.9),))],
        [1.0, 3.0, 7.0, 9.0],
        [1.0, 3.0, 7.0, 9.0],
        [
            (3.5, 1, TrackMuted(True)),
            (3.5, 2, TrackMuted(True)),
            (5.9, 1, TrackMuted(False)),
            (5.9, 2, TrackMuted(False)),
        ],
    ),
    "reordering": Trouble([changed(ADA, network=rough(3, jitter_s=0.08))], EVERY, EVERY),
    "losses made good": Trouble([changed(ADA, network=rough(3, loss=0.05, burst=4, resent=1.0))], EVERY, EVERY),
    "a late joiner": Trouble([changed(ADA, from_s=3.9)], claps(10, 3.9), claps(10, 3.9)),
    "a reconnect": Trouble(
        [changed(ADA, until_s=4.5, ids="a"), changed(ADA, first=11, from_s=5.7, seed=8, ids="a", ntp_offset_s=-77.0)],
        [1.0, 3.0, 7.0, 9.0],
        [1.0, 3.0, 7.0, 9.0],
        [(4.6, 1, TrackEnded()), (4.6, 2, TrackEnded())],
    ),
    "who left and came back as somebody with new tracks": Trouble(
        [changed(ADA, until_s=4.5), changed(ADA, first=11, from_s=5.7, seed=8, ntp_offset_s=-77.0)],
        [1.0, 3.0, 7.0, 9.0],
        [1.0, 3.0, 7.0, 9.0],
        [(4.6, 1, TrackEnded()), (4.6, 2, TrackEnded()), (4.6, 0, LEAVES)],
    ),
    "a fast clock": Trouble([changed(ADA, ppm=300.0)], EVERY, EVERY),
    "timestamps that leap forwards": Trouble([changed(ADA, jump=(4.4, 3600))], EVERY, EVERY),
    "timestamps that leap backwards": Trouble([changed(ADA, jump=(4.4, -50))], EVERY, EVERY),
    "no sender reports": Trouble([changed(ADA, reports=False)], EVERY, EVERY),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", TROUBLES)
def test_sound_picture_and_participants_stay_together(tmp_path: Path, name: str, mode: Mode) -> None:
    trouble = TROUBLES[name]
    stage = Stage([*trouble.publishers, Publisher("bob", first=21, seed=9)], trouble.events)
    manifest = made(stage, tmp_path, with_mode(mode))
    ada, bob = seen_in_session(tmp_path, manifest, "ada"), seen_in_session(tmp_path, manifest, "bob")
    assert worst(ada.beeps, delayed(trouble.heard)) < PARTICIPANT_SKEW_S
    assert worst(ada.flashes, delayed(trouble.shown)) < PARTICIPANT_SKEW_S
    assert worst(ada.flashes, ada.beeps) < AV_SKEW_S or trouble.heard != trouble.shown
    assert worst(bob.flashes, delayed(EVERY)) < 0.005
    assert worst(bob.beeps, delayed(EVERY)) < 0.005
    assert abs(ada.audio_end_s - bob.audio_end_s) < PARTICIPANT_SKEW_S


@pytest.mark.parametrize("mode", MODES)
def test_sound_that_reports_name_late_is_where_its_packets_say(tmp_path: Path, mode: Mode) -> None:
    """As from Chromium: without what the packets say, sound is 20 to 40 ms behind, another time in each report."""
    ada = changed(ADA, sound_named_late_s=(0.02, 0.042), tells_captures=True)
    manifest = made(Stage([ada, Publisher("bob", first=21, seed=9)]), tmp_path, with_mode(mode))
    seen = watch(tmp_path / of(manifest, "ada").path)
    assert worst(seen.flashes, delayed(EVERY)) < 0.005
    assert worst(seen.beeps, delayed(EVERY)) < 0.005


def seen_in_session(directory: Path, manifest: Manifest, identity: str) -> Seen:
    """All files of a participant; their times made those of the session."""
    whole = Seen()
    for file in [one for one in manifest.files if one.participant == identity]:
        seen = watch(directory / file.path)
        whole.flashes += [at_s + file.start_s for at_s in seen.flashes]
        whole.beeps += [at_s + file.start_s for at_s in seen.beeps]
        whole.numbers += seen.numbers
        whole.audio_end_s = seen.audio_end_s + file.start_s
    return whole


@pytest.mark.parametrize("mode", MODES)
def test_who_joins_late_has_one_file_from_the_beginning(tmp_path: Path, mode: Mode) -> None:
    """His first picture is 1.9 s behind his sound, in a recording that is older than sound waits for pictures."""
    stage = Stage([changed(ADA, from_s=6.1), Publisher("bob", first=21, seed=9)])
    manifest = made(stage, tmp_path, with_mode(mode))
    file = of(manifest, "ada")
    seen = watch(tmp_path / file.path)
    assert file.start_s == 0.0 and file.width
    assert worst(seen.flashes, delayed(claps(10, 8.0))) < PARTICIPANT_SKEW_S
    assert worst(seen.beeps, delayed(claps(10, 6.1))) < PARTICIPANT_SKEW_S


@pytest.mark.parametrize("mode", MODES)
def test_losses_for_good_are_marked_gaps_and_cost_no_time(tmp_path: Path, mode: Mode) -> None:
    lossy = changed(ADA, network=rough(5, loss=0.05, burst=3))
    manifest = made(Stage([lossy]), tmp_path, with_mode(mode))
    seen = seen_in_session(tmp_path, manifest, "ada")
    assert len(seen.beeps) >= 4 and all(min(abs(beep - one) for one in delayed(EVERY)) < 0.03 for beep in seen.beeps)
    video, audio = track(manifest, "ada", "video"), track(manifest, "ada", "audio")
    assert video.lost and audio.lost
    assert {gap.reason for gap in video.gaps} == {"loss"} and audio.gaps
    assert abs(seen.audio_end_s - manifest.duration_s) < 0.03
    # A picture is shown whole or not at all: every strip that is read has a number that was sent, in order.
    numbers = [number for _, number in seen.numbers]
    assert numbers == sorted(numbers) and len(set(numbers)) == video.frames


@pytest.mark.parametrize("mode", MODES)
def test_a_mute_a_hole_and_a_late_join_are_in_the_manifest(tmp_path: Path, mode: Mode) -> None:
    trouble = TROUBLES["muted for a while"]
    stage = Stage([*trouble.publishers, Publisher("bob", first=21, from_s=3.9)], trouble.events)
    manifest = made(stage, tmp_path, with_mode(mode))
    mutes = [(span.from_s, span.to_s) for span in track(manifest, "ada", "video").mutes]
    assert mutes == [(3.5, 5.9)] and not track(manifest, "ada", "video").gaps
    bob = next(one for one in manifest.participants if one.identity == "bob")
    assert [(span.from_s, span.to_s) for span in bob.presence] == [(3.9, manifest.duration_s)]
    assert manifest.complete and manifest.ended == "stopped"


DURATION_S = 0.020  # how far off a file's length may be, as the file itself says it
FILES = {
    "mp4": SMALL,
    "mkv": FilesConfig(camera_size=(WIDTH, HEIGHT), container="mkv"),
    "webm": FilesConfig(camera_size=(WIDTH, HEIGHT), container="webm"),
    "copy": FilesConfig(mode=Mode.COPY),
    "flac": FilesConfig(mode=Mode.AUDIO, container="flac"),
    "ogg": FilesConfig(mode=Mode.AUDIO, container="ogg"),
}


@pytest.mark.parametrize("end_s", [2.0, 2.011, 2.019, 2.033])
@pytest.mark.parametrize("files", FILES)
def test_a_file_is_as_long_as_the_session_whatever_was_sent_last(tmp_path: Path, files: str, end_s: float) -> None:
    """Packets, frames and pictures end where their senders cut them, not where the session does."""
    senders = [Publisher("ada", until_s=2.0), Publisher("bob", Codec.H264, first=5, seed=2, until_s=2.0)]
    manifest = made(Stage(senders, until_s=end_s), tmp_path, FILES[files])
    for file in manifest.files:
        assert abs(file.duration_s - manifest.duration_s) < DURATION_S
        seen = watch(tmp_path / file.path)
        # An encoder's last frame is filled up (AAC: 21 ms), and not all decoders cut it off.
        assert abs(seen.audio_end_s - manifest.duration_s) < (0.022 if files == "mp4" else DURATION_S)


HOUR_S = 3600.0
CLAPS_AT = tuple(300.0 * index for index in range(12))  # a clip of 1.6 s each, with its clap at 1 s


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.AUDIO, pytest.param(Mode.DECODE, marks=pytest.mark.long)])
def test_an_hour_is_an_hour_long_at_its_end_too(tmp_path: Path, mode: Mode) -> None:
    """A time-lapse: little is sent in between, but clocks run on, one of them 100 ppm fast."""
    stage = Stage(
        [Publisher("ada", ppm=100.0, clips=CLAPS_AT), Publisher("bob", first=5, seed=2, clips=CLAPS_AT)], until_s=HOUR_S
    )
    container = "flac" if mode is Mode.AUDIO else "mp4"
    manifest = made(stage, tmp_path, FilesConfig(camera_size=(WIDTH, HEIGHT), mode=mode, container=container))
    expected = [at_s + 1 + DELAY_S for at_s in CLAPS_AT]
    heard = {}
    for identity in ("ada", "bob"):
        path = tmp_path / of(manifest, identity).path
        heard[identity] = [beep_near(path, at_s) for at_s in expected]
        assert worst(heard[identity], expected) < 0.010
        assert abs(of(manifest, identity).duration_s - manifest.duration_s) < DURATION_S
    assert worst(heard["ada"], heard["bob"]) < PARTICIPANT_SKEW_S
    drift_ppm = track(manifest, "ada", "audio").clocks[0].drift_ppm
    assert drift_ppm is not None and abs(drift_ppm - 100) < 2
