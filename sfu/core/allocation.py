"""Which rung of its Track's ladder each Subscription of one subscriber gets, and why: a pure function of values.

    audio is paid for first
    then every picture that is to be seen gets its lowest rung, in order of priority; then as many frames that it moves
    then, rank by rank, all of a rank climb a rung at a time, each in turn, until they are where their tiles want them

ALLOCATION.md tells it at length, with the table that the tests use. Knows no packets and no time: what flows is
`flow.py`'s judgement, what is shown `layout.py`'s, the budget is the caller's. The result is immutable and complete, so
that the caller applies only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import ceil

from sfu.core.ladder import SMOOTH_FRAME_RATE, Rung
from sfu.core.layout import Rank
from sfu.core.types import Kind

# Measured bitrates and estimates swing. A step up must leave this share of the budget free, else the next key frame
# takes it back. Higher: less of the link is used; lower: pictures jump.
STEP_UP_MARGIN = 0.1
# What is on stage, and cannot be had for less, may cost so much more than there is (Jitsi's bridge allows a screen the
# same), and half of what there is. Higher: sound waits behind it; lower: more often there is nothing to look at.
OVERSEND_BPS = 500_000
OVERSEND_SHARE = 0.5
# A layer may have this share of the pixels of its tile: stretched by a quarter in each direction, nobody sees it.
ENOUGH_PIXELS = 0.64
ENOUGH_FRAMES = 0.9  # the same of frames per second: a camera's 30 are sometimes 29


SCREEN_RANKS = (Rank.STAGE_SCREEN, Rank.SCREEN)


class LimitedBy(StrEnum):
    """Why a Subscription gets nothing better than it does: what would have to change."""

    NOTHING = "nothing"  # the best layer the publisher has
    WISH = "wish"  # the subscriber's own `max_layer`
    LAYOUT = "layout"  # its tile shows no more, or it has none
    LAST_N = "last_n"  # more pictures are to be shown than the subscriber wants at once
    PUBLISHER = "publisher"  # better layers are not being sent
    PUBLISHER_CPU = "publisher_cpu"  # for want of computing at the publisher
    BANDWIDTH = "bandwidth"  # the subscriber's budget is spent
    CPU = "cpu"  # the subscriber's machine shows no more
    QUIET = "quiet"  # others in the room are louder
    MUTED = "muted"
    CODEC = "codec"  # the publisher sends nothing that the subscriber can decode
    NOT_SENT = "not_sent"  # nothing has arrived of this Track
    NOT_CONNECTED = "not_connected"  # the subscriber's Transport is not up; decided by the caller


@dataclass(frozen=True, slots=True)
class Demand:
    """One Subscription as it stands.

    `rungs`: what flows of its Track, ascending; `layer_count`: how many simulcast layers it may have. `pixels`: what
    its tile can show (`None`: whatever there is, 0: it has none). `audible`: its sound is among those forwarded.
    `decodable`: it comes in a codec that the subscriber takes; `rungs` are of such codecs only.
    `most_pixels`, `most_frame_rate`: that its machine can show of it. `publisher_strained`: the publisher's machine
    says that it cannot keep up. `held`: what it got last. `may_rise`: a picture changed for want of bandwidth just now
    rests for a while. `may_exceed`: on stage it may cost more than there is; not soon again where that did not go well.
    """

    subscription: int
    kind: Kind
    layer_count: int
    rungs: tuple[Rung, ...]
    rank: Rank = Rank.GRID
    pixels: int | None = None
    frame_rate: float | None = None
    most_pixels: int | None = None
    most_frame_rate: float | None = None
    publisher_strained: bool = False
    beyond_last_n: bool = False
    audible: bool = True
    muted: bool = False
    decodable: bool = True
    max_layer: int | None = None
    held: Rung | None = None
    may_rise: bool = True
    may_exceed: bool = True


# Of a Track that has not sent anything. Publishers begin with the lowest layer, and its first key frame is wanted.
FIRST_RUNG = Rung(layer=0, bitrate_bps=0, pixels=0)


@dataclass(frozen=True, slots=True)
class Share:
    """What one Subscription gets: `rung` is `None` when it is paused. `ideal`: what it would get if bandwidth were no
    object. `missing_bps`: so much more budget would make it better, all else being as it is."""

    rung: Rung | None
    limited_by: LimitedBy
    ideal: Rung | None = None
    missing_bps: int = 0


Allocation = Mapping[int, Share]  # subscription -> share


@dataclass(slots=True)
class _Climber:
    """One Subscription on its way up. `options` ascend to where it wants to be; `at` indexes them, -1: nothing yet."""

    demand: Demand
    options: tuple[Rung, ...]
    contented_by: LimitedBy  # at the top
    held: int  # index of what it has now; -1: nothing
    at: int = -1
    missing_bps: int = 0
    is_oversent: bool = False  # more than there is goes into it

    def cost_bps(self) -> int:
        """Of the next step."""
        spent_bps = self.options[self.at].bitrate_bps if self.at >= 0 else 0
        return self.options[self.at + 1].bitrate_bps - spent_bps

    def is_smooth(self) -> bool:
        """Or there is no smoother one of this size."""
        rung, above = self.options[self.at], self.options[min(self.at + 1, len(self.options) - 1)]
        return rung.frame_rate >= SMOOTH_FRAME_RATE or above.pixels > rung.pixels or above is rung

    def share(self) -> Share:
        rung = self.options[self.at] if self.at >= 0 else None
        is_content = self.at == len(self.options) - 1 and not self.is_oversent
        limited_by = self.contented_by if is_content else LimitedBy.BANDWIDTH
        return Share(rung, limited_by, self.options[-1], 0 if is_content else self.missing_bps)


def allocate(budget_bps: int, demands: Sequence[Demand], *, may_oversend: bool = True) -> Allocation:
    """Shares for all of `demands`, whose order is their priority within their rank."""
    shares: dict[int, Share] = {}
    climbers: list[_Climber] = []
    left_bps = budget_bps
    for demand in demands:
        refused = _refused(demand)
        if refused is not None:
            shares[demand.subscription] = refused
        elif demand.kind == "audio":
            best = demand.rungs[-1]
            shares[demand.subscription] = Share(best, LimitedBy.NOTHING, best)
            left_bps -= best.bitrate_bps  # even where nothing is left: sound is cheap, and what a call is for
        else:
            climbers.append(_climber(demand))
    climbers.sort(key=lambda climber: climber.demand.rank)
    reserve_bps = int(budget_bps * STEP_UP_MARGIN)
    for climber in climbers:
        left_bps -= _step(climber, left_bps, reserve_bps)
        if may_oversend and climber is climbers[0] and climber.at < 0:
            left_bps -= _oversend(climber, left_bps)
    seen = [climber for climber in climbers if climber.at >= 0]
    for climber in seen:
        if not climber.is_smooth():
            left_bps -= _step(climber, left_bps, reserve_bps)
    for _, peers in groupby(seen, key=lambda climber: climber.demand.rank):
        left_bps = _climb(sorted(peers, key=_climbs_later), left_bps, reserve_bps)
    for climber in climbers:
        shares[climber.demand.subscription] = climber.share()
    return shares


def spent_bps(allocation: Allocation) -> int:
    return sum(share.rung.bitrate_bps for share in allocation.values() if share.rung is not None)


def sufficient_bps(allocation: Allocation) -> int:
    """A budget with which bandwidth would be nobody's limit; 0 if it is nobody's now."""
    if all(share.limited_by is not LimitedBy.BANDWIDTH for share in allocation.values()):
        return 0
    best_bps = sum(share.ideal.bitrate_bps for share in allocation.values() if share.ideal is not None)
    return int(best_bps / (1 - STEP_UP_MARGIN))


def least_bps(demands: Sequence[Demand]) -> int:
    """A budget with which everybody is seen, however small, and heard."""
    given = [demand for demand in demands if demand.rungs and _refused(demand) is None]
    worst_bps = sum(demand.rungs[-1 if demand.kind == "audio" else 0].bitrate_bps for demand in given)
    return ceil(worst_bps / (1 - STEP_UP_MARGIN))


def _refused(demand: Demand) -> Share | None:
    """What is decided without any regard to bandwidth."""
    if not demand.decodable:  # first, for nothing else that may change would help
        return Share(None, LimitedBy.CODEC)
    if demand.muted:
        return Share(None, LimitedBy.MUTED)
    if demand.beyond_last_n:
        return Share(None, LimitedBy.LAST_N)
    if demand.pixels == 0:
        return Share(None, LimitedBy.LAYOUT)
    if not demand.audible:
        return Share(None, LimitedBy.QUIET)
    if not demand.rungs:
        return Share(FIRST_RUNG, LimitedBy.NOT_SENT)
    return None


def _climber(demand: Demand) -> _Climber:
    options, contented_by = _options(demand)
    options = tuple(rung for rung in options if _is_open(rung, options, demand))
    return _Climber(demand, options, contented_by, _held(demand.held, options))


def _is_open(rung: Rung, options: tuple[Rung, ...], demand: Demand) -> bool:
    """A camera's larger picture with a part of its frames is for who has that picture and cannot keep them all: they go
    at once and without a key frame. To come to it from below would cost twice what the smaller one with all frames
    does, to look no better, and a fall of the path from there would be deeper."""
    if demand.rank in SCREEN_RANKS or rung.pixels == options[0].pixels:
        return True
    held = demand.held
    if held is not None and (held.layer, held.spatial_id) == (rung.layer, rung.spatial_id):
        return True
    return not any(_is_slower_one(rung, other) for other in options)


def _options(demand: Demand) -> tuple[tuple[Rung, ...], LimitedBy]:
    """The rungs that come in question, never none, and what keeps the Subscription at the best of them."""
    best = demand.layer_count - 1
    wished = best if demand.max_layer is None else min(best, demand.max_layer)
    # Nothing at or below the wish: the lowest there is, rather than no picture.
    rungs = tuple(rung for rung in demand.rungs if rung.layer <= wished) or demand.rungs[:1]
    fitting = _fitting(rungs, demand.pixels, demand.frame_rate)
    bearable = _bearable(fitting, demand)
    if bearable[-1] is not fitting[-1]:
        return bearable, LimitedBy.CPU
    if fitting[-1] is not rungs[-1]:
        return fitting, LimitedBy.LAYOUT
    if rungs[-1].layer == wished:
        return rungs, LimitedBy.NOTHING if wished == best else LimitedBy.WISH
    # A better layer is not sent; but is it missed?
    enough = demand.pixels is not None and rungs[-1].pixels >= ENOUGH_PIXELS * demand.pixels
    if enough:
        return rungs, LimitedBy.LAYOUT
    return rungs, LimitedBy.PUBLISHER_CPU if demand.publisher_strained else LimitedBy.PUBLISHER


def _bearable(rungs: tuple[Rung, ...], demand: Demand) -> tuple[Rung, ...]:
    """Those that its machine can show, or the smallest."""
    bearable = tuple(
        rung
        for rung in rungs
        if (demand.most_pixels is None or rung.pixels <= max(rungs[0].pixels, demand.most_pixels))
        and (demand.most_frame_rate is None or rung.frame_rate <= max(rungs[0].frame_rate, demand.most_frame_rate))
    )
    return bearable or rungs[:1]


def _fitting(rungs: tuple[Rung, ...], pixels: int | None, frame_rate: float | None) -> tuple[Rung, ...]:
    """Up to the smallest picture that fills the tile, without frames that it would not show."""
    if pixels is not None:
        enough = [rung.pixels for rung in rungs if rung.pixels >= ENOUGH_PIXELS * pixels]
        rungs = tuple(rung for rung in rungs if not enough or rung.pixels <= enough[0])
    if frame_rate is not None:
        fast = [rung for rung in rungs if rung.frame_rate >= ENOUGH_FRAMES * frame_rate]
        rungs = tuple(rung for rung in rungs if not any(_is_slower_one(other, rung) for other in fast))
    return rungs


def _is_slower_one(other: Rung, rung: Rung) -> bool:
    """Of the same picture: layers' own frame rates may differ a little."""
    return (other.layer, other.pixels) == (rung.layer, rung.pixels) and other.frame_rate < rung.frame_rate


