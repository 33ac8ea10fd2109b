"""One participant's `publish` connection: the client offers, its tracks go to the Worker and are told to the others.

    publish ─► read the offer ─► what is new, what ended ─► OpenTransport (first time), ConnectTransport,
               AddTrack … RemoveTrack ─► answer ─► published

An m-line is a Track while it sends and the client has said what its source is. Everything that can be refused is
refused before the Worker hears of it. Procedures for a Lane; see there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from sfu import control
from sfu.control import AnyReply, Done, IceParameters, TransportOpened
from signaling.answering import Answering
from signaling.errors import Refused
from signaling.lane import Procedure, Steps, expect
from signaling.limits import SessionLimits
from signaling.messages import (
    KIND_OF_SOURCE,
    Grants,
    Mute,
    Ok,
    Publish,
    Published,
    PublishedTrack,
    ReportSent,
    SetEncodings,
    Source,
    TrackDescription,
    TrackMuted,
    TrackPublished,
    TrackToPublish,
    TrackUnpublished,
    Unpublish,
)
from signaling.moderation_messages import MutedBy, RoomState, TrackStopped
from signaling.names import Names
from signaling.negotiation import OfferedMedia, ReadOffer
from signaling.outputs import Announce, Output, Send
from signaling.room_events import MediaMoved


@dataclass(frozen=True, slots=True)
class _LiveTrack:
    mid: str
    media: str  # as named to the Worker
    description: TrackDescription


@dataclass(frozen=True, slots=True)
class _NewTrack:
    line: OfferedMedia
    media: str  # as named to the Worker
    description: TrackDescription
    pixels: int | None  # of its best layer


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an offer changes."""

    added: tuple[_NewTrack, ...]
    ended: tuple[str, ...]  # track names, of live and of lost ones


