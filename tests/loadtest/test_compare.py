"""`sfu loadtest compare` with every server for a moment. Costs are not looked at: a machine that tests is not quiet."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from loadtest.compare.pion import LIBRARY

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ["ours", "janus", "janus, event_loops=1", "pion"]
TIMEOUT_S = 240.0  # Go compiles a library at first, on one core and beside other tests

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root"),
    pytest.mark.skipif(shutil.which("janus") is None, reason="Janus is missing (apt-get install janus)"),
    pytest.mark.skipif(
        shutil.which("go") is None or not LIBRARY.is_dir(),
        reason="Pion is missing (apt-get install golang-go golang-github-pion-webrtc.v3-dev)",
    ),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each"),
]


async def test_the_same_traffic_passes_through_every_server(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    server_core, generator_core = sorted(os.sched_getaffinity(0))[:2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", "loadtest", "compare", "--subscribers=2", "--meeting=0"),
        *("--srtp=gcm", "--runs=1", "--duration=2", "--warm-up=1", "--repeats=1", f"--json={result}"),
        *(f"--server-core={server_core}", f"--generator-core={generator_core}"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(TIMEOUT_S):
        output, errors = await process.communicate()
    # 3: not every run counts, as others use the machine.
    assert process.returncode in (0, 3), errors.decode()

    rows = json.loads(result.read_text())["rows"]
    assert [row["server"] for row in rows] == SERVERS
    for row in rows:
        (run,) = row["runs"]
        point = run["point"]
        assert point["srtp_profile"] == "SRTP_AEAD_AES_128_GCM"
        # 150 and 50 packets/s to each of two; what a stall at either end of the window does is not its content.
        assert point["forwarded_pps"] == pytest.approx(400, rel=0.25), row["server"]
        assert point["generator"]["undecryptable"] == point["generator"]["unmarked"] == 0, row["server"]
        assert point["generator"]["latency_samples"] > 0, row["server"]
    for server in SERVERS:
        assert f"| {server} |" in output.decode()
