"""Which layers count as flowing: told from what others of the Track do meanwhile, not from silence."""

from __future__ import annotations

from collections.abc import Iterator
from operator import add

import pytest

from sfu.core.flow import LayerPart, TrackFlow
from sfu.plane.interface import LayerReception

STOPPED_AFTER_S = STEADY_AFTER_S = 1.0
SWEEP_S = 0.25
Q, H, F = 0, 1, 2


class Publisher:
    """Layers at a number of packets per sweep; 1000 bytes each, and each a frame."""

    def __init__(self) -> None:
        self.flow = TrackFlow(STOPPED_AFTER_S, STEADY_AFTER_S)
        self.now = 0.0
        self.packets: dict[int, int] = {}
        self.ssrcs: dict[int, int] = {}

    def receptions(self) -> Iterator[LayerReception]:
        for layer, packets in self.packets.items():
            ssrc = self.ssrcs.get(layer, 100 + layer)
            yield LayerReception(
                layer, ssrc, None, packets, 1000 * packets, 0, packets - 1, 0.0, self.now, frames=packets
            )

    def run(self, seconds: float, **packets_per_second: float) -> None:
        """Keywords name layers (q, h, f)."""
        rates = {"qhf".index(name): rate for name, rate in packets_per_second.items()}
        for _ in range(round(seconds / SWEEP_S)):
            before = {layer: int(rate * self.now + 1e-9) for layer, rate in rates.items()}
            self.now += SWEEP_S
            for layer, rate in rates.items():
                self.packets[layer] = self.packets.get(layer, 0) + int(rate * self.now + 1e-9) - before[layer]
            self.flow.on_reception(self.receptions(), self.now)

    def usable(self) -> list[int]:
        return [layer.layer for layer in self.flow.layers(self.now) if layer.usable]

    def price_bps(self, layer: int) -> int:
        return next(each.bitrate_bps for each in self.flow.layers(self.now) if each.layer == layer)

    def frame_rates(self) -> list[float | None]:
        return [layer.frame_rate for layer in self.flow.layers(self.now)]

    def flowing(self) -> list[int]:
        return [layer.layer for layer in self.flow.layers(self.now) if layer.flows]


def test_the_first_layers_of_a_track_count_at_once() -> None:
    publisher = Publisher()
    publisher.run(SWEEP_S, q=20)
    assert publisher.usable() == [Q]
    publisher.run(SWEEP_S, q=20, h=40, f=80)
    assert publisher.usable() == [Q, H, F]


def test_a_layer_that_joins_others_must_flow_for_a_while() -> None:
    publisher = Publisher()
    publisher.run(3.0, q=20)
    publisher.run(0.75, q=20, f=80)
    assert publisher.flowing() == [Q, F] and publisher.usable() == [Q]
    publisher.run(0.5, q=20, f=80)
    assert publisher.usable() == [Q, F]


def test_a_layer_silent_while_others_go_on_has_stopped() -> None:
    publisher = Publisher()
    publisher.run(3.0, q=20, f=80)
    publisher.run(0.25, q=20)
    assert publisher.usable() == [Q, F]
    publisher.run(0.5, q=20)
    assert publisher.usable() == [Q]
    publisher.run(0.5, q=20, f=80)
    assert publisher.usable() == [Q], "back, but not yet to be trusted"
    publisher.run(1.0, q=20, f=80)
    assert publisher.usable() == [Q, F]


def test_a_slow_layer_is_given_a_second_to_go_on() -> None:
    """Of eight frames a second it has missed four after half a one, which may be chance."""
    publisher = Publisher()
    publisher.run(6.0, q=20, f=8)
    publisher.run(0.75, q=20)
    assert publisher.usable() == [Q, F]
    publisher.run(0.5, q=20)
    assert publisher.usable() == [Q]


def test_a_layer_is_given_a_second_while_the_others_show_little() -> None:
    publisher = Publisher()
    publisher.run(6.0, q=8, f=20)
    publisher.run(0.5, q=8)
    assert publisher.usable() == [Q, F]
    publisher.run(0.75, q=8)
    assert publisher.usable() == [Q]


def test_a_layer_below_all_others_counts_at_once() -> None:
    """Only who could pay for none of them takes it."""
    publisher = Publisher()
    publisher.run(3.0, h=40, f=80)
    publisher.run(SWEEP_S, q=20, h=40, f=80)
    assert publisher.usable() == [Q, H, F]


