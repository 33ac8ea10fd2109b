"""Who of a room has a place at one subscriber: a pure function of who is there, what is shown and who is heard.

While everybody fits, everybody has a pair: one audio and one video Slot. In a larger room pairs go to what is shown,
and of the others only the loudest are received, by audio Slots of their own:

    tiles, those on stage first ─► then who has a pair ─► then the rest, as they came      the client says what it shows
    screens ─► who spoke last ─► then who has a pair ─► then the rest, as they came        it leaves that to us
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple

from signaling.messages import TrackDescription


class Source(NamedTuple):
    """What browsers play in step: a camera with its microphone, a screen with its sound. `number`: of somebody who has
    several cameras, say, which of them."""

    participant: str  # identity
    is_screen: bool
    number: int


@dataclass(frozen=True, slots=True)
class RemoteTrack:
    """Somebody else's track."""

    participant: str  # identity
    description: TrackDescription
    number: int = 0  # among those of the same participant, kind and purpose: see `numbered`

    @property
    def name(self) -> str:
        return self.description.id

    def layer_of(self, rid: str | None) -> int | None:
        """As the Worker counts them."""
        return None if rid is None else self.description.rids.index(rid)

    @property
    def source(self) -> Source:
        return Source(self.participant, self.description.source.startswith("screen"), self.number)


Tracks = Mapping[str, RemoteTrack]  # of one source, by kind


def numbered(participant: str, description: TrackDescription, present: Iterable[RemoteTrack]) -> RemoteTrack:
    """With the first number that none of those `present` has, which it keeps: so a second camera stays in its place
    when the first one goes."""
    track = RemoteTrack(participant, description)
    taken = {
        other.number
        for other in present
        if other.description.kind == description.kind and other.source[:2] == track.source[:2]
    }
    return replace(track, number=next(number for number in count() if number not in taken))


@dataclass(frozen=True, slots=True)
class Audience:
    """What decides beside who is there. `tiles`: names of tracks in order of priority, `None`: the client does not say.
    `recent`: identities, the last to speak first. `loudest`: tracks whose sound is worth forwarding now."""

    tiles: Sequence[str] | None = None
    recent: Sequence[str] = ()
    loudest: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Seating:
    """`is_crowded`: there are more than have a pair."""

    pairs: Mapping[Source, Tracks] = field(default_factory=dict)
    voices: Mapping[Source, Tracks] = field(default_factory=dict)
    is_crowded: bool = False


def seat(
    wished: Iterable[RemoteTrack],
    audience: Audience,
    holders: Collection[Source],
    *,
    max_pairs: int,
    max_voices: int,
) -> Seating:
    """`wished` in order of publishing; `holders` have a pair now."""
    sources: dict[Source, dict[str, RemoteTrack]] = {}
    for track in wished:
        sources.setdefault(track.source, {})[track.description.kind] = track
    if len(sources) <= max_pairs:
        return Seating(sources)
    chosen = _by_priority(sources, audience, holders)[:max_pairs]
    pairs = {source: sources[source] for source in chosen}
    voices: dict[Source, Tracks] = {}
    for source, tracks in sources.items():
        audio = tracks.get("audio")
        if len(voices) < max_voices and source not in pairs and audio is not None and audio.name in audience.loudest:
            voices[source] = {"audio": audio}
    return Seating(pairs, voices, is_crowded=True)


def matters(track: RemoteTrack, audience: Audience, holders: Collection[Source]) -> bool:
    """Whether in a crowd somebody may get a place because this was published. Most do not, and there are many."""
    if audience.tiles is not None:
        return track.source in holders or track.name in audience.tiles
    return track.source in holders or track.source.is_screen or track.participant in audience.recent


def _by_priority(sources: Mapping[Source, Tracks], audience: Audience, holders: Collection[Source]) -> list[Source]:
    """Who has no picture comes last: a voice alone has a Slot of its own while it is loud."""
    first: dict[Source, None] = {}
    if audience.tiles is not None:
        by_name = {track.name: source for source, tracks in sources.items() for track in tracks.values()}
        first = {by_name[name]: None for name in audience.tiles if name in by_name}
    else:
        first = {source: None for source in sources if source.is_screen}
        spoke = (Source(identity, is_screen=False, number=0) for identity in audience.recent)
        first |= {source: None for source in spoke if "video" in sources.get(source, ())}
    rest = sorted(
        (source for source in sources if source not in first),
        key=lambda source: ("video" not in sources[source], source not in holders),
    )
    return [*first, *rest]
