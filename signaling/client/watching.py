"""What a client wishes to receive, says of what it shows and how it gets on, and asks why it receives what it does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from signaling.client.channel import Channel
from signaling.messages import (
    Explain,
    Explanation,
    FramesOf,
    Layout,
    LimitLayer,
    ReportReceived,
    Subscribe,
    Tile,
    Unsubscribe,
)


class Joined(Protocol):
    @property
    def _open(self) -> Channel: ...


class Watching:
    """A part of `Room`."""

    async def subscribe(self: Joined, track: str) -> None:
        """Wish for a track; it comes with a later offer (`until` `reception_of` it)."""
        await self._open.request(lambda number: Subscribe(id=number, track=track))

    async def unsubscribe(self: Joined, track: str) -> None:
        await self._open.request(lambda number: Unsubscribe(id=number, track=track))

    async def limit_layer(self: Joined, track: str, rid: str | None) -> None:
        """The best layer we want of a track; `None` lifts the limit."""
        await self._open.request(lambda number: LimitLayer(id=number, track=track, rid=rid))

    async def show(
        self: Joined, tiles: Sequence[Tile] | None = None, *, last_n: int | None = None, max_bps: int | None = None
    ) -> None:
        """What we show, whole: video without a tile is not sent. Without `tiles` the server decides."""
        shown = None if tiles is None else tuple(tiles)
        await self._open.request(lambda number: Layout(id=number, tiles=shown, last_n=last_n, max_bps=max_bps))

    async def explain(self: Joined, tracks: Collection[str] | None = None) -> Explanation:
        """Why we receive what we do; of all that we are to receive, or of these alone."""
        asked = None if tracks is None else tuple(tracks)
        answer = await self._open.request(lambda number: Explain(id=number, tracks=asked))
        assert isinstance(answer, Explanation), answer
        return answer

    async def report(self: Joined, frames: Sequence[FramesOf] = (), *, overused: bool = False) -> None:
        """What became of pictures since the last report, and whether our machine cannot keep up with them."""
        told = tuple(frames)
        await self._open.request(lambda number: ReportReceived(id=number, frames=told, overused=overused))
