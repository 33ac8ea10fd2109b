"""A real server in a process of its own, started as the README says, on free ports of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0  # a loaded machine compiles byte code slowly
STOP_TIMEOUT_S = 60.0  # for what takes a second


@dataclass(frozen=True, slots=True)
class RunningServer:
    url: str
    udp_port: int
    process: asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def running_server(
    *arguments: str, host: str = "127.0.0.1", prefix: Sequence[str] = (), environment: dict[str, str] | None = None
) -> AsyncIterator[RunningServer]:
    """`sfu serve ARGUMENTS` until the block ends. `prefix` runs it elsewhere (`ip netns exec …`)."""
    http_port = free_port(socket.SOCK_STREAM)
    udp_port = free_port(socket.SOCK_DGRAM)
    process = await asyncio.create_subprocess_exec(
        *prefix,
        *(sys.executable, "-m", "signaling.cli", "serve"),
        *(f"--http-host={host}", f"--http-port={http_port}", f"--udp-port={udp_port}", *arguments),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"http://{host}:{http_port}"
        await (_until_healthy_there(url, prefix) if prefix else _until_healthy(url, process))
        yield RunningServer(url, udp_port, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)


async def _until_healthy(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as http:
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(f"{url}/healthz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the server ended with {process.returncode} before it answered")


async def _until_healthy_there(url: str, prefix: Sequence[str]) -> None:
    patience = ("--retry", "1000", "--retry-delay", "1", "--retry-max-time", str(round(START_TIMEOUT_S)))
    asking = await asyncio.create_subprocess_exec(
        *(*prefix, "curl", "--silent", "--fail", "--output", os.devnull, "--retry-connrefused", *patience),
        f"{url}/healthz",
    )
    if await asking.wait():
        raise RuntimeError(f"the server did not answer within {START_TIMEOUT_S} s")


async def invitation(keys: str, url: str, room: str, identity: str) -> str:
    """What `sfu token` prints for this person: a link with the token in its fragment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", "token", f"--room={room}", f"--identity={identity}", f"--url={url}"),
        cwd=ROOT,
        env={**os.environ, "SFU_KEYS": keys},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    (address,) = [word for word in printed.decode().split() if word.startswith(url)]
    return address
