"""What `explain` says of each Subscription against what leaves the plane, in random calls.

A call is set up by its seed; then, again and again, something in it is set otherwise, it settles, and for two seconds
all that a subscriber is sent is looked at: each packet carries the layer that it was of. The reasons are judged by what
the test itself has set, not by what the allocator was told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from random import Random

import pytest

from sfu.config import WorkerConfig
from sfu.control import (
    Explain,
    Explanation,
    SetLayout,
    SetTrackMuted,
    Subscribe,
    SubscriptionExplanation,
    Tile,
    Unsubscribe,
)
from sfu.core.allocation import ENOUGH_PIXELS
from sfu.core.ladder import assumed_pixels
from sfu.wire import rtp
from sfu.wire.feedback import ReceiverEstimate
from tests.sfu.test_selection import obey
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import PATIENT, Call

ROUNDS = 8
# A layer that starts again counts after 2 s, a picture that bandwidth has changed rests for 4 s, prices are means of
# 4 s.
SETTLES_S = 12.0
LOOK_S = 2.0
STEP_S = 0.1
FRAMES_PER_S, SOUNDS_PER_S = 20, 50
PEOPLE = ("ann", "ben", "cat")
CHANGES = (*("layout", "budget", "estimate") * 3, "mute", "last_n", "layers", "wish")
SIZES = ((160, 90), (320, 180), (640, 360), (1280, 720), (1920, 1080))
BUDGETS_BPS = (60_000, 200_000, 500_000, 900_000, 2_000_000, 5_000_000)


class MarkedPublisher(Publisher):
    """The last byte of each of its pictures' packets is the layer."""

    def _send(
        self,
        payload_type: int,
        ssrc: int,
        number: int,
        timestamp: int,
        marker: bool,
        payload: bytes,
        elements: list[tuple[int, bytes]],
    ) -> None:
        layer = next((index for index, one in enumerate(self.layers) if ssrc in (one.ssrc, one.rtx_ssrc)), 0)
        super()._send(payload_type, ssrc, number, timestamp, marker, payload[:-1] + bytes((layer,)), elements)


@dataclass(frozen=True, slots=True)
class Came:
    left_at: float
    size: int
    layer: int
    timestamp: int


class Looker(Subscriber):
    """Keeps what comes of each Track. Nothing is lost, so nothing is repeated."""

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call, name)
        self.came: dict[str, list[Came]] = {}

    def on_rtp(self, packet: bytes) -> None:
        super().on_rtp(packet)
        header = rtp.parse(packet)
        reception = self._by_ssrc[header.ssrc]
        assert header.ssrc == reception.ssrc, "a repeat, or padding"
        track = next(name for name, one in self.receptions.items() if one is reception)
        one = Came(self.call.now - self.call.delay_s, len(packet), packet[header.payload_end - 1], header.timestamp)
        self.came.setdefault(track, []).append(one)

    def subscribe_again(self, track: str, max_layer: int | None) -> None:
        """Through the same Slot."""
        name, slot = f"{self.name}/{track}", self._slots[track]
        self.call.tell(Unsubscribe, subscription=name)
        self.call.tell(Subscribe, subscription=name, slot=slot, track=track, max_layer=max_layer)


@dataclass
class Settings:
    """What the test has set."""

    tiles: dict[str, tuple[int, int]] | None = None
    last_n: int | None = None
    max_bps: int | None = None
    estimate_bps: int | None = None
    muted: set[str] = field(default_factory=set)
    max_layers: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    reason: str
    wanted_layer: int | None
    layer: int | None


