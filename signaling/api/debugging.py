"""A room at this moment, all in one answer: who sends what, what is asked of them, who receives what, and why."""

from __future__ import annotations

import asyncio
from collections import Counter

from msgspec.structs import replace

from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import PageQuery, page
from signaling.api.tracks import figures_of
from signaling.api.watching import subscription_item
from signaling.api.watching_models import ParticipantDebug, RoomDebug
from signaling.errors import Refused
from signaling.messages import Explanation, TrackExplanation


class Debugging:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="debug_room",
                method="GET",
                path="/rooms/{room}/debug",
                tag="rooms",
                summary="Who sends and receives what in a room, how well, and why no better",
                description="Of each participant what arrives of each layer, which is asked for, what the connection "
                "carries, and of each track received the reason for its quality. Each one's session is asked, so that "
                "a page costs as much as asking for the subscriptions of everybody on it.",
                run=self._debug,
                query=PageQuery,
                answer=RoomDebug,
                problems=("unavailable",),
                example=Example(answer={"room": "standup", "items": [{"identity": "ada"}, {"identity": "eve"}]}),
            ),
        )

    async def _debug(self, asked: Asked) -> Answer:
        room = asked.path["room"]
        present = [one.participant for one in self._observer.directory.participants(room)]
        found, cursor = page(present, lambda one: one.identity, asked.query)
        statistics, told = await asyncio.gather(
            self._observer.statistics(room),
            asyncio.gather(*(self._explanation(room, one.identity) for one in found)),
        )
        items = []
        for one, explanation in zip(found, told, strict=True):
            figures = figures_of(one, statistics)
            state = ParticipantDebug(
                identity=one.identity,
                name=one.name,
                state=one.state,
                quality=figures.quality,
                published=figures.published,
            )
            items.append(_received(state, explanation))
        return Answer(RoomDebug(room=room, items=items, next_cursor=cursor))

    async def _explanation(self, room: str, identity: str) -> Explanation | Refused:
        """Somebody may leave meanwhile, or have lost his connection."""
        try:
            return await self._observer.explanation(room, identity)
        except Refused as refused:
            return refused


def _received(state: ParticipantDebug, told: Explanation | Refused) -> ParticipantDebug:
    if isinstance(told, Refused):
        return replace(state, refused=told.code)
    placed = [track for track in told.tracks if _has_place(track)]
    rest = Counter(track.reason for track in told.tracks if not _has_place(track))
    return replace(
        state,
        budget_bps=told.budget_bps,
        estimate_bps=told.estimate_bps,
        received=[subscription_item(track) for track in placed],
        without_place=dict(rest),
    )


def _has_place(track: TrackExplanation) -> bool:
    return track.since_s is not None or track.reason == "codec"
