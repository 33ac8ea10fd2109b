"""Viewers of live composites: low-latency HLS with blocking reloads (draft-pantos-hls-rfc8216bis §6.2.5). A shell.

    GET /v1/live/{recording}/{view}/live.m3u8 ?_HLS_msn=&_HLS_part=     waits until that is there
    GET /v1/live/{recording}/{view}/12.3.m4s                            waits, too, for the part that was hinted at

`view` is a secret of the recording's: who knows the address may watch, and a CDN may keep what it has fetched for
everybody. Pages of any origin may show it.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from pathlib import Path
from typing import Final

from aiohttp import web

from recorder.live.playlist import Window, render
from signaling.api.problems import status_of
from signaling.config import ServerConfig
from signaling.errors import Refused
from signaling.live.watching import WatchedWindow
from signaling.recordings.recordings import Recordings
from signaling.responses import problem
from signaling.visitors import why_not_this_machine

PLAYLIST: Final = "live.m3u8"
_DIRECTORY: Final = "hls"  # within a recording's
_FILE: Final = re.compile(r"(?:init-\d{1,6}\.mp4|\d{1,9}(?:\.\d{1,4})?\.m4s)")
_NUMBER: Final = re.compile(r"\d{1,9}")

# A composite begins some seconds after its recording: processes start, and it is composed with a delay.
FIRST_WITHIN_S: Final = 15.0
# Of a blocking request, in target durations (§6.2.5.2): then the stream stands still, and players ask again.
WAITS_TARGETS: Final = 3
# In seconds. A playlist that names what it waited for is the same for all who ask for that, a plain one is old at once.
# Media never changes; a minute after it left the playlist nobody asks for it.
_BLOCKING_AGE_S: Final = 12
_PLAIN_AGE_S: Final = 1
_MEDIA_AGE_S: Final = 120
_SHARED: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


class LiveViews:
    def __init__(self, config: ServerConfig, recordings: Recordings) -> None:
        self._dev = config.dev
        self._recordings = recordings
        self._windows: dict[str, WatchedWindow] = {}  # by recording

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/live/{recording}/{view}/{file}", self._respond)

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        try:
            if self._dev and (reason := why_not_this_machine(request.remote or "", request.headers)) is not None:
                raise Refused("not_granted", f"development mode is for this machine only: {reason}")
            path, window = self._watched(request)
            name = request.match_info["file"]
            if name == PLAYLIST:
                return await _playlist(request, window)
            if not _FILE.fullmatch(name):
                raise Refused("unknown_file", f"there is no {name[:64]}")
            return await _media(path / name, window)
        except Refused as error:
            return problem(status_of(error.code), error.code, error.reason, {"Cache-Control": "no-store"} | _SHARED)

    def _watched(self, request: web.Request) -> tuple[Path, WatchedWindow]:
        """Raises Refused. Who has the wrong secret is told what he would be told if there were no such recording."""
        id = request.match_info["recording"]
        try:
            one = self._recordings.recording(id)
        except Refused:
            self._windows.pop(id, None)
            raise
        if not one.live_view or not hmac.compare_digest(one.live_view.encode(), request.match_info["view"].encode()):
            raise Refused("recording_not_found", f"there is no recording {id[:64]}")
        path = self._recordings.path(id) / _DIRECTORY
        if id not in self._windows:
            self._windows[id] = WatchedWindow(path)
        return path, self._windows[id]


async def _playlist(request: web.Request, watched: WatchedWindow) -> web.Response:
    """Raises Refused."""
    number, part = _wanted(request)
    window = await watched.until(lambda found: found.ended or found.has_whole_segment, FIRST_WITHIN_S)
    if window is not None and number is not None and not window.ended:
        if window.is_too_far_ahead(number):
            raise Refused("malformed", f"_HLS_msn: {number} is too far ahead")
        timeout_s = WAITS_TARGETS * window.target_s
        window = await watched.until(lambda found: found.ended or found.has(number, part), timeout_s)
    if window is None:
        raise Refused("unavailable", "nothing new has been composed")
    age_s = _PLAIN_AGE_S if number is None else _BLOCKING_AGE_S
    headers = {"Cache-Control": f"public, max-age={age_s}"} | _SHARED
    body = render(window, blocking=True)
    return web.Response(text=body, content_type="application/vnd.apple.mpegurl", headers=headers)


def _wanted(request: web.Request) -> tuple[int | None, int | None]:
    """The segment, and the part of it, that the playlist is to have. Raises Refused."""
    found = []
    for name in ("_HLS_msn", "_HLS_part"):
        value = request.query.get(name)
        if value is not None and not _NUMBER.fullmatch(value):
            raise Refused("malformed", f"{name} is a number")
        found.append(None if value is None else int(value))
    number, part = found
    if part is not None and number is None:
        raise Refused("malformed", "_HLS_part is of a segment: _HLS_msn is missing")
    return number, part


async def _media(path: Path, watched: WatchedWindow) -> web.FileResponse:
    """Raises Refused."""

    def has_come(found: Window) -> bool:
        return found.ended or found.next_part_uri != path.name

    if not await asyncio.to_thread(path.is_file):
        window = await watched.until(lambda found: True, 0.5)
        if window is not None:
            await watched.until(has_come, WAITS_TARGETS * window.target_s)
        if not await asyncio.to_thread(path.is_file):
            raise Refused("unknown_file", f"there is no {path.name}, or not any more")
    kind = "video/mp4" if path.suffix == ".mp4" else "video/iso.segment"
    headers = {"Cache-Control": f"public, max-age={_MEDIA_AGE_S}, immutable", "Content-Type": kind} | _SHARED
    return web.FileResponse(path, headers=headers)
