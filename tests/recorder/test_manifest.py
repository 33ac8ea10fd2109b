"""manifest.json is what its schema says, and is read back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from recorder import manifest
from recorder.config import FilesConfig, MediaConfig
from recorder.journal import ConsentChanged, RecordingPaused, RecordingResumed, SpeakersChanged
from recorder.recovery import checksum, recover
from tests.recorder.clap import HEIGHT, WIDTH
from tests.recorder.stage import Publisher, Stage
from tests.recorder.watching import watch

ROOT = Path(__file__).resolve().parents[2]
SMALL = FilesConfig(camera_size=(WIDTH, HEIGHT))


def test_the_schema_that_is_handed_out_is_that_of_the_types() -> None:
    written = json.loads((ROOT / "recorder" / "manifest.schema.json").read_text())
    assert written == json.loads(json.dumps(manifest.schema())), "write it anew: see recorder/README.md"
    jsonschema.Draft202012Validator.check_schema(written)


def test_a_manifest_fits_the_schema_names_what_is_there_and_can_be_read_back(tmp_path: Path) -> None:
    stage = Stage(
        [Publisher("ada"), Publisher("bob", first=5, from_s=2.0)],
        [
            (1.0, 0, SpeakersChanged(("ada",))),
            (3.0, 0, SpeakersChanged(())),
            (6.0, 0, RecordingPaused()),
            (7.5, 0, RecordingResumed()),
        ],
    )
    made = recover(stage.write(tmp_path), MediaConfig(), SMALL).manifest
    content = (tmp_path / "manifest.json").read_bytes()
    jsonschema.validate(json.loads(content), manifest.schema(), jsonschema.Draft202012Validator)
    assert manifest.decode(content) == made
    assert (made.recording, made.room, made.started_at) == ("rec1", "standup", "2023-11-14T22:13:20.000Z")
    assert [(one.at_s, one.participants) for one in made.speakers] == [(1.0, ["ada"]), (3.0, [])]
    assert [(span.from_s, span.to_s) for span in made.pauses] == [(6.0, 7.5)]
    for file in made.files:
        assert checksum(tmp_path / file.path) == file.sha256
        assert (tmp_path / file.path).stat().st_size == file.size_bytes
    # What happened in the pause is not there; what comes after it is where it was.
    seen = watch(tmp_path / made.files[0].path)
    assert [round(at_s) for at_s in seen.beeps] == [1, 3, 5, 9]
    assert abs(seen.audio_end_s - made.duration_s) < 0.03


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b'{"version": 1}', b"\xff"])
def test_what_is_no_manifest_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(ValueError, match="no manifest"):
        manifest.decode(content)


def test_the_same_journal_gives_the_same_bytes(tmp_path: Path) -> None:
    Stage([Publisher("ada"), Publisher("bob", first=5)]).write(tmp_path)
    first, second = (recover(tmp_path, MediaConfig(), SMALL).manifest for _ in range(2))
    assert first == second


def test_nothing_is_taken_of_who_does_not_consent_and_the_manifest_says_so(tmp_path: Path) -> None:
    stage = Stage(
        [Publisher("ada"), Publisher("bob", first=5), Publisher("cid", first=9)],
        [
            (0.0, 0, ConsentChanged("ada", True)),
            (0.0, 0, ConsentChanged("bob", False)),
            (6.0, 0, ConsentChanged("cid", False)),
        ],
    )
    made = recover(stage.write(tmp_path), MediaConfig(), SMALL).manifest
    assert {one.identity: one.consent for one in made.participants} == {"ada": True, "bob": False, "cid": False}
    assert sorted({file.participant for file in made.files}) == ["ada", "cid"]
    frames = {(track.participant, track.kind): track.frames for track in made.tracks}
    assert frames[("bob", "audio")] == frames[("bob", "video")] == 0
    cid = next(file for file in made.files if file.participant == "cid")
    assert [round(at_s) for at_s in watch(tmp_path / cid.path).beeps] == [1, 3, 5]