@pytest.mark.parametrize("rate", [0.0, 1.0, 2.0])
def test_a_still_screen_or_a_camera_switched_off_keeps_its_layers(rate: float) -> None:
    publisher = Publisher()
    publisher.run(3.0, q=20, h=40, f=80)
    publisher.run(30.0, q=rate, h=rate, f=rate)
    assert publisher.usable() == [Q, H, F]


def test_the_bitrate_is_a_mean_over_two_seconds() -> None:
    publisher = Publisher()
    publisher.run(SWEEP_S, f=100)
    assert publisher.flow.bitrate_bps(F) == 0
    publisher.run(4.0, f=100)
    assert publisher.flow.bitrate_bps(F) == 800_000
    publisher.run(1.0, f=0)
    assert publisher.flow.bitrate_bps(F) == 400_000
    publisher.run(2.0, f=0)
    assert publisher.flow.bitrate_bps(F) == 0


def test_a_layer_with_a_new_ssrc_is_a_new_layer() -> None:
    publisher = Publisher()
    publisher.run(3.0, q=20, f=80)
    publisher.ssrcs[F] = 999
    publisher.packets[F] = 0
    publisher.run(0.5, q=20, f=80)
    assert publisher.flowing() == [Q, F] and publisher.usable() == [Q]
    assert publisher.flow.bitrate_bps(F) <= 800_000


def test_a_key_frame_makes_no_layer_dearer_and_what_lasts_does() -> None:
    publisher = Publisher()
    publisher.run(4.0, q=20)
    assert publisher.flow.bitrate_bps(Q) == pytest.approx(160_000, rel=0.05)
    publisher.packets[Q] += 40  # two seconds' worth at once
    publisher.run(1.0, q=20)
    assert publisher.flow.bitrate_bps(Q) == pytest.approx(160_000, rel=0.05)
    publisher.run(4.0, q=60)
    assert publisher.flow.bitrate_bps(Q) == pytest.approx(480_000, rel=0.05)
    publisher.run(2.0, q=20)
    assert publisher.flow.bitrate_bps(Q) == pytest.approx(160_000, rel=0.05)


def test_what_costs_more_for_a_second_is_a_surge_long_before_it_is_a_price_and_a_key_frame_is_none() -> None:
    publisher = Publisher()
    publisher.run(6.0, q=20, f=40)
    assert publisher.flow.surge(Q) == 1.0
    publisher.run(SWEEP_S, q=20, f=160)  # a key frame weighs half a second
    for _ in range(4):
        assert publisher.flow.surge(F) < 1.3
        publisher.run(SWEEP_S, q=20, f=40)
    price_bps = publisher.price_bps(F)
    publisher.run(1.0, q=20, f=400)
    assert publisher.price_bps(F) < 1.5 * price_bps
    assert publisher.flow.surge(F) * publisher.price_bps(F) == pytest.approx(8 * 1000 * 400, rel=0.05)
    assert publisher.flow.surge(Q) < 1.1
    publisher.run(1.0, q=20, f=40)
    assert publisher.flow.surge(F) < 1.1


@pytest.mark.parametrize("muted_s", [1.0, 2.0, 3.0, 60.0])
def test_what_was_muted_costs_what_it_did_before(muted_s: float) -> None:
    """Not nothing, for as long as nothing has come again: everybody would be sent the best, whatever his path carries.
    Black pictures that come meanwhile count neither."""
    publisher = Publisher()
    publisher.run(5.0, q=20, f=100)
    publisher.flow.muted = True
    publisher.run(muted_s, q=1, f=2)
    publisher.flow.muted = False
    assert publisher.price_bps(F) == 800_000
    for _ in range(round(6.0 / SWEEP_S)):
        publisher.run(SWEEP_S, q=20, f=100)
        assert (publisher.price_bps(Q), publisher.price_bps(F)) == (160_000, 800_000), f"{publisher.now} s"


@pytest.mark.parametrize("paused_s", [2.0, 3.0, 60.0])
def test_a_layer_that_was_paused_costs_what_comes_of_it_now(paused_s: float) -> None:
    """Since it flows again: it would seem to cost nothing, with the time before."""
    publisher = Publisher()
    publisher.run(5.0, q=20, f=100)
    publisher.run(paused_s, q=20)
    assert publisher.flowing() == [Q]
    publisher.run(2 * SWEEP_S, q=20, f=50)
    for _ in range(round(6.0 / SWEEP_S)):
        assert publisher.price_bps(F) == pytest.approx(400_000, rel=0.05), f"{publisher.now} s"
        publisher.run(SWEEP_S, q=20, f=50)


