"""What one client shows, as the Worker is told it, and what the Worker explains of it, as the client is.

Tracks go by other names towards the Worker when their connection was lost and made anew, and a Transport made anew
knows nothing. So what the client said is kept, and told again whenever one of them has changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfu import control
from sfu.control import Done, SubscriptionExplanation
from signaling.lane import Procedure, Steps, expect
from signaling.message_values import Quality
from signaling.messages import Explanation, Layout, TrackExplanation
from signaling.names import Names
from signaling.quality import quality_of, rounded
from signaling.seating import RemoteTrack
from signaling.slots import SlotTable


class Showing:
    def __init__(self, names: Names) -> None:
        self._names = names
        self.layout: Layout | None = None
        self._told = True

    def set(self, layout: Layout) -> None:
        self.layout, self._told = layout, False

    def priorities(self) -> list[str] | None:
        """Tracks that have a tile, those on stage first. `None`: the client does not say."""
        if self.layout is None or self.layout.tiles is None:
            return None
        return [tile.track for tile in sorted(self.layout.tiles, key=lambda tile: not tile.on_stage)]

    def on_forgotten(self) -> None:
        """The Worker knows it not, or by names that are no more."""
        self._told = self.layout is None

    def tell(self, transport: str | None, media: Mapping[str, str | None]) -> Procedure:
        """`media`: of tracks that have moved. Without a Transport there is nobody to tell yet."""
        layout = self.layout
        if self._told or layout is None or transport is None:
            return
        self._told = True
        tiles = None
        if layout.tiles is not None:
            tiles = [
                control.Tile(
                    track=name,
                    width=tile.width,
                    height=tile.height,
                    frame_rate=tile.frame_rate,
                    on_stage=tile.on_stage,
                    selected=tile.selected,
                )
                for tile in layout.tiles
                if (name := media.get(tile.track, tile.track)) is not None
            ]
        (reply,) = yield [
            control.SetLayout(
                call=self._names.call(),
                transport=transport,
                tiles=tiles,
                last_n=layout.last_n,
                max_bps=layout.max_bps,
            )
        ]
        expect(reply, Done)


def explanation(
    request: int, names: Names, transport: str | None, slots: SlotTable, media: Mapping[str, str | None]
) -> Steps[Explanation]:
    """Why a participant receives what it does; `media`: of tracks that have moved. Raises Refused."""
    quality: Quality | None = None
    budget_bps, estimate_bps, rows = 0, None, [unplayable(name) for name in slots.undecodable(media)]
    if transport is not None:
        (reply,) = yield [control.Explain(call=names.call(), transport=transport)]
        told = expect(reply, control.Explanation)
        budget_bps, estimate_bps = told.budget_bps, told.estimate_bps
        quality = None if told.quality is None else quality_of(told.quality, figures=True)
        for row in told.subscriptions:
            slot = slots.of_subscription(row.subscription)
            if slot is not None and slot.track is not None:
                rows.append(explained(row, slot.track))
    return Explanation(
        id=request, budget_bps=budget_bps, estimate_bps=estimate_bps, tracks=tuple(rows), quality=quality
    )


def explained(row: SubscriptionExplanation, track: RemoteTrack) -> TrackExplanation:
    def rid(layer: int | None) -> str | None:
        rids = track.description.rids
        return None if layer is None else rids[layer] if layer < len(rids) else ""

    return TrackExplanation(
        track=track.name,
        reason=row.reason,
        since_s=row.since_s,
        rid=rid(row.layer),
        wanted_rid=rid(row.wanted_layer),
        ideal_rid=rid(row.ideal_layer),
        bitrate_bps=row.bitrate_bps,
        missing_bps=row.missing_bps,
        tile_pixels=row.tile_pixels,
        score=rounded(row.quality.score),
        cause=row.quality.cause,
        loss=row.quality.loss,
    )


def unplayable(track: str) -> TrackExplanation:
    """The client can decode nothing of what it is sent in."""
    return TrackExplanation(
        track=track,
        reason="codec",
        since_s=0.0,
        rid=None,
        wanted_rid=None,
        ideal_rid=None,
        bitrate_bps=0,
        missing_bps=0,
        tile_pixels=None,
    )
