"""`sfu demo`: its verdict, its table, its arguments, and one short run of the whole."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signaling.demo import add_arguments, run
from signaling.demo.outcome import Direction, Outcome
from signaling.demo.recorded import RecordingVerdict, Sender, judge_file
from signaling.demo.table import PLAIN_INTERVAL_S, Table, rows

ROOT = Path(__file__).resolve().parents[2]

FINE = Direction(
    receiver="Ada",
    sender="Bob",
    audio_after_s=0.1,
    video_after_s=0.2,
    audio_packets=500,
    audio_lost=0,
    video_packets=200,
    video_lost=1,
    recovered=2,
    frames_decoded=150,
    frame_number=151,
    width=320,
    height=176,
    bitrate_bps=123_456,
    pitch_hz=549.6,
    faults=(),
)
DEAF = replace(FINE, receiver="Bob", sender="Ada", audio_after_s=None, pitch_hz=None, faults=("no audio",))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_one_fault_spoils_the_outcome() -> None:
    assert Outcome((FINE,)).ok
    assert not Outcome((FINE, DEAF)).ok
    assert Outcome((FINE, DEAF)).faults == ["Bob ◄ Ada: no audio"]


def test_times_are_of_those_who_heard_something() -> None:
    outcome = Outcome((FINE, DEAF, replace(FINE, audio_after_s=0.3)))
    assert outcome.audio_after_s() == (0.2, 0.3)
    assert outcome.video_after_s() == (0.2, 0.2)
    assert Outcome((DEAF,)).audio_after_s() is None


def test_outcomes_can_be_written_as_json() -> None:
    written = json.loads(json.dumps(Outcome((FINE, DEAF)).to_json()))
    assert written["ok"] is False
    assert written["directions"][0]["frames_decoded"] == 150
    assert written["video_after_s"] == [0.2, 0.2]


def test_columns_are_aligned() -> None:
    headings, fine, deaf = rows([FINE, DEAF])
    assert len(headings) == len(fine) == len(deaf)
    assert fine == "Ada ◄ Bob  320x176      200     1         2     150     151  550 Hz      500     0     123"
    assert "–" in deaf


def test_on_a_terminal_the_table_is_drawn_over_itself() -> None:
    out = Terminal()
    table = Table(out)
    table.show(Outcome((FINE,)), 0.5, 10)
    table.show(Outcome((FINE,)), 1.0, 10)
    assert out.getvalue().count("\x1b[3A") == 1


def test_elsewhere_the_table_is_printed_now_and_then() -> None:
    out = io.StringIO()
    table = Table(out)
    for half_seconds in range(25):
        table.show(Outcome((FINE,)), half_seconds / 2, 12)
    table.finish(Outcome((FINE,)), 12)
    assert out.getvalue().count("receives") == 12 // PLAIN_INTERVAL_S + 1
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    "words", [("--seconds", "0"), ("--seconds", "x"), ("--bots", "1"), ("--bots", "99"), ("--codec", "VP9")]
)
def test_arguments_out_of_range_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(*words)
    assert words[0] in capsys.readouterr().err


def test_a_short_demo_succeeds_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "result.json"
    assert run(arguments("--seconds", "2.5", "--bots", "2", "--json", str(file), "--record", str(tmp_path))) == 0
    said = capsys.readouterr().out
    assert "the recording has everybody" in said
    assert "everybody decoded everybody" in said
    assert "join to first decoded audio: p50" in said
    assert "join to first decoded video: p50" in said
    result = json.loads(file.read_text())
    assert result["ok"] is True
    assert len(result["directions"]) == 2
    assert {one["name"] for one in result["recording"]["files"]} == {"Ada", "Bob"}
    look_for_somebody_else(result["recording"])


def look_for_somebody_else(recording: dict[str, Any]) -> None:
    """Whatever is wrong with a file is found in it."""
    one = recording["files"][0]
    path = Path(recording["directory"]) / "files" / one["path"]
    stranger = Sender("Eve", 7, sound_on_s=0.0, picture_on_s=0.0, picture_on=60_000, late_s=0.0)
    faults = "; ".join(judge_file(path, stranger, one["length_s"] + 1).faults)
    for words in ("the recording", "no picture can be read", "somebody else", "1210 Hz in 0 of", "does not go on"):
        assert words in faults, faults


def test_a_recording_that_is_not_as_it_should_be_spoils_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = RecordingVerdict("/somewhere", (), ("there is no file of Ada",))

    async def demo(*_: object) -> tuple[Outcome, RecordingVerdict]:
        return Outcome((FINE,)), verdict

    monkeypatch.setattr("signaling.demo.command._demo", demo)
    assert run(arguments("--record", "/somewhere")) == 1
    assert not verdict.ok and RecordingVerdict("/somewhere", (), ()).ok


async def test_an_interrupt_ends_it_cleanly() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", "demo", "--seconds", "600", "--bots", "2"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # A shell in the background may have told its children to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert b"2 bots on http://127.0.0.1:" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130
    assert errors.decode() == "stopped\n"


def test_a_bot_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> Callable[[], None]:
        raise RuntimeError("the picture fell off the wall")

    monkeypatch.setattr("signaling.demo.picture.Picture.planes", broken)
    assert run(arguments("--seconds", "2", "--bots", "2")) == 1
    assert "the picture fell off the wall" in capsys.readouterr().err
