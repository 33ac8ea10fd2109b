"""A real coturn takes the credentials that a client is told, and no others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint

from signaling.messages import IceServer, Join, Joined
from signaling.turn import credentials
from tests.signaling.servers import connected, serving, token
from tests.support.ports import free_port

SECRET = "a-secret-of-both-servers"
# coturn starts in a tenth of a second; a loaded machine takes longer.
START_TIMEOUT_S = 60.0
ALLOCATE_TIMEOUT_S = 60.0


@contextlib.asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[int]:
    """Its port, on loopback."""
    program = shutil.which("turnserver")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("coturn is not installed")
        pytest.skip("coturn is not installed: script/test installs it on Debian")
    port = free_port(socket.SOCK_STREAM)
    log = (folder / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        program,
        *("-c", "/dev/null", "--listening-ip", "127.0.0.1", "--listening-port", str(port), "--relay-ip", "127.0.0.1"),
        *("--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "sfu"),
        *("--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--userdb", str(folder / "users")),
        *("--pidfile", str(folder / "pid")),
        stdout=log,
        stderr=log,
    )
    try:
        await listening(port)
        yield port
    finally:
        process.terminate()
        await process.wait()
        log.close()


async def listening(port: int) -> None:
    """It listens for TCP where it does for UDP."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def allocate(port: int, username: str, password: str) -> str:
    """The address of the relay. Raises TransactionFailed."""
    async with asyncio.timeout(ALLOCATE_TIMEOUT_S):
        transport, _ = await create_turn_endpoint(
            asyncio.DatagramProtocol, ("127.0.0.1", port), username=username, password=password
        )
    address: str = transport.get_extra_info("sockname")[0]
    transport.close()
    await asyncio.sleep(0.1)  # so that what is freed on the way out is answered while the loop runs
    return address


async def told(port: int, valid_for_s: float) -> IceServer:
    """What somebody who joins is told."""
    options = {"turn_server": (f"turn:127.0.0.1:{port}",), "turn_secret": SECRET, "turn_valid_for": valid_for_s}
    async with serving(**options) as server, connected(server) as socket:
        joined = await socket.say(Join, token=token("ada"))
        assert isinstance(joined, Joined)
        (turn,) = joined.ice_servers
        return turn


async def test_a_client_may_relay_with_what_it_is_told(tmp_path: Path) -> None:
    async with coturn(tmp_path) as port:
        turn = await told(port, 3600.0)
        assert turn.urls == (f"turn:127.0.0.1:{port}",)
        assert await allocate(port, turn.username, turn.credential) == "127.0.0.1"

        wrong = {
            "another password": (turn.username, credentials("another-secret-than-theirs", "ada", 2e9)[1]),
            "a longer life": (f"{int(time.time()) + 10**6}:{turn.username.partition(':')[2]}", turn.credential),
            "an end in the past": credentials(SECRET, "ada", time.time() - 60),
        }
        for what, (username, password) in wrong.items():
            with pytest.raises(TransactionFailed, match="401"):
                await allocate(port, username, password)
                pytest.fail(f"coturn takes {what}")
