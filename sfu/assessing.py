"""How good the call is for everybody in a room: from what the plane has counted and remotes have reported to the scores
of `core`, and to a word for each participant.

    every 2 s   plane.reception ─► PublishedQuality ─┐
                reports, shares ─► ReceivedQuality ──┴─► judge ─► Rating ─► QualityChanged to signaling

One look per room, at a time of its own; nobody in it is looked at alone, so all that has changed is told together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sfu.context import Context
from sfu.control import ParticipantQuality, QualityChanged
from sfu.core.quality.participant import Direction, Judgement, judge
from sfu.core.quality.rating import Level, Rating
from sfu.core.quality.score import Cause, Score
from sfu.core.quality.tally import Tally
from sfu.endpoint import Endpoint


class Assessing:
    def __init__(self, context: Context, take_reports: Callable[[float], None]) -> None:
        """`take_reports`: what has come by then is judged by, and not only what was looked at for other reasons."""
        self._take_reports = take_reports
        self.tallies = {direction: Tally() for direction in Direction}
        self._context = context
        self._rooms: dict[str, RoomAssessment] = {}

    def start(self, endpoint: Endpoint, now: float) -> None:
        """It is looked at from now on."""
        room = self._rooms.get(endpoint.room)
        if room is None:
            room = self._rooms[endpoint.room] = RoomAssessment(
                self._context, endpoint.room, self.tallies, self._take_reports
            )
            room.wake(now)
        room.endpoints[endpoint.number] = endpoint

    def forget(self, endpoint: Endpoint) -> None:
        room = self._rooms.get(endpoint.room)
        if room is None:
            return
        room.endpoints.pop(endpoint.number, None)
        if not room.endpoints:
            room.close()
            del self._rooms[endpoint.room]

    def of(self, endpoint: Endpoint) -> ParticipantQuality | None:
        """Of whose Transport it is, as last looked at."""
        room = self._rooms.get(endpoint.room)
        return None if room is None else room.qualities.get(endpoint.participant)

    def qualities(self, name: str | None) -> Iterator[ParticipantQuality]:
        """Of everybody, or everybody in one room."""
        for room in self._rooms.values():
            if name in (None, room.name):
                yield from room.qualities.values()

    def levels(self) -> Counter[str | None]:
        """How many participants are how well off."""
        return Counter(quality.quality for quality in self.qualities(None))


class RoomAssessment:
    endpoint = None  # of all Transports in the room

    def __init__(
        self,
        context: Context,
        name: str,
        tallies: dict[Direction, Tally],
        take_reports: Callable[[float], None],
    ) -> None:
        self.name = name
        self._take_reports = take_reports
        self.endpoints: dict[int, Endpoint] = {}
        self.qualities: dict[str, ParticipantQuality] = {}  # by participant
        self._ratings: dict[str, Rating] = {}
        self._context = context
        self._tallies = tallies

    def wake(self, now: float) -> None:
        config = self._context.config
        at = round((now + config.quality_interval_s) / config.round_s) * config.round_s
        self._context.deadlines.set(self, at)

    def close(self) -> None:
        """Nobody has a Transport in it any more."""
        self._context.deadlines.set(self, None)
        self._tell([_unknown(who) for who, rating in self._ratings.items() if rating.level is not None])

    def on_timeout(self, now: float) -> None:
        self.wake(now)  # first: whatever may go wrong below, the next look comes
        self._take_reports(now)
        people: dict[str, list[Endpoint]] = {}
        for endpoint in self.endpoints.values():
            people.setdefault(endpoint.participant, []).append(endpoint)
        round_trips = {who: _round_trip_s(endpoints) for who, endpoints in people.items()}
        # All that is published before all that is received: what a receiver misses may never have reached us.
        for who, endpoints in people.items():
            for endpoint in endpoints:
                for track in endpoint.tracks.values():
                    track.assess(round_trips[who], now)
        gone = [who for who, rating in self._ratings.items() if who not in people and rating.level is not None]
        self._ratings = {who: self._ratings.get(who, Rating()) for who in people}
        self.qualities = {who: one for who, one in self.qualities.items() if who in people}
        changed = [who for who, endpoints in people.items() if self._rate(who, endpoints, round_trips[who], now)]
        self._tell([*map(_unknown, gone), *(self.qualities[who] for who in changed)])

    def _tell(self, told: list[ParticipantQuality]) -> None:
        if told:
            self._context.notify(QualityChanged(room=self.name, participants=told))

    def _rate(self, who: str, endpoints: list[Endpoint], rtt_s: float | None, now: float) -> bool:
        """Whether another word describes it now."""
        judgement, rating = _judge(endpoints, rtt_s, now), self._ratings[who]
        is_lost = any(endpoint.is_reconnecting for endpoint in endpoints)
        changed = rating.on_lost(now) if is_lost else rating.on_score(judgement.score, now)
        for direction, score in ((Direction.UP, judgement.up), (Direction.DOWN, judgement.down)):
            if score is not None and not is_lost:
                self._tallies[direction].note(score.value)
        self.qualities[who] = _quality(who, rating, judgement, rtt_s)
        return changed


def _judge(endpoints: Iterable[Endpoint], rtt_s: float | None, now: float) -> Judgement:
    published: list[Score | None] = []
    sounds: list[Score | None] = []
    pictures: list[tuple[Score | None, int]] = []
    for endpoint in endpoints:
        published += [track.quality.score for track in endpoint.tracks.values()]
        for subscription in endpoint.subscriber.subscriptions():
            score = subscription.assess(rtt_s, now)
            if subscription.is_video:
                ideal = subscription.share.ideal
                pictures.append((score, 0 if ideal is None else ideal.pixels))
            else:
                sounds.append(score)
    return judge(published, sounds, pictures)


def _quality(who: str, rating: Rating, judgement: Judgement, rtt_s: float | None) -> ParticipantQuality:
    score, direction = judgement.score, judgement.direction
    cause = Cause.NOTHING if score is None else score.cause
    return ParticipantQuality(
        participant=who,
        quality=rating.level,
        score=rating.value,
        cause=Cause.CONNECTION if rating.level is Level.LOST else cause,
        direction=None if rating.level is Level.LOST else direction,
        up=None if judgement.up is None else judgement.up.value,
        down=None if judgement.down is None else judgement.down.value,
        rtt_s=rtt_s,
    )


def _unknown(who: str) -> ParticipantQuality:
    """It has no Transport any more. It may be in the room all the same."""
    return _quality(who, Rating(), Judgement(None, None), None)


def _round_trip_s(endpoints: Iterable[Endpoint]) -> float | None:
    """Only who receives answers our reports, but what it publishes goes the same way."""
    return next((endpoint.rtt_s for endpoint in endpoints if endpoint.rtt_s is not None), None)
