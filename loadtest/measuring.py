"""Runs a plan: everybody joins, it warms up, windows are measured, and repeated while others use the machine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from loadtest.bots import Bot, Entry
from loadtest.plans import Plan, Rates, Seat
from loadtest.results import MOST_LOSS, Point, Window, point
from loadtest.server import RunningServer
from loadtest.strangers import Strangers
from loadtest.traffic import Traffic
from loadtest.traffic.counts import count_durations
from loadtest.usage import read_usage, receive_buffer_errors

REPEATS: Final = 3  # of a window beside which others used the machine
SPEAKING_TURN_S: Final = 3.0
# Raising the rate: by a quarter until more than MOST_LOSS is lost, then twice halfway back: 6 % apart.
FIRST_FACTOR: Final = 4.0
STEP: Final = 1.25
HALVINGS: Final = 2
SETTLE_S: Final = 1.0  # queues fill or empty in less

Say = Callable[[str], None]
Progress = Callable[[str, float, float], None]  # what is done, how much of it, of how much


@dataclass(frozen=True, slots=True)
class Course:
    """How a plan is run: seconds, and joins per second."""

    rates: Rates
    join_rate: float
    warm_up_s: float
    duration_s: float
    expects_all: bool = True  # False: what is forwarded is the server's choice, or people come and go
    churn_per_s: float = 0.0
    strangers_pps: float = 0.0
    strangers_send_stun: bool = False


@dataclass(slots=True)
class Stage:
    """Everybody is there, and media flows."""

    server: RunningServer | None
    plane: str
    plan: Plan
    course: Course
    traffic: Traffic
    idle_rss_kb: int
    entry: Entry
    progress: Progress
    bots: list[Bot] = field(default_factory=list)
    exits: dict[Bot, contextlib.AsyncExitStack] = field(default_factory=dict)
    strangers: Strangers | None = None
    besides: tuple[int, ...] = ()  # processes of ours that load the server, too

    async def measure(self, name: str, duration_s: float, factor: float = 1.0, repeats: int = REPEATS) -> Point:
        """`factor`: times what rate the video is sent. The quietest of at most `repeats` windows."""
        best: Point | None = None
        for _ in range(repeats):
            strangers_before = self.strangers.sent if self.strangers else 0
            measured = point(await self._window(name, duration_s, factor))
            if self.strangers:
                sent = self.strangers.sent - strangers_before
                measured = replace(measured, strangers_pps=sent / measured.duration_s)
            if best is None or measured.foreign_cpu < best.foreign_cpu:
                best = measured
            if best.is_quiet:
                break
        assert best is not None
        return best

    def set_video_rate(self, factor: float) -> None:
        for bot in self.bots:
            bot.set_video_rate(factor)

    async def join(self, seat: Seat) -> None:
        async with contextlib.AsyncExitStack() as exits:
            bot = await exits.enter_async_context(Bot.join(seat, self.traffic, self.entry, self.course.rates))
            self.bots.append(bot)
            self.exits[bot] = exits.pop_all()

    async def leave(self, bot: Bot) -> None:
        self.bots.remove(bot)
        await self.exits.pop(bot).aclose()

    def _joins_s(self) -> list[float]:
        """From connecting to the first packet; of whoever came before there was anything to receive, from then on."""
        published_s = {(bot.seat.room, bot.seat.name): bot.published_at_s for bot in self.bots}
        joins = []
        for bot in self.bots:
            first_s = bot.first_packet_at_s()
            heard = [published_s.get((bot.seat.room, name)) for name in self.plan.heard_by(bot.seat)]
            if first_s is not None:
                since_s = min((at_s for at_s in heard if at_s is not None), default=bot.joined_at_s)
                joins.append(first_s - max(bot.joined_at_s, since_s))
        return joins

    async def _window(self, name: str, duration_s: float, factor: float) -> Window:
        process = self.server.process if self.server else None
        errors, before = receive_buffer_errors(), read_usage(process, self.besides)
        showing = asyncio.create_task(self._show(f"measuring {name}", duration_s))
        counts = await self.traffic.run(duration_s)
        showing.cancel()
        for bot in self.bots:
            bot.check()
        usage, errors = read_usage(process, self.besides).since(before), receive_buffer_errors() - errors
        rates = replace(self.course.rates, video_packets_per_s=factor * self.course.rates.video_packets_per_s)
        return Window(
            name=name,
            plane=self.plane,
            srtp_profile=self._srtp_profile(),
            participants=len(self.bots),
            counts=counts,
            usage=usage,
            idle_rss_kb=self.idle_rss_kb,
            server_seen=self.server is not None,
            join=count_durations(round(1e9 * s) for s in self._joins_s()),
            copies=self.plan.forwarded_per_s(rates) / self.plan.sent_per_s(rates) if self.course.expects_all else None,
            receive_buffer_errors=errors,
        )

    async def _show(self, what: str, duration_s: float) -> None:
        """Twice a second, which costs nothing that could be measured."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        while True:
            self.progress(what, min(duration_s, loop.time() - begin_s), duration_s)
            await asyncio.sleep(0.5)

    def _srtp_profile(self) -> str:
        profiles = {bot.subscribing.srtp_profile for bot in self.bots} - {None}
        return ", ".join(sorted(profile for profile in profiles if profile)) or "none"