class RandomCall:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.loudest = self.random.choice((1, 2, 3))
        self.call = Call(seed, WorkerConfig(transport=PATIENT, loudest=self.loudest))
        self.set = Settings()
        self.publishers: dict[str, MarkedPublisher] = {}
        self.obedient = self.random.random() < 0.5  # they pause what nobody is to receive, as browsers do
        for name in PEOPLE[: self.random.randint(1, 3)]:
            rids = self.random.choice((("q", "h", "f"), ("q", "h", "f"), ("q", "h"), ()))
            self.publishers[name] = MarkedPublisher(self.call, name, rids)
        self.looker = Looker(self.call, "eve")
        for publisher in self.publishers.values():
            limit = self.random.choice((None, None, *range(len(publisher.layers))))
            self.set.max_layers[publisher.video] = limit
            self.looker.subscribe(publisher.video, limit)
            self.looker.subscribe(publisher.audio)
            publisher.levels = repeat(self.random.choice((25, 40, 60)))
            publisher.start(FRAMES_PER_S)
        self.looker.start()
        self.history: list[tuple[float, dict[str, Said]]] = []
        self.call.every(1.0, self._estimate)
        self.call.every(STEP_S, self._obey)
        self.call.every(STEP_S, self._note)

    def explained(self) -> dict[str, SubscriptionExplanation]:
        reply = self.call.tell(Explain, transport="eve")
        assert isinstance(reply, Explanation)
        return {row.track: row for row in reply.subscriptions}

    def change_something(self) -> str:
        """Returns what all is set to."""
        publisher = self.random.choice(list(self.publishers.values()))
        match self.random.choice(CHANGES):
            case "layout":
                shown = [one.video for one in self.publishers.values() if self.random.random() < 0.8]
                tiles = {track: self.random.choice(SIZES) for track in shown}
                self.set.tiles = self.random.choice((tiles, tiles, tiles, None))
            case "last_n":
                self.set.last_n = self.random.choice((None, None, 0, 1, 2))
            case "budget":
                self.set.max_bps = self.random.choice((None, *BUDGETS_BPS))
            case "estimate":
                self.set.estimate_bps = self.random.choice(BUDGETS_BPS)
                self._estimate()
            case "wish":
                limit = self.random.choice((None, *range(len(publisher.layers))))
                self.set.max_layers[publisher.video] = limit
                self.looker.subscribe_again(publisher.video, limit)
                self.history.clear()
            case "mute":
                track = self.random.choice((publisher.video, publisher.audio))
                self.set.muted ^= {track}
                self.call.tell(SetTrackMuted, track=track, muted=track in self.set.muted)
            case "layers" if not self.obedient:
                for layer in publisher.layers[1:]:
                    layer.active, layer.wants_key_frame = self.random.random() < 0.5, True
        sizes = None if self.set.tiles is None else self.set.tiles.items()
        self.call.tell(
            SetLayout,
            transport="eve",
            tiles=None if sizes is None else [Tile(track=track, width=w, height=h) for track, (w, h) in sizes],
            last_n=self.set.last_n,
            max_bps=self.set.max_bps,
        )
        return f"{self.set}, layers {[[one.active for one in p.layers] for p in self.publishers.values()]}"

    def differences(self, since: float) -> list[str]:
        """Between what is said and what was seen since then."""
        found = []
        for track, row in self.explained().items():
            came = [one for one in self.looker.came.get(track, ()) if one.left_at > since]
            try:
                self._check(row, came)
            except AssertionError as error:
                found.append(f"{track}: {error}\n  {row}")
        return found

    def _check(self, row: SubscriptionExplanation, came: list[Came]) -> None:
        if row.track.endswith("-audio"):
            self._check_heard(row, came)
        else:
            self._check_sent(row, came)
            self._check_reason(row)
            self._check_always(row)
        self._check_since(row)

    def _estimate(self) -> None:
        if self.set.estimate_bps is not None:
            self.looker.send_rtcp(ReceiverEstimate(1, self.set.estimate_bps, ()).pack())

    def _obey(self) -> None:
        if self.obedient:
            for publisher in self.publishers.values():
                obey(self.call, publisher)

    def _note(self) -> None:
        rows = self.explained().values()
        said = {row.track: Said(row.reason, row.wanted_layer, row.layer) for row in rows}
        self.history.append((self.call.now, said))

    # --- what is checked ---

    def _check_sent(self, row: SubscriptionExplanation, came: list[Came]) -> None:
        """Its layer, all of it and nothing else."""
        layers = {one.layer for one in came}
        if row.layer is None:
            assert not came, f"{row.reason}, but layers {layers} came"
            return
        assert (layers, row.wanted_layer) == ({row.layer}, row.layer)
        assert abs(len({one.timestamp for one in came}) - FRAMES_PER_S * LOOK_S) <= 2, "frames"
        assert row.bitrate_bps == pytest.approx(8 * sum(one.size for one in came) / LOOK_S, rel=0.25)

    def _check_heard(self, row: SubscriptionExplanation, came: list[Came]) -> None:
        if row.layer is None:
            assert (row.reason, row.wanted_layer, came) == (row.reason, None, [])
            assert (row.reason == "muted") == (row.track in self.set.muted)
            assert row.reason == "muted" or (row.reason == "quiet" and len(self.publishers) > self.loudest)
        else:
            assert (row.reason, row.layer) == ("nothing", 0)
            assert abs(len(came) - SOUNDS_PER_S * LOOK_S) <= 3

    def _check_reason(self, row: SubscriptionExplanation) -> None:
        """By what was set."""
        publisher = self._publisher(row.track)
        pixels = row.tile_pixels or 0  # of a tile that it was told of, or that it takes for granted
        if self.set.tiles is not None and row.reason != "last_n":
            width, height = self.set.tiles.get(row.track, (0, 0))
            assert pixels == width * height
        assert (row.reason == "muted") == (row.track in self.set.muted)
        match row.reason:
            case "muted":
                assert row.wanted_layer is None
            case "layout" if row.wanted_layer is None:
                assert pixels == 0
            case "layout":
                assert row.wanted_layer is not None
                count = len(publisher.layers)
                shown = assumed_pixels(count, is_screen=False) >> 2 * (count - 1 - row.wanted_layer)
                assert shown >= ENOUGH_PIXELS * pixels > 0
            case "last_n":
                assert self.set.last_n is not None and row.wanted_layer is None
            case "bandwidth":
                assert (self.set.max_bps, self.set.estimate_bps) != (None, None)
                assert row.missing_bps > 0
                assert row.ideal_layer is not None
                assert row.wanted_layer is None or row.wanted_layer < row.ideal_layer
            case "wish":
                assert row.wanted_layer == self.set.max_layers[row.track]
            case "publisher":
                assert row.wanted_layer is not None and not publisher.layers[row.wanted_layer + 1].active
            case "nothing":
                assert row.wanted_layer == len(publisher.layers) - 1
            case other:
                raise AssertionError(f"{other} after all has settled")
        if row.reason != "bandwidth":
            assert row.missing_bps == 0
            assert row.wanted_layer in (row.ideal_layer, None)

    def _check_always(self, row: SubscriptionExplanation) -> None:
        """Also while it had not settled: between two times at which it said the same, nothing else has left."""
        said = [(at, rows[row.track].layer) for at, rows in self.history if row.track in rows]
        came = deque(self.looker.came.get(row.track, ()))
        for (since, layer), (until, later) in pairwise(said):
            while came and came[0].left_at <= until:
                one = came.popleft()
                if layer == later and one.left_at > since:
                    assert one.layer == layer, f"layer {one.layer} left {self.call.now - one.left_at:.2f} s ago"

    def _check_since(self, row: SubscriptionExplanation) -> None:
        """Since then nothing that is said has changed but that what was wanted came, and before it was otherwise."""
        since, now = self.call.now - row.since_s, self.history[-1][1][row.track]
        for at, rows in self.history:
            if at > since + STEP_S and row.track in rows:
                said = rows[row.track]
                assert said.wanted_layer == now.wanted_layer, f"{said} {at - since:.1f} s after that"
                assert said.reason in (now.reason, "key_frame"), f"{said} {at - since:.1f} s after that"
        earlier = [rows[row.track] for at, rows in self.history if at < since - STEP_S and row.track in rows]
        assert not earlier or earlier[-1] != now, "it was so before"

    def _publisher(self, track: str) -> Publisher:
        return self.publishers[track.split("-")[0]]


