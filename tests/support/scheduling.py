"""Who comes first on this machine's cores, and libraries that decide it for themselves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def scheduling() -> tuple[int, int]:
    """Policy and priority of this thread."""
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


@contextlib.contextmanager
def as_before() -> Iterator[None]:
    """SVT-AV1 gives the thread that opens it the highest real-time priority if it may, as root may. Everything that is
    started by it later has that, too: browsers that leave nothing for whom they wait for."""
    policy, priority = scheduling()
    before = set(os.listdir("/proc/self/task"))
    try:
        yield
    finally:
        for task in ("0", *(set(os.listdir("/proc/self/task")) - before)):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(int(task), policy, os.sched_param(priority))
