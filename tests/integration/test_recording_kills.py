"""kill -9 of the recorder, and of the server, at moments of a seed: what was flushed is in the files."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import av

from recorder import manifest
from recorder.config import JournalConfig
from recorder.journal import JournalReader, Packet
from recorder.manifest import Manifest
from signaling.client import development_token
from signaling.config import DEVELOPMENT_KEY
from signaling.demo.bot import Bot, BotOptions
from signaling.recordings.options import RecordingOptions
from tests.support.child import children
from tests.support.meeting import PATIENCE_S, audio_of, meeting, video_of
from tests.support.server import RunningServer, running_server

READY_WITHIN_S = 120.0  # files are made at low priority
LATEST_S = 1.5  # after something has come that a kill may find
# What a kill may cost: what had not been flushed, and what a busy machine had not yet read of the socket.
LOST_S = JournalConfig().flush_interval_s + 3.0


async def true(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - of files and processes, which set no event of ours
            await asyncio.sleep(0.02)


def packets(directory: Path) -> list[Packet]:
    return [one for one in JournalReader(directory / "journal").entries() if isinstance(one, Packet)]


def grown(directory: Path, by_bytes: int) -> Callable[[], bool]:
    before = size(directory)
    return lambda: size(directory) > before + by_bytes


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in (directory / "journal").glob("*.sfuj"))


def check(directory: Path, said: Manifest, kept: list[Packet]) -> None:
    """Every file opens and can be decoded to its end, and no packet that was in the journal is missing."""
    assert sum(track.packets for track in said.tracks) == len(kept) > 0
    assert {track.source for track in said.tracks} == {"camera", "microphone"}
    assert max(one.at_s for one in kept) <= said.duration_s + 0.01
    assert not said.journal.unreadable and not said.journal.damaged
    assert len({file.participant for file in said.files}) == 2
    for file in said.files:
        assert not file.error, file
        with av.open(str(directory / file.path)) as opened:
            assert sum(1 for _ in opened.decode()) > 5, file


def read(directory: Path) -> Manifest:
    return manifest.decode((directory / manifest.FILE_NAME).read_bytes())


# --- the recorder --------------------------------------------------------------------------------------------


async def recorder_is_killed(tmp_path: Path, chance: random.Random) -> None:
    """Again and again, while two people talk."""
    async with meeting(recordings=tmp_path) as call:
        await call.join("Ada")
        await call.join("Bob")
        recordings = call.server.recordings
        begun = await recordings.start("meeting", RecordingOptions(mode="copy"))
        directory = recordings.path(begun.id)
        deaths = chance.randint(1, 2)
        for _ in range(deaths):
            await true(grown(directory, 20_000))
            await asyncio.sleep(chance.uniform(0.0, LATEST_S))
            pid = recordings.recorder_pid
            assert pid is not None
            killed_at = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            await true(lambda pid=pid: recordings.recorder_pid not in (None, pid))  # type: ignore[misc]
            before = packets(directory)
            reader = JournalReader(directory / "journal")
            list(reader.entries())
            assert reader.epoch is not None
            assert max(one.at_s for one in before) + reader.epoch.monotonic_s > killed_at - LOST_S
            await true(grown(directory, 20_000))
        await call.until_all_see_all()  # nobody noticed
        await recordings.stop(begun.id)
        await true(lambda: recordings.recording(begun.id).state in ("ready", "failed"), READY_WITHIN_S)
        assert recordings.recording(begun.id).state == "ready"
        said = read(directory)
        check(directory, said, packets(directory))
        assert said.complete and said.ended == "stopped"
        for track in said.tracks:
            if track.kind == "audio":  # of pictures, only what is longer than a second is a gap
                assert [gap.reason for gap in track.gaps].count("restart") == deaths, track


# --- the server ----------------------------------------------------------------------------------------------


async def asked(server: RunningServer, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {':'.join(DEVELOPMENT_KEY)}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(method, f"{server.url}/v1{path}", json=body) as response,
    ):
        assert response.status in (200, 201), await response.text()
        return await response.json()


@asynccontextmanager
async def talking(server: RunningServer) -> AsyncIterator[list[Bot]]:
    """Two people who see and hear each other."""
    tokens = [await development_token(server.url, name, "meeting") for name in ("Ada", "Bob")]
    senders = {token.identity: number for number, token in enumerate(tokens)}
    with ThreadPoolExecutor(2) as pool:
        async with AsyncExitStack() as stack:
            bots = []
            for number, (name, token) in enumerate(zip(("Ada", "Bob"), tokens, strict=True)):
                joining = Bot.join(
                    server.url,
                    "meeting",
                    token.token,
                    name=name,
                    sender=number,
                    senders=senders,
                    pool=pool,
                    options=BotOptions(),
                )
                bots.append(await stack.enter_async_context(joining))
            for one, other in (bots, bots[::-1]):
                await one.until(
                    lambda one=one, other=other: video_of(one, other).decoded > 5 and audio_of(one, other).right > 5,  # type: ignore[misc]
                    PATIENCE_S,
                )
            yield bots


async def server_is_killed(tmp_path: Path, chance: random.Random) -> None:
    """And the next one, on the same store, makes the files."""
    options = ("--dev", f"--store={tmp_path / 'store.db'}", f"--recordings={tmp_path / 'recordings'}")
    async with running_server(*options) as server, talking(server):
        begun = await asked(server, "POST", "/rooms/meeting/recordings", {"mode": "copy"})
        directory = tmp_path / "recordings" / begun["id"]
        await true(lambda: size(directory) > 20_000)
        await asyncio.sleep(chance.uniform(0.0, LATEST_S))
        theirs = children(server.process.pid)
        server.process.kill()
        await server.process.wait()
        await true(lambda: not any(Path(f"/proc/{pid}").exists() for pid in theirs))  # the recorder goes along
    kept = packets(directory)
    async with running_server(*options) as server:
        async with asyncio.timeout(READY_WITHIN_S):
            while (one := await asked(server, "GET", f"/recordings/{begun['id']}"))["state"] != "ready":
                assert one["state"] == "finishing", one
                await asyncio.sleep(0.1)
        said = read(directory)
        check(directory, said, kept)
        assert not said.complete and said.ended == ""
        assert one["reason"] == "server_restart"
        async with talking(server):  # the call goes on
            pass


async def test_a_kill_costs_no_more_than_what_was_not_flushed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    await (server_is_killed if seed % 2 else recorder_is_killed)(tmp_path, chance)
