"""What a figure must be read with: the machine, and what else it did; and staying on one of its cores."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str
    cores: int
    kernel: str
    governor: str | None  # None: the kernel does not say, as in most virtual machines
    load: float  # of the last minute, when this was read

    def __str__(self) -> str:
        governor = "" if self.governor is None else f", governor {self.governor}"
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{self.cpu}, {cores}{governor}, {self.kernel}, load {self.load:.2f} before"


def read_machine() -> Machine:
    return Machine(
        cpu=_cpu_model(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        governor=_governor(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        load=os.getloadavg()[0],
    )


def _cpu_model(text: str) -> str:
    """The first that is named; aarch64's kernels name none."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()


def _governor(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """This thread, and what it starts meanwhile, stay on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
