"""Waiting for a condition over state that changes in callbacks: no polling, and no sleeping in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Call `changed` after every change; whoever waits in `until` then looks again."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._failure: Exception | None = None
        self._failed = asyncio.Event()

    def changed(self) -> None:
        for condition, future in self._waiting:
            if not future.done() and condition():
                future.set_result(None)

    def fail(self, failure: Exception) -> None:
        """From now on nothing changes any more: those who wait, now or later, get `failure`, once their condition
        does not hold already."""
        if self._failure is not None:
            return  # the first one says why
        self._failure = failure
        self._failed.set()
        self.changed()
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(failure)

    async def failed(self) -> Exception:
        """Until there is a failure; returns it."""
        await self._failed.wait()
        assert self._failure is not None
        return self._failure

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Raises TimeoutError after `timeout_s`, or what `fail` was given."""
        if condition():
            return
        if self._failure is not None:
            raise self._failure
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (condition, future)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        finally:
            self._waiting.remove(entry)
