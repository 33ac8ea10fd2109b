"""Who comes first on this machine's cores, which libraries sometimes decide for themselves."""

from __future__ import annotations

import os


def scheduling() -> tuple[int, int]:
    """Policy and priority of this thread."""
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
