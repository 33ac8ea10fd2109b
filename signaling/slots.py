"""A subscriber's Slots: which track each carries, and what the client knows of it. Pure bookkeeping.

A Slot is an m-line with its SSRCs, and never given up: when its track ends it is free, and another takes it without an
offer. Two Slots under one msid are a pair, in which browsers play picture and sound in step; both always carry
the same participant. What is in a new Slot is told by the offer that brings it. From then on the client is told when a
Slot is free, and when something else has begun to flow in it, with the RTP timestamp at which it begins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sfu.core.types import Codec, Kind
from signaling.messages import SlotContent, SlotsChanged
from signaling.negotiation import OFFERED_PAYLOAD_TYPES, SlotLine
from signaling.seating import RemoteTrack, Seating, Source, Tracks

# From so many pairs on, as many are added at once as this goes into those there are. An offer of 49 pairs takes a
# browser half a second, whatever has changed in it; a pair that nobody has yet costs a fiftieth of that.
SPARE_PER_PAIRS: Final = 4


@dataclass(slots=True)
class Slot:
    name: str  # to the Worker
    mid: str
    kind: Kind
    ssrc: int
    rtx_ssrc: int | None
    payload_types: Mapping[Codec, tuple[int, int | None]]  # as the Worker knows them
    track: RemoteTrack | None = None
    subscription: str | None = None  # while media may flow
    undecodable: str = ""  # what the Worker calls a track of which the client takes no codec
    usable: bool = True  # the client has not rejected the m-line
    negotiated: bool = False  # the client has answered an offer that has it
    content: SlotContent | None = None  # what is to be seen or heard in it
    told: SlotContent | None = None  # what the client knows of that

    def describe(self, track: RemoteTrack, rid: str = "", timestamp: int | None = None) -> SlotContent:
        return SlotContent(
            mid=self.mid,
            kind=self.kind,
            source=track.description.source,
            track=track.name,
            participant=track.participant,
            rid=rid,
            timestamp=timestamp,
        )

    @property
    def is_news(self) -> bool:
        """The client believes that another track is here than is."""
        return self.negotiated and _name(self.content) != _name(self.told)


@dataclass(slots=True)
class Place:
    """A pair, or the one Slot of a voice without a picture."""

    stream: str  # the msid
    audio: Slot
    video: Slot | None = None
    source: Source | None = None  # who has it

    @property
    def slots(self) -> tuple[Slot, ...]:
        return (self.audio,) if self.video is None else (self.audio, self.video)

    def takes(self, tracks: Tracks) -> bool:
        return tracks.keys() <= {slot.kind for slot in self.slots if slot.usable}

    def put(self, source: Source | None, tracks: Tracks) -> list[str]:
        """Returns the Subscriptions that end with it."""
        self.source = source
        ended = []
        for slot in self.slots:
            track = tracks.get(slot.kind)
            if slot.track is None or track is None or slot.track.name != track.name:
                if slot.subscription is not None:
                    ended.append(slot.subscription)
                slot.track, slot.subscription = track, None
                # A voice is heard, whoever it is, so its Slot goes from one to the next without a word between.
                if slot.negotiated and (track is None or self.video is not None):
                    slot.content = None
        return ended


class SlotTable:
    def __init__(self) -> None:
        self._slots: list[Slot] = []  # in m-line order
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def add(self, name: str, kind: Kind, ssrc: int, rtx_ssrc: int | None) -> None:
        """With the payload types that are offered to everybody. A video Slot makes a pair with the one before."""
        slot = Slot(name, str(len(self._slots)), kind, ssrc, rtx_ssrc, OFFERED_PAYLOAD_TYPES[kind])
        self._slots.append(slot)
        if kind == "audio":
            self._places.append(Place(f"place-{len(self._places)}", slot))
        else:
            self._places[-1].video = slot

    def next_mids(self, count: int) -> list[str]:
        """Of the Slots that will be added next."""
        return [str(len(self._slots) + index) for index in range(count)]

    def carrying(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.track is not None]

    def of_track(self, track: str) -> Slot | None:
        return next((slot for slot in self.carrying() if slot.track is not None and slot.track.name == track), None)

    def of_subscription(self, subscription: str) -> Slot | None:
        return next((slot for slot in self._slots if slot.subscription == subscription), None)

    def track_of_subscription(self, subscription: str) -> RemoteTrack | None:
        slot = self.of_subscription(subscription)
        return None if slot is None else slot.track

    def subscribed(self) -> set[str]:
        """Tracks that may flow."""
        return {slot.track.name for slot in self._slots if slot.track is not None and slot.subscription is not None}

    def holders(self) -> set[Source]:
        """Who has a pair."""
        return {place.source for place in self._places if place.source is not None and place.video is not None}

    def seat(self, seating: Seating) -> list[str]:
        """Give everybody the place he is to have, as far as there are any. Returns the Subscriptions that end."""
        ended: list[str] = []
        for place in self._places:
            tracks = _meant(seating, place).get(place.source) if place.source is not None else None
            if tracks is not None and place.takes(tracks):
                ended += place.put(place.source, tracks)
            elif place.source is not None:
                place.source = None
        for source, tracks, is_pair in self._standing(seating):
            for place in sorted(self._places, key=lambda place: place.audio.content is not None):
                if place.source is None and (place.video is not None) == is_pair and place.takes(tracks):
                    ended += place.put(source, tracks)
                    break
        for place in self._places:
            if place.source is None:
                ended += place.put(None, {})
        self._forget_moved()
        return ended

    def _forget_moved(self) -> None:
        """A voice that has got a pair is not in its Slot any more, although nobody else is heard there yet."""
        carried = {slot.track.name: slot for slot in self._slots if slot.track is not None}
        for slot in self._slots:
            if slot.negotiated and slot.content is not None and carried.get(slot.content.track, slot) is not slot:
                slot.content = None

    def lacking(self, seating: Seating, *, max_pairs: int, max_voices: int) -> list[Kind]:
        """The Slots to be added, so that all have a place. A room that fills makes few offers, not one per person."""
        pairs = sum(is_pair for _, _, is_pair in self._standing(seating))
        have = [place.video is not None for place in self._places]
        if pairs:
            pairs = min(max(pairs, have.count(True) // SPARE_PER_PAIRS), max_pairs - have.count(True))
        # One more than there are voices: the next one begins where nobody has just been heard, and loses nothing.
        voices = min(len(seating.voices) + 1, max_voices) - have.count(False) if seating.voices else 0
        kinds: list[Kind] = ["audio", "video"] * pairs
        return kinds + ["audio"] * voices

    def _standing(self, seating: Seating) -> list[tuple[Source, Tracks, bool]]:
        seated = {(place.source, place.video is not None) for place in self._places}
        return [
            (source, tracks, is_pair)
            for is_pair, meant in ((True, seating.pairs), (False, seating.voices))
            for source, tracks in meant.items()
            if (source, is_pair) not in seated
        ]

    def forget(self, track: str) -> None:
        """It has ended, and the Worker has ended its Subscriptions."""
        slot = self.of_track(track)
        if slot is not None:
            slot.track = slot.subscription = None
            if slot.negotiated:
                slot.content = None

    def configure(self, payload_types: Mapping[str, Mapping[Codec, tuple[int, int | None]]]) -> list[Slot]:
        """By mid, what an answer says that the client takes. Returns the Slots for which that is another than before. A
        line that is not among them was turned down: nothing flows there, so its Slot stays as it is."""
        changed = []
        for slot in self._slots:
            taken = payload_types.get(slot.mid, slot.payload_types)
            if taken != slot.payload_types:
                slot.payload_types = taken
                slot.undecodable = ""
                changed.append(slot)
        return changed

    def undecodable(self, media: Mapping[str, str | None]) -> list[str]:
        """Tracks that the Worker has refused for their codecs, as they are now: `media` is of those that have moved."""
        names = [(slot, slot.track.name) for slot in self._slots if slot.track is not None]
        return [name for slot, name in names if slot.undecodable == media.get(name, name)]

    def on_answered(self, offered: int, rejected: Collection[str]) -> list[str]:
        """The first so many m-lines are agreed on, but for those that the client will not have: they are never used
        again. Returns the tracks it was told of there, which it does not want."""
        unwanted = []
        for slot in self._slots[:offered]:
            slot.negotiated = True
            if slot.mid in rejected and slot.usable:
                slot.usable = False
                if slot.told is not None:
                    unwanted.append(slot.told.track)
                slot.track = slot.subscription = slot.content = slot.told = None
            elif slot.track is None or _name(slot.content) != slot.track.name:
                slot.content = None  # another came meanwhile, or nobody
        return unwanted

    def offered(self) -> tuple[SlotContent, ...]:
        """The `slots` of an offer made now: the client is told what is in the new Slots before it flows."""
        for slot in self._slots:
            if not slot.negotiated and slot.usable:
                slot.content = None if slot.track is None else slot.describe(slot.track)
            slot.told = slot.content
        return tuple(slot.content for slot in self._slots if slot.content is not None)

    def changes(self) -> SlotsChanged | None:
        """What the client is to be told beside offers."""
        news = [slot for slot in self._slots if slot.is_news]
        for slot in news:
            slot.told = slot.content
        return _told(news) if news else None

    def everything(self) -> SlotsChanged | None:
        """The same for a client of which nobody knows what it was told last."""
        known = [slot for slot in self._slots if slot.negotiated and slot.usable]
        for slot in known:
            slot.told = slot.content
        return _told(known) if known else None

    def lines(self) -> list[SlotLine]:
        return [
            SlotLine(
                mid=slot.mid,
                kind=slot.kind,
                ssrc=slot.ssrc,
                rtx_ssrc=slot.rtx_ssrc,
                stream=place.stream,
                track=f"{place.stream}-{slot.kind}",
            )
            for place in self._places
            for slot in place.slots
        ]


def _meant(seating: Seating, place: Place) -> Mapping[Source, Tracks]:
    return seating.pairs if place.video is not None else seating.voices


def _told(slots: list[Slot]) -> SlotsChanged:
    return SlotsChanged(
        freed=tuple(slot.mid for slot in slots if slot.content is None),
        slots=tuple(slot.content for slot in slots if slot.content is not None),
    )


def _name(content: SlotContent | None) -> str | None:
    return None if content is None else content.track
