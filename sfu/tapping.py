"""Tracks on their way to local sinks: which layers a recorder or a tap is given, and that they keep coming.

    TapTrack ─► Tap ─► plane.set_tap       what flows best, or up to a limit
                  └──► key-frame wish      at the start and at a switch: nothing can be decoded before it

A Tap counts as somebody who shows the Track as large as it gets: its layers are not paused at the publisher, losses in
them are asked for, for longer than a viewer would wait, and what cannot be recovered asks for a key frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sfu.context import Context
from sfu.control import LayerTapped

if TYPE_CHECKING:
    from sfu.publishing import PublishedTrack


class Sink:
    """Something on this machine that reads Tracks of one room from a Unix socket."""

    def __init__(self, number: int, id: str, room: str) -> None:
        self.number = number
        self.id = id
        self.room = room
        self.taps: dict[str, Tap] = {}  # by Track


class Tap:
    """One Track for one sink. `max_layer`: no better one; None: the best there is."""

    def __init__(self, context: Context, sink: Sink, track: PublishedTrack, max_layer: int | None) -> None:
        best = track.layer_count - 1
        self.sink = sink
        self.track = track
        self.needed_layer = best if max_layer is None else min(max_layer, best)
        self.layers: tuple[int, ...] = ()  # what the sink is given
        self._context = context
        self._settled: int | None = None  # has come with a key frame, and is the only one given
        self._awaited: int | None = None  # is to take its place
        # Until it is known what flows, everything: the first key frame may come with the first packet.
        self._give(range(self.needed_layer + 1))

    def observe(self, now: float) -> None:
        """What flows may have changed. Sound has one layer, and needs no key frame."""
        usable = [layer.layer for layer in self.track.flow.layers(now) if layer.usable]
        if not usable or self.track.spec.kind == "audio":
            return
        best = max((layer for layer in usable if layer <= self.needed_layer), default=usable[0])
        if best != (self._settled if self._awaited is None else self._awaited):
            self._awaited = best
            # The one before goes on until the new one can be decoded; a layer that has stopped costs nothing.
            self._give({best, *(self.layers if self._settled is None else (self._settled,))})
        if self._awaited is not None:
            self.track.on_wish(self._awaited, now)

    def on_key_frame(self, layer: int) -> None:
        if layer == self._awaited:
            self._settled, self._awaited = layer, None
            self._give({layer})
            self._context.notify(LayerTapped(sink=self.sink.id, track=self.track.id, layer=layer))

    def _give(self, layers: Iterable[int]) -> None:
        given = tuple(sorted(layers))
        if given != self.layers:
            self.layers = given
            self._context.plane.set_tap(self.sink.number, self.track.number, given)
