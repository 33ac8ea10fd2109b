"""What the comparison asks of a server: to run on one core, and to take everybody of a plan.

`join` is ours to do for servers that exchange descriptions (`joining.py`): of those, adapters (`janus.py`, `pion.py`)
turn three exchanges into the server's own API. Our own server has its real signaling (`ours.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from loadtest.plans import Plan, Rates
from loadtest.traffic import SrtpChoice, Traffic

# Janus loads its plugins, Go is compiled before: seconds on a loaded machine.
START_TIMEOUT_S = 30.0
# Then it is killed: nothing of it is kept, and Janus with event_loops takes three seconds to leave.
STOP_TIMEOUT_S = 1.0


# Of all publishers, times what they began with.
SetVideoRate = Callable[[float], None]


class CannotCompare(Exception):
    """This server cannot be measured here; the text says what to do about it."""


class Server(Protocol):
    """One fresh server. `start` once, then `join` once; `stop` in any case. Raises CannotCompare when something does
    not come up, or is declined."""

    name: str
    version: str

    async def start(self, address: str, core: int) -> int:
        """Run on `core`, with media on `address`. Returns the id of a process, above all others of this server."""

    async def join(self, traffic: Traffic, plan: Plan, rates: Rates, srtp: SrtpChoice) -> SetVideoRate:
        """Connect everybody; media flows when this returns."""

    async def stop(self) -> None: ...


class ServerProcess:
    """A process pinned to one core, with its output in a file, which ends with the block that made it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "output.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, core: int, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        with self._log.open("wb") as output:
            # taskset: the process must be on its core before it makes its first thread.
            self._process = await asyncio.create_subprocess_exec(
                *("taskset", "--cpu-list", str(core), *command),
                cwd=self._log.parent,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
            )
        return self._process.pid

    async def until_printed(self, text: str) -> str:
        """The first line with `text`. Raises CannotCompare when the process ends before, or takes too long."""
        assert self._process is not None, "start() comes first"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                while self._process.returncode is None:
                    for line in self.output().splitlines():
                        if text in line:
                            return line
                    await asyncio.sleep(0.05)
        raise CannotCompare(f"the server did not start; it said at last:\n{self.output()[-2000:]}")

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def need_programs(programs: Mapping[str, str]) -> None:
    """Program → Debian package. Raises CannotCompare with what to install."""
    missing = [package for program, package in programs.items() if shutil.which(program) is None]
    if missing:
        raise CannotCompare(f"not installed. On Debian: apt-get install --no-install-recommends {' '.join(missing)}")
