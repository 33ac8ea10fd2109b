"""What a server that records has uploaded: to a real storage, over kills and restarts, as backends see it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace

from recorder import control, manifest
from recorder.uploads import UploadConfig, Uploads, parse_target, state
from recorder.uploads.process import Process
from signaling.api.recording_models import RecordingUpload
from signaling.client import Endpoint
from signaling.client.api import ServerApi
from signaling.recordings.options import MixOptions, RecordingOptions
from signaling.recordings.retaining import Retaining
from signaling.recordings.retention import Retention
from signaling.server import Server
from tests.signaling.api.calling import declined, present
from tests.signaling.api.test_moderation import asking
from tests.signaling.servers import serving, token
from tests.support.clapping import clapping
from tests.support.cutting import Forwarder, forwarding
from tests.support.seaweed import BUCKET, ENVIRONMENT, seaweed

# Processes start, which import PyAV and boto3.
PATIENCE_S = 120.0
LONG_S = 1e7  # after everything's time


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - of other processes, which set no event of ours
            await asyncio.sleep(0.02)


@asynccontextmanager
async def uploading(
    path: Forwarder, directory: Path, *, delete: bool = True
) -> AsyncIterator[tuple[Server, ServerApi]]:
    async with (
        serving(
            recordings=directory / "all",
            recordings_upload=f"s3://{BUCKET}/of/",
            recordings_upload_endpoint=path.url,
            recordings_upload_journal=True,
            recordings_upload_delete=delete,
            store=directory / "sfu.sqlite",
        ) as server,
        asking(server) as api,
    ):
        yield server, api


async def comes_to(api: ServerApi, id: str, condition: Callable[[RecordingUpload], bool]) -> RecordingUpload:
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await api.get_recording(id)).upload) is None or not condition(found):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


async def retained(server: Server, id: str) -> bool:
    """By retention, though everything is old."""
    retaining = Retaining(server.recordings, Retention(max_age_s=1.0, uploaded_only=True))
    await retaining.look(time.time() + LONG_S)
    return id in {one.id for one in server.recordings.of_room(None)}


async def recorded(server: Server, api: ServerApi, least_bytes: int = 1) -> str:
    id = (await api.start_recording("demo", RecordingOptions(mode="audio"))).id
    await until(lambda: server.recordings.recording(id).bytes >= least_bytes)
    await api.stop_recording(id)
    return id


async def test_a_recording_is_uploaded_though_everything_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "seaweed").mkdir()
    old = "REC_0"  # of when there was no storage
    with seaweed(tmp_path / "seaweed") as storage:
        async with forwarding(storage.port) as path:
            path.hold_after(1)
            async with uploading(path, tmp_path) as (server, api), present(server, "ada"):
                id = await recorded(server, api)
                await until(lambda: path.holding and server.recordings.recording(id).state == "ready")
                found = (await api.get_recording(id)).upload
                assert found == RecordingUpload(state="uploading", url=f"s3://{BUCKET}/of/{id}/", reason="")
                first = server.recordings.uploader_pid
                assert first is not None
                path.refuse()
                path.cut()
                path.release()
                os.kill(first, signal.SIGKILL)
                delayed = await comes_to(api, id, lambda upload: upload.reason != "")
                assert delayed.state == "uploading" and server.recordings.uploader_pid not in (None, first)
                assert await retained(server, id)
                shutil.copytree(
                    tmp_path / "all" / id, tmp_path / "all" / old, ignore=shutil.ignore_patterns(state.FILE_NAME)
                )
                before = replace(server.recordings.recording(id), id=old, upload=None)
                await server.switchboard.perform(lambda rooms, now: rooms.keep_recording(before))
            assert storage.keys(f"of/{id}/") == []
            # The next server finds it changed by somebody, which no attempt will mend.
            said = tmp_path / "all" / id / "manifest.json"
            known = state.load(said.parent)
            assert known is not None and known.standing == "pending" and known.attempts >= 1
            known.next_at = 0.0  # its time has come
            state.save(said.parent, known)
            right = said.read_bytes()
            said.write_bytes(right[:-10])
            path.refuse(False)
            async with uploading(path, tmp_path) as (server, api):
                assert "manifest" in (await comes_to(api, id, lambda upload: upload.state == "failed")).reason
                assert await retained(server, id) and storage.keys(f"of/{id}/") == []
                said.write_bytes(right)
                journal = (said.parent / "journal" / "00000001.sfuj").read_bytes()
                assert (await api.upload_recording(id)).upload is not None
                there = await comes_to(api, id, lambda upload: upload.state == "uploaded")
                assert there.reason == "" and (await api.upload_recording(id)).upload == there
                assert storage.read(f"of/{id}/manifest.json") == right
                assert storage.read(f"of/{id}/journal/00000001.sfuj") == journal
                assert not (said.parent / "journal" / "00000001.sfuj").exists()
                assert manifest.decode(right).participants[0].identity == "ada"
                await api.get_recording_manifest(id, tmp_path / "fetched")  # stays here
                with declined("unknown_file"):
                    await api.get_recording_file(id, "ada.flac", tmp_path / "fetched")
                await until(lambda: f"of/{old}/manifest.json" in storage.keys("of/"))
                events = (await api.list_events()).items
                told = [one for one in events if hasattr(one, "recording") and one.recording.id == id]
                names = [str(one.__struct_config__.tag).partition(".")[2] for one in told]
                assert names == ["started", "stopped", "ready", "upload_failed", "uploaded"]
                assert "manifest" in told[3].recording.reason and told[4].recording.url == there.url
                assert not await retained(server, id) and not said.parent.exists()


async def test_a_mix_follows_its_recording_and_what_is_sent_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "seaweed").mkdir()
    with seaweed(tmp_path / "seaweed") as storage:
        async with (
            forwarding(storage.port) as path,
            uploading(path, tmp_path, delete=False) as (server, api),
            present(server, "ada"),
        ):
            path.refuse()
            id = await recorded(server, api)
            await comes_to(api, id, lambda upload: upload.reason != "")
            figures = await metrics(server)
            assert figures["sfu_recording_uploads_pending"] == 1.0
            assert 0.0 < figures["sfu_recording_upload_oldest_seconds"] < PATIENCE_S
            assert figures['sfu_recording_uploads_total{outcome="delayed"}'] >= 1.0
            path.refuse(False)
            await comes_to(api, id, lambda upload: upload.state == "uploaded")
            mix = await api.create_mix(id, MixOptions(container="ogg"))
            await until(lambda: server.recordings.mixes.mix(id, mix.id).state == "ready")
            kept = f"of/{id}/mixes/{mix.id}.ogg"
            await until(lambda: kept in storage.keys("of/") and len(uploaded_of(server, id)) == 1)
            assert storage.read(kept) == (tmp_path / "all" / id / "mixes" / f"{mix.id}.ogg").read_bytes()
            await comes_to(api, id, lambda upload: upload.state == "uploaded")
            events = (await api.list_events()).items
            names = [str(one.__struct_config__.tag).partition(".")[2] for one in events if hasattr(one, "recording")]
            assert names == ["started", "stopped", "ready", "uploaded", "mix_ready", "uploaded"]
            figures = await metrics(server)
            assert figures["sfu_recording_uploads_pending"] == figures["sfu_recording_upload_oldest_seconds"] == 0.0
            assert figures['sfu_recording_uploads_total{outcome="uploaded"}'] == 2.0
            there = sum(len(storage.read(key)) for key in storage.keys(f"of/{id}/"))
            assert figures["sfu_recording_upload_bytes_total"] == there
            assert not await retained(server, id)
    assert not (tmp_path / "all" / id).exists()


def uploaded_of(server: Server, id: str) -> list[str]:
    one = server.recordings.recording(id).upload
    return [] if one is None or one.state != "uploaded" else [one.url]


@contextmanager
def mixes_wait(directory: Path) -> Iterator[None]:
    """Somebody else on this machine is having one made, until the end of the block."""
    with (directory / f"sfu-mixing-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("wanted", [True, False], ids=["made", "given up"])
async def test_nothing_is_deleted_here_while_a_mix_waits_to_be_made_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))  # of the processes that are started: for their lock
    (tmp_path / "seaweed").mkdir()
    with seaweed(tmp_path / "seaweed") as storage:
        async with (
            forwarding(storage.port) as path,
            uploading(path, tmp_path) as (server, api),
            clapping(server.url, "demo", token("ada"), asyncio.get_running_loop().time(), Endpoint),
        ):
            path.refuse()
            id = await recorded(server, api, least_bytes=20_000)
            await comes_to(api, id, lambda upload: upload.reason != "")
            stem = tmp_path / "all" / id / "files" / "ada.flac"
            assert stem.exists()
            with mixes_wait(tmp_path / "tmp"):
                mix = await api.create_mix(id, MixOptions(container="ogg"))
                path.refuse(False)
                await comes_to(api, id, lambda upload: upload.state == "uploaded")
                assert stem.exists() and server.recordings.mixes.mix(id, mix.id).state == "waiting"
                if not wanted:
                    await api.delete_mix(id, mix.id)
            if wanted:
                await until(lambda: not server.recordings.mixes.mix(id, mix.id).is_unfinished)
                assert server.recordings.mixes.mix(id, mix.id).state == "ready"
            await until(lambda: not stem.exists() and len(uploaded_of(server, id)) == 1)
            assert storage.read(f"of/{id}/files/ada.flac")
            kept = f"of/{id}/mixes/{mix.id}.ogg"
            assert (kept in storage.keys("of/")) == wanted and not list((tmp_path / "all" / id).glob("mixes/*"))
            with declined("unknown_file"):
                await api.create_mix(id, MixOptions(container="ogg"))


async def metrics(server: Server) -> dict[str, float]:
    """Of uploads, by name and labels as they are written."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith("sfu_recording")
    }


