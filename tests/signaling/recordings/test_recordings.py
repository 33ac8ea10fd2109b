"""The registry with real recorder processes: over a restart, a room's end, and a store that cannot write."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from signaling.api.models import RoomChange, RoomWish, TokenWish
from signaling.client.api import ServerApi
from signaling.errors import Refused
from signaling.messages import Join
from signaling.recordings.options import RecordingOptions
from signaling.recordings.recordings import Recordings
from signaling.recordings.retaining import Retaining
from signaling.recordings.retention import Retention
from signaling.records import StoredRecording
from signaling.room_settings import RoomChanges
from signaling.rooms import RoomDirectory
from signaling.server import Server
from signaling.store.sqlite import SqliteStore
from tests.signaling.api.calling import declined, present
from tests.signaling.api.test_moderation import asking
from tests.signaling.servers import connected, serving

# Processes start, which import PyAV: a second or two on an idle machine.
PATIENCE_S = 120.0
SOUND = RecordingOptions(mode="audio")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - any condition at all
            await asyncio.sleep(0.02)


async def begun(recordings: Recordings, room: str = "demo") -> str:
    """A recording with something in its journal."""
    id = (await recordings.start(room, SOUND)).id
    await until(lambda: recordings.recording(id).bytes > 0)
    return id


def is_recorded(server: Server, room: str = "demo") -> bool:
    """As people are told."""
    return bool(server.switchboard.directory._rooms[room].state().recording)


async def told(api: ServerApi) -> list[tuple[str, str]]:
    """What of recordings backends are told, and the reason."""
    events = (await api.list_events()).items
    return [
        (str(one.__struct_config__.tag).partition(".")[2], one.recording.reason)
        for one in events
        if hasattr(one, "recording")
    ]


async def tells(api: ServerApi, state: str, reason: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (state, reason) not in await told(api):  # noqa: ASYNC110 - by REST, as backends see it
            await asyncio.sleep(0.05)


async def test_the_next_server_makes_the_files_of_what_ran(tmp_path: Path) -> None:
    options = {"recordings": tmp_path / "all", "store": tmp_path / "sfu.sqlite"}
    async with serving(**options) as server, present(server, "ada"):
        id = await begun(server.recordings)
        await server.recordings.pause(id)
    async with serving(**options) as server, asking(server) as api:
        assert server.recordings.recording(id).reason == "server_restart"
        with pytest.raises(Refused, match="recording_ended"):
            await server.recordings.resume(id)
        await until(lambda: server.recordings.recording(id).state == "ready")
        assert not is_recorded(server), "its people come back into a room that is not recorded"
        one = server.recordings.recording(id)
        assert one.duration_s is not None and (server.recordings.path(id) / "manifest.json").exists()
        await tells(api, "ready", "server_restart")
        states = [state for state, _ in await told(api)]
        assert states == ["started", "paused", "stopped", "ready"]
        await server.recordings.delete(id)
    async with serving(**options) as server:
        assert server.recordings.of_room(None) == [] and not (tmp_path / "all" / id).exists()


async def test_a_recording_ends_with_its_room(tmp_path: Path) -> None:
    async with serving(recordings=tmp_path) as server, asking(server) as api, present(server, "ada"):
        id = await begun(server.recordings)
        await api.delete_room("demo")
        await until(lambda: server.recordings.recording(id).state == "ready")
        await tells(api, "ready", "room_ended")
        assert await told(api) == [("started", ""), ("stopped", "room_ended"), ("ready", "room_ended")]
        assert (await api.get_recording(id)).room == "demo", "it outlives the room"


async def test_one_that_is_stopped_before_its_process_has_started_is_empty(tmp_path: Path) -> None:
    async with serving(recordings=tmp_path) as server, asking(server) as api, present(server, "ada"):
        id = (await server.recordings.start("demo", SOUND)).id
        assert (await server.recordings.stop(id)).state == "finishing" and server.recordings.recorder_pid is not None
        await until(lambda: server.recordings.recording(id).state in ("ready", "failed"))
        one = await api.get_recording(id)
        assert (one.state, one.reason, one.files) == ("ready", "stopped", [])
        await api.get_recording_manifest(id, tmp_path / "manifest.json")
        assert await told(api) == [("started", ""), ("stopped", "stopped"), ("ready", "stopped")]


async def test_while_the_store_cannot_write_less_is_taken_and_not_more(tmp_path: Path) -> None:
    path = tmp_path / "sfu.sqlite"
    async with (
        serving(recordings=tmp_path / "all", store=path) as server,
        asking(server) as api,
        present(server, "ada"),
    ):
        recordings, store = server.recordings, server.store
        assert isinstance(store, SqliteStore)
        id, other = await begun(recordings), (await recordings.start("demo", SOUND)).id
        await recordings.pause(other)
        store._writer.execute("PRAGMA busy_timeout = 50")
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        server.switchboard.directory.create_room("noise", RoomChanges(), 0.0)
        server.switchboard.feed(0, lambda session: None)  # a turn, which cannot be kept
        await until(lambda: store.stalled)
        for refused in (recordings.start("demo", SOUND), recordings.resume(other), recordings.stop(id)):
            with pytest.raises(Refused, match="unavailable"):
                await refused
        assert recordings.recording(other).state == "paused", "nobody was told that it goes on"
        assert recordings.recording(id).state == "finishing", "it has ended all the same"
        await until(lambda: recordings.recording(id).state == "ready")
        blocker.execute("ROLLBACK")
        blocker.close()
        await until(lambda: not store.stalled)
        await recordings.resume(other)
        await recordings.stop(other)
        await tells(api, "ready", "stopped")
        kept = [value for value in store.load().values if isinstance(value, StoredRecording)]
        assert {one.id: one.state for one in kept}[id] == "ready"


async def test_a_room_that_is_set_so_is_recorded_from_when_the_first_one_comes(tmp_path: Path) -> None:
    async with serving(recordings=tmp_path) as server, asking(server) as api:
        wish = RoomWish(name="demo", auto_record=SOUND)
        assert (await api.create_room(wish)).auto_record == SOUND
        assert server.recordings.of_room(None) == [], "nobody is here"
        async with present(server, "ada"):
            await until(lambda: is_recorded(server))
            (one,) = (await api.list_room_recordings("demo")).items
            assert (one.by, one.options) == ("room", SOUND)
            async with present(server, "eve"):
                assert server.recordings.goes_on_by_itself("demo")
                await api.stop_recording(one.id)
                assert len((await api.list_recordings()).items) == 1, "who stops it means it"
            assert not server.recordings.goes_on_by_itself("demo")
            # Set while somebody is here; and not for what cannot be.
            await api.create_room(RoomWish(name="other"))
            async with present(server, "bob", room="other"):
                await api.change_room("other", RoomChange(auto_record=SOUND))
                await until(lambda: is_recorded(server, "other"))
            # Or because of who comes.
            witness = TokenWish(identity="dora", auto_record=RecordingOptions(mode="audio", sources=("microphone",)))
            async with present(server, "bob", room="third"), connected(server, "third") as dora:
                assert server.recordings.of_room("third") == []
                await dora.say(Join, token=(await api.create_token("third", witness)).token)
                await until(lambda: is_recorded(server, "third"))
                (kept,) = server.recordings.of_room("third")
                assert (kept.by, kept.options) == ("token", witness.auto_record)
                assert server.recordings.goes_on_by_itself("third")
        with declined("out_of_range"):
            await api.change_room("other", RoomChange(end_to_end_encrypted=True))
        with declined("out_of_range"):
            await api.change_room("other", RoomChange(auto_record=RecordingOptions(mode="copy", container="mp4")))
    async with serving() as server, asking(server) as api:
        with declined("recording_disabled"):
            await api.create_room(RoomWish(name="demo", auto_record=SOUND))
        with declined("recording_disabled"):
            await api.create_token("demo", TokenWish(identity="dora", auto_record=SOUND))


async def test_an_error_of_ours_ends_neither_what_keeps_recordings_nor_what_deletes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(recordings=tmp_path) as server, present(server, "ada"):
        id = (await server.recordings.start("demo", SOUND)).id
        with monkeypatch.context() as broken:
            broken.setattr(RoomDirectory, "change_recording", _fail)
            with pytest.raises(ZeroDivisionError):
                await server.recordings.pause(id)
        assert "what became of it is not kept" in caplog.text
        assert (await server.recordings.resume(id)).state == "recording"
        assert (await server.recordings.stop(id)).reason == "stopped"
        await until(lambda: server.recordings.recording(id).state in ("ready", "failed"))

        monkeypatch.setattr("signaling.recordings.retaining.LOOK_EVERY_S", 0.01)
        with monkeypatch.context() as broken:
            broken.setattr("signaling.recordings.retaining.outlived", _fail)
            retaining = Retaining(server.recordings, Retention(max_age_s=0.0))
            retaining.start()
            await until(lambda: "kept longer than they should be" in caplog.text)
            assert server.recordings.of_room(None)
        await until(lambda: not server.recordings.of_room(None))
        await retaining.close()


def _fail(*_: object) -> None:
    raise ZeroDivisionError("an error of ours")


async def test_what_has_outlived_its_time_is_deleted_and_told_of(tmp_path: Path) -> None:
    async with serving(recordings=tmp_path) as server, asking(server) as api, present(server, "ada"):
        id = await begun(server.recordings)
        retaining = Retaining(server.recordings, Retention(max_age_s=60.0))
        await retaining.look(time.time() + 100)
        assert server.recordings.recording(id).state == "recording", "it runs"
        await server.recordings.stop(id)
        await until(lambda: server.recordings.recording(id).state == "ready")
        await retaining.look(time.time())
        await retaining.look(time.time() + 100)
        assert server.recordings.of_room(None) == [] and not (tmp_path / id).exists()
        assert (await told(api))[-1] == ("deleted", "retention_age")
