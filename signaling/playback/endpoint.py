"""The page that plays a recording, and what it reads, under an address that is good for a while. A shell.

    GET /v1/playback/{recording}/{link}/                 recorder/playback/index.html
    GET /v1/playback/{recording}/{link}/manifest.json    and `files/…`, with Range

`link` is a secret (`links.py`): who has it may watch this one recording. So nobody but that browser is to keep
what came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from aiohttp import web

from signaling.api.files import file_response
from signaling.api.problems import status_of
from signaling.auth import Grant
from signaling.config import ServerConfig
from signaling.errors import Refused
from signaling.keyring import Keyring
from signaling.pages import Pages
from signaling.playback import links
from signaling.recordings.recordings import Recordings
from signaling.responses import problem
from signaling.visitors import why_not_this_machine

PAGE: Final = Path(str(files("recorder"))) / "playback"
_PRIVATE: Final = {"Cache-Control": "private, no-cache"}


class Playback:
    """`check_welcome` raises Refused for who was banned or removed, or whose token was revoked."""

    def __init__(
        self,
        config: ServerConfig,
        recordings: Recordings,
        keyring: Keyring,
        check_welcome: Callable[[Grant, float], None],
    ) -> None:
        self._dev = config.dev
        self._recordings = recordings
        self._keyring = keyring
        self._check_welcome = check_welcome
        self._pages = Pages(PAGE)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/playback/{recording}/{link}/{path:.*}", self._respond)

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        id, path = request.match_info["recording"], request.match_info["path"]
        try:
            if self._dev and (reason := why_not_this_machine(request.remote or "", request.headers)) is not None:
                raise Refused("not_granted", f"development mode is for this machine only: {reason}")
            self._check(id, request.match_info["link"])
            if path == "manifest.json":
                return await file_response(self._recordings.manifest(id), dict(_PRIVATE))
            if path.startswith("files/"):
                return await file_response(self._recordings.file(id, path.removeprefix("files/")), dict(_PRIVATE))
        except Refused as error:
            return problem(status_of(error.code), error.code, error.reason, {"Cache-Control": "no-store"})
        if "/" in path:
            raise web.HTTPNotFound
        return self._pages.respond(request, PAGE / (path or "index.html"))

    def _check(self, id: str, link: str) -> None:
        """Raises Refused."""
        room = self._recordings.recording(id).room
        grant = links.check(link, id, room, time.time(), self._keyring)
        try:
            if grant is not None:
                self._check_welcome(grant, asyncio.get_running_loop().time())
        except Refused as error:
            raise Refused("link_expired", error.reason) from error
