"""A participant of the load test: real signaling, ICE and DTLS by the Python client; media by the generator's engine.

It publishes what its seat says, subscribes to those it is to receive as soon as they publish, and tells the engine
which SSRCs are on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from random import Random

from loadtest.plans import Rates, Seat
from loadtest.traffic import Connection, IncomingStream, OutgoingStream, SrtpChoice, Traffic
from sfu.core.types import Codec
from sfu.net.certificate import Certificate
from signaling.auth import Grant, mint
from signaling.client import Publication, Reception, Room, SourceToPublish, connect
from signaling.client.endpoint import Endpoint, Impairment
from signaling.client.room import EndpointFactory
from signaling.messages import Grants

TOKEN_VALID_FOR_S = 3600.0
GRANTS = Grants(create=True, publish=True, subscribe=True)
JOIN_TIMEOUT_S = 60.0  # on a server that is busy with the handshakes of hundreds
SILENT_DBOV = 127
SPEAKING_DBOV = 25


@dataclass(frozen=True, slots=True)
class Entry:
    """How bots get in. `keys`: id and secret of one of the server's keys; `host`: the address of the bots' sockets."""

    url: str
    keys: tuple[str, str]
    host: str = "127.0.0.1"
    srtp: SrtpChoice | None = None

    def token(self, seat: Seat) -> str:
        grant = Grant(identity=seat.name, name=seat.name, room=seat.room, grants=GRANTS)
        key_id, secret = self.keys
        return mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=TOKEN_VALID_FOR_S)


class Bot:
    """Made by `join`. `joined_at_s`: when it began to, on the clock of `time.monotonic`."""

    def __init__(self, seat: Seat, traffic: Traffic) -> None:
        self.seat = seat
        self.joined_at_s = time.monotonic()
        self.published_at_s: float | None = None
        self.room: Room
        self.sent: tuple[OutgoingStream, ...] = ()
        self._traffic = traffic
        self._asked: set[str] = set()
        self._announced: set[int] = set()
        self._following: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def join(cls, seat: Seat, traffic: Traffic, entry: Entry, rates: Rates) -> AsyncIterator[Bot]:
        """In the room, publishing, and subscribing on and on. Raises what `connect` and `publish` raise."""
        token = entry.token(seat)
        bot = cls(seat, traffic)
        try:
            async with connect(
                entry.url,
                seat.room,
                token,
                auto_subscribe=seat.receives is None,
                new_endpoint=_endpoints(traffic, entry),
            ) as bot.room:
                await bot._publish(rates)
                bot._following = asyncio.create_task(bot._follow())
                yield bot
                bot._following.cancel()  # before the room ends, which would be a failure
        finally:
            if bot._following is not None:
                bot._following.cancel()
                await asyncio.gather(bot._following, return_exceptions=True)

    @property
    def subscribing(self) -> Connection:
        return _connection(self.room.subscribing)

    async def receives(self, tracks: int) -> None:
        """Until so many are on their way. Raises TimeoutError."""
        await self.room.until(lambda: not tracks or len(self._flowing()) >= tracks, JOIN_TIMEOUT_S)

    def speak(self, loud: bool) -> None:
        for stream in self.sent:
            if stream.kind == "audio":
                level = SPEAKING_DBOV if loud else SILENT_DBOV
                self._traffic.set_level(_connection(self.room.publishing), stream.ssrc, level, loud)

    def set_video_rate(self, factor: float) -> None:
        """Times what it began with."""
        for stream in self.sent:
            if stream.kind == "video":
                connection = _connection(self.room.publishing)
                self._traffic.set_rate(connection, stream.ssrc, factor * stream.frames_per_s)

    def first_packet_at_s(self) -> float | None:
        """On the clock of `time.monotonic`; `None` as long as nothing came."""
        firsts = [one.first_at_s for one in self._traffic.counts_of(self.subscribing) if one.first_at_s is not None]
        return min(firsts, default=None)

    async def _publish(self, rates: Rates) -> None:
        sources = [SourceToPublish("microphone", Codec.OPUS)] if self.seat.sends_audio else []
        sources += [SourceToPublish("camera", Codec.VP8, rates.rids)] if self.seat.sends_video else []
        if not sources:
            return
        publications = await self.room.publish(sources)
        self.sent = tuple(stream for publication in publications for stream in _streams(publication, rates))
        connection = _connection(self.room.publishing)
        self._traffic.add_publisher(connection, self.sent, connection.session.send_extensions)
        self.published_at_s = time.monotonic()

    def check(self) -> None:
        """Raises what has ended its subscribing."""
        if self._following is not None and self._following.done():
            self._following.result()

    async def _follow(self) -> None:
        while True:
            await self.room.until(lambda: bool(self._wished() or self._unannounced()), math.inf)
            self._announce(self._unannounced())
            for track in sorted(self._wished()):
                self._asked.add(track)
                await self.room.subscribe(track)

    def _wished(self) -> set[str]:
        others = [self.room.participants.get(name) for name in self.seat.receives or ()]
        return {track.id for other in others if other is not None for track in other.tracks} - self._asked

    def _flowing(self) -> list[Reception]:
        if not self.subscribing.connected:
            return []
        return [reception for reception in self.room.receptions.values() if reception.content is not None]

    def _unannounced(self) -> list[Reception]:
        return [reception for reception in self._flowing() if reception.stream.ssrc not in self._announced]

    def _announce(self, receptions: Sequence[Reception]) -> None:
        expected = []
        for reception in receptions:
            stream = reception.stream
            self._announced.add(stream.ssrc)
            expected.append(IncomingStream(stream.ssrc, reception.kind))
            if stream.rtx_ssrc is not None:
                expected.append(IncomingStream(stream.rtx_ssrc, reception.kind, repairs=True))
        if expected:
            self._traffic.add_subscriber(self.subscribing, expected, self.subscribing.session.receive_extensions)


def _endpoints(traffic: Traffic, entry: Entry) -> EndpointFactory:
    def new_endpoint(
        *,
        certificate: Certificate | None,
        random: Random | None,
        impairment: Impairment | None,
        on_lost: Callable[[], None],
    ) -> Endpoint:
        return traffic.new_connection(host=entry.host, srtp=entry.srtp, certificate=certificate, on_lost=on_lost)

    return new_endpoint


def _streams(publication: Publication, rates: Rates) -> Sequence[OutgoingStream]:
    sent = publication.streams
    if publication.source.kind == "audio":
        return [rates.audio(sent[0].ssrc, sent[0].payload_type, sent[0].mid)]
    return [rates.video(one.ssrc, one.payload_type, one.mid, one.rid) for one in sent]


def _connection(endpoint: Endpoint) -> Connection:
    assert isinstance(endpoint, Connection), "made by new_endpoint"
    return endpoint
