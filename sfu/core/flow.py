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
from math import inf
from operator import add, sub
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sfu.core.frame_rate import FrameRate, of_one_track, shares_up_to

if TYPE_CHECKING:
    from sfu.plane.interface import LayerReception

# What another layer must have received since, for a silent one to count as stopped: a still screen's layers get one
# to three packets each, once a second.
OTHERS_PACKETS = 8
# It has stopped sooner when it has missed so many frames of its own pace while another got nearly as many: an encoder
# leaves out a few of one layer after a key frame that was too large. Lower: pictures jump for that; higher: they stand
# still for longer when an uplink gets narrow.
MISSED_FRAMES = 8
OTHERS_FRAMES = 6
SOONEST_STOPPED_S = 0.5
# The bitrate is a mean over this, and the lower one of the last two: a key frame, which weighs a second of others,
# passes and is no reason to think a layer too dear, while what really costs more does so for longer.
BITRATE_WINDOW_S = 2.0
# The same for who cannot wait: a key frame is not in both of these, either.
SURGE_WINDOW_S = 0.5
MIN_BITRATE_SPAN_S = 0.4  # before that a single key frame would look like a torrent


@dataclass(frozen=True, slots=True)
class LayerPart:
    """What one spatial and temporal layer adds to those below it."""

    spatial_id: int
    temporal_id: int
    bitrate_bps: int


@dataclass(frozen=True, slots=True)
class LayerFlow:
    """One layer as others may use it: `usable` implies `flows`. `parts`: of what its bitrate is made, where known.
    `frame_rate`: `None` before it is known. `frame_shares`: of frames with this temporal id or a lower one."""

    layer: int
    flows: bool
    usable: bool
    bitrate_bps: int
    parts: tuple[LayerPart, ...] = ()
    frame_rate: float | None = None
    frame_shares: tuple[float, ...] = ()


class _Look(NamedTuple):
    """What had come of a layer by then. `layer_bytes`, `temporal_frames`: by ids, of packets that say theirs."""

    at_s: float
    bytes: int
    frames: int
    layer_bytes: tuple[tuple[int, ...], ...]
    temporal_frames: tuple[int, ...]

    def later(self, since: _Look, until: _Look) -> _Look:
        """As if what came in between had come before it."""
        return _Look(
            self.at_s + until.at_s - since.at_s,
            self.bytes + until.bytes - since.bytes,
            self.frames + until.frames - since.frames,
            tuple(
                tuple(map(add, row, map(sub, after, before)))
                for row, after, before in zip(self.layer_bytes, until.layer_bytes, since.layer_bytes, strict=True)
            ),
            tuple(map(add, self.temporal_frames, map(sub, until.temporal_frames, since.temporal_frames))),
        )


_AllOfIt: TypeAlias = dict[int, tuple[int, int]]  # layer -> packets and frames


@dataclass(slots=True)
class _Observed:
    ssrc: int
    packets: int
    progressed_at: float
    others_at_progress: _AllOfIt  # when this one last progressed
    flowing_since: float | None
    looks: deque[_Look] = field(default_factory=deque)
    seen_muted: _Look | None = None  # the last one while it was muted
    frame_rate: FrameRate = field(default_factory=FrameRate)


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
        all_of_it = {reception.layer: (reception.packets, reception.frames) for reception in receptions}
        for reception in receptions:
            observed = self._layers.get(reception.layer)
            if observed is None or observed.ssrc != reception.ssrc:
                observed = _Observed(reception.ssrc, 0, now, {}, None)
                self._layers[reception.layer] = observed
            self._observe(observed, reception, all_of_it, now)

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
        return 0 if observed is None else _priced(observed.looks)[0]

    def surge(self, layer: int) -> float:
        """How many times its price a layer costs just now, at least once. A screen that begins to be scrolled costs ten
        times as much for seconds until its price says so."""
        observed = self._layers.get(layer)
        return 1.0 if observed is None else _surge(observed.looks)

    def layers(self, now: float) -> tuple[LayerFlow, ...]:
        """All layers seen so far, ascending."""
        flowing = {layer: o.flowing_since for layer, o in self._layers.items() if o.flowing_since is not None}
        # What flows first is all there is to show; what joins it must prove itself, unless it is lower than all others:
        # nobody rises to that but from nothing.
        steady = {layer for layer, since in flowing.items() if now - since >= self._steady_after_s}
        usable = steady | {layer for layer in flowing if layer < min(steady, default=inf)}
        seen = sorted(self._layers.items())
        frame_rates = of_one_track([observed.frame_rate.per_s for _, observed in seen])
        return tuple(
            LayerFlow(
                layer,
                layer in flowing,
                layer in usable,
                *_priced(observed.looks),
                frame_rate,
                _frame_shares(observed.looks),
            )
            for (layer, observed), frame_rate in zip(seen, frame_rates, strict=True)
        )

    def _observe(self, observed: _Observed, reception: LayerReception, all_of_it: _AllOfIt, now: float) -> None:
        if reception.packets > observed.packets:
            observed.packets = reception.packets
            observed.progressed_at = now
            observed.others_at_progress = all_of_it
            if observed.flowing_since is None:
                observed.flowing_since = now
                while len(observed.looks) > 1:  # of when it was paused: the last of that is where it begins
                    observed.looks.popleft()
        elif self._has_stopped(observed, all_of_it, now):
            observed.flowing_since = None
        look = _Look(now, reception.bytes, reception.frames, reception.layer_bytes, reception.temporal_frames)
        self._measure(observed, look)

    def _has_stopped(self, observed: _Observed, all_of_it: _AllOfIt, now: float) -> bool:
        silent_s = now - observed.progressed_at
        if silent_s < SOONEST_STOPPED_S:
            return False
        before = observed.others_at_progress
        others = [
            (packets - before.get(layer, (0, 0))[0], frames - before.get(layer, (0, 0))[1])
            for layer, (packets, frames) in all_of_it.items()
        ]
        if silent_s >= self._stopped_after_s and any(packets >= OTHERS_PACKETS for packets, _ in others):
            return True
        missed = silent_s * (observed.frame_rate.per_s or 0.0)
        return missed >= MISSED_FRAMES and any(frames >= OTHERS_FRAMES for _, frames in others)

    def _measure(self, observed: _Observed, look: _Look) -> None:
        looks = observed.looks
        if self.muted and looks:
            observed.seen_muted = look
            return
        if observed.seen_muted is not None:  # as if there had been no time between
            since, until = looks[-1], observed.seen_muted
            looks = observed.looks = deque(each.later(since, until) for each in looks)
            observed.seen_muted = None
        looks.append(look)
        while len(looks) > 2 and looks[1].at_s <= look.at_s - 2 * BITRATE_WINDOW_S:
            looks.popleft()
        windows = [window for window in _windows(looks) if _span_s(*window) >= BITRATE_WINDOW_S]
        if windows and observed.flowing_since is not None:
            observed.frame_rate.on_windows([_frames_per_s(*window) for window in windows], look.at_s)


