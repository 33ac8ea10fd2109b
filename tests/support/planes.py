"""Every plane there is, and a small scene to try one in: one publisher, any number of subscribers, a clock by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sfu.core.transport_feedback import FeedbackBatch
from sfu.plane.fallback.plane import FallbackPlane
from sfu.plane.interface import Datagram, Event, Path, Plane, PlaneConfig, SlotSpec, TrackSpec
from sfu.wire.rtcp import parse
from sfu.wire.twcc import TransportFeedback
from tests.support.rtp import GCM, PUBLISHER_IDS, SIMULCAST, SUBSCRIBER_IDS, Received, Remote, video_slot

MakePlane = Callable[[Sequence[str], int, PlaneConfig], Plane]
PLANES: dict[str, MakePlane] = {"fallback": FallbackPlane}
try:
    from sfu.plane.compiled.plane import CompiledPlane
except ImportError:  # there was no compiler; tests/sfu/plane/test_choice.py does not accept that in CI
    pass
else:
    PLANES["compiled"] = CompiledPlane

PUBLISHER = 1  # its Transport
TRACK = 11
E = TypeVar("E", bound=Event)


class Scene:
    """Transport 1 publishes Track 11; subscribers are Transports 100, 101 … with a Slot of the same number."""

    def __init__(
        self,
        make_plane: MakePlane,
        spec: TrackSpec = SIMULCAST,
        *,
        profile: str = GCM,
        config: PlaneConfig | None = None,
        addresses: Sequence[str] = ("127.0.0.1",),
    ) -> None:
        self.plane = make_plane(addresses, 0, config or PlaneConfig())
        self.now = 1000.0
        self.profile = profile
        self.remotes: dict[int, Remote] = {}
        self.publisher = self.connect(PUBLISHER)
        self.plane.add_track(TRACK, PUBLISHER, spec)
        self._events: list[Event] = []

    def connect(self, transport: int) -> Remote:
        """A Transport with keys and a selected path."""
        remote = Remote(Path(0, "10.0.0.1", 5000 + transport), self.profile)
        self.remotes[transport] = remote
        self.plane.add_transport(transport)
        self.plane.bind(transport, remote.path)
        self.plane.select(transport, remote.path)
        self.plane.set_extensions(transport, PUBLISHER_IDS, SUBSCRIBER_IDS)
        self.plane.set_keys(transport, remote.keys)
        return remote

    def subscribe(
        self, number: int = 100, *, layer: int | None = 0, spec: SlotSpec | None = None, track: int = TRACK
    ) -> Remote:
        remote = self.connect(number)
        self.plane.add_slot(number, number, spec or video_slot())
        self.plane.set_route(number, track)
        self.plane.set_layer(number, layer)
        return remote

    def send(self, *packets: bytes, after_s: float = 0.001, transport: int = PUBLISHER) -> list[Received]:
        """RTP of the publisher in one batch; returns what subscriber 100 gets of it, if there is one."""
        self.now += after_s
        remote = self.remotes[transport]
        output = self.plane.on_datagrams([remote.protect(packet) for packet in packets], self.now)
        subscriber = self.remotes.get(100)
        return [] if subscriber is None else subscriber.open_all(output)

    def retransmit(self, *numbers: int, slot: int = 100) -> list[Received]:
        self.plane.retransmit(slot, numbers, self.now)
        return self.remotes[slot].open_all(self.plane.take_output())

    def report(self, arrivals: Mapping[int, float | None], after_s: float = 0.0, transport: int = 100) -> None:
        """Transport-cc feedback of a subscriber; what lies between the numbers it names is reported missing."""
        self.now += after_s
        compound = feedback(arrivals).pack()
        output = self.plane.on_datagrams([self.remotes[transport].protect_rtcp(compound)], self.now)
        assert output == [], "feedback causes nothing"

    def poll(self) -> FeedbackBatch:
        return self.plane.poll_feedback(self.now)

    def arrivals(self, transport: int = PUBLISHER) -> list[tuple[int, float]]:
        """What has arrived of this remote since the last call, as the feedback that it gets now says: 16 bit numbers,
        and when, by a clock of its own."""
        self.plane.set_feedback_interval(transport, 0.1, self.now)
        sent = [datagram for _, datagram in self.run_until(self.now + 0.1)]
        remote = self.remotes[transport]
        compounds = [remote.open_rtcp(datagram) for datagram in sent if datagram.path == remote.path]
        told = [packet for each in compounds for packet in parse(each).packets if isinstance(packet, TransportFeedback)]
        return [(n, at_us / 1e6) for each in told for n, at_us in each.packets if at_us is not None]

    def run_until(self, until: float) -> list[tuple[float, Datagram]]:
        """Wakes the plane whenever it wants to be; returns what leaves, and when."""
        left = []
        while (at := self.plane.next_timeout()) is not None and at <= until:
            self.now = max(self.now, at)
            left += [(self.now, datagram) for datagram in self.plane.on_timeout(self.now)]
        self.now = until
        return left

    def events(self, kind: type[E]) -> list[E]:
        """All so far of one kind."""
        self._events += self.plane.take_events()
        return [event for event in self._events if isinstance(event, kind)]

    def dropped(self, reason: str) -> int:
        return self.plane.counters.dropped.get(reason, 0)


def feedback(arrivals: Mapping[int, float | None]) -> TransportFeedback:
    """Of consecutive numbers from the first to the last; arrivals in seconds by the remote's clock."""
    first, last = min(arrivals), max(arrivals)
    known = [at_s for at_s in arrivals.values() if at_s is not None]
    reference = int(min(known, default=0.0) / 0.064)
    packets = tuple(
        (number, None if (at_s := arrivals.get(number)) is None else round(at_s * 1e6))
        for number in range(first, last + 1)
    )
    wrapped = reference % (1 << 24)
    shift_us = (reference - wrapped) * 64_000
    return TransportFeedback(
        1, 7000, first, 0, wrapped, tuple((n, None if at_us is None else at_us - shift_us) for n, at_us in packets)
    )
