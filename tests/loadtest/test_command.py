"""`sfu loadtest` as a user runs it: a real server, bots, media, and figures at the end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from loadtest import chart
from loadtest.results import Point
from sfu.plane import open_plane
from signaling.cli import main

if open_plane(()).name != "compiled":
    pytest.skip("nothing is compiled here", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240.0  # for what takes some ten seconds on an idle machine
# Three: some per cent were lost, or only late for the end of so short a window, as on a busy machine.
MEASURED = (0, 3)


async def _loadtest(*arguments: str, status: Collection[int] = (0,)) -> str:
    """What it prints. Fails unless it ends so."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", "loadtest", *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode in status, errors.decode()
    return out.decode()


async def test_one_to_many_measures_a_server(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    said = await _loadtest(
        *("one-to-many", "--subscribers=3", "--duration=2", "--warm-up=0.5", "--srtp=cm", f"--json={file}"),
        "--strangers=2000",
        status=MEASURED,
    )
    assert "1 → 3" in said
    result = json.loads(file.read_text())
    assert result["plane"] == "compiled"
    assert result["srtp_profile"] == "SRTP_AES128_CM_SHA1_80"
    assert result["participants"] == 4
    assert 420 < result["forwarded_pps"] < 800  # 200 to each of three
    assert result["loss"] < 0.2
    assert result["cpu_us_per_forwarded_packet"] > result["cpu_us_per_forwarded_packet_plane"] > 0
    assert result["added_latency_ms"]["p50"] > 0
    assert result["join_ms"]["p99"] > 0
    assert result["feedbacks_per_s"] > 10
    assert result["kernel_floor_us_per_packet"] > 0
    assert result["cipher_floor_us_per_packet"] > 0
    assert result["strangers_pps"] > 500
    assert (result["generator"]["undecryptable"], result["generator"]["unmarked"]) == (0, 0)


async def test_people_come_and_go_in_a_meeting_with_layers(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    await _loadtest(
        *("churn", "--participants=3", "--churn=2", "--layers=3", "--duration=3", "--warm-up=0.5", "--no-feedback"),
        f"--json={file}",
        status=MEASURED,
    )
    result = json.loads(file.read_text())
    assert result["forwarded_pps"] > 300
    assert result["feedbacks_per_s"] == 0


@pytest.mark.parametrize(
    "wrong",
    [["one-to-many", "--subscribers=0"], ["meeting", "--duration=-1"], ["max", "--keys=x"], ["nothing"], []],
)
def test_wrong_arguments_are_named(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["loadtest", *wrong])
    assert ended.value.code == 2
    assert "sfu loadtest" in capsys.readouterr().err


def test_draws_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    latency: dict[str, float | None] = {"p50": 0.1, "p99": 0.5, "p999": None}
    points = [
        Point(
            name="1 → 50",
            plane="compiled",
            srtp_profile="",
            participants=51,
            duration_s=1.0,
            forwarded_pps=load,
            loss=0.0,
            cpu=0.1,
            cpu_us_per_forwarded_packet=1.0,
            cpu_us_per_forwarded_packet_plane=0.5,
            control_us_per_participant_per_s=1.0,
            added_latency_ms=latency,
            join_ms=latency,
            received_mbps_per_participant=1.0,
            rss_kb_per_participant=1.0,
            rss_kb=1,
            foreign_cpu=0.0,
            duplicates=0,
            reordered=0,
            feedbacks_per_s=0.0,
            generator={},
        )
        for load in (1000.0, 2000.0)
    ]
    chart.draw(points, "a picture", tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


async def test_a_call_beside_what_a_backend_asks(tmp_path: Path) -> None:
    """Figures, whatever they are on this machine."""
    file = tmp_path / "result.json"
    said = await _loadtest(
        *("beside", "--subscribers=2", "--reads=50", "--joins=10", "--duration=1", "--warm-up=0.5", f"--json={file}"),
        status=MEASURED,
    )
    assert "beside 50 room reads/s: p99" in said and "beside 10 joins/s: p99" in said
    points = json.loads(file.read_text())["points"]
    names = ["call alone", "beside 50 room reads/s", "call alone", "beside 10 joins/s"]
    assert [one["name"] for one in points] == names
    reads, joins = points[1]["beside"], points[3]["beside"]
    assert (reads["failed"], joins["failed"]) == (0, 0)
    assert reads["per_s"] > 5 and joins["per_s"] > 1 and joins["p99_ms"] >= joins["p50_ms"] > 0
