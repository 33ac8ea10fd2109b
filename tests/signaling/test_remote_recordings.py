"""`sfu recordings` against a server in this process. With media in the files: tests/integration/test_recording.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from signaling.cli import main
from tests.signaling.api.calling import KEY, present
from tests.signaling.servers import serving


async def test_from_start_to_rm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(recordings=tmp_path / "all") as server, present(server, "ada", room="standup"):

        async def sfu(*arguments: str, status: int = 0) -> str:
            """What it says; of an error, that."""
            where = ("--url", server.url, "--keys", KEY)
            came = await asyncio.to_thread(main, ["recordings", *arguments, *where])
            said = capsys.readouterr()
            assert came == status, said
            return said.err if status else said.out

        id = (
            await sfu("start", "standup", "--mode", "audio", "--max-duration", "1h", "--source", "microphone")
        ).strip()
        one = server.recordings.recording(id)
        assert (one.options.mode, one.options.max_duration_s, one.options.sources) == ("audio", 3600, ("microphone",))
        listed = (await sfu("list", "--room", "standup")).splitlines()
        assert listed[0].split()[:3] == ["RECORDING", "ROOM", "STATE"]
        assert listed[1].split()[:3] == [id, "standup", "recording"]
        await sfu("pause", id)
        assert server.recordings.recording(id).state == "paused"
        await sfu("resume", id)
        assert server.recordings.recording(id).state == "recording"
        async with asyncio.timeout(60):
            while not server.recordings.recording(id).bytes:  # noqa: ASYNC110 - the recorder says so once a second
                await asyncio.sleep(0.05)
        assert await sfu("stop", id, "--wait") == "ready\n"
        assert await sfu("download", id, str(tmp_path / "here")) == f"{tmp_path}/here\n"
        assert (tmp_path / "here" / "manifest.json").read_bytes().startswith(b"{")
        await sfu("rm", id)
        assert "recording_not_found" in await sfu("rm", id, status=1)
        assert "room_not_found" in await sfu("start", "nowhere", status=1)
        assert "max_layer" in await sfu("start", "standup", "--max-layer", "99", status=2)
