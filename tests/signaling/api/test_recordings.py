"""Recordings by REST, as a backend has them: begun, looked at, fetched, deleted, and what is refused.

The recorder is a process of its own and real; there is no media. With media: tests/integration/test_recording.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import av
import pytest

from recorder.manifest import decode
from recorder.mix.layouts import Layout, Region, Shows
from signaling.api.models import RoomChange, RoomWish
from signaling.api.recording_models import Mix, Recording
from signaling.client.api import ApiError, ServerApi, Unreachable
from signaling.events import RecordingState
from signaling.limits import RecordingLimits
from signaling.recordings.options import LiveWish, MixOptions, RecordingOptions
from signaling.server import Server
from tests.signaling.api.calling import backend, declined, present
from tests.signaling.api.test_examples import try_example
from tests.signaling.api.test_moderation import asking
from tests.signaling.servers import serving, token

# A process starts, which imports PyAV, and another makes the files: seconds on an idle machine.
PATIENCE_S = 120.0


async def comes_to(api: ServerApi, id: str, state: RecordingState) -> Recording:
    async with asyncio.timeout(PATIENCE_S):
        while (one := await api.get_recording(id)).state != state:
            assert one.state != "failed", one
            await asyncio.sleep(0.1)
    return one


@contextlib.asynccontextmanager
async def recorded(path: Path, **options: object) -> AsyncIterator[tuple[Server, ServerApi]]:
    """A server that records, with somebody in its room `demo`."""
    async with serving(recordings=path, **options) as server, present(server, "ada"), asking(server) as api:
        yield server, api


async def test_a_recording_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    """One test for all that needs the recorder's process: it takes a second to start."""
    most = RecordingLimits(mixes_per_recording=2)
    async with recorded(tmp_path / "all", recording_limits=most) as (server, api):
        begun = await api.start_recording("demo", RecordingOptions(mode="audio"))
        assert (begun.room, begun.state, begun.ended_at, begun.manifest) == ("demo", "recording", None, None)
        with declined("recording_running"):
            await api.delete_recording(begun.id)
        with declined("recording_running"):
            await api.get_recording_manifest(begun.id, tmp_path / "manifest.json")
        await _until_begun(server, begun.id)
        # Repeated and racing: each has its effect once.
        paused = await asyncio.gather(*(api.pause_recording(begun.id) for _ in range(5)))
        assert {one.state for one in paused} == {"paused"}
        resumed = await asyncio.gather(*(api.resume_recording(begun.id) for _ in range(5)))
        assert {one.state for one in resumed} == {"recording"}
        stopped = await asyncio.gather(*(api.stop_recording(begun.id) for _ in range(5)))
        assert not {one.state for one in stopped} & {"recording", "paused"} and stopped[0].reason == "stopped"
        with declined("recording_ended"):
            await api.pause_recording(begun.id)
        with declined("recording_ended"):
            await api.resume_recording(begun.id)
        ready = await comes_to(api, begun.id, "ready")
        assert ready.duration_s and ready.files == [] and ready.manifest
        assert (await api.stop_recording(begun.id)).state == "ready"
        with declined("upload_disabled"):
            await api.upload_recording(begun.id)

        await _fetches(server, api, begun.id, tmp_path)
        await _mixes(server, api, begun.id, tmp_path)
        types = [event.__struct_config__.tag for event in (await api.list_room_events("demo")).items]
        assert [one for one in types if str(one).startswith("recording.")] == [
            f"recording.{name}"
            for name in ("started", "paused", "resumed", "stopped", "ready", "mix_ready", "mix_failed")
        ]
        # Ten that race to delete it: one did.
        deleted = await asyncio.gather(
            *(api.tell("DELETE", f"/v1/recordings/{begun.id}") for _ in range(10)), return_exceptions=True
        )
        assert sum(one is None for one in deleted) == 1
        assert {one.code for one in deleted if isinstance(one, ApiError)} == {"recording_not_found"}
        assert not (tmp_path / "all" / begun.id).exists()


async def _until_begun(server: Server, id: str) -> None:
    """Something is in its journal."""
    async with asyncio.timeout(PATIENCE_S):
        while not server.recordings.recording(id).bytes:  # noqa: ASYNC110 - it is told once a second
            await asyncio.sleep(0.05)


