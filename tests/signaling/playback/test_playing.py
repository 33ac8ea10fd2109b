"""A recording that a real server plays: who may, what lies under the address, and how it looks in Chromium."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from recorder import manifest
from recorder.config import FilesConfig, MediaConfig
from recorder.journal import SpeakersChanged
from recorder.recovery import recover
from sfu.core.types import Codec
from signaling.client.api import ServerApi
from signaling.recordings.options import RecordedFile, RecordingOptions
from signaling.records import StoredRecording
from signaling.server import Server
from tests.recorder.stage import Publisher, Stage
from tests.signaling.api.calling import declined
from tests.signaling.api.test_moderation import asking
from tests.signaling.servers import serving, token
from tests.support.chromium import chromium, eventually, new_page, screenshot

ID = "REC_standup"
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PLACES = "() => [...document.querySelectorAll('video')].map((one) => [one.currentTime, one.error?.message ?? ''])"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the server lays them down."""
    directory = tmp_path_factory.mktemp("recordings")
    stage = Stage(
        [
            Publisher("ada", Codec.VP8),
            Publisher("bob", Codec.H264, first=5, from_s=3.9, seed=2),
            Publisher("cid", None, first=9, seed=3),
        ],
        [(0.5, 0, SpeakersChanged(("ada",))), (4.5, 0, SpeakersChanged(("bob",))), (7.0, 0, SpeakersChanged(("cid",)))],
    )
    recover(stage.write(directory / ID), MediaConfig(), FilesConfig(camera_size=(320, 192)))
    return directory


@dataclass(frozen=True, slots=True)
class Stored:
    server: Server
    api: ServerApi
    http: aiohttp.ClientSession

    async def status(self, href: str) -> int:
        async with self.http.get(self.server.url + href) as response:
            return response.status


@asynccontextmanager
async def stored(directory: Path) -> AsyncIterator[Stored]:
    """A server whose room `demo` was recorded."""
    made = manifest.decode((directory / ID / manifest.FILE_NAME).read_bytes())
    files = tuple(
        RecordedFile(path=one.path, participant=one.participant, size_bytes=one.size_bytes, duration_s=one.duration_s)
        for one in made.files
    )
    one = StoredRecording(
        id=ID, room_id="RM_1", room="demo", state="ready", options=RecordingOptions(), started_at=1e9,
        ended_at=1e9 + 10, duration_s=made.duration_s, files=files,
    )  # fmt: skip
    async with serving(recordings=directory) as server, asking(server) as api, aiohttp.ClientSession() as http:
        server.recordings._recordings[ID] = one
        yield Stored(server, api, http)


async def test_who_may_read_a_recording_gets_an_address_for_it_and_no_other_can(recordings: Path) -> None:
    async with stored(recordings) as here:
        link = await here.api.play_recording(ID, valid_for_s=600)
        assert 595 < link.expires_at.timestamp() - time.time() <= 600
        for path, kind in (("", "text/html"), ("playback.js", "text/javascript"), ("colours.css", "text/css")):
            async with here.http.get(here.server.url + link.href + path) as response:
                assert (response.status, response.content_type) == (200, kind), path
                assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        async with here.http.get(here.server.url + link.href + "manifest.json") as response:
            made = manifest.decode(await response.read())
        file = f"{link.href}{made.files[0].path}"
        async with here.http.get(here.server.url + file, headers={"Range": "bytes=4-7"}) as response:
            assert (response.status, await response.read()) == (206, b"ftyp")
            assert "private" in response.headers["Cache-Control"]
        for path in ("files/other.mp4", "files/..%2Fmanifest.json", "journal/00000001.sfuj", "tsconfig.json", "../x"):
            assert await here.status(link.href + path) == 404, path
        assert await here.status(link.href.replace(ID, "REC_other")) == 404
        assert await here.status(f"/v1/playback/{ID}/a.b/") == 404


async def test_an_address_ends_with_what_it_was_asked_for_with(recordings: Path) -> None:
    async with stored(recordings) as here:
        server = here.server
        key, secret = await server.switchboard.perform(lambda rooms, now: server.keyring.create("shop"))
        async with (
            ServerApi(server.url, f"{key.id}:{secret}") as shop,
            ServerApi(server.url, token("rec", record=True, valid_for_s=300)) as rec,
            ServerApi(server.url, token("rec", room="other", record=True)) as other,
            ServerApi(server.url, token("eve")) as nobody,
        ):
            of_key, of_token = await shop.play_recording(ID), await rec.play_recording(ID)
            assert of_token.expires_at.timestamp() - time.time() <= 300
            with declined("not_granted"):
                await nobody.play_recording(ID)
            with declined("token_wrong_room"):
                await other.play_recording(ID)
        assert await here.status(of_key.href) == await here.status(of_token.href) == 200
        await here.api.delete_key(key.id)
        assert await here.status(of_key.href) == 404 and await here.status(of_token.href) == 200
        await server.switchboard.perform(lambda rooms, now: rooms.revoke("demo", "rec", now))
        assert await here.status(of_token.href) == 410


@pytest.mark.chromium
async def test_chromium_plays_it_from_the_server(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faults: list[str] = []
    async with stored(recordings) as here, chromium() as browser:
        href = (await here.api.play_recording(ID)).href
        for name, size in SIZES.items():
            page = await new_page(browser, viewport=size)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
            await page.goto(here.server.url + href)
            await page.get_by_role("button", name="Bob speaks at 0:04 for 3 s").click()
            await page.get_by_role("button", name="Play", exact=True).click()

            async def plays() -> bool:
                places = await page.evaluate(PLACES)  # noqa: B023 - asked within this turn
                times = [at_s for at_s, _ in places]
                return len(times) == 3 and min(times) > 4.8 and max(times) - min(times) < 0.1

            await eventually(plays, "all three within 100 ms of each other")
            assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
            await screenshot(page, f"played-by-the-server-{name}")
            await page.close()
    assert not faults, faults
