"""Layers within a layer (temporal and spatial ones, SVC) are steps of the allocation: a call in virtual time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfu.control import Explain, Explanation, SetLayout, SubscriptionExplanation, Tile
from sfu.core.types import Codec, PayloadFormat
from sfu.wire import vp8, vp9
from tests.sim.actors import VIDEO_FORMATS, VP9_FORMATS, Publisher, Subscriber
from tests.sim.call import Call

SETTLES_S = 8.0
JUDGED_S = 2.0
ALL_FRAMES = {0, 1, 2}  # temporal ids


class Watching:
    """Somebody who is sent one picture. `packets` of each simulcast layer's pictures, from the smallest."""

    def __init__(
        self,
        formats: Sequence[PayloadFormat] = VP9_FORMATS,
        scalability: tuple[int, int] = (3, 3),
        *,
        frame_rate: float = 20.0,
        packets: Sequence[int] = (),
    ) -> None:
        self.call = Call()
        self.codec = formats[0].codec
        rids = ("q", "h", "f")[: len(packets)]
        self.publisher = Publisher(self.call, "ann", rids=rids, formats=formats, scalability=scalability)
        for layer, count in zip(self.publisher.layers, packets, strict=False):
            layer.packets_per_frame = count
        self.reception = Subscriber(self.call, "bob").subscribe(self.publisher.video, codec=self.codec)
        self.publisher.start(frame_rate)
        self.call.run(SETTLES_S)

    def settles_with(self, max_bps: int | None, *tiles: Tile) -> SubscriptionExplanation:
        self.call.tell(SetLayout, transport="bob", max_bps=max_bps, tiles=list(tiles) or None)
        self.call.run(SETTLES_S)
        reply = self.call.tell(Explain, transport="bob")
        assert isinstance(reply, Explanation)
        (row,) = reply.subscriptions
        return row

    def arrives(self) -> tuple[set[int], set[int]]:
        """Spatial and temporal ids of what came lately. Of VP8 one picture's number follows the other's."""
        spatial_ids, temporal_ids, numbers = set[int](), set[int](), set[int]()
        for at, _, _, payload in self.reception.packets.values():
            if at < self.call.now - JUDGED_S:
                continue
            described = vp8.parse(payload) if self.codec is Codec.VP8 else vp9.parse(payload)
            assert described is not None and described.picture_id is not None
            spatial_ids.add((described.spatial_id or 0) if isinstance(described, vp9.Vp9Descriptor) else 0)
            temporal_ids.add(described.temporal_id or 0)
            numbers.add(described.picture_id)
        assert self.codec is not Codec.VP8 or len(numbers) == 1 + max(numbers) - min(numbers)
        return spatial_ids, temporal_ids


@pytest.mark.parametrize("formats", [VIDEO_FORMATS, VP9_FORMATS], ids=["VP8", "VP9"])
def test_where_the_smallest_picture_does_not_fit_it_has_fewer_frames_and_all_again_without_a_key_frame(
    formats: Sequence[PayloadFormat],
) -> None:
    """Of VP8 96, 144 and 240 kbit/s in three temporal layers, of VP9 60, 120 and 240."""
    watching = Watching(formats, (1, 3), frame_rate=30.0)
    assert watching.arrives() == ({0}, {0, 1, 2})
    asked = len(watching.publisher.requests)
    steps: tuple[tuple[int | None, set[int], float | None], ...] = (
        (180_000, {0, 1}, 15.0),
        (110_000, {0}, 7.5),
        (180_000, {0, 1}, 15.0),
        (None, {0, 1, 2}, None),
    )
    for max_bps, temporal_ids, frame_rate in steps:
        row = watching.settles_with(max_bps)
        assert watching.arrives() == ({0}, temporal_ids)
        assert row.layer == 0 and row.frame_rate == (frame_rate and pytest.approx(frame_rate, rel=0.05))
        assert row.reason == ("nothing" if max_bps is None else "bandwidth")
    assert len(watching.publisher.requests) == asked


def test_a_larger_picture_has_fewer_frames_only_for_who_had_them_all() -> None:
    """240, 480 and 1 440 kbit/s, and 864 with half of the frames."""
    watching = Watching(VIDEO_FORMATS, (1, 3), frame_rate=30.0, packets=(1, 2, 6))
    asked = len(watching.publisher.requests)
    row = watching.settles_with(1_000_000)
    assert row.layer == 2 and row.frame_rate == pytest.approx(15.0, rel=0.05)
    assert len(watching.publisher.requests) == asked, "no key frame"
    for max_bps in (700_000, 1_000_000):
        row = watching.settles_with(max_bps)
        assert (row.layer, row.frame_rate) == (1, None)
    row = watching.settles_with(None)
    assert (row.layer, row.frame_rate) == (2, None)


def test_a_slow_camera_s_larger_picture_has_all_of_its_frames() -> None:
    """Half of 15 is a slide show. 120, 240 and 720 kbit/s."""
    watching = Watching(VIDEO_FORMATS, (1, 3), frame_rate=15.0, packets=(1, 2, 6))
    row = watching.settles_with(500_000)
    assert (row.layer, row.frame_rate) == (1, None)


def test_where_it_does_not_fit_it_is_smaller_and_grows_again_at_a_key_frame_that_is_asked_for() -> None:
    """160, 640 and 1 440 kbit/s in three spatial layers."""
    watching = Watching()
    assert watching.arrives() == ({0, 1, 2}, ALL_FRAMES)
    asked = len(watching.publisher.requests)
    for max_bps, spatial_ids in ((900_000, {0, 1}), (300_000, {0})):
        assert watching.settles_with(max_bps).reason == "bandwidth"
        assert watching.arrives() == (spatial_ids, ALL_FRAMES)
    assert len(watching.publisher.requests) == asked
    watching.settles_with(900_000)
    assert watching.arrives() == ({0, 1}, ALL_FRAMES)
    watching.settles_with(None)
    assert watching.arrives() == ({0, 1, 2}, ALL_FRAMES)
    assert len(watching.publisher.requests) > asked


def test_a_tile_is_sent_the_spatial_layers_that_it_shows() -> None:
    watching = Watching()
    track = watching.publisher.video
    for size, spatial_ids in (((160, 90), {0}), ((320, 180), {0, 1}), ((640, 360), {0, 1, 2})):
        row = watching.settles_with(None, Tile(track=track, width=size[0], height=size[1]))
        assert watching.arrives() == (spatial_ids, ALL_FRAMES)
        assert row.reason == ("nothing" if size == (640, 360) else "layout")


def test_layers_of_which_nothing_comes_any_more_are_no_steps() -> None:
    """An encoder that is short of time leaves them out."""
    watching = Watching()
    watching.publisher.scalability = (1, 3)
    row = watching.settles_with(None)
    assert watching.arrives() == ({0}, ALL_FRAMES)
    assert row.bitrate_bps == pytest.approx(160_000, rel=0.1)