async def _fetches(server: Server, api: ServerApi, id: str, directory: Path) -> None:
    size = await api.get_recording_manifest(id, directory / "manifest.json")
    content = (directory / "manifest.json").read_bytes()
    manifest = decode(content)
    assert len(content) == size and [one.identity for one in manifest.participants] == ["ada"]
    assert len(manifest.pauses) == 1 and not (directory / "manifest.json.part").exists()
    headers = {"Authorization": "Bearer " + api._headers["Authorization"].partition(" ")[2], "Range": "bytes=10-19"}
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{server.url}/v1/recordings/{id}/manifest", headers=headers) as response:
            assert (response.status, await response.read()) == (206, content[10:20])
            assert response.headers["Content-Range"] == f"bytes 10-19/{size}"
        headers["Range"] = f"bytes={size}-"
        async with http.get(f"{server.url}/v1/recordings/{id}/manifest", headers=headers) as response:
            assert response.status == 416
    # What its directory holds beside what the manifest lists is nobody's.
    async with backend(server) as ask:
        for name in ("ada.flac", "..%2Fmanifest.json", "%2Fetc%2Fpasswd", "..%2F..%2Fall", "%00", "journal", "."):
            came = await ask.ask("GET", f"/recordings/{id}/files/{name}")
            assert came.status == 404 and came.code in ("unknown_file", "http"), (name, came)
        lies_at = server.recordings.path(id) / "manifest.json"
        lies_at.rename(lies_at.with_name("elsewhere"))
        came = await ask.ask("GET", f"/recordings/{id}/manifest")
        lies_at.with_name("elsewhere").rename(lies_at)
        document = (await ask.ask("GET", "/openapi.json")).body
        told = document["paths"]["/v1/recordings/{recording}/manifest"]["get"]["responses"][str(came.status)]
        assert f"`{came.code}`" in told["description"]


async def _mixes(server: Server, api: ServerApi, id: str, directory: Path) -> None:
    """Nobody has said a word in it: of sound there is silence."""
    shown = await try_example(server, "create_mix", {"recording": id})
    await try_example(server, "delete_mix", {"recording": id, "mix": shown["id"]})
    with declined("unknown_mix"):
        await api.get_mix(id, shown["id"])
    asked = await api.create_mix(id, MixOptions(container="wav"))
    assert asked.state == "waiting" and asked.href is None
    # Lost with the process that was to make it, it is made by the next.
    pid = server.recordings.recorder_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    mix = await comes_to_be_made(api, asked)
    assert (await api.list_mixes(id)).items == [mix] and mix.share == 1.0
    assert await api.get_mix_file(id, mix.id, directory / "mix.wav") == mix.size_bytes
    with av.open(str(directory / "mix.wav")) as opened:
        assert opened.duration is not None
        assert abs(opened.duration / 1e6 - (await api.get_recording(id)).duration_s) < 0.05  # type: ignore[operator]
    # The manifest is another's work meanwhile.
    manifest = server.recordings.path(id) / "manifest.json"
    right = manifest.read_bytes()
    manifest.write_bytes(b"{")
    failed = await comes_to_be_made(api, await api.create_mix(id))
    assert failed.state == "failed" and "manifest" in failed.reason
    manifest.write_bytes(right)
    with declined("mix_running"):
        await api.get_mix_file(id, failed.id, directory / "mix.mp4")
    for layout, why in (
        (Layout(()), "no regions"),
        (Layout((Region(Shows.ALL),), width=3840, height=2160), "pixels"),
        (Layout((Region(Shows.ALL, left=0.5),)), "outside"),
    ):
        with pytest.raises(ApiError, match=why):
            await api.create_mix(id, MixOptions(layout=layout))
    async with backend(server) as ask:  # which asks once
        assert (await ask.ask("POST", f"/recordings/{id}/mixes", {})).code == "limit"


async def comes_to_be_made(api: ServerApi, mix: Mix) -> Mix:
    """Or to fail."""
    async with asyncio.timeout(PATIENCE_S):
        while mix.state in ("waiting", "mixing"):
            await asyncio.sleep(0.05)
            mix = await api.get_mix(mix.recording, mix.id)
    return mix


