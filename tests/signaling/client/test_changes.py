"""Waiting for conditions: met, failed, and too late."""

from __future__ import annotations

import asyncio

import pytest

from signaling.client.changes import Changes


async def test_waits_until_the_condition_holds() -> None:
    changes = Changes()
    values: list[int] = []
    waiting = asyncio.create_task(changes.until(lambda: len(values) == 2, 5.0))
    for value in (1, 2):
        await asyncio.sleep(0)
        assert not waiting.done()
        values.append(value)
        changes.changed()
    await waiting


async def test_does_not_wait_for_what_already_holds() -> None:
    changes = Changes()
    changes.fail(ConnectionError())
    await changes.until(lambda: True, 0.0)


async def test_gives_up_after_the_time() -> None:
    with pytest.raises(TimeoutError):
        await Changes().until(lambda: False, 0.01)


async def test_a_failure_reaches_those_who_wait_and_those_who_come_later() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.until(lambda: False, 5.0))
    await asyncio.sleep(0)
    changes.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await waiting
    with pytest.raises(ConnectionError, match="gone"):
        await changes.until(lambda: False, 5.0)
