"""Requests to the REST API, repeated where that is safe: what came of each, or why not.

A request is repeated when no answer came, or one that says "later". Every POST has an Idempotency-Key, so a second one
has no second effect, and so has every change of a version, which the second time would not be there any more;
everything else may be repeated as it is.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from signaling.client.fetching import Fetching

# One answer; it comes within milliseconds, or something is wrong on the way.
ANSWER_TIMEOUT_S: Final = 10.0
# Of events something is heard every 15 s, if only that nothing happens.
STREAM_TIMEOUT_S: Final = 40.0
# How often a request is sent in all, and how long is waited before the second: doubled each time, and spread by half so
# that many clients of a server that comes back do not all ask at once.
ATTEMPTS: Final = 4
PAUSE_S: Final = 0.25
# "Later": by a proxy, a server that is busy, or one that is being restarted.
_LATER: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)

T = TypeVar("T")


class ApiError(Exception):
    """The server declined. `code` is stable; `request_id` finds it in the server's log."""

    def __init__(self, status: int, code: str, detail: str, request_id: str) -> None:
        super().__init__(f"{status} {code}: {detail} ({request_id})")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id


class Unreachable(Exception):
    """No answer came, however often it was asked. Whether the request had an effect is not known."""


class _Problem(Struct):
    code: str = ""
    detail: str = ""


class Asking:
    """Use it with `async with`."""

    def __init__(self, url: str, key: str, *, attempts: int = ATTEMPTS, pause_s: float = PAUSE_S) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}
        self._attempts = attempts
        self._pause_s = pause_s
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def get(self, path: str, expected: type[T], also: int | None = None, **query: object) -> T:
        """`also`: a status beside 2xx that answers with `expected`."""
        return _read(await self._answer("GET", path, query=given(**query), also=also), expected)

    async def ask(
        self, method: str, path: str, expected: type[T], *, body: Struct | None = None, version: int | None = None
    ) -> T:
        """`version`: for If-Match."""
        return _read(await self._answer(method, path, body=body, version=version), expected)

    async def tell(
        self, method: str, path: str, *, body: Struct | None = None, query: dict[str, str] | None = None
    ) -> None:
        """There is nothing to answer."""
        await self._answer(method, path, body=body, query=query)

    async def stream(self, path: str, expected: Any, since: int) -> AsyncIterator[Any]:
        """Server-Sent Events after the one with this number, without an end. Raises ApiError, and Unreachable when no
        answer comes to as many attempts in a row as any request is given."""
        decoder, failures = msgspec.json.Decoder(expected), 0
        while True:
            try:
                async for number, content in self._read_stream(path, since):
                    since, failures = number, 0
                    yield decoder.decode(content)
            except (aiohttp.ClientError, TimeoutError) as error:
                failures += 1
                if failures >= self._attempts:
                    raise Unreachable(f"GET {path}: no answer in {failures} attempts") from error
            await asyncio.sleep(self._pause(failures + 1, {}))

    async def _read_stream(self, path: str, since: int) -> AsyncIterator[tuple[int, bytes]]:
        """Until it is interrupted."""
        assert self._http is not None, "use `async with`"
        address = URL(self.url + path, encoded=True).update_query(since=str(since))
        silent = aiohttp.ClientTimeout(total=None, sock_read=STREAM_TIMEOUT_S)
        async with self._http.get(address, headers=self._headers, timeout=silent) as response:
            if response.status != HTTPStatus.OK:
                raise _error(response.status, response.headers, await response.read())
            number = 0
            async for line in response.content:
                field, _, value = line.rstrip(b"\n").partition(b": ")
                if field == b"id":
                    number = int(value)
                elif field == b"data":
                    yield number, value

    async def fetch(self, path: str, into: Path) -> int:
        """The content at `path`, written to `into`. Returns its size in bytes. Raises ApiError, OSError of the disk,
        and Unreachable when nothing more came in as many attempts as any request is given."""
        assert self._http is not None, "use `async with`"
        fetching, failures = Fetching(into), 0
        address = URL(self.url + path, encoded=True)
        silent = aiohttp.ClientTimeout(total=None, sock_read=ANSWER_TIMEOUT_S)
        while True:
            headers, before = self._headers | fetching.headers, fetching.bytes
            try:
                async with self._http.get(address, headers=headers, timeout=silent) as response:
                    if response.ok:
                        return await fetching.take(response)
                    if response.status not in _LATER:
                        raise _error(response.status, response.headers, await response.read())
            except (aiohttp.ClientError, TimeoutError):
                pass
            failures = 1 if fetching.bytes > before else failures + 1
            if failures >= self._attempts:
                raise Unreachable(f"GET {path}: nothing more in {failures} attempts")
            await asyncio.sleep(self._pause(failures, {}))

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        body: Struct | None = None,
        query: dict[str, str] | None = None,
        version: int | None = None,
        also: int | None = None,
    ) -> bytes:
        """Raises ApiError and Unreachable."""
        headers = dict(self._headers)
        if method == "POST" or version is not None:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        address = URL(self.url + path, encoded=True).update_query(query or {})
        lost = False
        for attempt in range(1, self._attempts + 1):
            status, answer_headers, answer = await self._send(method, address, headers, content)
            if status == also or 200 <= status < 300:
                return answer
            # It was there when we asked first, and that took it away.
            if method == "DELETE" and lost and status == HTTPStatus.NOT_FOUND:
                return b""
            lost = lost or status == 0
            if status and (status not in _LATER or attempt == self._attempts):
                raise _error(status, answer_headers, answer)
            if attempt < self._attempts:
                await asyncio.sleep(self._pause(attempt, answer_headers))
        raise Unreachable(f"{method} {path}: no answer in {self._attempts} attempts")

    async def _send(
        self, method: str, address: URL, headers: dict[str, str], content: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status 0 when there was no answer."""
        assert self._http is not None, "use `async with`"
        try:
            async with self._http.request(
                method, address, headers=headers, data=content, allow_redirects=False
            ) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}, b""

    def _pause(self, attempt: int, headers: Mapping[str, str]) -> float:
        asked = headers.get("Retry-After", "")
        pause: float = self._pause_s * 2 ** (attempt - 1) * (0.5 + random.random())
        return max(pause, min(float(asked), ANSWER_TIMEOUT_S)) if asked.isdigit() else pause


def given(**query: object) -> dict[str, str]:
    """What is not None, as it stands in an address."""
    texts = {True: "true", False: "false"}
    return {
        name: texts[value] if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }


def path_of(*segments: str) -> str:
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


def _read(answer: bytes, expected: type[T]) -> T:
    return msgspec.json.decode(answer, type=expected)


def _error(status: int, headers: Mapping[str, str], answer: bytes) -> ApiError:
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem(detail=answer[:200].decode(errors="replace"))
    return ApiError(status, problem.code or "http", problem.detail, headers.get("X-Request-Id", ""))