def _held(held: Rung | None, options: tuple[Rung, ...]) -> int:
    """Where on this ladder the Subscription stands: on what it has, or if that is gone, on the best no better."""
    if held is None:
        return -1
    for index, rung in enumerate(options):
        if rung.is_as(held):
            return index
    return max((index for index, rung in enumerate(options) if rung.pixels <= held.pixels), default=-1)


def _climb(climbers: list[_Climber], left_bps: int, reserve_bps: int) -> int:
    """Each a step, then the next, until a whole turn changes nothing. Returns what is left."""
    while climbers:
        moving = []
        for climber in climbers:
            if climber.at + 1 < len(climber.options):
                before = climber.at
                left_bps -= _step(climber, left_bps, reserve_bps)
                if climber.at > before:
                    moving.append(climber)
        climbers = moving
    return left_bps


def _climbs_later(climber: _Climber) -> bool:
    """Than what was changed just now: that keeps what it has, or whoever speaks next would take its layer away."""
    return climber.demand.may_rise


def _step(climber: _Climber, left_bps: int, reserve_bps: int) -> int:
    """Up, if that can be paid. Returns the price; 0 for staying."""
    cost_bps = climber.cost_bps()
    is_step_up = climber.at + 1 > climber.held
    needed_bps = cost_bps + (reserve_bps if is_step_up else 0)
    if needed_bps > left_bps:
        climber.missing_bps = needed_bps - left_bps
        return 0
    if is_step_up and not _may_rise(climber):
        return 0
    climber.at += 1
    return cost_bps


def _oversend(climber: _Climber, left_bps: int) -> int:
    """The lowest rung for the first on stage, dearer than what is left, but not by much. Returns its price.

    It may go on at any time; to begin costs a key frame on top, and is tried seldom."""
    cost_bps, demand = climber.cost_bps(), climber.demand
    is_little = cost_bps - left_bps <= min(OVERSEND_BPS, OVERSEND_SHARE * left_bps)
    if demand.rank > Rank.STAGE or not is_little or not (demand.may_exceed or climber.held >= 0):
        return 0
    climber.at, climber.is_oversent = 0, True
    return cost_bps


def _may_rise(climber: _Climber) -> bool:
    """To more frames of the same layer at any time: that needs no key frame, and is hardly seen."""
    if climber.demand.may_rise or climber.held < 0:
        return True
    held, above = climber.options[climber.held], climber.options[climber.at + 1]
    return (above.layer, above.pixels) == (held.layer, held.pixels)
