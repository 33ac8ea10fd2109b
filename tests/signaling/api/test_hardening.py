"""What the API is asked by those who mean it harm."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from itertools import count

import aiohttp
import pytest

from signaling.api.access import FAILURES_BURST, Doorkeeper
from signaling.config import DEVELOPMENT_KEY
from signaling.errors import ProtocolError, Refused
from signaling.limits import ConnectionLimits
from tests.signaling.api.calling import KEY, backend
from tests.signaling.servers import SECRET, WAIT_S, serving

DEV_KEY = ":".join(DEVELOPMENT_KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://elsewhere.example"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_the_well_known_key_is_for_this_machine_only(headers: dict[str, str]) -> None:
    async with serving(dev=True) as server, backend(server, DEV_KEY) as ask:
        assert (await ask.ask("GET", "/rooms")).status == 200
        came = await ask.ask("GET", "/rooms", **headers)
        assert (came.status, came.code) == (403, "not_granted")


async def test_pages_of_other_origins_can_neither_ask_nor_read() -> None:
    """A browser asks first (preflight) whether it may send `Authorization`; nothing here says yes."""
    async with serving() as server, backend(server) as ask:
        for method, path in (("OPTIONS", "/rooms"), ("GET", "/rooms")):
            came = await ask.ask(method, path, Origin="https://elsewhere.example")
            assert not [name for name in came.headers if name.startswith("Access-Control-")]
        assert (await ask.ask("OPTIONS", "/rooms")).status == 405


async def test_what_is_repeated_in_headers_breaks_no_line() -> None:
    async with serving() as server, backend(server) as ask:
        for path in ("/rooms/%0d%0aSet-Cookie:%20a=b", "/rooms/demo/participants/%0aX:%20y"):
            came = await ask.ask("GET", path)
            assert came.status == 404 and "Set-Cookie" not in came.headers and "X" not in came.headers
        with contextlib.suppress(aiohttp.ClientError):
            came = await ask.ask("GET", "/rooms", Host="a\tb; script-src *")
            assert "script-src *" not in came.headers.get("Content-Security-Policy", "")


def test_guessing_is_slowed_down_by_address_and_hits_nobody_else() -> None:
    doorkeeper = Doorkeeper({"a": SECRET}, lambda grant, now: None)

    def attempt(credentials: str, address: str) -> str:
        try:
            return doorkeeper.admit(f"Bearer {credentials}", None, address, now=0.0).id
        except (ProtocolError, Refused) as error:
            return error.code

    guesses = [attempt(f"a:{number:032}", "192.0.2.1") for number in range(FAILURES_BURST + 5)]
    assert guesses == ["key_invalid"] * FAILURES_BURST + ["rate"] * 5
    assert attempt(KEY, "192.0.2.1") == "rate", "also the right one: it could be a guess"
    assert attempt(KEY, "192.0.2.2") == "key:a"
    assert doorkeeper.admit(f"Bearer {KEY}", None, "192.0.2.1", now=60.0).id == "key:a"


async def test_bodies_that_never_come_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.request_body.BODY_TIMEOUT_S", 0.3)
    async with serving() as server, backend(server) as ask:
        head = (
            f"POST /v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        slow = [await asyncio.open_connection("127.0.0.1", server.http_port) for _ in range(50)]
        for _, writer in slow:
            writer.write(head.encode())
        assert (await ask.ask("GET", "/rooms")).status == 200
        answers = await asyncio.wait_for(asyncio.gather(*(reader.readline() for reader, _ in slow)), WAIT_S)
        assert {answer.split()[1] for answer in answers} == {b"408"}
        for _, writer in slow:
            writer.close()


async def test_headers_that_never_end_are_waited_for_no_longer_than_none() -> None:
    """A line now and then is no reason to wait: what counts is when the request is there."""
    limits = replace(ConnectionLimits(), request_timeout_s=0.5)
    async with serving(connections=limits) as server, backend(server) as ask, asyncio.timeout(WAIT_S):
        slow = [await asyncio.open_connection("127.0.0.1", server.http_port) for _ in range(50)]

        async def dribble(writer: asyncio.StreamWriter) -> None:
            writer.write(b"GET /v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for number in count():
                writer.write(f"X-{number}: y\r\n".encode())
                await asyncio.sleep(0.02)

        dribbling = [asyncio.create_task(dribble(writer)) for _, writer in slow]
        try:
            assert (await ask.ask("GET", "/rooms")).status == 200
            for reader, _ in slow:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b"", "closed, and nothing to answer"
        finally:
            for task in dribbling:
                task.cancel()
            for _, writer in slow:
                writer.close()


async def test_headers_beyond_all_measure_are_refused_unread() -> None:
    async with serving() as server:
        for head in (b"X: " + b"y" * 100_000, b"X: y\r\n" * 1_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
            writer.write(b"GET /v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head)
            answer = await asyncio.wait_for(reader.readline(), WAIT_S)
            assert answer.split()[1] == b"400"
            writer.close()


async def test_a_thousand_idle_sockets_hinder_nobody_and_do_not_stay() -> None:
    limits = replace(ConnectionLimits(), request_timeout_s=1.0)
    async with serving(connections=limits) as server, backend(server) as ask, asyncio.timeout(WAIT_S):
        idle = [await asyncio.open_connection("127.0.0.1", server.http_port) for _ in range(1000)]
        try:
            for _ in range(20):
                assert (await ask.ask("GET", "/rooms")).status == 200
            for reader, _ in idle:
                assert await reader.read() == b""
        finally:
            for _, writer in idle:
                writer.close()


@pytest.mark.parametrize(
    "path", ["/admin/..%2f..%2fconfig.py", "/docs/../../config.py", "/admin/.hidden", "/docs//etc/passwd"]
)
async def test_pages_lead_nowhere_else(path: str) -> None:
    async with serving() as server, backend(server) as ask, ask.http.get(f"{server.url}{path}") as response:
        assert response.status == 404
