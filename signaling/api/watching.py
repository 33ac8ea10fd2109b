"""What somebody receives and shows: the wishes behind it, and why it looks as it does.

Wishes set here are as if his own client had said them: the last one who says something is right.
"""

from __future__ import annotations

from operator import methodcaller

from msgspec import UNSET
from msgspec.structs import asdict

from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.participants import PARTICIPANT
from signaling.api.reasons import sentence
from signaling.api.versions import check_version, expected_version, version_of
from signaling.api.watching_models import (
    LayoutTile,
    ShownLayout,
    SubscriptionChange,
    SubscriptionItem,
    SubscriptionList,
    SubscriptionWish,
    VersionedLayout,
    VersionedWish,
)
from signaling.errors import Refused
from signaling.lane import Steps
from signaling.messages import Layout, Tile, TrackExplanation
from signaling.subscribing import Subscribing
from signaling.wishes import Wish

_SUBSCRIPTIONS = PARTICIPANT + "/subscriptions"
_LAYOUT = PARTICIPANT + "/layout"


class Watching:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def operations(self) -> tuple[Operation, ...]:
        return (*self._receiving(), *self._showing())

    def _receiving(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_subscriptions",
                method="GET",
                path=_SUBSCRIPTIONS,
                tag="subscriptions",
                summary="What a participant receives, and why in this quality",
                run=self._list,
                answer=SubscriptionList,
                problems=("unavailable", "conflict"),
                example=Example(answer={"identity": "ada"}),
            ),
            Operation(
                name="get_subscription",
                method="GET",
                path=_SUBSCRIPTIONS + "/{track}",
                tag="subscriptions",
                summary="Whether a participant is to receive a track, and how much of it at most",
                run=self._get,
                answer=VersionedWish,
                versioned=True,
                problems=("unavailable", "conflict"),
                example=Example(answer={"subscribed": True, "max_rid": None}),
            ),
            Operation(
                name="change_subscription",
                method="PATCH",
                path=_SUBSCRIPTIONS + "/{track}",
                tag="subscriptions",
                summary="Let a participant receive a track, or not, or less of it",
                description="As if its client had asked for it, which may ask for something else afterwards.",
                run=self._change,
                body=SubscriptionChange,
                answer=VersionedWish,
                changes=True,
                problems=("unavailable", "conflict", "unknown_layer"),
                example=Example(body={"max_rid": None, "subscribed": True}, answer={"subscribed": True}),
            ),
            Operation(
                name="explain_subscription",
                method="GET",
                path=_SUBSCRIPTIONS + "/{track}/explain",
                tag="subscriptions",
                summary="Why a participant sees one track as he does",
                run=self._explain,
                answer=SubscriptionItem,
                problems=("unavailable", "conflict", "unknown_subscription"),
            ),
        )

    def _showing(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="get_layout",
                method="GET",
                path=_LAYOUT,
                tag="subscriptions",
                summary="What a participant's client says that it shows",
                run=self._get_layout,
                answer=VersionedLayout,
                versioned=True,
                problems=("unavailable", "conflict"),
                example=Example(answer={"tiles": None, "last_n": None}),
            ),
            Operation(
                name="set_layout",
                method="PUT",
                path=_LAYOUT,
                tag="subscriptions",
                summary="Say what a participant's client shows, whole",
                description="For clients that say nothing of it themselves; the next one that the client says counts "
                "instead. Tiles of tracks that there are not (yet) are kept.",
                run=self._set_layout,
                body=ShownLayout,
                answer=VersionedLayout,
                changes=True,
                problems=("unavailable", "conflict"),
                example=Example(
                    body={
                        "tiles": [
                            {"track": "TR_3c2a9bd17f0e4c5ab6d1", "width": 1280, "height": 720, "on_stage": True},
                        ],
                        "last_n": 4,
                        "max_bps": 2_000_000,
                    },
                    answer={"last_n": 4, "max_bps": 2_000_000},
                ),
            ),
        )

    async def _list(self, asked: Asked) -> Answer:
        room, identity = self._place(asked)
        told = await self._observer.explanation(room, identity)
        items = [subscription_item(track) for track in told.tracks]
        return Answer(
            SubscriptionList(identity=identity, budget_bps=told.budget_bps, estimate_bps=told.estimate_bps, items=items)
        )

    async def _get(self, asked: Asked) -> Answer:
        track = asked.path["track"]
        return _wished(track, await self._observer.ask_about(*self._place(asked), methodcaller("wish", track)))

    async def _change(self, asked: Asked) -> Answer:
        (room, identity), track, change = self._place(asked), asked.path["track"], asked.body
        subscribed = None if change.subscribed is UNSET else change.subscribed
        version = expected_version(asked.if_match)

        def change_if_it_is_still_so(subscribing: Subscribing) -> Steps[Wish]:
            check_version(version, _wish(track, (yield from subscribing.wish(track))))
            return (yield from subscribing.change(track, subscribed, change.max_rid))

        return _wished(track, await self._observer.ask_about(room, identity, change_if_it_is_still_so))

    async def _explain(self, asked: Asked) -> Answer:
        room, identity = self._place(asked)
        told = await self._observer.explanation(room, identity)
        track = next((one for one in told.tracks if one.track == asked.path["track"]), None)
        if track is None:
            raise Refused("unknown_subscription", f"{identity} receives no such track")
        return Answer(subscription_item(track))

    async def _get_layout(self, asked: Asked) -> Answer:
        return _laid_out(await self._observer.ask_about(*self._place(asked), methodcaller("layout")))

    async def _set_layout(self, asked: Asked) -> Answer:
        wish: ShownLayout = asked.body
        tiles = None if wish.tiles is None else tuple(Tile(**asdict(tile)) for tile in wish.tiles)
        layout = Layout(id=0, tiles=tiles, last_n=wish.last_n, max_bps=wish.max_bps)
        version = expected_version(asked.if_match)

        def show_if_it_is_still_so(subscribing: Subscribing) -> Steps[Layout]:
            check_version(version, _shown((yield from subscribing.layout())))
            return (yield from subscribing.show(layout))

        return _laid_out(await self._observer.ask_about(*self._place(asked), show_if_it_is_still_so))

    def _place(self, asked: Asked) -> tuple[str, str]:
        room, identity = asked.path["room"], asked.path["identity"]
        self._observer.directory.participant(room, identity)
        return room, identity


