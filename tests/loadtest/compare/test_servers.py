"""Processes of other servers: pinned, awaited by what they print, and gone with the block."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtest.compare.servers import CannotCompare, ServerProcess, need_programs

CORE = min(os.sched_getaffinity(0))


async def test_a_process_runs_on_its_core_until_it_is_stopped(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    process = await server.start(CORE, ["sh", "-c", "echo listening on 7; exec sleep 60"])
    assert await server.until_printed("listening") == "listening on 7"
    assert os.sched_getaffinity(process) == {CORE}
    await server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_one_that_ends_at_once_is_reported_with_what_it_said(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    await server.start(CORE, ["sh", "-c", "echo no such room >&2; exit 1"])
    with pytest.raises(CannotCompare, match="no such room"):
        await server.until_printed("listening")
    await server.stop()


async def test_one_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    process = await server.start(CORE, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    await server.until_printed("ready")
    await server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_missing_programs_are_named_with_their_packages() -> None:
    need_programs({"sh": "dash"})
    with pytest.raises(CannotCompare, match="apt-get install --no-install-recommends a-package"):
        need_programs({"sh": "dash", "no-such-program": "a-package"})
