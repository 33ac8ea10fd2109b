"""What somebody publishes, and what arrives of it."""

from __future__ import annotations

from collections.abc import Sequence

from sfu.control import Statistics, TrackStatistics
from signaling.api.models import (
    LayerFigures,
    ParticipantFigures,
    TrackChange,
    TrackFigures,
    TrackList,
)
from signaling.api.observing import Observer, public_name
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.participants import PARTICIPANT
from signaling.errors import Refused
from signaling.message_values import Participant, TrackDescription
from signaling.quality import quality_of, rounded

_TRACKS = PARTICIPANT + "/tracks"


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
                summary="What arrives from a participant, layer by layer, and how good the call is",
                run=self._figures,
                answer=ParticipantFigures,
                problems=("unavailable",),
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
        statistics = await self._observer.statistics(asked.path["room"])
        return Answer(figures_of(participant, statistics))

    def _participant(self, asked: Asked) -> Participant:
        return self._observer.directory.participant(asked.path["room"], asked.path["identity"]).participant

    def _track(self, asked: Asked) -> tuple[str, str, TrackDescription]:
        participant = self._participant(asked)
        track = next((one for one in participant.tracks if one.id == asked.path["track"]), None)
        if track is None:
            raise Refused("unknown_track", f"{participant.identity} publishes no such track")
        return asked.path["room"], participant.identity, track


def figures_of(participant: Participant, statistics: Statistics) -> ParticipantFigures:
    """`statistics`: of the room."""
    mine = {track.id: track.rids for track in participant.tracks}
    told = next((one for one in statistics.participants if one.participant == participant.identity), None)
    return ParticipantFigures(
        identity=participant.identity,
        quality=None if told is None else quality_of(told, figures=True),
        published=[
            _track_figures(track, mine[public_name(track.track)])
            for track in statistics.tracks
            if public_name(track.track) in mine
        ],
    )


def _track_figures(track: TrackStatistics, rids: Sequence[str]) -> TrackFigures:
    asked = track.asked_layer
    return TrackFigures(
        track=public_name(track.track),
        asked_rid=None if asked < 0 else rids[asked] if asked < len(rids) else "",
        key_frame_requests=track.key_frame_requests,
        score=rounded(track.quality.score),
        cause=track.quality.cause,
        loss=track.quality.loss,
        jitter_s=track.quality.jitter_s,
        layers=[
            LayerFigures(
                rid=layer.rid,
                active=layer.active,
                bitrate_bps=layer.bitrate_bps,
                packets=layer.packets,
                lost=layer.lost,
                jitter_s=layer.jitter_s,
                frames=layer.frames,
                freezes=layer.freezes,
                frozen_s=layer.frozen_s,
            )
            for layer in track.layers
        ],
    )
