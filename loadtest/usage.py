"""What processes and the machine used: CPU time to the nanosecond, that of the planes' threads apart, memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PLANE_THREAD: Final = "sfu-plane"
PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") / 1024
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_CLOCK_SCHED: Final = 2  # of a process's clock id, as clock_getcpuclockid(3) makes it: what the scheduler counted
_BUSY_FIELDS: Final = (1, 2, 3, 6, 7, 8)  # of /proc/stat: user, nice, system, irq, softirq, steal


@dataclass(frozen=True, slots=True)
class Usage:
    """At one moment, CPU time since the start, or between two. `machine_s`: of all processes, the kernel and the host,
    on all cores, in ticks of 10 ms; `own_s`: of this process. `rss_kb` is that at the end."""

    at_s: float
    server_s: float
    plane_s: float
    own_s: float
    machine_s: float
    rss_kb: int

    def since(self, earlier: Usage) -> Usage:
        return Usage(
            self.at_s - earlier.at_s,
            self.server_s - earlier.server_s,
            self.plane_s - earlier.plane_s,
            self.own_s - earlier.own_s,
            self.machine_s - earlier.machine_s,
            self.rss_kb,
        )

    @property
    def foreign(self) -> float:
        """Cores that others took, between two moments: what the figures have to be doubted for."""
        return max(0.0, self.machine_s - self.server_s - self.own_s) / self.at_s


def read_usage(server: int | None, ours: Sequence[int] = ()) -> Usage:
    """`server`: the process above all others of it; `None` when it is not ours to look at. `ours`: others of the test.
    A process that has ended is not counted; servers end none while measured."""
    processes = [] if server is None else list(tree(server))
    return Usage(
        at_s=time.monotonic(),
        server_s=sum(cpu_s(process) for process in processes),
        plane_s=sum(thread_cpu_s(process, PLANE_THREAD) for process in processes),
        own_s=time.process_time() + sum(map(cpu_s, ours)),
        machine_s=machine_busy_s(),
        rss_kb=round(sum(_resident_pages(process) for process in processes) * PAGE_KB),
    )


def tree(root: int) -> Iterator[int]:
    """The process and all below it."""
    yield root
    for thread in Path(f"/proc/{root}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from tree(int(child))


def cpu_s(process: int) -> float:
    """To the nanosecond, ended threads included, unlike the ticks of /proc/PID/stat."""
    return time.clock_gettime(~process << 3 | _CLOCK_SCHED)


def thread_cpu_s(process: int, name: str) -> float:
    """Of those threads of the process that have this name."""
    total_ns = 0
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            if (thread / "comm").read_text().strip() == name:
                total_ns += int((thread / "schedstat").read_text().split()[0])
    return total_ns / 1e9


def machine_busy_s() -> float:
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()
    return sum(int(fields[index]) for index in _BUSY_FIELDS) / TICKS_PER_S


def receive_buffer_errors() -> int:
    """UDP datagrams that found a full socket, of anybody in this network namespace (`RcvbufErrors`)."""
    udp = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return int(dict(zip(*udp, strict=True))["RcvbufErrors"])


def _resident_pages(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1])