@contextlib.asynccontextmanager
async def on_stage(
    plan: Plan,
    course: Course,
    entry: Entry,
    traffic: Traffic,
    server: RunningServer | None,
    progress: Progress,
) -> AsyncIterator[Stage]:
    """Everybody joins, at the course's rate, and leaves at the end of the block. Raises what joining raises."""
    idle_rss_kb = read_usage(server.process if server else None).rss_kb
    stage = Stage(server, server.plane if server else "unknown", plan, course, traffic, idle_rss_kb, entry, progress)
    tasks: list[asyncio.Task[None]] = []
    try:
        await _seat_all(stage, progress)
        tasks.append(asyncio.create_task(_take_turns(stage)))
        if course.churn_per_s:
            tasks.append(asyncio.create_task(_churn(stage)))
        with _flooded(stage):
            await asyncio.sleep(course.warm_up_s)
            yield stage
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(stage.leave(bot) for bot in list(stage.bots)), return_exceptions=True)


@contextlib.contextmanager
def _flooded(stage: Stage) -> Iterator[None]:
    """By as many strangers' datagrams as the course says."""
    course = stage.course
    if not course.strangers_pps:
        yield
        return
    to = stage.traffic.remotes()
    stage.strangers = Strangers(to, course.strangers_pps, stun=course.strangers_send_stun)
    with stage.strangers.running():
        yield


async def steady(stage: Stage) -> list[Point]:
    return [await stage.measure(stage.plan.name, stage.course.duration_s)]


async def highest(stage: Stage, say: Say) -> list[Point]:
    """Raise the rate until more is lost than MOST_LOSS; all points, and the best one once more at the end."""
    points = [await stage.measure(f"{stage.plan.name}, rate × 1", stage.course.duration_s)]
    best, kept, lost, halvings = points[0], FIRST_FACTOR / STEP, 0.0, HALVINGS
    while not lost or halvings:
        factor = (kept * lost) ** 0.5 if lost else kept * STEP
        halvings -= bool(lost)
        stage.set_video_rate(factor)
        await asyncio.sleep(SETTLE_S)
        name = f"{stage.plan.name}, rate × {factor:.1f}"
        measured = await stage.measure(name, stage.course.duration_s, factor, repeats=1)
        points.append(measured)
        say(f"× {factor:.1f}: {measured.forwarded_pps:.0f} packets/s, {100 * measured.loss:.2f} % lost")
        if measured.loss < MOST_LOSS and not measured.generator["lost"]:
            best, kept = measured, factor
        else:
            lost = factor
    return [*points, replace(best, name=f"highest: {best.name}")]


async def _seat_all(stage: Stage, progress: Progress) -> None:
    """Joins begin at the rate that was asked for, and overlap; publishers first, so that nobody waits for them."""
    seats = stage.plan.seats
    joining: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    try:
        for index, seat in enumerate(seats):
            await asyncio.sleep(max(0.0, begin_s + index / stage.course.join_rate - loop.time()))
            joining.add(asyncio.create_task(stage.join(seat)))
            progress("joining", len(stage.bots), len(seats))
        while joining:
            done, joining = await asyncio.wait(joining, return_when=asyncio.FIRST_EXCEPTION, timeout=0.2)
            for task in done:
                task.result()
            progress("joining", len(stage.bots), len(seats))
        for bot in stage.bots:
            await bot.receives(stage.plan.expected_tracks(bot.seat))
    finally:
        for task in joining:
            task.cancel()


async def _take_turns(stage: Stage) -> None:
    """In each room another one speaks every few seconds: levels are what a server selects by."""
    for turn in itertools.count():
        rooms: dict[str, list[Bot]] = {}
        for bot in stage.bots:
            if bot.seat.sends_audio:
                rooms.setdefault(bot.seat.room, []).append(bot)
        for speakers in rooms.values():
            for index, bot in enumerate(speakers):
                bot.speak(index == turn % len(speakers))
        await asyncio.sleep(SPEAKING_TURN_S)


async def _churn(stage: Stage) -> None:
    """Who has been there longest leaves, and somebody else comes into the same room."""
    for number in itertools.count():
        await asyncio.sleep(1 / stage.course.churn_per_s)
        gone = stage.bots[0]
        await stage.leave(gone)
        await stage.join(replace(gone.seat, name=f"{gone.seat.name.partition('~')[0]}~{number}"))
