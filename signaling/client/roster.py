"""Who is in the room and what they publish, as the server's events tell it. A pure fold over messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from signaling.messages import (
    AnyEvent,
    Participant,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantQuality,
    QualityChanged,
    TrackDescription,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)
from signaling.moderation_messages import AttributesChanged, ConsentChanged, HandChanged, StageChanged


class Roster:
    """The others, by identity. Participants are values: a change puts a new one in place."""

    def __init__(self, participants: Iterable[Participant]) -> None:
        self.participants = {participant.identity: participant for participant in participants}

    def track(self, track: str) -> tuple[Participant, TrackDescription] | None:
        """A track of the others and whose it is."""
        for participant in self.participants.values():
            for description in participant.tracks:
                if description.id == track:
                    return participant, description
        return None

    def differences(self, participants: Iterable[Participant]) -> list[AnyEvent]:
        """The events that lead from here to how things are now, after some were missed."""
        now = {participant.identity: participant for participant in participants}
        # Why somebody went was missed, too.
        events: list[AnyEvent] = [
            ParticipantLeft(identity=identity, reason="disconnected")
            for identity in self.participants
            if identity not in now
        ]
        for identity, participant in now.items():
            before = self.participants.get(identity)
            if before is None:
                events.append(ParticipantJoined(participant=participant))
            elif before != participant:
                events += _changes(before, participant)
        return events

    def on_event(self, event: AnyEvent) -> None:
        """Events about somebody who is not here are ignored: they left in the meantime."""
        match event:
            case ParticipantJoined():
                self.participants[event.participant.identity] = event.participant
            case ParticipantLeft():
                self.participants.pop(event.identity, None)
            case ParticipantChanged():
                if participant := self.participants.get(event.identity):
                    self.participants[event.identity] = msgspec.structs.replace(participant, state=event.state)
            case TrackPublished():
                self._replace(event.identity, add=event.track)
            case TrackUnpublished():
                self._replace(event.identity, remove=event.track)
            case HandChanged():
                self._say(event.identity, hand=event.hand)
            case StageChanged():
                self._say(event.identity, on_stage=event.on_stage)
            case AttributesChanged():
                self._say(event.identity, metadata=event.metadata, attributes=event.attributes)
            case QualityChanged():
                for one in event.participants:
                    self._say(one.identity, quality=one.quality)
            case ConsentChanged():
                self._say(event.identity, consent=event.given)
            case TrackMuted():
                if found := self.track(event.track):
                    self._replace(event.identity, add=msgspec.structs.replace(found[1], muted=event.muted))
            case _:
                pass

    def _say(self, identity: str, **changes: Any) -> None:
        if participant := self.participants.get(identity):
            self.participants[identity] = msgspec.structs.replace(participant, **changes)

    def _replace(self, identity: str, *, add: TrackDescription | None = None, remove: str | None = None) -> None:
        participant = self.participants.get(identity)
        if participant is None:
            return
        gone = remove if add is None else add.id
        tracks = tuple(track for track in participant.tracks if track.id != gone)
        if add is not None:
            tracks += (add,)
        self.participants[identity] = msgspec.structs.replace(participant, tracks=tracks)


def _changes(before: Participant, after: Participant) -> Iterator[AnyEvent]:
    identity = before.identity
    if before.state != after.state:
        yield ParticipantChanged(identity=identity, state=after.state)
    if before.hand != after.hand:
        yield HandChanged(identity=identity, hand=after.hand)
    if before.on_stage != after.on_stage:
        yield StageChanged(identity=identity, on_stage=after.on_stage)
    if (before.metadata, before.attributes) != (after.metadata, after.attributes):
        yield AttributesChanged(identity=identity, metadata=after.metadata, attributes=after.attributes)
    if before.quality != after.quality:
        yield QualityChanged(participants=(ParticipantQuality(identity=identity, quality=after.quality),))
    if before.consent != after.consent and after.consent is not None:
        yield ConsentChanged(identity=identity, given=after.consent)
    had, has = ({track.id: track for track in one.tracks} for one in (before, after))
    for name in had.keys() - has.keys():
        yield TrackUnpublished(identity=identity, track=name)
    for name, track in has.items():
        if name not in had:
            yield TrackPublished(identity=identity, track=track)
        elif had[name].muted != track.muted:
            yield TrackMuted(identity=identity, track=name, muted=track.muted)
