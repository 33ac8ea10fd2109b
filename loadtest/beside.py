"""Whether a call notices what an app backend asks meanwhile: forwarding latency with and without, in one run.

    call alone ─► beside 1 000 room reads a second ─► call alone ─► beside 200 joins a second

Each is compared with the window before it. The requests come from a process of their own (backend.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import sfu
from loadtest.measuring import Stage
from loadtest.results import Point

MOST_RISE_MS: Final = 1.0  # of the 99th percentile
LEAST_SERVED: Final = 0.95  # of what was asked for
LEAD_S: Final = 1.0  # before the window: connections are opened


@dataclass(frozen=True, slots=True)
class Requests:
    """Per second."""

    reads: float = 0.0
    joins: float = 0.0

    @property
    def kind(self) -> str:
        return "reads" if self.reads else "joins"

    @property
    def wanted_per_s(self) -> float:
        return self.reads or self.joins

    @property
    def name(self) -> str:
        return f"beside {self.wanted_per_s:g} {'room reads' if self.reads else 'joins'}/s"


async def beside(stage: Stage, reads: float, joins: float) -> list[Point]:
    points = []
    for requests in (Requests(reads=reads), Requests(joins=joins)):
        if requests.wanted_per_s:
            points.append(await stage.measure("call alone", stage.course.duration_s))
            points.append(await _measure(stage, requests))
    return points


async def _measure(stage: Stage, requests: Requests) -> Point:
    async with _asking(stage, requests) as asking:
        await asyncio.sleep(LEAD_S)
        stage.besides = (asking.pid,)
        measured = await stage.measure(requests.name, stage.course.duration_s, repeats=1)
        stage.besides = ()
        out, _ = await asking.communicate()
    return replace(measured, beside={**json.loads(out)[requests.kind], "wanted_per_s": requests.wanted_per_s})


@contextlib.asynccontextmanager
async def _asking(stage: Stage, requests: Requests) -> AsyncIterator[asyncio.subprocess.Process]:
    """Long enough for the window and its lead."""
    entry = stage.entry
    sources = str(Path(sfu.__file__).parents[1])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.backend", entry.url, ":".join(entry.keys), stage.plan.seats[0].room),
        f"--reads={requests.reads}",
        f"--joins={requests.joins}",
        f"--seconds={stage.course.duration_s + 2 * LEAD_S}",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")])},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def verdicts(points: list[Point]) -> list[tuple[str, bool]]:
    """A line for each pair, and whether it is as it should be."""
    told = []
    for alone, together in zip(points[::2], points[1::2], strict=True):
        served: dict[str, Any] = together.beside or {}
        before, then = alone.added_latency_ms["p99"], together.added_latency_ms["p99"]
        if before is None or then is None:
            told.append((f"{together.name}: nothing was measured", False))
            continue
        rise = f"p99 {before:.2f} → {then:.2f} ms ({then - before:+.2f})"
        times = f"p50 {served['p50_ms'] or 0:.1f} ms, p99 {served['p99_ms'] or 0:.1f} ms"
        lacking = f"{served['failed']} failed, {served['skipped']} not sent"
        text = f"{together.name}: {rise}; served {served['per_s']:.0f}/s, {times}, {lacking}"
        kept_up = served["per_s"] >= LEAST_SERVED * served["wanted_per_s"] and not served["failed"]
        told.append((text, then - before <= MOST_RISE_MS and kept_up))
    return told