def _windows(looks: deque[_Look]) -> list[tuple[_Look, _Look]]:
    """The last, which may be shorter than it should while nothing is before it, and the one before."""
    if len(looks) < 2:
        return []
    # As when they were dropped: the last look that is a whole window back, or the first there is.
    middle = max((at for at, look in enumerate(looks) if look.at_s <= looks[-1].at_s - BITRATE_WINDOW_S), default=0)
    last, before = (looks[middle], looks[-1]), (looks[0], looks[middle])
    return [last] if _span_s(*before) < BITRATE_WINDOW_S else [last, before]


def _span_s(since: _Look, until: _Look) -> float:
    return until.at_s - since.at_s


def _mean_bps(since: _Look, until: _Look) -> int:
    return int(8 * (until.bytes - since.bytes) / max(_span_s(since, until), MIN_BITRATE_SPAN_S))


def _frames_per_s(since: _Look, until: _Look) -> float:
    return (until.frames - since.frames) / _span_s(since, until)


def _frame_shares(looks: deque[_Look]) -> tuple[float, ...]:
    if not looks:
        return ()
    grown = list(map(sub, looks[-1].temporal_frames, looks[0].temporal_frames))
    return shares_up_to(grown) if any(grown) else ()


def _priced(looks: deque[_Look]) -> tuple[int, tuple[LayerPart, ...]]:
    """What a layer costs, by the cheaper one of the last two windows, and how that is shared out among what it is made
    of; nothing, where that is one."""
    windows = _windows(looks)
    if not windows:
        return 0, ()
    since, until = min(windows, key=lambda window: _mean_bps(*window))
    bitrate_bps = _mean_bps(since, until)
    grown = [
        (spatial_id, temporal_id, size)
        for spatial_id, (after, before) in enumerate(zip(until.layer_bytes, since.layer_bytes, strict=True))
        for temporal_id, size in enumerate(map(sub, after, before))
        if size
    ]
    if len(grown) < 2 or not _frame_shares(looks):  # that no frame has begun yet is a matter of a moment
        return bitrate_bps, ()
    total = sum(size for _, _, size in grown)
    return bitrate_bps, tuple(LayerPart(s, t, bitrate_bps * size // total) for s, t, size in grown)


def _surge(looks: deque[_Look]) -> float:
    price_bps = _priced(looks)[0]
    middle = _before(looks, looks[-1].at_s - SURGE_WINDOW_S) if looks else None
    first = None if middle is None else _before(looks, middle.at_s - SURGE_WINDOW_S)
    if not price_bps or middle is None or first is None:
        return 1.0
    return max(1.0, min(_mean_bps(middle, looks[-1]), _mean_bps(first, middle)) / price_bps)


def _before(looks: deque[_Look], at_s: float) -> _Look | None:
    """The last by then."""
    return next((look for look in reversed(looks) if look.at_s <= at_s), None)
