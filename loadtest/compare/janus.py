"""Janus VideoRoom, as Debian packages it: configuration in a temporary folder, requests over its WebSocket.

Janus skips loopback interfaces when it gathers candidates, so `address` must be of another one (`namespace.py`).
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from loadtest.compare.janus_api import JanusApi
from loadtest.compare.joining import Joining
from loadtest.compare.servers import CannotCompare, ServerProcess, SetVideoRate, need_programs
from loadtest.plans import Plan, Rates
from loadtest.traffic import SrtpChoice, Traffic

ROOM: Final = 1
# Only what is used: the others would read Debian's own configuration, and open ports.
MODULES: Final = {"plugins": "libjanus_videoroom.so", "transports": "libjanus_websockets.so"}
LIBRARIES: Final = Path("/usr/lib")

# session_timeout: ours never asks for anything after the start.
CONFIGURATION: Final = """\
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{folder}/plugins"
    transports_folder = "{folder}/transports"
    events_folder = "{folder}/events"
    loggers_folder = "{folder}/loggers"
    debug_level = 4
    session_timeout = 0
    {event_loops}
}}
nat: {{
    ice_enforce_list = "{address}"
}}
media: {{ ipv6 = false }}
"""
WEBSOCKET: Final = """\
general: {{
    ws = true
    ws_ip = "127.0.0.1"
    ws_port = {port}
}}
"""
# bitrate 0: Janus asks publishers for no limit. Extensions off: none are offered.
NEW_ROOM: Final[Mapping[str, Any]] = {
    "request": "create",
    "room": ROOM,
    "publishers": 100,
    "bitrate": 0,
    "audiocodec": "opus",
    "videocodec": "vp8",
}


class Janus:
    """`event_loops` 0: a thread for each handle, Janus's default."""

    def __init__(self, version: str, event_loops: int = 0) -> None:
        self.name = f"janus, event_loops={event_loops}" if event_loops else "janus"
        self.version = version
        self._event_loops = event_loops
        self._folder = tempfile.TemporaryDirectory(prefix="sfu-compare-janus-")
        self._process = ServerProcess(Path(self._folder.name))
        self._api: JanusApi | None = None
        self._address = ""
        self._publishers: dict[str, int] = {}
        self._subscribers: dict[str, int] = {}

    async def start(self, address: str, core: int) -> int:
        port = _free_port()
        self._address = address
        self._configure(Path(self._folder.name), address, port)
        process = await self._process.start(core, ["janus", "--configs-folder", self._folder.name, "--disable-colors"])
        await self._process.until_printed("WebSockets thread started")
        self._api = await JanusApi.connect(f"http://127.0.0.1:{port}")
        await self._api.message(await self._api.attach(), NEW_ROOM)
        return process

    async def publish(self, publisher: str, offer: str) -> str:
        api = self._connected()
        handle = self._publishers[publisher] = await api.attach()
        await api.message(handle, {"request": "join", "ptype": "publisher", "room": ROOM, "id": handle})
        return (await api.message(handle, {"request": "publish"}, ("offer", offer))).description

    async def subscribe(self, subscriber: str, publishers: Sequence[str]) -> str:
        api = self._connected()
        handle = self._subscribers[subscriber] = await api.attach()
        feeds = [self._publishers[publisher] for publisher in publishers]
        for feed in feeds:
            await api.until_up(feed)
        join = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": feed} for feed in feeds]}
        return (await api.message(handle, join)).description

    async def answer(self, subscriber: str, answer: str) -> None:
        await self._connected().message(self._subscribers[subscriber], {"request": "start"}, ("answer", answer))

    async def join(self, traffic: Traffic, plan: Plan, rates: Rates, srtp: SrtpChoice) -> SetVideoRate:
        return await Joining(self, self._address, traffic, rates, srtp).join(plan)

    async def stop(self) -> None:
        if self._api is not None:
            await self._api.close()
        await self._process.stop()
        self._folder.cleanup()

    def _connected(self) -> JanusApi:
        assert self._api is not None, "start() comes first"
        return self._api

    def _configure(self, folder: Path, address: str, port: int) -> None:
        for kind, name in MODULES.items():
            found = next(LIBRARIES.glob(f"**/janus/{kind}/{name}"), None)
            if found is None:
                raise CannotCompare(f"Janus's {name} is not below {LIBRARIES}")
            (folder / kind).mkdir()
            (folder / kind / name).symlink_to(found)
        event_loops = f"event_loops = {self._event_loops}" if self._event_loops else ""
        (folder / "janus.jcfg").write_text(
            CONFIGURATION.format(folder=folder, address=address, event_loops=event_loops)
        )
        (folder / "janus.transport.websockets.jcfg").write_text(WEBSOCKET.format(port=port))
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")


async def version() -> str:
    """Of the packages, with what its libsrtp is built on. Raises CannotCompare when Janus is missing."""
    need_programs({"janus": "janus"})
    process = await asyncio.create_subprocess_exec(
        *("dpkg-query", "-W", "-f", "${Package} ${Version} (${Depends})\n", "janus", "libsrtp2-1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    words = {line.split()[0]: line for line in output.decode().splitlines()}
    if not {"janus", "libsrtp2-1"} <= words.keys():
        return "not from Debian's packages"
    crypto = "NSS" if "libnss3" in words["libsrtp2-1"] else "OpenSSL"
    return f"{words['janus'].split()[1]}, libsrtp {words['libsrtp2-1'].split()[1]} on {crypto}"


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
