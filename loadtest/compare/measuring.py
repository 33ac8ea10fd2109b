"""One run: a fresh server, everybody joins, it warms up, a window is measured; or the rate is raised until it loses.

What is counted and how a figure comes of it is as for `sfu loadtest` itself (`loadtest/results.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from loadtest.compare.results import Run
from loadtest.compare.servers import CannotCompare, Server, SetVideoRate
from loadtest.plans import Plan, Rates
from loadtest.results import MOST_LOSS, Window, point
from loadtest.traffic import SRTP_PROFILES, Histogram, SrtpChoice, Traffic
from loadtest.usage import read_usage, receive_buffer_errors

# Raising the rate: by a quarter until more than MOST_LOSS is lost, then twice halfway back: 6 % apart.
FIRST_FACTOR: Final = 4.0
STEP: Final = 1.25
HALVINGS: Final = 2
SETTLE_S: Final = 1.0  # queues fill or empty in less
TOP_WINDOW_S: Final = 3.0
TOP_TRIES: Final = 3  # of a step beside which others used the machine
# Decrypted samples a second: enough for the 99.9th percentile, and little of the generator's core. The search for the
# top rate ends up to a hundred times above the plan's.
SAMPLES_PER_S: Final = 4000
TOP_SAMPLE_EVERY: Final = 100


@dataclass(frozen=True, slots=True)
class Bench:
    """What is the same for all servers. `rates`: of every publisher."""

    address: str
    server_core: int
    srtp: SrtpChoice
    rates: Rates
    warm_up_s: float
    window_s: float


async def steady(server: Server, plan: Plan, bench: Bench) -> Run:
    """At the rates of the bench. Raises CannotCompare."""
    sample_every = max(1, round(plan.forwarded_per_s(bench.rates) / SAMPLES_PER_S))
    async with _joined(server, plan, bench, sample_every) as stage:
        return await stage.window(plan.name, bench.window_s)


async def top(server: Server, plan: Plan, bench: Bench) -> Run:
    """At the highest rate of video with less than 1 % lost. Raises CannotCompare."""
    name = f"top rate, {plan.name}"
    async with _joined(server, plan, bench, TOP_SAMPLE_EVERY) as stage:
        best = await stage.quiet_window(name, TOP_WINDOW_S)
        kept, lost, halvings = FIRST_FACTOR / STEP, 0.0, HALVINGS
        while not lost or halvings:
            factor = (kept * lost) ** 0.5 if lost else kept * STEP
            halvings -= bool(lost)
            stage.set_video_rate(factor)
            await asyncio.sleep(SETTLE_S)
            run = await stage.quiet_window(name, TOP_WINDOW_S)
            if run.point.loss < MOST_LOSS and not run.point.generator["lost"]:
                best, kept = run, factor
            else:
                best, lost = replace(best, generator_limited=bool(run.point.generator["lost"])), factor
        return best


@dataclass(frozen=True, slots=True)
class _Stage:
    """A server with everybody in it, and media flowing."""

    server: Server
    plan: Plan
    bench: Bench
    traffic: Traffic
    process: int
    idle_rss_kb: int
    set_video_rate: SetVideoRate

    async def quiet_window(self, name: str, duration_s: float) -> Run:
        """The first that is quiet, or the last of some tries."""
        run = await self.window(name, duration_s)
        for _ in range(TOP_TRIES - 1):
            if run.point.is_quiet:
                break
            run = await self.window(name, duration_s)
        return run

    async def window(self, name: str, duration_s: float) -> Run:
        try:
            errors, before = receive_buffer_errors(), read_usage(self.process)
            counts = await self.traffic.run(duration_s)
            usage, errors = read_usage(self.process).since(before), receive_buffer_errors() - errors
        except (FileNotFoundError, ProcessLookupError):
            raise CannotCompare(f"{self.server.name} ended while it was measured") from None
        window = Window(
            name=name,
            plane="",
            srtp_profile=SRTP_PROFILES[self.bench.srtp],
            participants=len(self.plan.seats),
            counts=counts,
            usage=usage,
            idle_rss_kb=self.idle_rss_kb,
            server_seen=True,
            join=Histogram(),
            copies=_copies(self.plan),
            receive_buffer_errors=errors,
        )
        return Run(self.server.name, self.server.version, point(window))


def _copies(plan: Plan) -> float:
    """How many leave the server for a packet that comes in, where all publishers send alike."""
    return sum(len(plan.heard_by(seat)) for seat in plan.seats) / sum(bool(seat.tracks) for seat in plan.seats)


@contextlib.asynccontextmanager
async def _joined(server: Server, plan: Plan, bench: Bench, sample_every: int) -> AsyncIterator[_Stage]:
    # Transport-cc is off: not all servers would ask for it, nor would it cost all the same.
    traffic = Traffic(feedback=False, sample_every=sample_every)
    try:
        process = await server.start(bench.address, bench.server_core)
        idle_rss_kb = read_usage(process).rss_kb
        traffic.start()
        set_video_rate = await server.join(traffic, plan, bench.rates, bench.srtp)
        await asyncio.sleep(bench.warm_up_s)
        yield _Stage(server, plan, bench, traffic, process, idle_rss_kb, set_video_rate)
    finally:
        try:
            await server.stop()  # our bots first leave their room, with live connections
        finally:
            await traffic.close()