class Publishing:
    def __init__(
        self,
        *,
        room: str,
        identity: str,
        grants: Grants,
        held: Iterable[Source] = (),
        keeps_messages: int = 0,
        is_encrypted: bool = False,
        names: Names,
        limits: SessionLimits,
        emit: Callable[[Output], None],
    ) -> None:
        self._identity = identity
        self._grants = grants
        self._held = dict.fromkeys(held, "")  # kept muted by a moderator: by whom
        self._is_encrypted = is_encrypted  # end to end
        self._stopping: dict[str, str] = {}  # tracks that a moderator has stopped: by whom
        self._names = names
        self._limits = limits
        self._emit = emit
        self._connection = Answering(
            room=room,
            identity=identity,
            names=names,
            emit=emit,
            may_send_messages=grants.message,
            keeps_messages=keeps_messages,
        )
        self._tracks: dict[str, _LiveTrack] = {}  # by name
        self._encodings: dict[str, SetEncodings] = {}  # what was last said of live tracks, if anything
        self._lost: dict[str, TrackDescription] = {}  # whose connection was reset; the next `publish` takes them up

    @property
    def needed(self) -> bool:
        """Tracks wait for a connection, or there is one."""
        return bool(self._lost) or self.transport is not None

    def on_room_changed(self, state: RoomState) -> None:
        """From the next offer on."""
        self._is_encrypted = state.end_to_end_encrypted

    @property
    def transport(self) -> str | None:
        """As named to the Worker, while there is one."""
        return self._connection.transport

    def publish(self, request: Publish) -> Procedure:
        # Without tracks the connection is for messages, which everybody may receive.
        for wish in request.tracks:
            if not self._grants.may_publish(wish.source):
                raise Refused("not_granted", f"publishing a {wish.source} is not permitted")
        # What is encrypted cannot be stripped for who does not take it, and who comes later may not.
        offer = self._connection.answerer.on_offer(request.sdp, redundancy=not self._is_encrypted)
        plan = self._plan(offer, request.tracks)
        first = self.transport is None
        if first:
            yield from self._connection.open()
        try:
            yield from self._connection.connect(offer.remote)
            yield from self._add(plan.added)
        except Refused:
            # Without an answer the client never connects, and a Transport that is never connected ends the session.
            if first:
                self.close()
            raise
        yield from self._remove(plan.ended)
        answer = self._connection.answerer.answer(
            self._connection.local, receive={track.mid for track in self._tracks.values()}
        )
        live = tuple(PublishedTrack(mid=track.mid, track=name) for name, track in self._tracks.items())
        self._emit(Send(Published(id=request.id, sdp=answer, tracks=live)))
        for new in plan.added:
            self._announce(new)
            if new.description.source in self._held:
                self._say_held(new.description)

    def unpublish(self, request: Unpublish) -> Procedure:
        self._own(request.track)
        yield from self._remove((request.track,))
        self._emit(Send(Ok(id=request.id)))

    def mute(self, request: Mute) -> Procedure:
        description = self._own(request.track)
        if not request.muted and description.source in self._held:
            raise Refused("muted_by_moderator", "a moderator has muted it, and has not asked to unmute")
        yield from self._set_muted(description, request.muted)
        self._emit(Send(Ok(id=request.id)))

    # What a moderator decides holds at once; `enforce`, in the lane, sees to what is published already.

    def hold(self, source: Source, by: str) -> None:
        """Keep everything of this source muted."""
        self._held[source] = by
        for track in self.descriptions():
            if track.source == source:
                self._say_held(track)

    def release(self, source: Source) -> None:
        """It stays muted, until its publisher says otherwise."""
        self._held.pop(source, None)

    def stop(self, track: str, by: str) -> None:
        self._stopping[track] = by

    @property
    def may_send_messages(self) -> bool:
        return self._grants.message

    def permit(self, grants: Grants) -> None:
        """What may not be published any more is not."""
        self._grants = grants

    def enforce(self) -> Procedure:
        for track in self.descriptions():
            if track.id in self._stopping or not self._grants.may_publish(track.source):
                by = self._stopping.get(track.id, "")
                yield from self._remove((track.id,))
                self._emit(Send(TrackStopped(track=track.id, by=by)))
            elif track.source in self._held:
                yield from self._set_muted(track, True)
        self._stopping.clear()
        yield from self._connection.permit_messages(self._grants.message)

    def unmute(self, source: Source) -> Procedure:
        """For who has no way to say it."""
        for track in self.descriptions():
            if track.source == source:
                yield from self._set_muted(track, False)

    def descriptions(self) -> list[TrackDescription]:
        """Of all that is published, on a connection or waiting for one."""
        return [*(track.description for track in self._tracks.values()), *self._lost.values()]

    def take_replay(self) -> bool:
        """Whether the messages that the room keeps are to be told to who opens them now."""
        return self._connection.take_replay()

    def is_restart(self, ice: IceParameters) -> bool:
        return self._connection.is_restart(ice)

    def restart_ice(self, ice: IceParameters) -> Steps[TransportOpened]:
        """The client has new credentials, and makes no offer of it; returns ours."""
        return self._connection.restart_ice(ice)

    def on_layers_wanted(self, notice: control.LayersWanted) -> None:
        for name, track in self._tracks.items():
            if track.media == notice.track:
                rids = track.description.rids or ("",)
                self._encodings[name] = SetEncodings(track=name, rids=rids[: notice.best_layer + 1])
                self._emit(Send(self._encodings[name]))

    def say_encodings(self) -> None:
        """Again, to a client that may have missed it."""
        for encodings in self._encodings.values():
            self._emit(Send(encodings))

    def on_gone(self) -> None:
        """The Transport exists no more, and the session ends with it."""
        self._connection.on_gone()

    def report(self, request: ReportSent) -> Procedure:
        """Of a track that waits for a connection it is said again when that has begun."""
        self._own(request.track)
        track = self._tracks.get(request.track)
        if track is not None:
            strained = request.limited_by == "cpu"
            (reply,) = yield [control.SetTrackStrained(call=self._names.call(), track=track.media, strained=strained)]
            expect(reply, Done)
        self._emit(Send(Ok(id=request.id)))

    def reset(self) -> None:
        """The Transport exists no more, or is not to: the tracks wait for another."""
        self._connection.close()
        for name, track in self._tracks.items():
            self._lost[name] = track.description
            self._emit(Announce(MediaMoved(name, None)))
        self._tracks.clear()
        self._encodings.clear()  # on the next connection all layers are sent at first

    def close(self) -> None:
        """Nothing of the connection is left; a next `publish` would begin anew."""
        self._connection.close()
        self._tracks.clear()

    def _set_muted(self, description: TrackDescription, muted: bool) -> Procedure:
        if description.muted == muted:
            return
        changed = replace(description, muted=muted)
        track = self._tracks.get(description.id)
        if track is None:
            self._lost[description.id] = changed
        else:
            (reply,) = yield [control.SetTrackMuted(call=self._names.call(), track=track.media, muted=muted)]
            expect(reply, Done)
            self._tracks[description.id] = _LiveTrack(track.mid, track.media, changed)
        self._announce_muted(changed)

    def _say_held(self, track: TrackDescription) -> None:
        self._emit(Send(MutedBy(track=track.id, by=self._held[track.source])))

    def _plan(self, offer: ReadOffer, wanted: Sequence[TrackToPublish]) -> _Plan:
        """Raises Refused when it cannot be done as asked."""
        sending = {media.mid: media for media in offer.media if media.sends}
        live = {track.mid: name for name, track in self._tracks.items()}
        added: dict[str, _NewTrack] = {}
        for wish in wanted:
            line = sending.get(wish.mid)
            if line is None:
                raise Refused("sdp_unsupported", f"tracks: no m-line with mid {wish.mid[:16]!r} sends")
            if wish.mid not in live:
                added[wish.mid] = self._describe(line, wish)
        ended = tuple(name for mid, name in live.items() if mid not in sending or not sending[mid].formats)
        taken_up = [new.description.id for new in added.values()]
        if len(taken_up) > len(set(taken_up)):
            raise Refused("sdp_unsupported", "tracks: one track goes on at two places")
        ended += tuple(name for name in self._lost if name not in taken_up)
        if len(live) - len(ended) + len(added) > self._limits.max_tracks:
            raise Refused("limit", f"a participant publishes at most {self._limits.max_tracks} tracks")
        return _Plan(tuple(added.values()), ended)

    def _describe(self, line: OfferedMedia, wish: TrackToPublish) -> _NewTrack:
        if KIND_OF_SOURCE[wish.source] != line.kind:
            raise Refused("sdp_unsupported", f"tracks: mid {line.mid} is {line.kind}, which no {wish.source} is")
        if not line.formats:
            raise Refused("sdp_unsupported", f"mid {line.mid}: no {line.kind} codec that is forwarded here")
        name = self._names.track() if wish.track is UNSET else wish.track
        muted = wish.muted or wish.source in self._held
        description = TrackDescription(id=name, kind=line.kind, source=wish.source, muted=muted, rids=line.rids)
        sides = 0 if wish.width is UNSET or wish.height is UNSET else wish.width * wish.height
        pixels = sides or None
        if wish.track is UNSET:
            return _NewTrack(line, name, description, pixels)
        lost = self._lost.get(name)
        if lost is None:
            raise Refused("unknown_track", f"you have no track {name[:32]} that waits for a connection")
        if replace(lost, muted=muted) != description:
            raise Refused("sdp_unsupported", f"tracks: {name} had another source, or other rids")
        return _NewTrack(line, self._names.media(name), description, pixels)

    def _add(self, added: Sequence[_NewTrack]) -> Procedure:
        """All or none."""
        if not added:
            return
        replies = yield [self._add_track(new) for new in added]
        taken = [new for new, reply in zip(added, replies, strict=True) if isinstance(reply, Done)]
        if len(taken) < len(added):
            yield [control.RemoveTrack(call=self._names.call(), track=new.media) for new in taken]
        for reply in replies:
            expect(reply, Done)
        for new in added:
            self._tracks[new.description.id] = _LiveTrack(new.line.mid, new.media, new.description)
        muted = [new.media for new in added if new.description.muted]
        replies = yield [control.SetTrackMuted(call=self._names.call(), track=name, muted=True) for name in muted]
        _expect_all(replies)

    def _add_track(self, new: _NewTrack) -> control.AddTrack:
        assert self.transport is not None
        return control.AddTrack(
            call=self._names.call(),
            transport=self.transport,
            track=new.media,
            mid=new.line.mid,
            kind=new.line.kind,
            formats=list(new.line.formats),
            rids=list(new.line.rids),
            pixels=new.pixels,
            is_screen=new.description.source.startswith("screen"),
            ssrcs=list(new.line.ssrcs),
        )

    def _remove(self, names: Sequence[str]) -> Procedure:
        live = [self._tracks[name].media for name in names if name in self._tracks]
        replies = yield [control.RemoveTrack(call=self._names.call(), track=media) for media in live]
        _expect_all(replies)
        for name in names:
            self._tracks.pop(name, None)
            self._encodings.pop(name, None)
            self._lost.pop(name, None)
            self._emit(Announce(TrackUnpublished(identity=self._identity, track=name)))

    def _announce(self, new: _NewTrack) -> None:
        """A track of a new name, or one that was lost and goes on."""
        name = new.description.id
        before = self._lost.pop(name, None)
        if before is None:
            self._emit(Announce(TrackPublished(identity=self._identity, track=new.description)))
            return
        if before.muted != new.description.muted:
            self._announce_muted(new.description)
        self._emit(Announce(MediaMoved(name, new.media)))

    def _announce_muted(self, track: TrackDescription) -> None:
        self._emit(Announce(TrackMuted(identity=self._identity, track=track.id, muted=track.muted)))

    def _own(self, name: str) -> TrackDescription:
        track = self._tracks.get(name)
        description = self._lost.get(name) if track is None else track.description
        if description is None:
            raise Refused("unknown_track", f"you publish no track {name[:32]}")
        return description


def _expect_all(replies: Sequence[AnyReply]) -> None:
    for reply in replies:
        expect(reply, Done)
