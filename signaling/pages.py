"""The pages and scripts under `static/`: which paths exist, how each is served. Revalidated every time (ETag)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2s
from pathlib import Path
from typing import Final

from aiohttp import web

STATIC: Final = Path(__file__).parent / "static"

# What browsers may load; anything else in these folders is not for them.
_CONTENT_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_TEXT: Final = frozenset({".html", ".js", ".css", ".svg", ".webmanifest"})
# One file or folder name. No dot in front: neither hidden files nor the folder above have a path here.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class _Content:
    modified: tuple[int, int]  # time and size when it was read
    body: bytes
    etag: str


class Pages:
    """Files are kept once read, and read anew when they have changed."""

    def __init__(self, root: Path = STATIC) -> None:
        self._root = root
        self._kept: dict[Path, _Content] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/", self._app)
        router.add_get("/r/{room}", self._app)
        for folder in ("admin", "app", "client", "docs", "example"):
            router.add_get(f"/{folder}/{{path:.*}}", self._file)
        for page in ("admin", "docs", "example"):
            router.add_get(f"/{page}", self._to_folder)

    async def _app(self, request: web.Request) -> web.Response:
        return self.respond(request, self._root / "app" / "index.html")

    async def _file(self, request: web.Request) -> web.Response:
        segments = request.path.removeprefix("/").split("/")
        if segments[-1] == "":
            segments[-1] = "index.html"
        if not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise web.HTTPNotFound
        return self.respond(request, self._root.joinpath(*segments))

    async def _to_folder(self, request: web.Request) -> web.Response:
        """So that what the page loads lies below it."""
        raise web.HTTPMovedPermanently(request.path + "/")

    def respond(self, request: web.Request, path: Path) -> web.Response:
        """`path` is below the root, and its names are safe. Raises HTTPNotFound."""
        content_type = _CONTENT_TYPES.get(path.suffix)
        content = self._read(path) if content_type is not None else None
        if content is None:
            raise web.HTTPNotFound
        headers = {"ETag": content.etag, "Cache-Control": "no-cache"}
        if content.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        charset = "utf-8" if path.suffix in _TEXT else None
        return web.Response(body=content.body, content_type=content_type, charset=charset, headers=headers)

    def _read(self, path: Path) -> _Content | None:
        try:
            status = path.stat()
            modified = (status.st_mtime_ns, status.st_size)
            kept = self._kept.get(path)
            if kept is None or kept.modified != modified:
                body = path.read_bytes()
                kept = self._kept[path] = _Content(modified, body, f'"{blake2s(body, digest_size=12).hexdigest()}"')
        except OSError:
            return None
        return kept
