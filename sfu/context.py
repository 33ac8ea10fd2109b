"""What everything inside a Worker shares: the plane, the agenda, the clock, and where Notices and counts go."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from sfu.config import WorkerConfig
from sfu.control import AnyNotice, CpuSeconds
from sfu.core.deadlines import Deadlines
from sfu.core.estimation.estimator import Estimator
from sfu.core.reports import ServerClock
from sfu.plane.interface import Plane


class Owner(Protocol):
    """A Transport. `number`: the plane's."""

    @property
    def number(self) -> int: ...


class Timed(Hashable, Protocol):
    """Something that is woken by the Worker's one timer: it puts itself into `Context.deadlines`."""

    @property
    def endpoint(self) -> Owner | None:
        """Whose it is. A bug that shows here costs that Transport, and no other."""

    def on_timeout(self, now: float) -> None: ...


@dataclass(slots=True)
class WorkerCounters:
    """Only ever grow; read at scrape time."""

    key_frame_requests: int = 0  # PLIs to publishers
    key_frame_wishes: int = 0  # PLIs and FIRs from subscribers
    key_frame_wishes_refused: int = 0  # beyond what one Subscription may cost its Track
    nacks_sent: int = 0  # sequence numbers asked for, repeats included
    packets_abandoned: int = 0  # lost and not recovered
    nacks_received: int = 0  # sequence numbers subscribers asked for
    rtcp_malformed: int = 0
    commands: int = 0
    commands_refused: int = 0
    internal_errors: int = 0
    timer_lateness_s: float = 0.0  # sum over all wake-ups: how long the event loop was busy with something else
    timer_wakeups: int = 0


def next_round(interval_s: float, now: float) -> float:
    """When something is due that all do at the same pace: at the same moment for all, so that they share a wake-up."""
    at = (now // interval_s + 1) * interval_s
    return at if at > now else at + interval_s  # rounding may lead back to `now`, and from there nowhere


@dataclass(frozen=True, slots=True)
class Context:
    config: WorkerConfig
    plane: Plane
    estimator: Estimator
    clock: ServerClock
    random: Random
    notify: Callable[[AnyNotice], None]
    process_cpu_s: Callable[[], float] = lambda: 0.0  # of all its threads; read when somebody asks for figures
    deadlines: Deadlines[Timed] = field(default_factory=Deadlines)
    counters: WorkerCounters = field(default_factory=WorkerCounters)
    recent_speakers: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by room: participants, the last first

    def cpu_s(self) -> CpuSeconds:
        return CpuSeconds(process=self.process_cpu_s(), plane=self.plane.cpu_s)
