"""What one client shows, as the Worker is told it.

Tracks go by other names towards the Worker when their connection was lost and made anew, and a Transport made anew
knows nothing. So what the client said is kept, and told again whenever one of them has changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfu import control
from sfu.control import Done
from signaling.lane import Procedure, expect
from signaling.messages import Layout
from signaling.names import Names


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