def _wish(track: str, wish: Wish) -> SubscriptionWish:
    return SubscriptionWish(track=track, subscribed=wish.subscribed, max_rid=wish.max_rid)


def _wished(track: str, wish: Wish) -> Answer:
    version = version_of(_wish(track, wish))
    answer = VersionedWish(track=track, subscribed=wish.subscribed, max_rid=wish.max_rid, version=version)
    return Answer(answer, version=str(version))


def _laid_out(layout: Layout) -> Answer:
    shown = _shown(layout)
    version = version_of(shown)
    answer = VersionedLayout(tiles=shown.tiles, last_n=shown.last_n, max_bps=shown.max_bps, version=version)
    return Answer(answer, version=str(version))


def _shown(layout: Layout) -> ShownLayout:
    tiles = None if layout.tiles is None else [LayoutTile(**asdict(tile)) for tile in layout.tiles]
    return ShownLayout(tiles=tiles, last_n=layout.last_n, max_bps=layout.max_bps)


def subscription_item(track: TrackExplanation) -> SubscriptionItem:
    return SubscriptionItem(
        track=track.track,
        reason=track.reason,
        explanation=sentence(track),
        since_s=track.since_s,
        rid=track.rid,
        wanted_rid=track.wanted_rid,
        ideal_rid=track.ideal_rid,
        bitrate_bps=track.bitrate_bps,
        missing_bps=track.missing_bps,
        tile_pixels=track.tile_pixels,
        score=track.score,
        cause=track.cause,
        loss=track.loss,
        frames=track.frames,
    )
