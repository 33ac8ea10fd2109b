"""Everybody of a plan into a server that exchanges descriptions: all who publish first, then all who receive.

Who does both has two connections, as in browsers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import aiohttp

from loadtest.compare import descriptions
from loadtest.compare.descriptions import PAYLOAD_TYPES, LocalTransport
from loadtest.compare.servers import CannotCompare, SetVideoRate
from loadtest.plans import Plan, Rates
from loadtest.traffic import Connection, IncomingStream, OutgoingStream, SrtpChoice, Traffic
from sfu.core.types import Kind
from sfu.net.dtls import HandshakeFailed
from sfu.wire.extensions import ExtensionIds

CONNECT_TIMEOUT_S: Final = 20.0
NO_EXTENSIONS: Final = ExtensionIds()


class Exchanges(Protocol):
    """A server's API. One name may publish and subscribe."""

    async def publish(self, publisher: str, offer: str) -> str:
        """A publisher's offer into the server's answer."""

    async def subscribe(self, subscriber: str, publishers: Sequence[str]) -> str:
        """The server's offer of all that these publishers send."""

    async def answer(self, subscriber: str, answer: str) -> None:
        """The subscriber's answer to that."""


class Joining:
    """Of one server, into which all connect from `address`."""

    def __init__(self, server: Exchanges, address: str, traffic: Traffic, rates: Rates, srtp: SrtpChoice) -> None:
        self._server = server
        self._address = address
        self._traffic = traffic
        self._rates = rates
        self._srtp: SrtpChoice = srtp
        self._pictures: list[tuple[Connection, OutgoingStream]] = []

    async def join(self, plan: Plan) -> SetVideoRate:
        """Raises CannotCompare when a connection fails."""
        try:
            for seat in plan.seats:
                if seat.tracks:
                    await self._publish(seat.name)
            for seat in plan.seats:
                if publishers := plan.heard_by(seat):
                    await self._subscribe(seat.name, publishers)
        except (ConnectionError, HandshakeFailed, aiohttp.ClientError) as error:
            raise CannotCompare(f"joining failed: {type(error).__name__}: {error}") from error
        return self._set_video_rate

    async def _publish(self, name: str) -> None:
        connection = self._new_connection()
        number = len(self._pictures)
        ssrcs: dict[Kind, int] = {"audio": 1000 + number, "video": 2000 + number}
        offer = descriptions.write_offer(_local(connection), ssrcs)
        answer = await self._server.publish(name, offer)
        await connection.connect(descriptions.read_answer(answer), CONNECT_TIMEOUT_S)
        sound = self._rates.audio(ssrcs["audio"], PAYLOAD_TYPES["audio"], "")
        picture = self._rates.video(ssrcs["video"], PAYLOAD_TYPES["video"], "", "")
        self._traffic.add_publisher(connection, [sound, picture], NO_EXTENSIONS)
        self._pictures.append((connection, picture))

    async def _subscribe(self, name: str, publishers: Sequence[str]) -> None:
        connection = self._new_connection()
        offer = descriptions.read_offer(await self._server.subscribe(name, publishers))
        await self._server.answer(name, descriptions.write_answer(_local(connection), offer))
        await connection.connect(offer.remote, CONNECT_TIMEOUT_S)
        named = [IncomingStream(stream.ssrc, stream.kind) for stream in offer.streams if stream.ssrc is not None]
        self._traffic.add_subscriber(connection, named, NO_EXTENSIONS)

    def _set_video_rate(self, factor: float) -> None:
        for connection, picture in self._pictures:
            self._traffic.set_rate(connection, picture.ssrc, factor * picture.frames_per_s)

    def _new_connection(self) -> Connection:
        return self._traffic.new_connection(host=self._address, srtp=self._srtp)


def _local(connection: Connection) -> LocalTransport:
    return LocalTransport(connection.ice, connection.fingerprint)