async def test_what_is_refused(tmp_path: Path) -> None:
    async with recorded(tmp_path, recording_limits=RecordingLimits(running_per_room=1)) as (server, api):
        with declined("room_not_found"):
            await api.start_recording("nowhere")
        with declined("conflict"):
            await api.start_recording("demo", RecordingOptions(mode="copy", container="mp4"))
        await api.create_room(RoomWish(name="secret", end_to_end_encrypted=True))
        with declined("end_to_end_encrypted"):
            await api.start_recording("secret")
        await api.change_room("secret", RoomChange(record_ciphertext=True))
        with declined("end_to_end_encrypted"):
            await api.start_recording("secret", RecordingOptions(live=LiveWish()))
        with declined("out_of_range"):
            await api.change_room("secret", RoomChange(auto_record=RecordingOptions(live=LiveWish())))
        with declined("out_of_range"):
            await api.change_room("secret", RoomChange(auto_record=RecordingOptions(), record_ciphertext=False))
        for operation in (api.get_recording, api.pause_recording, api.resume_recording, api.stop_recording):
            with declined("recording_not_found"):
                await operation("REC_0")
        assert (await api.list_recordings()).items == []
        # Of two that race for the last place one gets it.
        async with backend(server) as ask:
            came = await asyncio.gather(*(ask.ask("POST", "/rooms/demo/recordings", {}) for _ in range(5)))
        assert sorted(one.status for one in came) == [201, 429, 429, 429, 429]
        assert {one.code for one in came if one.status == 429} == {"limit"}
        # A room that is encrypted from now on cannot be recorded any more.
        await api.change_room("demo", RoomChange(end_to_end_encrypted=True))
        (one,) = (await api.list_recordings()).items
        async with asyncio.timeout(PATIENCE_S):
            while not (one := await api.get_recording(one.id)).reason:  # noqa: ASYNC110 - by REST, as it is
                await asyncio.sleep(0.05)
        assert one.reason == "end_to_end_encrypted"
    async with serving() as server, present(server, "ada"), asking(server) as api:
        with declined("recording_disabled"):
            await api.start_recording("demo")


async def test_recordings_come_in_pages_the_latest_first(tmp_path: Path) -> None:
    async with recorded(tmp_path) as (server, api), present(server, "eve", room="other"):
        begun = [await api.start_recording(room) for room in ("demo", "other", "demo")]
        first = await api.list_recordings(limit=2)
        assert [one.id for one in first.items] == [begun[2].id, begun[1].id] and first.next_cursor
        second = await api.list_recordings(limit=2, cursor=first.next_cursor)
        assert [one.id for one in second.items] == [begun[0].id] and second.next_cursor is None
        assert [one.id async for one in api.all_recordings("demo")] == [begun[2].id, begun[0].id]
        await api.pause_recording(begun[0].id)
        assert [one.id for one in (await api.list_recordings("paused")).items] == [begun[0].id]


@pytest.mark.parametrize(
    ("permitted", "room", "code"),
    [
        ({"record": True}, "demo", ""),
        ({"administer": True}, "demo", "not_granted"),
        ({"record": True}, "other", "token_wrong_room"),
    ],
)
async def test_who_may_record(tmp_path: Path, permitted: dict[str, bool], room: str, code: str) -> None:
    async with recorded(tmp_path) as (server, api):
        begun = await api.start_recording("demo")
        async with asking(server, token("mod", room, **permitted)) as other:
            for ask in (
                lambda: other.list_room_recordings("demo"),
                lambda: other.get_recording(begun.id),
                lambda: other.pause_recording(begun.id),
                lambda: other.start_recording("demo"),
            ):
                with declined(code) if code else contextlib.nullcontext():
                    await ask()
            # Of none that there is, and of all: nothing is said to who has a token for one room.
            for ask in (lambda: other.get_recording("REC_0"), other.list_recordings):
                with declined("not_granted"):
                    await ask()


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    content = bytes(range(256)) * 6000
    asked: list[str] = []
    step = 300_000

    async def answer(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        asked.append(request.headers.get("Range", ""))
        begin = int(asked[-1][6:-1]) if asked[-1] else 0
        response = aiohttp.web.StreamResponse(
            status=206 if begin else 200, headers={"Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT"}
        )
        response.content_length = len(content) - begin
        await response.prepare(request)
        await response.write(content[begin : begin + step])
        if begin + step < len(content):
            assert request.transport is not None
            # What has come and was not written yet would be lost with the connection.
            while size_of(tmp_path / f"{request.match_info['file']}.part") < begin + step // 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            request.transport.close()
        return response

    application = aiohttp.web.Application()
    application.router.add_get("/v1/recordings/r/files/{file}", answer)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    try:
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ServerApi(url, "a:b", pause_s=0.01) as api:
            assert await api.get_recording_file("r", "f", tmp_path / "f") == len(content)
            assert (tmp_path / "f").read_bytes() == content
            assert asked[0] == "" and asked[1].startswith("bytes=") and len(asked) > 4
        async with ServerApi(url, "a:b", attempts=1) as api:
            with pytest.raises(Unreachable):
                await api.get_recording_file("r", "g", tmp_path / "g")
            assert not (tmp_path / "g").exists()
    finally:
        await runner.cleanup()
