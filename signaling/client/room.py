"""A room as a client sees it: join, see who is there, publish, receive, leave. Where the parts of this package meet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random, SystemRandom
from typing import Protocol

from sfu import __version__
from sfu.core.types import Kind, TransportState
from sfu.net.certificate import Certificate
from sfu.net.dtls import HandshakeFailed
from signaling.client.changes import Changes
from signaling.client.channel import Channel, RoomClosed, open_channel
from signaling.client.endpoint import Endpoint, Impairment
from signaling.client.messaging import Incoming, Messaging
from signaling.client.moderating import Moderation
from signaling.client.publishing import Publication, Publisher, SourceToPublish
from signaling.client.renewing import FreshToken, renew
from signaling.client.roster import Roster
from signaling.client.subscribing import Reception, Subscriber
from signaling.client.tapping import Tap
from signaling.client.watching import Watching
from signaling.errors import ProtocolError, Refused
from signaling.message_values import Source
from signaling.messages import (
    AnyEvent,
    ClientVersion,
    ConnectionName,
    Grants,
    Join,
    Joined,
    Leave,
    Offer,
    Participant,
    Refresh,
    RequestReset,
    Reset,
    Resynced,
    RosterChanged,
    SlotsChanged,
    TokenExpiring,
    TransportChanged,
)
from signaling.moderation_messages import (
    GrantsChanged,
    InLobby,
    Lobby,
    Moved,
    MutedBy,
    RoomChanged,
    RoomState,
    TrackStopped,
    Waiting,
)
from signaling.subprotocols import MSGPACK, SUBPROTOCOLS

logger = logging.getLogger(__name__)

LEAVE_TIMEOUT_S = 2.0  # a server that does not answer will notice that the socket closes


class EndpointFactory(Protocol):
    """`Endpoint`, or something that makes a subclass of it."""

    def __call__(
        self,
        *,
        certificate: Certificate | None,
        random: Random | None,
        impairment: Impairment | None,
        on_lost: Callable[[], None],
    ) -> Endpoint: ...


@asynccontextmanager
async def connect(
    url: str,
    room: str,
    token: str,
    *,
    subprotocol: str = MSGPACK.name,
    auto_subscribe: bool = True,
    impairment: Impairment | None = None,
    on_event: Callable[[AnyEvent], None] = lambda _: None,
    on_reception: Callable[[Reception], None] = lambda _: None,
    on_message: Callable[[Incoming], None] | None = None,
    fresh_token: FreshToken | None = None,
    new_endpoint: EndpointFactory = Endpoint,
    data_channels: bool = True,
) -> AsyncIterator[Room]:
    """Join a room of the server at `url` (http or https), and leave it at the end of the block.

    `on_event` gets the server's events in order, after `room.participants` reflects them; `on_reception` each m-line
    on which something will arrive, before anything does. `on_message` gets messages of the others, from
    `open_messages` on, which is called for you if this is given. `impairment` stands in front of both media sockets.
    `new_endpoint` makes the media connections, for whoever carries media itself.
    `fresh_token` is asked for another token when the present one is about to expire; else `refresh` is up to you.
    Without `data_channels` messages go over the WebSocket, as they do when these cannot be opened.
    In a lobby this waits for as long as people do; `on_event` gets InLobby.
    Raises Refused when the server declines `join`, and aiohttp.ClientError when it cannot be reached.
    """
    entered = Room(on_event, on_reception, on_message, fresh_token, impairment, new_endpoint, data_channels)
    try:
        await entered._join(url, room, token, subprotocol, auto_subscribe)
        yield entered
    finally:
        await entered.leave()


class Room(Watching):
    """Made by `connect`. Everything that waits for the server raises RoomClosed once the connection has ended."""

    def __init__(
        self,
        on_event: Callable[[AnyEvent], None],
        on_reception: Callable[[Reception], None],
        on_message: Callable[[Incoming], None] | None,
        fresh_token: FreshToken | None,
        impairment: Impairment | None,
        new_endpoint: EndpointFactory,
        data_channels: bool,
    ) -> None:
        self._on_event = on_event
        self._on_reception = on_reception
        self._on_message = on_message
        self._fresh_token = fresh_token
        self._impairment = impairment
        self._endpoint_factory = new_endpoint
        self._data_channels = data_channels
        self._random = SystemRandom()
        self._certificate = Certificate.generate()
        self._changes = Changes()
        self._message_changes = Changes()
        self._roster = Roster(())
        self._early: list[AnyEvent] = []  # what came with `joined`, before it was read
        self._leaving = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._channel: Channel | None = None
        self._endpoints: dict[ConnectionName, Endpoint] = {}
        self.name = ""
        self.you: Participant | None = None
        self.grants = Grants()
        self.state: RoomState | None = None
        self.waiting: tuple[Waiting, ...] = ()  # in the lobby; told to moderators
        self.moved: Moved | None = None  # where to go on: the session is about to end with `moved`
        self.closed: RoomClosed | None = None
        self.transports: dict[ConnectionName, TransportState] = {}  # our two connections as the server sees them

    # --- who is here

    @property
    def identity(self) -> str:
        assert self.you is not None, "before join"
        return self.you.identity

    @property
    def participants(self) -> dict[str, Participant]:
        """The others, by identity."""
        return self._roster.participants

    @property
    def receptions(self) -> dict[str, Reception]:
        """What we receive, by mid."""
        return self._subscriber.receptions

    @property
    def publications(self) -> list[Publication]:
        return self._publisher.publications

    @property
    def publishing(self) -> Endpoint:
        return self._endpoints["publish"]

    @property
    def subscribing(self) -> Endpoint:
        return self._endpoints["subscribe"]

    def reception_of(self, track: str) -> Reception | None:
        return self._subscriber.reception_of(track)

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until `condition` holds; it is asked again after every event and every answered offer."""
        await self._changes.until(condition, timeout_s)

    async def failed(self) -> Exception:
        """Until the room cannot be used any more: RoomClosed, or what went wrong with a media connection."""
        return await self._changes.failed()

    async def wait_closed(self) -> RoomClosed:
        """Until the connection has ended, by whichever side; says why."""
        assert self._channel is not None, "before join"
        await self._channel.wait_closed()
        assert self.closed is not None
        return self.closed

    # --- what we do

    async def publish(self, sources: Sequence[SourceToPublish]) -> list[Publication]:
        """Publish these, in this order; returns when media can flow."""
        return await self._publisher.publish(sources)

    async def unpublish(self, publication: Publication) -> None:
        await self._publisher.unpublish(publication)

    async def mute(self, publication: Publication, muted: bool) -> None:
        """Tell the server; whoever sends stops sending by itself."""
        await self._publisher.mute(publication, muted)

    def tap(
        self,
        of: str,
        kind: Kind = "audio",
        *,
        source: Source | None = None,
        token: str | None = None,
        local: bool = True,
    ) -> Tap:
        """Sound as samples, or pictures as RGB (README.md, Taps). `token`: one that may `record`; None: ours."""
        return Tap(self._url, self.name, lambda: token or self._token, of, kind, source, local=local)

    async def open_messages(self) -> None:
        """Returns when messages can be sent and received. Idempotent. Raises Refused, ConnectionError,
        HandshakeFailed, TimeoutError."""
        await self._messaging.open()

    async def send_message(
        self, payload: bytes | str, *, topic: str = "", to: Collection[str] | None = None, reliable: bool = True
    ) -> None:
        """To everybody else in the room, or to these identities. Opens messages first if need be, and waits while too
        much waits to be sent; a lossy message is dropped then. What the server declines comes to `on_message`.
        Raises Refused `not_granted` or `too_large`, and what `open_messages` does."""
        if not self.grants.message:
            raise Refused("not_granted", "the token does not permit sending messages")
        if self.closed is not None:
            raise self.closed
        await self._messaging.send(payload, topic, to, reliable)

    async def request_reset(self, connection: ConnectionName) -> None:
        """Have one of our media connections built anew; it happens after this has returned."""
        await self._open.request(lambda number: RequestReset(id=number, connection=connection))

    async def refresh(self, token: str) -> None:
        """Go on by another token for the same identity and room. Raises Refused `refresh_invalid`."""
        await self._open.request(lambda number: Refresh(id=number, token=token))
        self._token = token

    async def leave(self) -> None:
        """Say goodbye and close. Idempotent."""
        if self.you is not None and not self._leaving and self.closed is None:
            with suppress(RoomClosed, Refused, TimeoutError):
                async with asyncio.timeout(LEAVE_TIMEOUT_S):
                    await self._open.request(lambda number: Leave(id=number))
        await self.drop()

    async def drop(self) -> None:
        """Close without a word, as a crashed client would. Idempotent."""
        self._leaving = True  # an offer that comes now is not answered
        for endpoint in self._endpoints.values():
            endpoint.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._channel is not None:
            await self._channel.close()
        for endpoint in self._endpoints.values():
            await endpoint.wait_closed()

    # --- inside

    @property
    def _open(self) -> Channel:
        assert self._channel is not None, "before join"
        return self._channel

    async def _join(self, url: str, room: str, token: str, subprotocol: str, auto_subscribe: bool) -> None:
        self._url, self._token = url, token
        self._channel = await open_channel(
            url,
            room,
            SUBPROTOCOLS[subprotocol],
            self._on_server_event,
            self._on_channel_closed,
            self._on_resynced,
        )
        self._endpoints = {"publish": self._new_endpoint("publish"), "subscribe": self._new_endpoint("subscribe")}
        self._publisher = Publisher(self._channel, self.publishing, self._random)
        self._subscriber = Subscriber(self._channel, self.subscribing, self._on_reception)
        self.moderation = Moderation(self._channel)
        self._messaging = Messaging(
            self._publisher,
            self._channel,
            self._on_incoming,
            self._message_changes,
            data_channels=self._data_channels,
        )
        client = ClientVersion(name="sfu-python", version=__version__)
        joined = await self._channel.request(
            lambda number: Join(id=number, token=token, auto_subscribe=auto_subscribe, client=client)
        )
        assert isinstance(joined, Joined)
        self.name = joined.room
        self.you = joined.you
        self.grants = joined.grants
        self.state = joined.state
        self._roster = Roster(joined.participants)
        early, self._early = self._early, []
        for event in early:
            self._on_server_event(event)
        if self._on_message is not None:
            self._start(self._open_messages())

    def _new_endpoint(self, connection: ConnectionName) -> Endpoint:
        return self._endpoint_factory(
            certificate=self._certificate,
            random=self._random,
            impairment=self._impairment,
            on_lost=lambda: self._start(self._replace_lost(connection)),
        )

    async def _replace_lost(self, connection: ConnectionName) -> None:
        """The server no longer answers consent checks there."""
        with suppress(RoomClosed, Refused, TimeoutError):
            await self.request_reset(connection)

    async def _rebuild(self, connections: Sequence[ConnectionName]) -> None:
        old = [self._endpoints[connection] for connection in connections]
        new = {connection: self._new_endpoint(connection) for connection in connections}
        self._endpoints |= new
        for endpoint in old:
            endpoint.close()
        # At once, as the next offer is for it.
        if "subscribe" in connections:
            self._subscriber.rebuild(self.subscribing)
        try:
            await self._open.acknowledge()
            if "publish" in connections:
                await self._publisher.rebuild(self.publishing)
                await self._messaging.rebuild()
        except Refused as error:
            if error.code != "connection_reset":  # again, and we are about to be told
                self._fail(error)
        except (ConnectionError, HandshakeFailed, ProtocolError, TimeoutError) as error:
            if all(self._endpoints[connection] is endpoint for connection, endpoint in new.items()):
                self._fail(error)
        for endpoint in old:
            await endpoint.wait_closed()
        self._changes.changed()

    def _on_resynced(self, resynced: Resynced) -> None:
        self.you, self.grants, self.state = resynced.you, resynced.grants, resynced.state
        for event in self._roster.differences(resynced.participants):
            self._on_server_event(event)

    def _on_server_event(self, event: AnyEvent) -> None:
        if isinstance(event, InLobby):
            self._on_event(event)
            return
        if self.you is None:
            self._early.append(event)
            return
        if self._leaving:
            return
        if isinstance(event, RosterChanged):
            for one in event.events:
                self._on_server_event(one)
            return
        self._roster.on_event(event)
        self._messaging.on_event(event)
        match event:
            case Offer():
                self._start(self._answer(event))
            case SlotsChanged():
                self._start(self._use_slots(event))
            case Reset():
                self._start(self._rebuild(event.connections))
            case TokenExpiring(in_s=in_s) if self._fresh_token is not None:
                self._start(renew(self._fresh_token, self.refresh, in_s))
            case TransportChanged():
                self.transports[event.connection] = event.state
            case GrantsChanged(grants=grants):
                self.grants = grants
            case RoomChanged(room=state):
                self.state = state
            case Lobby(waiting=waiting):
                self.waiting = waiting
            case Moved():
                self.moved = event
            case TrackStopped(track=track):
                self._publisher.on_stopped(track)
            case MutedBy(track=track):
                self._publisher.on_muted(track)
            case _:
                pass
        self._on_event(event)
        self._changes.changed()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_messages(self) -> None:
        try:
            await self._messaging.open()
        except (ConnectionError, HandshakeFailed, ProtocolError, Refused, TimeoutError) as error:
            self._fail(error)

    def _on_incoming(self, incoming: Incoming) -> None:
        if self._on_message is not None:
            self._on_message(incoming)
        self._changes.changed()

    async def _answer(self, offer: Offer) -> None:
        try:
            await self._subscriber.on_offer(offer)
        except (ConnectionError, HandshakeFailed, ProtocolError, Refused, TimeoutError) as error:
            self._fail(error)
        self._changes.changed()

    async def _use_slots(self, changed: SlotsChanged) -> None:
        await self._subscriber.on_slots_changed(changed)
        self._changes.changed()

    def _on_channel_closed(self, closed: RoomClosed) -> None:
        self.closed = closed
        self._fail(closed)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, RoomClosed):
            logger.warning("room %s: %s", self.name, error)
        self._changes.fail(error)
        self._message_changes.fail(error)
