"""What one client could receive of the others, what of that it wishes, and how much of each. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from signaling.errors import Refused
from signaling.messages import TrackDescription
from signaling.seating import RemoteTrack, numbered


class Wish(NamedTuple):
    """Of one track: whether it is to be received, and the best rid of it."""

    subscribed: bool
    max_rid: str | None


class Wishes:
    def __init__(self) -> None:
        self._tracks: dict[str, RemoteTrack] = {}  # of the others, in order of publishing
        self._theirs: dict[str, list[str]] = {}  # the same by identity
        self._wished: dict[str, None] = {}  # an ordered set of names in `_tracks`
        self._limit_rids: dict[str, str] = {}  # the best rid wished, by track
        self._muted: set[str] = set()

    def __bool__(self) -> bool:
        """Something is wished."""
        return bool(self._wished)

    def __contains__(self, name: str) -> bool:
        """There is such a track, wished or not."""
        return name in self._tracks

    def __iter__(self) -> Iterator[RemoteTrack]:
        """What is wished, in the order in which it was."""
        return (self._tracks[name] for name in self._wished)

    def add(self, identity: str, description: TrackDescription) -> RemoteTrack:
        theirs = self._theirs.setdefault(identity, [])
        track = numbered(identity, description, (self._tracks[name] for name in theirs))
        self._tracks[track.name] = track
        theirs.append(track.name)
        self.mute(track.name, description.muted)
        return track

    def forget(self, name: str) -> None:
        """It has ended. One that is not known did so before."""
        track = self._tracks.pop(name, None)
        if track is not None:
            self._theirs[track.participant].remove(name)
            if not self._theirs[track.participant]:
                del self._theirs[track.participant]
        self.withdraw(name)
        self._limit_rids.pop(name, None)
        self._muted.discard(name)

    def mute(self, name: str, muted: bool) -> None:
        """Its publisher has, or not any more."""
        (self._muted.add if muted and name in self._tracks else self._muted.discard)(name)

    def is_muted(self, name: str) -> bool:
        return name in self._muted

    def known(self, name: str) -> RemoteTrack:
        """Raises Refused."""
        track = self._tracks.get(name)
        if track is None:
            raise Refused("unknown_track", f"nobody else in this room publishes a track {name[:32]}")
        return track

    def of(self, identity: str) -> list[str]:
        return [*self._theirs.get(identity, ())]

    def wish_all_or_none(self, wished: bool) -> None:
        self._wished = dict.fromkeys(self._tracks if wished else ())

    def wish(self, name: str) -> None:
        self._wished[name] = None

    def withdraw(self, name: str) -> None:
        self._wished.pop(name, None)

    def limit(self, name: str, rid: str | None) -> None:
        """Raises Refused."""
        track = self.known(name)
        if rid is None:
            self._limit_rids.pop(name, None)
        elif rid in track.description.rids:
            self._limit_rids[name] = rid
        else:
            raise Refused("unknown_layer", f"track {name} has no rid {rid[:16]!r}")

    def of_track(self, name: str) -> Wish:
        return Wish(name in self._wished, self._limit_rids.get(name))

    def max_layer(self, track: RemoteTrack) -> int | None:
        return track.layer_of(self._limit_rids.get(track.name))
