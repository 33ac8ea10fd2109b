"""What a WHEP session does for its viewer: it sends one participant's tracks on the m-lines of the viewer's offer.

    room ─► who is watched ─► which track on which m-line ─► reconcile: Unsubscribe what ended, Subscribe what is there

The m-lines, their SSRCs and payload types are settled once; afterwards only the tracks behind them change: nobody there
yet, gone, back again, another screen. Who is watched is the one the viewer named, or else whoever published first, as
long as he publishes anything. Procedures for a Lane; see there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sfu import control
from sfu.control import Done, IceParameters, SlotAdded, TransportOpened
from signaling.answering import Answering
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.explaining import explanation, unsent
from signaling.lane import Lane, Procedure, Steps, expect
from signaling.messages import (
    Explanation,
    ParticipantJoined,
    ParticipantLeft,
    TrackExplanation,
    TrackPublished,
    TrackUnpublished,
)
from signaling.names import Names
from signaling.negotiation import OfferedMedia, SlotLine
from signaling.outputs import Output
from signaling.room_events import Entered, MediaMoved, RoomEvent
from signaling.seating import RemoteTrack
from signaling.whip.lines import SOURCES, check_lines

logger = logging.getLogger(__name__)

# All m-lines are one stream, whoever is watched: players take a stream's picture and sound together.
STREAM = "watched"


@dataclass(slots=True)
class _Line:
    media: OfferedMedia
    slot: str  # to the Worker
    track: str | None = None
    subscription: str | None = None  # while media may flow


class Egress:
    """Raises Refused or ProtocolError when this offer cannot be served, before anybody hears of it."""

    def __init__(
        self,
        grant: Grant,
        offer: str,
        participant: str | None,
        *,
        names: Names,
        emit: Callable[[Output], None],
        lane: Lane,
    ) -> None:
        if not grant.grants.subscribe:
            raise Refused("not_granted", "the token does not permit subscribing")
        if participant == grant.identity:
            raise Refused("not_granted", "a viewer needs an identity of its own; it would replace whom it watches")
        self._identity = grant.identity
        self._wished = participant
        self._names = names
        self._lane = lane
        self._connection = Answering(
            room=grant.room,
            identity=grant.identity,
            names=names,
            emit=emit,
            may_send_messages=grant.grants.message,
        )
        self._offer = self._connection.answerer.on_offer(offer)
        self._lines = [_Line(media, names.slot()) for media in check_lines(self._offer, sends=False)]
        self._tracks: dict[str, RemoteTrack] = {}  # of the others, in order of publishing
        self._media: dict[str, str | None] = {}  # of the tracks that have moved; see MediaMoved
        self._watched = participant
        self._flowing = False  # the offer is answered
        self._unsettled = False
        self._reconciling = False  # is in the lane, not yet begun

    @property
    def transport(self) -> str | None:
        return self._connection.transport

    def begin(self) -> Steps[str]:
        yield from self._connection.open()
        yield from self._connection.connect(self._offer.remote)
        replies = yield [self._add_slot(line) for line in self._lines]
        sent = [
            _slot_line(line.media, expect(reply, SlotAdded)) for line, reply in zip(self._lines, replies, strict=True)
        ]
        self._flowing = self._unsettled = True
        return self._connection.answerer.answer(self._connection.local, receive=(), send=sent)

    def explanation(self) -> Steps[Explanation]:
        tracks = {line.subscription: self._tracks.get(line.track or "") for line in self._lines if line.subscription}

        def rest(explained: Collection[str]) -> list[TrackExplanation]:
            """The viewer has none of their codecs. What has no m-line was not asked for."""
            refused = [line.track for line in self._lines if line.track is not None and line.subscription is None]
            return [unsent(name, "codec") for name in refused]

        return explanation(0, self._names, self.transport, tracks.get, rest)

    def is_restart(self, ice: IceParameters) -> bool:
        return self._connection.is_restart(ice)

    def restart_ice(self, ice: IceParameters) -> Steps[TransportOpened]:
        return self._connection.restart_ice(ice)

    def on_gone(self) -> None:
        self._connection.on_gone()

    def close(self) -> None:
        self._connection.close()

    # --- the room ---

    def on_entered(self, entered: Entered) -> None:
        for participant in entered.others:
            for track in participant.tracks:
                self._add(RemoteTrack(participant.identity, track))
        self._media.update(entered.media)

    def on_room_event(self, event: RoomEvent) -> None:
        match event:
            case TrackPublished(identity=identity, track=track):
                self._add(RemoteTrack(identity, track))
            case TrackUnpublished(track=name):
                self._remove(name)
            case MediaMoved(track=name, media=media):
                self._media[name] = media
                self._free(name)
            case ParticipantJoined(participant=participant):
                for track in participant.tracks:
                    self._add(RemoteTrack(participant.identity, track))
            case ParticipantLeft(identity=identity):
                for name in [one.name for one in self._tracks.values() if one.participant == identity]:
                    self._remove(name)

    def settle(self) -> None:
        """After everything that happened at once has been fed."""
        if self._flowing and self._unsettled and not self._reconciling:
            self._unsettled = False
            self._reconciling = True
            self._lane.start(self._reconcile())

    def _add(self, track: RemoteTrack) -> None:
        self._tracks[track.name] = track
        self._unsettled = True

    def _remove(self, name: str) -> None:
        self._tracks.pop(name, None)
        self._media.pop(name, None)
        self._free(name)

    def _free(self, name: str) -> None:
        """The Worker has ended its Subscriptions already."""
        for line in self._lines:
            if line.track == name:
                line.track = line.subscription = None
        self._unsettled = True

    # --- reconciling ---

    def _reconcile(self) -> Procedure:
        self._reconciling = False
        wanted = self._assignment()
        ended = []
        for line in self._lines:
            if line.track is not None and line.track != wanted.get(line.slot):
                if line.subscription is not None:
                    ended.append(line.subscription)
                line.track = line.subscription = None
        # Failed: the track ended first, and its Subscriptions with it.
        yield [control.Unsubscribe(call=self._names.call(), subscription=name) for name in ended]
        starting, commands = [], []
        for line in self._lines:
            name = wanted.get(line.slot)
            media = self._media.get(name, name) if name in self._tracks else None
            if line.track is None and media is not None:
                line.track, line.subscription = name, self._names.subscription()
                starting.append(line)
                commands.append(
                    control.Subscribe(
                        call=self._names.call(), subscription=line.subscription, slot=line.slot, track=media
                    )
                )
        replies = yield commands
        for line, command, reply in zip(starting, commands, replies, strict=True):
            if not isinstance(reply, Done) and line.subscription == command.subscription:
                # It ended, and the room is about to say so; or the viewer has none of its codecs: a dark m-line, then.
                line.subscription = None
                logger.warning("track %s not forwarded to %s: %s", command.track, self._identity, reply)

    def _assignment(self) -> dict[str, str]:
        """Track by Slot. Of a kind, the first m-line takes the camera (the microphone) if there is one."""
        theirs = [track for track in self._tracks.values() if track.participant == self._who()]
        assigned = {}
        for kind, sources in SOURCES.items():
            tracks = [track for track in theirs if track.description.kind == kind]
            tracks.sort(key=lambda track: sources.index(track.description.source))
            lines = [line for line in self._lines if line.media.kind == kind]
            assigned.update({line.slot: track.name for line, track in zip(lines, tracks, strict=False)})
        return assigned

    def _who(self) -> str | None:
        publishing = [track.participant for track in self._tracks.values()]
        if self._wished is None and self._watched not in publishing:
            self._watched = publishing[0] if publishing else None
        return self._watched

    def _add_slot(self, line: _Line) -> control.AddSlot:
        assert self.transport is not None
        return control.AddSlot(
            call=self._names.call(),
            transport=self.transport,
            slot=line.slot,
            mid=line.media.mid,
            kind=line.media.kind,
            payload_types=line.media.payload_types,
        )


def _slot_line(media: OfferedMedia, added: SlotAdded) -> SlotLine:
    return SlotLine(media.mid, media.kind, added.ssrc, added.rtx_ssrc, STREAM, media.mid)