async def test_what_was_submitted_to_another_target_is_not_gone_on_with(tmp_path: Path) -> None:
    directory = tmp_path / "REC_1"
    directory.mkdir()
    state.save(directory, state.UploadState(target="s3://elsewhere/", since=0.0))
    uploads = Uploads(parse_target("s3://calls/", "http://127.0.0.1:9"), UploadConfig(), lambda event: None)
    await uploads.take_up(tmp_path)
    assert not uploads._schedule.names
    await uploads.close()


async def test_what_becomes_of_it_answers_an_order_also_if_it_was_gone_on_with_before(tmp_path: Path) -> None:
    directory = tmp_path / "REC_1"
    directory.mkdir()
    (directory / "manifest.json").write_text("no manifest")
    state.save(directory, state.UploadState(target="s3://calls/", since=time.time()))
    said: list[control.AnyWord] = []
    process = Process()
    process.send = lambda frame: said.append(control.decode(frame, control.AnyWord))

    def failed() -> list[int]:
        return [word.order for word in said if isinstance(word, control.UploadFailed)]

    def gave_up() -> bool:
        known = state.load(directory)
        return known is not None and known.standing == "failed"

    greeting = control.Storage(
        recordings=str(tmp_path), url="s3://calls/", endpoint="http://127.0.0.1:9", with_journal=False
    )
    process.on_frame(control.encode(greeting))
    await until(gave_up)
    for number in (7, 8):
        process.on_frame(control.encode(control.Upload(recording="REC_1", order=number)))
        await until(lambda: failed()[-1:] == [number])  # noqa: B023
    assert failed() == [7, 8]
    await process.close()
