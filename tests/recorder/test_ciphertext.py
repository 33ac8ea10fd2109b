"""A recording of what was encrypted end to end: the journal alone, and words for who wants files of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.journal import JournalReader, MediaEncrypted, Packet
from recorder.live.config import LiveConfig
from recorder.live.stream import LiveStream
from recorder.mix.layouts import BUILT_IN
from recorder.recovery import recover
from recorder.uploads.contents import contents
from signaling.cli import main
from tests.recorder.stage import Publisher, Stage


def write(directory: Path) -> Path:
    """What is sent would decode; nobody may find out."""
    return Stage([Publisher("ada", until_s=2.0)], [(0.0, 0, MediaEncrypted())], until_s=2.0).write(directory)


@pytest.mark.parametrize("mode", list(Mode))
def test_no_decoder_sees_it_and_the_manifest_says_so(tmp_path: Path, mode: Mode) -> None:
    manifest = recover(write(tmp_path), MediaConfig(), FilesConfig(mode=mode, container="flac")).manifest
    assert manifest.encrypted and manifest.files == [] and list((tmp_path / "files").iterdir()) == []
    assert [one.identity for one in manifest.participants] == ["ada"] and manifest.duration_s >= 2.0
    assert [(one.frames, one.undecodable, one.gaps) for one in manifest.tracks] == [(0, 0, [])] * 2
    packets = [entry for entry in JournalReader(tmp_path / "journal").entries() if isinstance(entry, Packet)]
    assert len(packets) > 100


def test_its_journal_is_uploaded_in_any_case(tmp_path: Path) -> None:
    recover(write(tmp_path), MediaConfig(), FilesConfig(mode=Mode.COPY))
    sent = [item.path for item in contents(tmp_path, with_journal=False, verified={})]
    assert sent == ["journal/00000001.sfuj", "manifest.json"]


def test_who_wants_files_a_mix_or_a_stream_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    assert main(["recover", str(tmp_path), "--mode", "copy"]) == 1
    assert "encrypted end to end" in capsys.readouterr().err
    assert main(["mix", str(tmp_path)]) == 1
    assert "encrypted end to end" in capsys.readouterr().err
    stream = LiveStream(BUILT_IN["grid"], LiveConfig())
    stream.on_entries(JournalReader(tmp_path / "journal").entries())
    assert stream.encrypted
