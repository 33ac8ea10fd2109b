"""The server under test: `sfu serve --dev` in a process of its own, on free ports of loopback and on one core."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sfu

START_TIMEOUT_S = 60.0  # a loaded machine compiles byte code slowly
STOP_TIMEOUT_S = 10.0
FREE_PORTS = ("--dev", "--http-port=0", "--udp-port=0")
# Not what is tested: a room may be as large as the plan says, and everybody gets all of it. What paths carry is
# estimated all the same, where there is feedback, and what that costs is in the figures.
SELECTS_NOTHING = (
    "--max-participants=100000",
    "--min-downlink=10G",
    "--enough-downlink=10G",
    "--max-downlink=10G",
    "--loudest=1000",
)


class CannotStart(RuntimeError):
    """With what the server said at last."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    url: str
    plane: str
    process: int


@contextlib.asynccontextmanager
async def running_server(
    cores: set[int] | None, options: Sequence[str] = SELECTS_NOTHING, *, busy_python: bool = False
) -> AsyncIterator[RunningServer]:
    """Until the block ends. `cores`: where it may run; anywhere if `None`. `busy_python`: see busy.py.
    Raises CannotStart."""
    module = "loadtest.busy" if busy_python else "signaling.cli"
    pinned = [] if cores is None else ["taskset", "--cpu-list", ",".join(str(core) for core in sorted(cores))]
    # This very code: from a checkout, the packages are on the path only in their own folder.
    sources = str(Path(sfu.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")])}
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *pinned,
            *(sys.executable, "-m", module, "serve", *FREE_PORTS, *options),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            welcome = await _welcome(process)
            if "Open" not in welcome:
                log.seek(0)
                raise CannotStart(f"the server did not start: {log.read()[-2000:].decode(errors='replace')}")
            yield RunningServer(welcome["Open"].rstrip("/"), welcome.get("Plane", "unknown"), process.pid)
        finally:
            await _stop(process)


async def _welcome(process: asyncio.subprocess.Process) -> dict[str, str]:
    """The lines it prints when it is ready: first word → the rest. Without `Open` when it is not."""
    assert process.stdout is not None
    lines: dict[str, str] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT_S):
            while line := (await process.stdout.readline()).decode():
                word, _, rest = line.strip().partition(" ")
                lines[word] = rest.strip()
                if word == "Ctrl-C":
                    break
    return lines


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
    await process.communicate()
