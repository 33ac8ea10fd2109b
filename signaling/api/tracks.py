"""What somebody publishes and receives, what arrives of it, and why it looks as it does."""

from __future__ import annotations

from signaling.api.models import (
    LayerFigures,
    ParticipantFigures,
    SubscriptionItem,
    SubscriptionList,
    TrackChange,
    TrackFigures,
    TrackList,
)
from signaling.api.observing import Observer, public_name
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.participants import PARTICIPANT
from signaling.api.reasons import sentence
from signaling.errors import Refused
from signaling.message_values import Participant, TrackDescription
from signaling.messages import TrackExplanation

_TRACKS = PARTICIPANT + "/tracks"
_SUBSCRIPTIONS = PARTICIPANT + "/subscriptions"


class Tracks:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_tracks",
                method="GET",
                path=_TRACKS,
                tag="tracks",
                summary="What a participant publishes",
                run=self._list,
                answer=TrackList,
            ),
            Operation(
                name="change_track",
                method="PATCH",
                path=_TRACKS + "/{track}",
                tag="tracks",
                summary="Mute a track",
                description="Whatever its client does, it is not forwarded, nor is anything else of its source, until "
                "the participant is asked to unmute.",
                run=self._change,
                body=TrackChange,
                problems=("conflict", "unavailable"),
                example=Example(body={"muted": True}),
            ),
            Operation(
                name="stop_track",
                method="DELETE",
                path=_TRACKS + "/{track}",
                tag="tracks",
                summary="Stop a track",
                description="It is not published any more; the participant may publish another.",
                run=self._stop,
                problems=("unavailable",),
            ),
            Operation(
                name="get_figures",
                method="GET",
                path=PARTICIPANT + "/stats",
                tag="tracks",
                summary="What arrives from a participant, layer by layer",
                run=self._figures,
                answer=ParticipantFigures,
                problems=("unavailable",),
            ),
            Operation(
                name="list_subscriptions",
                method="GET",
                path=_SUBSCRIPTIONS,
                tag="subscriptions",
                summary="What a participant receives, and why in this quality",
                run=self._subscriptions,
                answer=SubscriptionList,
                problems=("unavailable", "conflict"),
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

    async def _list(self, asked: Asked) -> Answer:
        return Answer(TrackList(items=list(self._participant(asked).tracks)))

    async def _change(self, asked: Asked) -> Answer:
        room, identity, track = self._track(asked)
        change: TrackChange = asked.body
        if not change.muted:
            raise Refused("conflict", "nobody can unmute somebody else; ask-to-unmute asks for it")
        await self._observer.perform(lambda directory, now: directory.mute_track(room, identity, track.id))
        return Answer()

    async def _stop(self, asked: Asked) -> Answer:
        room, identity, track = self._track(asked)
        await self._observer.perform(lambda directory, now: directory.stop_track(room, identity, track.id))
        return Answer()

    async def _figures(self, asked: Asked) -> Answer:
        participant = self._participant(asked)
        mine = {track.id for track in participant.tracks}
        statistics = await self._observer.statistics(asked.path["room"])
        published = [
            TrackFigures(
                track=public_name(track.track),
                key_frame_requests=track.key_frame_requests,
                layers=[
                    LayerFigures(
                        rid=layer.rid,
                        active=layer.active,
                        bitrate_bps=layer.bitrate_bps,
                        packets=layer.packets,
                        lost=layer.lost,
                        jitter_s=layer.jitter_s,
                    )
                    for layer in track.layers
                ],
            )
            for track in statistics.tracks
            if public_name(track.track) in mine
        ]
        return Answer(ParticipantFigures(identity=participant.identity, published=published))

    async def _subscriptions(self, asked: Asked) -> Answer:
        identity = self._participant(asked).identity
        told = await self._observer.explanation(asked.path["room"], identity)
        items = [_subscription(track) for track in told.tracks]
        return Answer(
            SubscriptionList(identity=identity, budget_bps=told.budget_bps, estimate_bps=told.estimate_bps, items=items)
        )

    async def _explain(self, asked: Asked) -> Answer:
        identity = self._participant(asked).identity
        told = await self._observer.explanation(asked.path["room"], identity)
        track = next((one for one in told.tracks if one.track == asked.path["track"]), None)
        if track is None:
            raise Refused("unknown_subscription", f"{identity} receives no such track")
        return Answer(_subscription(track))

    def _participant(self, asked: Asked) -> Participant:
        return self._observer.directory.participant(asked.path["room"], asked.path["identity"]).participant

    def _track(self, asked: Asked) -> tuple[str, str, TrackDescription]:
        participant = self._participant(asked)
        track = next((one for one in participant.tracks if one.id == asked.path["track"]), None)
        if track is None:
            raise Refused("unknown_track", f"{participant.identity} publishes no such track")
        return asked.path["room"], participant.identity, track


def _subscription(track: TrackExplanation) -> SubscriptionItem:
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
    )
