"""Ends a test that waits for ever, says which it was and where it stood, and lets the rest go on. A plugin of pytest.

An alarm interrupts whatever the main thread does, most likely the event loop's waiting. Where that is our own compiled
code, and does not come back, `faulthandler_timeout` is what is left: it writes down where all threads stand, and in
`script/test` ends the process.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

# The longest take one minute, and three on a machine with much else to do. Higher: CI waits; lower: busy machines lie.
MOST_S = 300.0
# Once more, if something has caught it, or to end a `finally` that waits for ever, too. Servers stop within seconds.
AGAIN_S = 30.0


@contextmanager
def _ended(item: pytest.Item, what: str) -> Iterator[None]:
    if item.get_closest_marker("long"):
        yield
        return
    most_s: float = item.config.getoption("--most")

    def on_alarm(_signal: int, _frame: FrameType | None) -> None:
        loop = asyncio._get_running_loop()
        for task in () if loop is None else asyncio.all_tasks(loop):
            task.print_stack(limit=6, file=sys.stderr)
        pytest.fail(f"{item.nodeid}: its {what} still ran after {most_s:g} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, most_s, min(most_s, AGAIN_S))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with _ended(item, "preparation"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with _ended(item, "body"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with _ended(item, "cleaning up"):
        return (yield)
