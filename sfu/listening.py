"""Who speaks in which room, and whose sound is worth forwarding: from the plane's levels to the machines of `core`.

    every 50 ms   plane.poll_levels ─► Activity ─┬► Speakers ─► SpeakersChanged to signaling, order of pictures
                                                 └► loudest ─► Tracks that are quiet ─► their Subscriptions
                                                            └► LoudestChanged to signaling

Only while an audio Track flows that is not muted, and every 250 ms where each is alone in its room, until one of them
begins to speak. A Worker without one is not woken.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfu.context import Context, next_round
from sfu.control import LoudestChanged, SpeakersChanged
from sfu.core.loudest import select
from sfu.core.speakers import Speakers
from sfu.publishing import PublishedTrack


class _Room:
    def __init__(self) -> None:
        self.speakers = Speakers()
        self.tracks: set[int] = set()  # audio, with something to hear
        self.chosen: frozenset[int] = frozenset()
        self.told: frozenset[str] = frozenset()  # those worth forwarding, where not all are


class Listening:
    endpoint = None  # of all Transports

    def __init__(self, context: Context, tracks: Mapping[int, PublishedTrack]) -> None:
        """`tracks`: all there are, by the plane's number."""
        self._context = context
        self._tracks = tracks
        self._rooms: dict[str, _Room] = {}

    def on_flowing(self, track: PublishedTrack, now: float) -> None:
        """It has an SSRC, or is muted no more."""
        if track.spec.kind == "audio" and track.layers and not track.muted:
            self._rooms.setdefault(track.endpoint.room, _Room()).tracks.add(track.number)
            self._wake(now)

    def on_muted(self, track: PublishedTrack, now: float) -> None:
        room = self._rooms.get(track.endpoint.room)
        if room is not None and track.number in room.tracks:
            room.tracks.remove(track.number)
            room.speakers.forget(track.number)
            self._settle(track.endpoint.room, room, now)

    def forget(self, track: PublishedTrack) -> None:
        """It is no more."""
        name = track.endpoint.room
        room = self._rooms.get(name)
        if room is None:
            return
        room.tracks.discard(track.number)
        room.speakers.forget_speaker(track.number)
        self._tell(name, room)
        if not room.tracks and not self._context.recent_speakers.get(name):
            del self._rooms[name]

    def on_timeout(self, now: float) -> None:
        self._wake(now)  # first: whatever may go wrong below, the next look comes
        for number, at_s, level, _ in self._context.plane.poll_levels().tolist():
            track = self._tracks.get(number)
            room = None if track is None else self._rooms.get(track.endpoint.room)
            if room is not None and number in room.tracks:
                room.speakers.on_level(number, level, at_s)
        for name, room in self._rooms.items():
            room.speakers.on_timeout(now)
            self._settle(name, room, now)
        if any(room.speakers.may_begin(now) for room in self._rooms.values()):
            self._look_again(self._context.config.levels_interval_s, now)

    def _wake(self, now: float) -> None:
        most = max((len(room.tracks) for room in self._rooms.values()), default=0)
        if most:
            config = self._context.config
            self._look_again(config.levels_interval_s if most > 1 else config.levels_rest_s, now)

    def _look_again(self, interval_s: float, now: float) -> None:
        self._context.deadlines.set(self, next_round(interval_s, now))

    def _settle(self, name: str, room: _Room, now: float) -> None:
        self._choose(room, now)
        self._tell_loudest(name, room)
        self._tell(name, room)

    def _choose(self, room: _Room, now: float) -> None:
        heard = room.speakers.activities
        room.chosen = select(self._context.config.loudest, room.chosen, heard, now)
        for number in room.tracks:
            track = self._tracks[number]
            # Who does not say how loud it is may be loud.
            is_quiet = number in heard and number not in room.chosen
            if is_quiet != track.is_quiet:
                track.set_quiet(is_quiet, now)

    def _tell_loudest(self, name: str, room: _Room) -> None:
        tracks = [self._tracks[number] for number in room.tracks]
        is_large = len(tracks) > self._context.config.loudest
        loudest = frozenset(track.id for track in tracks if not track.is_quiet) if is_large else frozenset()
        if loudest != room.told:
            room.told = loudest
            self._context.notify(LoudestChanged(room=name, tracks=sorted(loudest)))

    def _tell(self, name: str, room: _Room) -> None:
        while (change := room.speakers.poll()) is not None:
            present = [self._tracks[number].endpoint.participant for number in change.recent if number in self._tracks]
            recent = self._context.recent_speakers[name] = tuple(dict.fromkeys(present))
            if not recent:
                del self._context.recent_speakers[name]
            self._context.notify(SpeakersChanged(room=name, recent=list(recent), speaking=change.speaking))
