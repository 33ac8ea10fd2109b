"""Pion: the forwarder in `pion/main.go`, compiled once from Debian's sources, without the network."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from loadtest.compare.joining import Joining
from loadtest.compare.servers import CannotCompare, ServerProcess, SetVideoRate, need_programs
from loadtest.plans import Plan, Rates
from loadtest.traffic import SrtpChoice, Traffic

SOURCE = Path(__file__).with_name("pion") / "main.go"
GOPATH = Path("/usr/share/gocode")  # where Debian's packages of Go sources are
LIBRARY = GOPATH / "src/github.com/pion/webrtc"
PACKAGE = "golang-github-pion-webrtc.v3-dev"


class Pion:
    """One run of the program that `build` made."""

    name = "pion"

    def __init__(self, program: Path, version: str) -> None:
        self.version = version
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="sfu-compare-pion-")
        self._process = ServerProcess(Path(self._folder.name))
        self._http: aiohttp.ClientSession | None = None
        self._address = ""

    async def start(self, address: str, core: int) -> int:
        self._address = address
        process = await self._process.start(core, [str(self._program), "-address", address])
        line = await self._process.until_printed("listening on")
        self._http = aiohttp.ClientSession(f"http://{line.split()[-1]}")
        return process

    async def publish(self, publisher: str, offer: str) -> str:
        return await self._post("/publish", [("name", publisher)], offer)

    async def subscribe(self, subscriber: str, publishers: Sequence[str]) -> str:
        return await self._post("/subscribe", [("name", subscriber), *(("of", each) for each in publishers)], "")

    async def answer(self, subscriber: str, answer: str) -> None:
        await self._post("/start", [("name", subscriber)], answer)

    async def join(self, traffic: Traffic, plan: Plan, rates: Rates, srtp: SrtpChoice) -> SetVideoRate:
        return await Joining(self, self._address, traffic, rates, srtp).join(plan)

    async def stop(self) -> None:
        if self._http is not None:
            await self._http.close()
        await self._process.stop()
        self._folder.cleanup()

    async def _post(self, path: str, query: Sequence[tuple[str, str]], body: str) -> str:
        assert self._http is not None, "start() comes first"
        async with self._http.post(path, params=query, data=body) as response:
            text = await response.text()
            if response.status != 200:
                raise CannotCompare(f"Pion declined {path}: {text}")
            return text


async def build(folder: Path) -> tuple[Path, str]:
    """Compile into `folder`: seconds at first, no time later, by Go's own cache. Returns program and version. Raises
    CannotCompare when tools or sources are missing."""
    need_programs({"go": f"golang-go {PACKAGE}"})
    if not LIBRARY.is_dir():
        raise CannotCompare(f"not installed. On Debian: apt-get install --no-install-recommends {PACKAGE}")
    # Debian's Go sources are a GOPATH without versions. There, `…/webrtc/v3` is found only from a folder with a go.mod.
    package = folder / "src" / "forwarder"
    package.mkdir(parents=True, exist_ok=True)
    (package / "go.mod").write_text("module forwarder\n")
    (package / "main.go").write_text(SOURCE.read_text())
    program = folder / "forwarder"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": f"{folder}:{GOPATH}",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    await _output("go", "build", "-o", str(program), ".", cwd=package, environment=environment)
    go = await _output("go", "env", "GOVERSION", cwd=package, environment=environment)
    library = await _output("dpkg-query", "-W", "-f", "${Version}", PACKAGE, cwd=package, environment=environment)
    return program, f"{library.strip()}, {go.strip()}"


async def _output(*command: str, cwd: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise CannotCompare(f"{' '.join(command)}: {output.decode(errors='replace')[-2000:]}")
    return output.decode()
