"""Scenarios: a call whose subscriber is behind a path, and steps that say in words what happens, and what must hold.

    Scenario("…", steps=[Run(20), Check("the estimate is …", …), Path("it falls to 0.8", rate_bps=0.8e6), Run(5), …])

Everything is a function of the seed. What was seen ten times a second is kept in the `Trace`, for checks and for plots
(`python -m tests.sim.plots`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from sfu.config import WorkerConfig
from sfu.control import Explain, Explanation, LayerChanged, SetLayout, SubscriptionExplanation, Tile
from tests.sim.actors import Publisher
from tests.sim.call import PATIENT, Call
from tests.sim.link import Conditions, TcpLikeFlow
from tests.sim.receiver import Receiver

SAMPLE_S = 0.1
FRAME_RATE = 20.0
# Packets of 1000 bytes per frame: 0.16, 0.48 and 1.92 Mbit/s.
CAMERA_PACKETS = (1, 3, 12)
LIVELY_CAMERA_PACKETS = (1, 4, 14)  # at 15 frames: 0.12, 0.48 and 1.7 Mbit/s, as Chromium sends 720 lines
FAST_CAMERA_PACKETS = (1, 2, 7)  # at 30 frames: 0.24, 0.48 and 1.7 Mbit/s
SMALL_CAMERA_PACKETS = (1, 3)
THREE_MEGABIT = Conditions(rate_bps=3e6)


class Sample(NamedTuple):
    at_s: float  # since the scenario began
    capacity_bps: float  # of the path; 0: nothing bounds it
    estimate_bps: int
    queue_s: float  # on the way to the subscriber
    received_bps: float  # over the last tenth of a second
    layers: Mapping[str, int | None]  # being sent, by Track


@dataclass(slots=True)
class Trace:
    samples: list[Sample] = field(default_factory=list)
    switches: list[tuple[float, str, int]] = field(default_factory=list)  # (time, Subscription, layer)

    def since(self, at_s: float) -> list[Sample]:
        return [sample for sample in self.samples if sample.at_s >= at_s - 1e-6]


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float


@dataclass(frozen=True, slots=True)
class Path:
    """Conditions of the subscriber's down-link from now on."""

    sentence: str
    changes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Act:
    sentence: str
    action: Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Check:
    """`holds` is given the scenario as it stands; it says what is wrong, or nothing."""

    sentence: str
    holds: Callable[[Stage], str | None]


Step = Run | Path | Act | Check


@dataclass(frozen=True, slots=True)
class Scenario:
    sentence: str
    steps: Sequence[Step]
    conditions: Conditions = THREE_MEGABIT
    back: Conditions | None = None  # of the way that reports take; as late as the other, if not given
    cameras: Sequence[Sequence[int]] = (CAMERA_PACKETS, CAMERA_PACKETS)
    frame_rate: float = FRAME_RATE
    key_frame_factor: int = 3
    temporal_layers: int = 1  # of each layer of each camera
    seed: int = 1


