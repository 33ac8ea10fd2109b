"""`sfu recordings` against a server in this process. With media in the files: tests/integration/test_recording.py."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from signaling.api.recording_models import Recording
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


@pytest.mark.parametrize("name", ["../../loot", "sub/loot", "..", ""])
async def test_a_server_does_not_say_where_files_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    known = {"id": "REC_1", "room": "a", "room_id": "RM_1", "state": "ready", "reason": "", "failure": "", "by": "api"}
    told: dict[str, Any] = dict.fromkeys(Recording.__struct_fields__) | known
    told |= {"options": {}, "started_at": "2026-11-30T12:00:00Z", "duration_s": 1, "journal_bytes": 0}
    told["files"] = [{"name": name, "participant": "ada", "size_bytes": 4, "duration_s": 1, "error": "", "href": ""}]
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(told) if request.path.endswith("/REC_1") else web.Response(body=b"loot")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    async with TestServer(application) as server:
        arguments = ["recordings", "download", "REC_1", str(tmp_path / "a" / "here")]
        status = await asyncio.to_thread(main, [*arguments, "--url", str(server.make_url("")), "--keys", KEY])
    assert (status, asked) == (1, ["/v1/recordings/REC_1"])
    assert "names a file" in capsys.readouterr().err
    assert sorted(found for _, _, found in os.walk(tmp_path)) == [[], [], [], []], "directories alone"
