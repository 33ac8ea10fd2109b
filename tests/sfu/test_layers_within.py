"""Spatial layers within a layer (SVC) are steps of the allocation: a call in virtual time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfu.control import Explain, Explanation, SetLayout, SubscriptionExplanation, Tile
from sfu.core.types import Codec, PayloadFormat
from sfu.wire import vp8, vp9
from tests.sim.actors import VP9_FORMATS, Publisher, Reception, Subscriber
from tests.sim.call import Call

SETTLES_S = 8.0
JUDGED_S = 2.0


class Watching:
    """Somebody who is sent one picture of so many spatial and temporal layers."""

    def __init__(self, formats: Sequence[PayloadFormat], scalability: tuple[int, int]) -> None:
        self.call = Call()
        self.codec = formats[0].codec
        self.publisher = Publisher(self.call, "ann", rids=(), formats=formats, scalability=scalability)
        self.reception = self._subscribe()
        self.publisher.start()
        self.call.run(SETTLES_S)

    def _subscribe(self) -> Reception:
        return Subscriber(self.call, "bob").subscribe(self.publisher.video, codec=self.codec)

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


def test_where_it_does_not_fit_it_is_smaller_and_grows_again_at_a_key_frame_that_is_asked_for() -> None:
    """160, 640 and 1 440 kbit/s in three spatial layers."""
    watching = Watching(VP9_FORMATS, (3, 1))
    assert watching.arrives() == ({0, 1, 2}, {0})
    asked = len(watching.publisher.requests)
    for max_bps, spatial_ids in ((900_000, {0, 1}), (300_000, {0})):
        assert watching.settles_with(max_bps).reason == "bandwidth"
        assert watching.arrives() == (spatial_ids, {0})
    assert len(watching.publisher.requests) == asked
    watching.settles_with(900_000)
    assert watching.arrives() == ({0, 1}, {0})
    watching.settles_with(None)
    assert watching.arrives() == ({0, 1, 2}, {0})
    assert len(watching.publisher.requests) > asked


def test_a_tile_is_sent_the_spatial_layers_that_it_shows() -> None:
    watching = Watching(VP9_FORMATS, (3, 1))
    track = watching.publisher.video
    for size, spatial_ids in (((160, 90), {0}), ((320, 180), {0, 1}), ((640, 360), {0, 1, 2})):
        row = watching.settles_with(None, Tile(track=track, width=size[0], height=size[1]))
        assert watching.arrives() == (spatial_ids, {0})
        assert row.reason == ("nothing" if size == (640, 360) else "layout")


def test_layers_of_which_nothing_comes_any_more_are_no_steps() -> None:
    """An encoder that is short of time leaves them out."""
    watching = Watching(VP9_FORMATS, (3, 1))
    watching.publisher.scalability = (1, 1)
    row = watching.settles_with(None)
    assert watching.arrives() == ({0}, {0})
    assert row.bitrate_bps == pytest.approx(160_000, rel=0.1)
