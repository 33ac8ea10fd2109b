"""Two hosts on one machine: network namespaces of our own, joined by a veth pair. Needs root.

Firefox and GStreamer never pair an interface address with 127.0.0.1 and gather nothing on loopback alone, so they meet
the server over a link of their own; nothing of it can leave the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

SERVER_ADDRESS = "10.77.0.1"
CLIENT_ADDRESS = "10.77.0.2"
LINK = "lan0"  # GStreamer passes over interfaces whose names begin with "veth"
OTHER_LINK = "lan1"
OTHER_SERVER_ADDRESS = "10.78.0.1"
OTHER_CLIENT_ADDRESS = "10.78.0.2"


@dataclass(frozen=True, slots=True)
class Hosts:
    server: tuple[str, ...]  # put before a command to run it on that host
    client: tuple[str, ...]


@contextlib.asynccontextmanager
async def two_hosts() -> AsyncIterator[Hosts]:
    server, client = f"sfu-server-{os.getpid()}", f"sfu-client-{os.getpid()}"
    await _ip("netns", "add", server)
    try:
        await _ip("netns", "add", client)
        await _link(server, client, LINK, SERVER_ADDRESS)
        await _ip("-n", client, "addr", "add", f"{CLIENT_ADDRESS}/24", "dev", LINK)
        for name in (server, client):
            await _ip("-n", name, "link", "set", LINK, "up")
            await _ip("-n", name, "link", "set", "lo", "up")
        # Firefox asks the routing table for its own address; the far end of the link leads nowhere else.
        await _ip("-n", client, "route", "add", "default", "via", SERVER_ADDRESS)
        for name in (server, client):
            await _until_up(name)  # GStreamer does not see an interface before
        yield Hosts(("ip", "netns", "exec", server), ("ip", "netns", "exec", client))
    finally:
        for name in (server, client):
            with contextlib.suppress(RuntimeError):
                await _ip("netns", "del", name)


@dataclass(frozen=True, slots=True)
class OtherLink:
    """A second way between the hosts, which the client does not have yet."""

    client_name: str

    async def move(self) -> None:
        """The client is on this network from now on, and on the first no longer. Addresses come and go with it, as
        whoever manages a machine's networks makes them: Chromium goes by addresses."""
        await _ip("-n", self.client_name, "link", "set", OTHER_LINK, "up")
        await _ip("-n", self.client_name, "addr", "add", f"{OTHER_CLIENT_ADDRESS}/24", "dev", OTHER_LINK)
        await _ip("-n", self.client_name, "addr", "flush", "dev", LINK)
        await _ip("-n", self.client_name, "link", "set", LINK, "down")  # its routes go with it
        await _ip("-n", self.client_name, "route", "add", "default", "via", OTHER_SERVER_ADDRESS)


async def other_link(hosts: Hosts) -> OtherLink:
    """To be made before the server starts: it listens on the addresses it finds then."""
    server, client = hosts.server[-1], hosts.client[-1]
    await _link(server, client, OTHER_LINK, OTHER_SERVER_ADDRESS)
    await _ip("-n", server, "link", "set", OTHER_LINK, "up")
    return OtherLink(client)


@contextlib.asynccontextmanager
async def forwarded(hosts: Hosts, port: int) -> AsyncIterator[str]:
    """127.0.0.1:port on the client leads to the same port of the server: browsers trust pages of localhost only."""
    process = await asyncio.create_subprocess_exec(
        *(*hosts.client, sys.executable, "-m", "tests.support.forward", str(port), SERVER_ADDRESS, str(port)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), 60)  # it says when it listens
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _link(server: str, client: str, link: str, server_address: str) -> None:
    await _ip("-n", server, "link", "add", link, "type", "veth", "peer", "name", link, "netns", client)
    await _ip("-n", server, "addr", "add", f"{server_address}/24", "dev", link)
    for name in (server, client):
        # Without it an IPv6 address appears a second or two later, and Chromium gives up what it is loading
        # whenever an address changes (ERR_NETWORK_CHANGED): a page without its modules.
        await _ip("-n", name, "link", "set", link, "addrgenmode", "none")


async def _until_up(name: str) -> None:
    for _ in range(500):  # it takes milliseconds
        if "state UP" in await _ip("-n", name, "link", "show", LINK):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the link between the hosts does not come up")


async def _ip(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "ip", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {complaint.decode().strip()}")
    return printed.decode()