def test_what_is_explained_is_what_is_sent(seed: int) -> None:
    one = RandomCall(seed)
    for number in range(ROUNDS):
        what = one.change_something() if number else "the beginning"
        one.call.run(SETTLES_S)
        since = one.call.now
        one.call.run(LOOK_S)
        found = one.differences(since)
        assert not found, f"round {number}, {what}:\n" + "\n".join(found)


def test_since_is_of_the_layer_and_not_only_of_the_reason() -> None:
    call = Call()
    publisher, looker = MarkedPublisher(call, "ann"), Looker(call, "eve")
    looker.subscribe(publisher.video)
    publisher.start()
    call.tell(SetLayout, transport="eve", max_bps=250_000)
    call.run(10.0)
    for max_bps, layer in ((700_000, 1), (250_000, 0)):
        set_at = call.now
        call.tell(SetLayout, transport="eve", max_bps=max_bps)
        call.run(10.0)
        reply = call.tell(Explain, transport="eve")
        assert isinstance(reply, Explanation)
        (row,) = reply.subscriptions
        assert (row.reason, row.layer) == ("bandwidth", layer)
        came = [one for one in looker.came[publisher.video] if one.left_at >= set_at]
        first_left_at = next(one.left_at for one in came if one.layer == layer)
        assert call.now - row.since_s == pytest.approx(first_left_at, abs=0.2)
