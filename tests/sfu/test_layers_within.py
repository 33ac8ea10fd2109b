"""Spatial layers within a layer (SVC) are steps of the allocation: a call in virtual time."""

from __future__ import annotations

import pytest

from sfu.control import Explain, Explanation, SetLayout, SubscriptionExplanation, Tile
from sfu.core.types import Codec
from sfu.wire import vp9
from tests.sim.actors import VP9_FORMATS, Publisher, Subscriber
from tests.sim.call import Call

SETTLES_S = 8.0
JUDGED_S = 2.0
ALL_FRAMES = {0, 1, 2}  # temporal ids


class Watching:
    """Somebody who is sent one picture of three spatial and three temporal layers."""

    def __init__(self) -> None:
        self.call = Call()
        self.publisher = Publisher(self.call, "ann", rids=(), formats=VP9_FORMATS, scalability=(3, 3))
        self.reception = Subscriber(self.call, "bob").subscribe(self.publisher.video, codec=Codec.VP9)
        self.publisher.start()
        self.call.run(SETTLES_S)

    def settles_with(self, max_bps: int | None, *tiles: Tile) -> SubscriptionExplanation:
        self.call.tell(SetLayout, transport="bob", max_bps=max_bps, tiles=list(tiles) or None)
        self.call.run(SETTLES_S)
        reply = self.call.tell(Explain, transport="bob")
        assert isinstance(reply, Explanation)
        (row,) = reply.subscriptions
        return row

    def arrives(self) -> tuple[set[int], set[int]]:
        """Spatial and temporal ids of what came lately."""
        spatial_ids, temporal_ids = set[int](), set[int]()
        for at, _, _, payload in self.reception.packets.values():
            if at >= self.call.now - JUDGED_S:
                described = vp9.parse(payload)
                assert described is not None
                spatial_ids.add(described.spatial_id or 0)
                temporal_ids.add(described.temporal_id or 0)
        return spatial_ids, temporal_ids


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