def test_a_price_is_shared_out_among_the_parts_that_came_and_a_mute_changes_none() -> None:
    flow, now = TrackFlow(STOPPED_AFTER_S, STEADY_AFTER_S), 0.0
    so_far: tuple[tuple[int, ...], ...] = ((0, 0), (0, 0))

    def run(seconds: float, *rows: tuple[int, ...]) -> None:
        """Bytes of each look, by spatial and temporal id; a tenth as much beside that says no layer."""
        nonlocal now, so_far
        for _ in range(round(seconds / SWEEP_S)):
            now += SWEEP_S
            so_far = tuple(tuple(map(add, before, row)) for before, row in zip(so_far, rows, strict=True))
            size = sum(map(sum, so_far)) * 11 // 10
            flow.on_reception(
                [
                    LayerReception(
                        0, 100, None, 1 + int(40 * now), size, 0, 0, 0.0, now, so_far, temporal_frames=(int(now), 0)
                    )
                ],
                now,
            )

    def parts() -> tuple[LayerPart, ...]:
        (layer,) = flow.layers(now)
        assert not layer.parts or sum(part.bitrate_bps for part in layer.parts) == pytest.approx(
            layer.bitrate_bps, abs=4
        )
        return layer.parts

    run(6.0, (1000, 0), (0, 0))
    assert parts() == ()
    run(6.0, (1000, 500), (2000, 0))
    expected = [LayerPart(0, 0, 35_200), LayerPart(0, 1, 17_600), LayerPart(1, 0, 70_400)]
    assert [*parts()] == expected
    flow.muted = True
    run(3.0, (10, 0), (0, 0))
    assert [*parts()] == expected
    flow.muted = False
    run(SWEEP_S, (1000, 500), (2000, 0))
    assert [*parts()] == expected


def test_frames_are_counted_from_two_seconds_on_and_whoever_joins_has_as_many_as_the_others() -> None:
    publisher = Publisher()
    publisher.run(2.0, q=15)
    assert publisher.frame_rates() == [None]
    publisher.run(SWEEP_S, q=15)
    assert publisher.frame_rates() == [pytest.approx(15, abs=0.5)]
    publisher.run(SWEEP_S, q=15, h=15)
    known, joined = publisher.frame_rates()
    assert joined == known
    publisher.run(9.75, q=15, h=15)
    assert publisher.frame_rates() == [pytest.approx(15, abs=0.5)] * 2


def test_a_camera_is_slower_when_it_stays_so_and_not_after_a_moment() -> None:
    publisher = Publisher()
    publisher.run(9.0, q=30)
    before = publisher.frame_rates()
    publisher.run(1.5, q=4)
    publisher.run(1.5, q=30)
    assert publisher.frame_rates() == before == [pytest.approx(30, abs=0.5)]
    publisher.run(7.5, q=15)
    assert publisher.frame_rates() == [pytest.approx(15, abs=0.5)]


@pytest.mark.parametrize("is_muted", [True, False])
def test_while_a_track_is_muted_or_paused_it_keeps_its_frame_rate(is_muted: bool) -> None:
    publisher = Publisher()
    publisher.run(9.0, q=30, h=30)
    before = publisher.frame_rates()
    publisher.flow.muted = is_muted
    for _ in range(20):
        publisher.run(1.0, q=1.0 if is_muted else 30)
        assert publisher.frame_rates() == before
    publisher.flow.muted = False
    publisher.flow.on_resumed(0)
    for _ in range(20):
        publisher.run(SWEEP_S, q=30, h=30)
        assert publisher.frame_rates() == before


def test_the_frames_of_temporal_layers_are_shares_of_all() -> None:
    flow = TrackFlow(STOPPED_AFTER_S, STEADY_AFTER_S)
    for look in range(20):
        temporal_frames = (look * 2, look * 2, look * 4, 0)
        counted = LayerReception(
            0, 100, None, 1 + look, 1000 * look, 0, 0, 0.0, 0.0, frames=8 * look, temporal_frames=temporal_frames
        )
        flow.on_reception([counted], look * SWEEP_S)
    (layer,) = flow.layers(19 * SWEEP_S)
    assert (layer.frame_rate, layer.frame_shares) == (32.0, (0.25, 0.5, 1.0, 1.0))