class Stage:
    """A scenario while it runs."""

    def __init__(
        self, scenario: Scenario, seed: int | None = None, trace: Callable[[str], object] | None = None
    ) -> None:
        self.scenario = scenario
        self.trace = Trace()
        seed = scenario.seed if seed is None else seed
        self.call = Call(seed, WorkerConfig(transport=PATIENT), delay_s=0.01, trace=trace)
        self.began_at = self.call.now
        self.publishers = [self._publish(f"p{n:02}", packets) for n, packets in enumerate(scenario.cameras)]
        self.call.run(1.0)
        self.receiver = Receiver(self.call, "subscriber", scenario.conditions, scenario.back)
        for publisher in self.publishers:
            self.receiver.subscribe(publisher.video)
            self.receiver.subscribe(publisher.audio)
        self.receiver.start()
        self.competitor: TcpLikeFlow | None = None
        self._received = 0
        self._notices_seen = len(self.call.notices)
        self.began_at = self.call.now
        self.call.every(SAMPLE_S, self._sample)

    @property
    def now_s(self) -> float:
        return self.call.now - self.began_at

    def run(self) -> Trace:
        for step in self.scenario.steps:
            if isinstance(step, Run):
                self.call.run(step.seconds)
            elif isinstance(step, Path):
                self.receiver.down.change(self.call.now, **step.changes)
            elif isinstance(step, Act):
                step.action(self)
            else:
                wrong = step.holds(self)
                if wrong is not None:
                    raise AssertionError(f"{self.now_s:.1f} s, not so: {step.sentence}: {wrong}")
        return self.trace

    def explain(self) -> tuple[Explanation, dict[str, SubscriptionExplanation]]:
        reply = self.call.tell(Explain, transport=self.receiver.name)
        assert isinstance(reply, Explanation)
        return reply, {row.track: row for row in reply.subscriptions}

    def shown(self) -> tuple[int | None, ...]:
        """The layers of the cameras, in their order, now."""
        return tuple(self.trace.samples[-1].layers.values())

    def compete(self) -> None:
        def at(when: float, action: Callable[[float], None]) -> None:
            self.call.at(when, lambda: action(self.call.now))

        delay_s = self.receiver.down.conditions.delay_s
        self.competitor = TcpLikeFlow(self.receiver.down, at, self.call.now, delay_s)

    def stop_competing(self) -> None:
        assert self.competitor is not None
        self.competitor.stop()

    def competitor_bps(self, over_s: float) -> float:
        assert self.competitor is not None
        return 8 * self.competitor.arrived / over_s

    def trouble(
        self,
        seconds: float,
        stop: Callable[[float], None],
        stops_s: tuple[float, float] = (0.2, 0.8),
        rests_s: tuple[float, float] = (0.4, 1.6),
    ) -> None:
        """For so long, `stop` is called again and again, with how long to."""
        ends_at, random = self.call.now + seconds, self.call.random

        def again() -> None:
            if self.call.now < ends_at:
                lasts_s = random.uniform(*stops_s)
                stop(lasts_s)
                self.call.at(self.call.now + lasts_s + random.uniform(*rests_s), again)

        again()

    def show(self, *tiles: tuple[str, int, int], on_stage: str, others: tuple[int, int]) -> None:
        sizes = {publisher.name: others for publisher in self.publishers}
        sizes |= {name: (width, height) for name, width, height in tiles}
        shown = [
            Tile(track=f"{name}-video", width=width, height=height, on_stage=name == on_stage)
            for name, (width, height) in sizes.items()
        ]
        self.call.tell(SetLayout, transport=self.receiver.name, tiles=shown)

    def send(self, publisher: str, rid: str, active: bool) -> None:
        """Its encoder stops, or begins with a key frame."""
        layer = next(one for one in self.publishers if one.name == publisher).layer(rid)
        layer.active = active
        layer.wants_key_frame |= active

    def _publish(self, name: str, packets: Sequence[int]) -> Publisher:
        rids = ("q", "h", "f")[: len(packets)]
        publisher = Publisher(
            self.call,
            name,
            rids,
            key_frame_factor=self.scenario.key_frame_factor,
            scalability=(1, self.scenario.temporal_layers),
        )
        for layer, count in zip(publisher.layers, packets, strict=True):
            layer.packets_per_frame = count
        frame_rate = self.scenario.frame_rate
        begins_at = self.call.now + self.call.random.random() / frame_rate  # or all frames would come in one burst
        self.call.at(begins_at, lambda: publisher.start(frame_rate))
        return publisher

    def _sample(self) -> None:
        link, now = self.receiver.down, self.call.now
        for notice in self.call.notices[self._notices_seen :]:
            if isinstance(notice, LayerChanged) and "video" in notice.subscription:
                self.trace.switches.append((self.now_s, notice.subscription, notice.layer))
        self._notices_seen = len(self.call.notices)
        endpoint = self.call.router.registry.endpoints[self.receiver.name]
        estimate = endpoint.subscriber.budget.estimate
        assert estimate is not None
        received, self._received = self.receiver.bytes - self._received, self.receiver.bytes
        layers = {s.track.id: s.current_layer for s in endpoint.subscriber.subscriptions() if s.is_video}
        self.trace.samples.append(
            Sample(
                self.now_s, link.conditions.rate_bps, estimate.bps, link.queue_s(now), 8 * received / SAMPLE_S, layers
            )
        )


# --- what must hold ------------------------------------------------------------------------------------------


