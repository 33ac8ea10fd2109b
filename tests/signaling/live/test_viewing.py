"""Viewers of a live composite, as players ask: real processes, HTTP, FFmpeg as a player. The call has no media."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import av
import pytest
from aiohttp import ClientSession

from recorder.live.playlist import Part, Segment, Window, encode
from signaling.live.watching import WatchedWindow
from signaling.recordings.options import LiveWish, RecordingOptions
from tests.recorder.live.grammar import Playlist, follows, read
from tests.signaling.api.calling import declined
from tests.signaling.api.test_recordings import recorded

# Processes start, which import PyAV: seconds on an idle machine.
PATIENCE_S = 120.0


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - any condition at all
            await asyncio.sleep(0.05)


class Viewer:
    def __init__(self, http: ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def status(self, name: str = "live.m3u8", query: str = "") -> int:
        async with self._http.get(self._address(name) + query) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "max-age" in response.headers["Cache-Control"] or response.status >= 400
            return response.status

    async def playlist(self, query: str = "") -> Playlist:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with self._http.get(self.url + query) as response:
                    if response.status == 200:
                        assert response.content_type == "application/vnd.apple.mpegurl"
                        return read(await response.text())
                    assert response.status == 503, await response.text()

    async def file(self, name: str) -> bytes:
        async with self._http.get(self._address(name)) as response:
            assert response.status == 200 and "immutable" in response.headers["Cache-Control"]
            assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            return await response.read()

    def _address(self, name: str) -> str:
        return self.url.replace("live.m3u8", name)


def pictures(url: str, count: int) -> int:
    """How many a player shows, of so many that it waits for."""
    with av.open(url) as opened:
        for shown, _ in enumerate(opened.decode(video=0), 1):
            if shown == count:
                return shown
    return 0


async def test_is_served_while_it_is_composed_and_after_a_kill(tmp_path: Path) -> None:
    async with recorded(tmp_path) as (server, api), aiohttp.ClientSession() as http:
        one = await api.start_recording("demo", RecordingOptions(mode="copy", live=LiveWish(layout="speaker")))
        assert one.live is not None
        viewer = Viewer(http, server.url + one.live)
        # At once, and by one that knows no parts: it is told of a whole segment, or to come again.
        assert await asyncio.to_thread(pictures, viewer.url, 30) == 30
        first = await viewer.playlist()
        number = first.segments[-1].number + 1
        later = await viewer.playlist(f"?_HLS_msn={number}&_HLS_part=1")  # does not exist yet
        assert later.segments[-1].number == number and len(later.segments[-1].parts) >= 2
        follows(later, first)
        assert "CAN-BLOCK-RELOAD=YES" in "".join(later.lines)
        hinted = await viewer.file(later.hint)  # does not exist yet, either
        assert hinted[4:8] == b"moof" and (await viewer.file(later.segments[0].map_uri))[4:8] == b"ftyp"

        for name in ("9999.0.m4s", "init-9.mp4", "window.json", "..%2F..%2Fmanifest.json", ".composing"):
            assert await viewer.status(name) == 404, name
        for query in ("?_HLS_msn=9999", "?_HLS_part=1", "?_HLS_msn=x"):
            assert await viewer.status(query=query) == 400, query
        secret = one.live.split("/")[-2]
        assert await Viewer(http, viewer.url.replace(secret, "x" * len(secret))).status() == 404

        assert server.recordings.recorder_pid is not None
        (composer,) = children(server.recordings.recorder_pid)
        os.kill(composer, signal.SIGKILL)
        await until(lambda: children(server.recordings.recorder_pid or 0) not in ([], [composer]))
        await api.stop_recording(one.id)
        last = await viewer.playlist()
        while not last.ended:
            last = await viewer.playlist(f"?_HLS_msn={last.segments[-1].number + 1}")
        assert [listed.number for listed in last.segments] == list(range(len(last.segments)))
        assert sum(listed.discontinuous for listed in last.segments) <= 1  # the next came, or it was over before
        assert await api.get_recording(one.id) is not None


async def test_a_recording_without_one_has_no_address(tmp_path: Path) -> None:
    async with recorded(tmp_path) as (server, api), aiohttp.ClientSession() as http:
        one = await api.start_recording("demo", RecordingOptions(mode="copy"))
        assert one.live is None
        assert await Viewer(http, f"{server.url}/v1/live/{one.id}/x/live.m3u8").status() == 404
        assert await Viewer(http, f"{server.url}/v1/live/REC_none/x/live.m3u8").status() == 404
        with declined("conflict"):
            await api.start_recording("demo", RecordingOptions(mode="audio", live=LiveWish()))


def window(parts: int) -> Window:
    return Window(
        2, 0.4, [Segment(0, "init-1.mp4", 1e9, parts=[Part(f"0.{n}.m4s", 0.4, n == 0) for n in range(parts)])]
    )


async def test_many_wait_for_one_window(tmp_path: Path) -> None:
    watched = WatchedWindow(tmp_path)
    waiting = [asyncio.create_task(watched.until(lambda one: one.has(0, 2), PATIENCE_S)) for _ in range(50)]
    for parts in (1, 2, 3):
        (tmp_path / "window.partial").write_bytes(encode(window(parts)))
        (tmp_path / "window.partial").rename(tmp_path / "window.json")
        early = await watched.until(lambda one, parts=parts: one.has(0, parts - 1), PATIENCE_S)  # type: ignore[misc]
        assert early == window(parts)
    assert await asyncio.gather(*waiting) == [window(3)] * 50
    assert await watched.until(lambda one: one.ended, 0.01) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"segments": 3}'])
async def test_what_cannot_be_read_is_not_there(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "window.json").write_bytes(content)
    assert await WatchedWindow(tmp_path).until(lambda one: True, 0.01) is None
