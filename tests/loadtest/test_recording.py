"""What is said of recorded rooms: of journals that are known, and of a real run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest import making, recording
from recorder.config import FilesConfig, JournalConfig, MediaConfig, Mode
from recorder.journal import Epoch, FramesDropped, JournalWriter
from recorder.recovery import recover
from sfu.plane import open_plane
from sfu.wire import rtp
from tests.loadtest.test_command import _loadtest


def test_what_a_journal_lacks_is_counted(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, JournalConfig(), Epoch("r", "room", "", 0.0, 0.0))
    for track, numbers in ((1, (7, 8, 10, 9)), (2, (100, 104, 104))):
        for number in numbers:
            packet = rtp.build(payload_type=96, sequence_number=number, timestamp=0, ssrc=1, payload=b"x", marker=True)
            writer.packet(track, 0, number, 0.1, packet, False)
    writer.event(0.2, FramesDropped(5))
    writer.close(0.3)
    assert recording.read(tmp_path) == recording.Taken(packets=6, missing=3, told=5)


def test_the_journal_of_which_files_are_made_has_pictures_and_sound(tmp_path: Path) -> None:
    making.write(tmp_path, 1.0)
    manifest = recover(tmp_path, MediaConfig(), FilesConfig(mode=Mode.COPY)).manifest
    assert [(file.participant, file.width, file.has_sound) for file in manifest.files] == [
        (name, making.SIZE[0], True) for name in making.PEOPLE
    ]
    assert [(one.frames, one.lost, one.undecodable) for one in manifest.tracks] == [(15, 0, 0), (50, 0, 0)] * 2


@pytest.mark.long
@pytest.mark.skipif(open_plane(()).name != "compiled", reason="nothing is compiled here")
async def test_rooms_are_recorded_and_nothing_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    said = await _loadtest(
        *("recording", "--rooms=2", "--duration=1", "--warm-up=0.5", f"--json={file}"), status=(0, 3)
    )
    figures = json.loads(file.read_text())["recording"]
    assert (figures["recordings"], figures["missing"], figures["told_missing"], figures["failed"]) == (2, 0, 0, 0)
    assert figures["packets"] > 1000 and figures["cpu_s_per_participant_hour"] > 0
    assert "journals, 0 missing" in said and "decode:" in said