def estimate_between(low: float, high: float, last_s: float, but_for: float = 0.0) -> Callable[[Stage], str | None]:
    """Shares of the path's rate, during the last seconds, but for a share of the samples."""

    def holds(stage: Stage) -> str | None:
        shares = [sample.estimate_bps / sample.capacity_bps for sample in stage.trace.since(stage.now_s - last_s)]
        outside = [share for share in shares if not low <= share <= high]
        if len(outside) <= but_for * len(shares):
            return None
        return f"{len(outside)} of {len(shares)} outside, from {min(shares):.3f} to {max(shares):.3f} of the path"

    return holds


def never_falls(share: float) -> Callable[[Stage], str | None]:
    """Of the highest estimate so far."""

    def holds(stage: Stage) -> str | None:
        highest = 0
        for sample in stage.trace.samples:
            highest = max(highest, sample.estimate_bps)
            if sample.estimate_bps < share * highest:
                return f"from {highest} to {sample.estimate_bps} bit/s after {sample.at_s:.1f} s"
        return None

    return holds


def queue_below(most_s: float, last_s: float) -> Callable[[Stage], str | None]:
    def holds(stage: Stage) -> str | None:
        worst_s = max(sample.queue_s for sample in stage.trace.since(stage.now_s - last_s))
        return None if worst_s <= most_s else f"{1000 * worst_s:.0f} ms"

    return holds


def calm(spacing_s: float = 4.0, after_s: float = 3.0) -> Callable[[Stage], str | None]:
    """At most one switch per Track in so many seconds, once the beginning is over."""

    def holds(stage: Stage) -> str | None:
        by_track: dict[str, list[float]] = {}
        for at_s, subscription, _ in stage.trace.switches:
            if at_s > after_s:
                by_track.setdefault(subscription, []).append(at_s)
        for subscription, times in by_track.items():
            for before, after in pairwise(times):
                if after - before < spacing_s - 1e-6:
                    return f"{subscription} switched at {before:.1f} and {after:.1f} s"
        return None

    return holds


def shows(*layers: int | None) -> Callable[[Stage], str | None]:
    """Of the cameras, in their order, now."""

    def holds(stage: Stage) -> str | None:
        return None if stage.shown() == layers else f"{stage.shown()}"

    return holds


def shows_at_half_rate(layer: int) -> Callable[[Stage], str | None]:
    """Of the one camera, now."""

    def holds(stage: Stage) -> str | None:
        _, rows = stage.explain()
        (row,) = [row for track, row in rows.items() if track.endswith("video")]
        half = row.frame_rate is not None and abs(2 * row.frame_rate / stage.scenario.frame_rate - 1) < 0.1
        return None if row.layer == layer and half else f"layer {row.layer}, {row.frame_rate} frames per second"

    return holds


def switches_below(count: int, after_s: float) -> Callable[[Stage], str | None]:
    def holds(stage: Stage) -> str | None:
        switches = [switch for switch in stage.trace.switches if switch[0] > after_s]
        return None if len(switches) < count else f"{switches}"

    return holds


def limited_by(reason: str, *layers: int | None) -> Callable[[Stage], str | None]:
    """That is why they are no better; each has one of these layers."""

    def holds(stage: Stage) -> str | None:
        _, rows = stage.explain()
        found = {track: (row.reason, row.layer) for track, row in rows.items() if track.endswith("video")}
        fits = all(why == reason and layer in layers for why, layer in found.values())
        return None if fits else f"{found}"

    return holds


def alive(most_s: float, since_s: float = 2.0) -> Callable[[Stage], str | None]:
    """No picture has stood still for so long."""

    def holds(stage: Stage) -> str | None:
        began, now = stage.began_at + since_s, stage.call.now
        frozen = {track: picture.longest_freeze_s(began, now) for track, picture in stage.receiver.pictures.items()}
        worst = max(frozen, key=lambda track: frozen[track])
        return None if frozen[worst] <= most_s else f"{worst} for {frozen[worst]:.2f} s"

    return holds


def sound_never_rests(most_s: float, last_s: float | None = None) -> Callable[[Stage], str | None]:
    """Between two packets, once it has begun. A queue that fills delays the first after it by as much as it holds."""

    def holds(stage: Stage) -> str | None:
        since = stage.began_at + 1.0 if last_s is None else stage.call.now - last_s
        for track, times in stage.receiver.sounds.items():
            heard = [since, *(at for at in times if at > since), stage.call.now]
            longest_s = max(after - before for before, after in pairwise(heard))
            if longest_s > most_s:
                return f"{track} rested for {longest_s:.2f} s"
        return None

    return holds
