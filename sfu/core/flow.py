"""Which layers of a Track flow, and how fast, from what the plane has received of each.

A publisher stops and starts simulcast layers as its uplink allows, without telling. But silence alone says little:
a still screen is sent once a second, a camera switched off not at all, and neither is a reason to switch layers. A
layer has stopped when it is silent *while others of its Track go on*. One that starts again must flow for a while
before it counts, so that an uplink at its limit does not make pictures jump; the first ones of a Track count at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfu.plane.interface import LayerReception

# What another layer must have received since, for a silent one to count as stopped: a still screen's layers get one
# to three packets each, once a second.
OTHERS_PACKETS = 8
# The bitrate is a mean over this, and the lower one of the last two: a key frame, which weighs a second of others,
# passes and is no reason to think a layer too dear, while what really costs more does so for longer.
BITRATE_WINDOW_S = 2.0
MIN_BITRATE_SPAN_S = 0.4  # before that a single key frame would look like a torrent


@dataclass(frozen=True, slots=True)
class LayerPart:
    """What one spatial and temporal layer adds to those below it."""

    spatial_id: int
    temporal_id: int
    bitrate_bps: int


@dataclass(frozen=True, slots=True)
class LayerFlow:
    """One layer as others may use it: `usable` implies `flows`. `parts`: of what its bitrate is made, where known."""

    layer: int
    flows: bool
    usable: bool
    bitrate_bps: int
    parts: tuple[LayerPart, ...] = ()


@dataclass(slots=True)
class _Observed:
    ssrc: int
    packets: int
    progressed_at: float
    others_at_progress: dict[int, int]  # layer -> its packets when this one last progressed
    flowing_since: float | None
    sizes: deque[tuple[float, int]] = field(default_factory=deque)  # (time, bytes so far)
    seen_muted: tuple[float, int] | None = None  # the same, at the last look while it was muted


class TrackFlow:
    """Fed every quarter of a second or so, and whenever an SSRC was learned."""

    def __init__(self, stopped_after_s: float, steady_after_s: float) -> None:
        """How long a layer is silent until it has stopped, and flows until it counts."""
        self.muted = False  # then what layers cost stays what it was before
        self._stopped_after_s = stopped_after_s
        self._steady_after_s = steady_after_s
        self._layers: dict[int, _Observed] = {}

    def on_reception(self, receptions: Iterable[LayerReception], now: float) -> None:
        receptions = list(receptions)
        packets = {reception.layer: reception.packets for reception in receptions}
        for reception in receptions:
            observed = self._layers.get(reception.layer)
            if observed is None or observed.ssrc != reception.ssrc:
                observed = _Observed(reception.ssrc, 0, now, {}, None)
                self._layers[reception.layer] = observed
            self._observe(observed, reception, packets, now)

    def on_resumed(self, above: int) -> None:
        """Its publisher was asked to send these layers again, and has not: whatever they did before was long ago."""
        for layer, observed in self._layers.items():
            if layer > above:
                observed.flowing_since = None

    def flows(self, layer: int) -> bool:
        observed = self._layers.get(layer)
        return observed is not None and observed.flowing_since is not None

    def bitrate_bps(self, layer: int) -> int:
        observed = self._layers.get(layer)
        if observed is None or len(observed.sizes) < 2:
            return 0
        sizes = observed.sizes
        # As when they were dropped: the last look that is a whole window back, or the first there is.
        middle = max((at for at, (time, _) in enumerate(sizes) if time <= sizes[-1][0] - BITRATE_WINDOW_S), default=0)
        now_bps = _mean_bps(sizes[middle], sizes[-1])
        if sizes[middle][0] - sizes[0][0] < BITRATE_WINDOW_S:
            return now_bps
        return min(now_bps, _mean_bps(sizes[0], sizes[middle]))

    def layers(self, now: float) -> tuple[LayerFlow, ...]:
        """All layers seen so far, ascending."""
        flowing = {layer: o.flowing_since for layer, o in self._layers.items() if o.flowing_since is not None}
        # What flows first is all there is to show; what joins it must prove itself.
        steady = {layer for layer, since in flowing.items() if now - since >= self._steady_after_s}
        usable = steady or set(flowing)
        return tuple(
            LayerFlow(layer, layer in flowing, layer in usable, self.bitrate_bps(layer))
            for layer in sorted(self._layers)
        )

    def _observe(self, observed: _Observed, reception: LayerReception, packets: dict[int, int], now: float) -> None:
        if reception.packets > observed.packets:
            observed.packets = reception.packets
            observed.progressed_at = now
            observed.others_at_progress = packets
            if observed.flowing_since is None:
                observed.flowing_since = now
                while len(observed.sizes) > 1:  # of when it was paused: the last of that is where it begins
                    observed.sizes.popleft()
        elif now - observed.progressed_at >= self._stopped_after_s and any(
            count - observed.others_at_progress.get(layer, 0) >= OTHERS_PACKETS for layer, count in packets.items()
        ):
            observed.flowing_since = None
        self._measure(observed, reception.bytes, now)

    def _measure(self, observed: _Observed, size: int, now: float) -> None:
        sizes = observed.sizes
        if self.muted and sizes:
            observed.seen_muted = now, size
            return
        if observed.seen_muted is not None:  # as if there had been no time between
            later_s, more = observed.seen_muted[0] - sizes[-1][0], observed.seen_muted[1] - sizes[-1][1]
            sizes = observed.sizes = deque((time + later_s, bytes_so_far + more) for time, bytes_so_far in sizes)
            observed.seen_muted = None
        sizes.append((now, size))
        while len(sizes) > 2 and sizes[1][0] <= now - 2 * BITRATE_WINDOW_S:
            sizes.popleft()


def _mean_bps(since: tuple[float, int], until: tuple[float, int]) -> int:
    return int(8 * (until[1] - since[1]) / max(until[0] - since[0], MIN_BITRATE_SPAN_S))
