"""Recordings of real calls: bots over real sockets, the recorder a process of its own, files as they lie on disk."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import av
import msgspec

from recorder.manifest import Manifest
from signaling.cli import main as sfu
from signaling.demo.bot import Bot
from signaling.recordings.options import RecordingOptions
from signaling.recordings.recordings import Recordings
from signaling.records import StoredRecording
from tests.support.ice import until
from tests.support.meeting import PATIENCE_S, meeting

# Making files decodes and encodes at low priority: seconds on an idle machine.
FILES_WITHIN_S = 120.0
# The people in Bot's pictures and tones are there within a second; a key frame and the first reports take the rest.
LATE_S = 3.0


async def comes_to(recordings: Recordings, id: str, state: str) -> StoredRecording:
    async with asyncio.timeout(FILES_WITHIN_S):
        while (one := recordings.recording(id)).state != state:
            assert one.state != "failed", one
            await asyncio.sleep(0.2)
    return one


def is_told(bot: Bot) -> bool:
    """That a recording runs."""
    return bot.room.state is not None and bot.room.state.recording


async def true(condition: Callable[[], bool]) -> None:
    """A process is started meanwhile, which imports a lot."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - any condition at all, so nobody could set an event
            await asyncio.sleep(0.05)


async def grows(recordings: Recordings, id: str, by_bytes: int) -> None:
    """So much more is in the journal."""
    before = recordings.recording(id).bytes
    await true(lambda: recordings.recording(id).bytes > before + by_bytes)


def seconds_of(path: Path, kind: str) -> tuple[int, float]:
    """How many frames can be decoded, and the end of the last."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        frames, end_s = 0, 0.0
        for frame in container.decode(stream):
            frames += 1
            end_s = max(end_s, float(frame.pts * frame.time_base))
    return frames, end_s


async def mixed(where: tuple[str, ...], one: StoredRecording, directory: Path) -> None:
    """Small, and so within a second."""
    layout, film = directory / "layout.json", directory / "film.mp4"
    layout.write_text('{"width": 320, "height": 180, "frames_per_s": 5, "regions": [{"shows": "all"}]}')
    command = ["recordings", "mix", one.id, "--layout", str(layout), "--no-names", "--out", str(film), *where]
    assert await asyncio.to_thread(sfu, command) == 0
    pictures, last_picture_s = seconds_of(film, "video")
    _, last_sound_s = seconds_of(film, "audio")
    assert one.duration_s is not None and abs(pictures - 5 * one.duration_s) <= 1
    assert abs(last_picture_s - one.duration_s) < 0.25 and abs(last_sound_s - one.duration_s) < 0.1


async def test_a_call_is_recorded_though_the_recorder_is_killed(tmp_path: Path) -> None:
    async with meeting(recordings=tmp_path) as call:
        ada, bob = await call.join("Ada"), await call.join("Bob")
        await call.until_all_see_all()
        recordings = call.server.recordings
        begun = await recordings.start("meeting", RecordingOptions())
        await until(lambda: is_told(ada) and is_told(bob))
        await grows(recordings, begun.id, 30_000)
        first = recordings.recorder_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await true(lambda: recordings.recorder_pid not in (None, first))
        await grows(recordings, begun.id, 30_000)
        await call.until_all_see_all()  # nobody noticed
        stopped = await recordings.stop(begun.id)
        assert stopped.state == "finishing"
        await until(lambda: not is_told(ada))
        one = await comes_to(recordings, begun.id, "ready")
        await call.until_all_see_all()

        directory = recordings.path(one.id)
        manifest = msgspec.json.decode((directory / "manifest.json").read_bytes(), type=Manifest)
        assert one.duration_s is not None and stopped.ended_at is not None
        # The session begins with its journal, for which a process had to start.
        assert abs(one.duration_s - (stopped.ended_at - manifest.started_unix_s)) < LATE_S
        identities = {bot.room.identity for bot in (ada, bob)}
        assert {person.identity for person in manifest.participants} == identities
        assert {file.participant for file in one.files} == identities and len(one.files) == 2
        for file in one.files:
            assert not file.error and abs(file.duration_s - one.duration_s) < 0.1
            pictures, last_picture_s = seconds_of(directory / file.path, "video")
            sounds, last_sound_s = seconds_of(directory / file.path, "audio")
            assert pictures > 20 and sounds > 100
            assert abs(last_sound_s - one.duration_s) < 0.1 and last_picture_s > one.duration_s - LATE_S
        fetched = tmp_path / "fetched"
        where = ("--dev", "--url", call.server.url)
        assert await asyncio.to_thread(sfu, ["recordings", "download", one.id, str(fetched), *where]) == 0
        for path in ("manifest.json", *(file.path for file in one.files)):
            assert (fetched / path).read_bytes() == (directory / path).read_bytes(), path
        await mixed(where, one, tmp_path)
        await recordings.delete(one.id)
        assert not directory.exists() and not recordings.of_room(None)
