"""Uploads to a real storage: whole, verified, gone on with after a kill, tried again, refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from recorder import manifest
from recorder.manifest import File, Journal, Manifest
from recorder.marks import SessionMarks
from recorder.uploads import Delayed, Failed, Target, UploadConfig, Uploaded, UploadEvent, Uploads, parse_target, state
from recorder.uploads.config import MIB
from tests.support.cutting import forwarding
from tests.support.seaweed import BUCKET, ENVIRONMENT, Storage, seaweed

WITHIN_S = 60.0
CONFIG = replace(UploadConfig(), part_bytes=5 * MIB, first_pause_s=0.1, longest_pause_s=0.2)
LARGE = 22 * MIB  # five parts


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as found:
        yield found


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def recording(directory: Path, sizes: dict[str, int]) -> Path:
    """A directory as a recording leaves it: `sizes` of the files below `files`."""
    for folder in ("files", "journal"):
        (directory / folder).mkdir(parents=True)
    (directory / "journal" / "00000001.sfuj").write_bytes(b"journal" * 100)
    files = []
    for name, size in sizes.items():
        content = random.Random(name).randbytes(size)
        (directory / "files" / name).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(File(f"files/{name}", "ada", [], [], 0.0, 1.0, size, sha256, None, None, True, ""))
    empty = manifest.build(
        epoch=None,
        marks=SessionMarks(),
        takes={},
        mode="copy",
        files=files,
        journal=Journal(["00000001.sfuj"], 700, [], [], 0),
    )
    (directory / manifest.FILE_NAME).write_bytes(manifest.encode(empty))
    return directory


def described(directory: Path) -> Manifest:
    return manifest.decode((directory / manifest.FILE_NAME).read_bytes())


class Watched:
    def __init__(self) -> None:
        self.events: asyncio.Queue[UploadEvent] = asyncio.Queue()

    async def next(self) -> UploadEvent:
        async with asyncio.timeout(WITHIN_S):
            return await self.events.get()


@asynccontextmanager
async def uploads(target: Target, config: UploadConfig = CONFIG) -> AsyncIterator[tuple[Uploads, Watched]]:
    watched = Watched()
    running = Uploads(target, config, watched.events.put_nowait)
    try:
        yield running, watched
    finally:
        await running.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - of another process, which sets no event of ours
            await asyncio.sleep(0.01)


async def test_everything_is_there_before_anything_is_deleted_here(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "REC_whole", {"ada.mp4": LARGE, "bob.mp4": 1000, "empty.ogg": 0})
    contents = {str(one.relative_to(directory)): one.read_bytes() for one in directory.rglob("*") if one.is_file()}
    target = parse_target(f"s3://{BUCKET}/all", storage.url)
    async with uploads(target, replace(CONFIG, with_journal=True, delete=True)) as (running, watched):
        await running.submit(directory)
        event = await watched.next()
    total = sum(map(len, contents.values()))
    assert event == Uploaded(directory, 5, total, total)
    assert {key: storage.read(f"all/REC_whole/{key}") for key in contents} == contents
    assert len(storage.keys("all/")) == len(contents)
    left = {str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file()}
    assert left == {manifest.FILE_NAME, state.FILE_NAME}


async def test_a_mix_that_comes_while_the_rest_is_sent_is_there_before_that_is_said(
    storage: Storage, tmp_path: Path
) -> None:
    directory = recording(tmp_path / "REC_mixed", {"ada.mp4": LARGE})
    (directory / "mixes").mkdir()
    (directory / "mixes" / ".MIX_2.mp4.partial").write_bytes(b"is being made")
    async with forwarding(storage.port) as path:
        target = parse_target(f"s3://{BUCKET}/mixed", path.url)
        async with uploads(target) as (running, watched):
            path.hold_after(MIB)
            await running.submit(directory)
            await until(lambda: path.holding)
            (directory / "mixes" / "MIX_1.mp4").write_bytes(b"a mix")
            await running.submit(directory)
            path.release()
            event = await watched.next()
            assert isinstance(event, Uploaded) and event.objects == 3, event
            # Nothing is sent twice: another one costs what it has, and the manifest's check.
            (directory / "mixes" / "MIX_2.mp4").write_bytes(b"another")
            await running.submit(directory)
            event = await watched.next()
            assert isinstance(event, Uploaded) and (event.objects, event.sent_bytes) == (4, len(b"another")), event
    found = {key.rpartition("/")[2] for key in storage.keys("mixed/REC_mixed/mixes/")}
    assert found == {"MIX_1.mp4", "MIX_2.mp4"}
    assert storage.read("mixed/REC_mixed/mixes/MIX_2.mp4") == b"another"


async def test_a_kill_while_it_was_deleted_here_is_gone_on_with(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "all" / "REC_half", {"ada.ogg": 100, "bob.ogg": 100})
    target, config = parse_target(f"s3://{BUCKET}/half", storage.url), replace(CONFIG, with_journal=True)
    async with uploads(target, config) as (running, watched):
        await running.submit(directory)
        assert isinstance(await watched.next(), Uploaded)
    known = state.load(directory)
    assert known is not None
    known.standing, known.delete = "pending", True
    state.save(directory, known)
    for gone in ("files/ada.ogg", "journal/00000001.sfuj"):
        (directory / gone).unlink()
    async with uploads(target, replace(config, delete=True)) as (running, watched):
        await running.take_up(tmp_path / "all")
        assert isinstance(event := await watched.next(), Uploaded), event
    left = {one.name for one in directory.rglob("*") if one.is_file()}
    assert left == {manifest.FILE_NAME, state.FILE_NAME}


async def test_a_kill_in_the_middle_costs_the_part_under_way(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "REC_killed", {"ada.mp4": LARGE})
    async with forwarding(storage.port) as path:
        command = [
            *(sys.executable, "-m", "signaling.cli", "upload", str(directory), "--quiet"),
            *("--to", f"s3://{BUCKET}/killed", "--endpoint", path.url),
        ]
        content = (directory / "files" / "ada.mp4").read_bytes()
        path.hold_after(17 * MIB)  # the first part has come, 16 MiB as is the default, and some of the second
        process = await asyncio.create_subprocess_exec(*command)
        await until(lambda: path.holding)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        kept = state.load(directory)
        assert kept is not None and kept.standing == "pending" and kept.objects["files/ada.mp4"].upload_id
        assert storage.keys("killed/") == []
        path.cut()  # what was on its way is not to be counted
        path.release()
        before = path.sent_bytes
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(WITHIN_S):
            out, _ = await process.communicate()
        assert process.returncode == 0 and b"2 objects" in out
        assert path.sent_bytes - before < 8 * MIB  # of 22; 16 had come
    assert storage.read("killed/REC_killed/files/ada.mp4") == content


async def test_what_was_put_together_but_not_noted_is_not_sent_again(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "REC_late", {"ada.mp4": LARGE})
    async with (
        forwarding(storage.port) as path,
        uploads(parse_target(f"s3://{BUCKET}", path.url)) as (running, watched),
    ):
        await running.submit(directory)
        assert isinstance(await watched.next(), Uploaded)
        known = state.load(directory)
        assert known is not None
        known.objects["files/ada.mp4"] = state.ObjectState(
            sha256=known.objects["files/ada.mp4"].sha256, upload_id="one-that-is-completed"
        )
        state.save(directory, known)
        before = path.sent_bytes
        await running.submit(directory)
        assert isinstance(await watched.next(), Uploaded)
        assert path.sent_bytes - before < MIB


async def test_storage_that_is_away_is_tried_again_also_by_the_next_of_us(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "all" / "REC_away", {"ada.ogg": 100})
    async with forwarding(storage.port) as path:
        target = parse_target(f"s3://{BUCKET}/away", path.url)
        path.refuse()
        async with uploads(target) as (running, watched):
            await running.submit(directory)
            first, second = await watched.next(), await watched.next()
            assert isinstance(first, Delayed) and isinstance(second, Delayed)
            assert (first.attempts, second.attempts, first.refused) == (1, 2, False)
        path.refuse(False)
        async with uploads(target) as (running, watched):
            await running.take_up(tmp_path / "all")
            assert isinstance(await watched.next(), Uploaded)
        async with uploads(target) as (running, watched):
            await running.take_up(tmp_path / "all")  # nothing is left to do
            assert watched.events.empty()
    assert storage.read("away/REC_away/files/ada.ogg") == (directory / "files" / "ada.ogg").read_bytes()


async def test_gives_up_in_the_end_and_deletes_nothing(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "REC_given_up", {"ada.ogg": 100})
    impatient = replace(CONFIG, give_up_after_s=0.0, delete=True)
    async with uploads(parse_target("s3://no-such-bucket", storage.url), impatient) as (running, watched):
        await running.submit(directory)
        event = await watched.next()
    assert isinstance(event, Failed) and (directory / "files" / "ada.ogg").exists()
    kept = state.load(directory)
    assert kept is not None and kept.standing == "failed" and kept.error == event.error


async def test_a_file_that_is_not_what_the_manifest_says_is_not_sent(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "REC_changed", {"ada.mp4": LARGE, "bob.ogg": 100})
    async with uploads(parse_target(f"s3://{BUCKET}/changed", storage.url), replace(CONFIG, delete=True)) as (
        one,
        seen,
    ):
        for name, at in (("ada.mp4", LARGE - 1), ("bob.ogg", 50)):
            path = directory / "files" / name
            right = path.read_bytes()
            path.write_bytes(right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :])
            await one.submit(directory)
            event = await seen.next()
            assert isinstance(event, Failed) and name in event.error, event
            assert f"changed/REC_changed/files/{name}" not in storage.keys("changed/")
            path.write_bytes(right)
    assert "changed/REC_changed/manifest.json" not in storage.keys("changed/")


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "files/link"])
async def test_nothing_from_outside_of_the_recording_is_sent(storage: Storage, tmp_path: Path, path: str) -> None:
    directory = recording(tmp_path / "REC_outside", {"ada.ogg": 100})
    (tmp_path / "secret").write_bytes(b"secret")
    (directory / "files" / "link").symlink_to(tmp_path / "secret")
    said = described(directory)
    other = msgspec.structs.replace(said.files[0], path=path)
    (directory / manifest.FILE_NAME).write_bytes(manifest.encode(msgspec.structs.replace(said, files=[other])))
    async with uploads(parse_target(f"s3://{BUCKET}/outside", storage.url)) as (running, watched):
        await running.submit(directory)
        event = await watched.next()
    assert isinstance(event, Failed) and "outside" in event.error and storage.keys("outside/") == []


async def test_the_command_says_at_once_what_trying_again_would_not_help(storage: Storage, tmp_path: Path) -> None:
    directory = recording(tmp_path / "REC_refused", {"ada.ogg": 100})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", "upload", str(directory), str(tmp_path / "nothing")),
        *("--to", f"s3://{BUCKET}", "--endpoint", storage.url, "--retry-for", "7d"),
        env={**os.environ, "AWS_SECRET_ACCESS_KEY": "another"},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN_S):
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"SignatureDoesNotMatch" in errors and b"nothing" in errors, errors
