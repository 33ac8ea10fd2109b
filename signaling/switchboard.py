"""Carries out what sessions want: to the link, the room directory and the clients; and brings back what comes of it.

    WebSocket ─ frame ──► session ─ outputs ─► link, directory, WebSocket or HTTP response
    HTTP ─ request ───────►  ▲ reply, notice, room event, timeout

Whatever is fed to a session, its outputs are taken until none is left before anything else is fed; then what the
directory has to tell the others, the same way; and when all have heard all, they settle. That is a turn. What the
directory recorded in it is one transaction of the store, and what was said in it is held back until that is committed
(`gate.py`); Commands to Workers are not. Decides nothing itself.
A WebSocket speaks for one session; a session may be without one for a while, and then have another (`resume`).
An error of ours while one client is served closes that client only.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count
from operator import methodcaller
from typing import Any, TypeVar

from sfu import control
from sfu.control import AnyNotice
from signaling import closing
from signaling.auth import Grant, mint_again, verify
from signaling.batches import Batches
from signaling.errors import ProtocolError, Refused
from signaling.limits import RoomLimits, SessionLimits
from signaling.loop_lag import JOIN_BOUNDS_S, Histogram
from signaling.messages import IceServer, Resume, TrackPublished, TrackUnpublished
from signaling.moderating import carry_out
from signaling.moderation_messages import AnyModeration
from signaling.names import Names, session_of
from signaling.neighbours import Book, Callees, Connection, Exchange
from signaling.outputs import Announce, Attend, Call, Close, Depart, Enter, Moderate, Output, Renew, Send, TakeUp, Tell
from signaling.public_keys import PublicKey
from signaling.resume import ResumeTokens
from signaling.room_events import Admitted, Entered, RoomEvent
from signaling.rooms import RoomDirectory
from signaling.seat import AnySession, Closing, Seat, Sending, SignalingCounters, describe_track
from signaling.session import ClientSession
from signaling.store import Store
from signaling.store.memory import MemoryStore
from signaling.subprotocols import Frame, Subprotocol
from signaling.turn import IceServers
from signaling.turns import Turns
from signaling.webhooks.outbox import Outbox, no_webhooks
from signaling.whip.exchange import Request
from signaling.whip.session import Direction, HttpSession

logger = logging.getLogger(__name__)

# 80 bits: names of tracks, participants, rooms and events are never used again, not even after a restart.
NAME_BYTES = 10
NO_ICE_SERVERS = IceServers()

T = TypeVar("T")
S = TypeVar("S", bound=AnySession)


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(NAME_BYTES)}"


def _refusal(operation: Callable[[], object]) -> Refused | None:
    """What it refuses, if it does."""
    try:
        operation()
    except Refused as error:
        return error
    return None


def _send_encoded(connection: Connection, subprotocol: Subprotocol, message: Any) -> None:
    connection.send(subprotocol.encode(message))


def _verify(keys: Mapping[str, str | PublicKey], token: str, room: str) -> Grant:
    return verify(token, keys, room, time.time())


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


class Switchboard:
    """`keys`: secrets and public keys by key id. What `store` has kept is taken up at once; `books` are kept there,
    too."""

    def __init__(
        self,
        keys: Mapping[str, str | PublicKey],
        rooms: RoomLimits,
        sessions: SessionLimits,
        ice_servers: IceServers = NO_ICE_SERVERS,
        store: Store | None = None,
        outbox: Outbox | None = None,
        books: Iterable[Book] = (),
    ) -> None:
        self._keys = keys
        self._ice_servers = ice_servers
        self._limits = sessions
        self._workers: Callees | None = None
        self._loop = asyncio.get_running_loop()
        self._store = store or MemoryStore()
        kept = self._store.load()
        self._batches = Batches(rooms)
        self.directory = RoomDirectory(rooms, _new_id, clock_offset_s=time.time() - self._loop.time())
        self._outbox = no_webhooks() if outbox is None else outbox
        self._books = (self._outbox.webhooks, *books)
        self.turns = Turns(self._store, kept.last_seq, partial(_new_id, "EV"), self._outbox)
        self._seats: dict[int, Seat] = {}
        self._speaks_for: dict[int, int] = {}  # session by WebSocket
        self._tokens = ResumeTokens(secrets.token_bytes)
        self._next: deque[tuple[int, Callable[[AnySession], None]]] = deque()  # to be fed in this turn
        self._resumed = 0
        self.first_media_times = Histogram(JOIN_BOUNDS_S)
        self._numbers = count(1)
        self._calls = count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._closed: dict[str, int] = {}
        for book in self._books:
            book.restore(kept.values)
        self._outbox.admit(kept.pending)
        self.directory.restore(kept.values, self._loop.time())
        self._run()
        self._wake_by(self.directory.next_timeout())

    @property
    def counters(self) -> SignalingCounters:
        rooms, people = self.directory.room_count, self.directory.participant_count
        return SignalingCounters(rooms, people, len(self._seats), self._resumed, dict(self._closed))

    def ice_servers(self, identity: str) -> tuple[IceServer, ...]:
        """As this participant is told them."""
        return self._ice_servers.told(identity, time.time())

    def attach(self, workers: Callees) -> None:
        """Before the first `connect`. The Notices of all links go to `on_notice`."""
        self._workers = workers

    # --- feeds ---

    def connect(self, room: str, subprotocol: Subprotocol, connection: Connection, address: str) -> int:
        """A WebSocket was opened; returns its number for the other feeds."""
        begin = partial(
            ClientSession,
            room=room,
            subprotocol=subprotocol,
            authenticate=partial(_verify, self._keys),
            mint=lambda grant: mint_again(grant, self._keys, time.time()),
            limits=self._limits,
            ice_servers=self.ice_servers,
            now=self._loop.time(),
        )
        send = partial(_send_encoded, connection, subprotocol)
        number, session = self.seat(lambda names: begin(names=names), send, connection.close, address)
        self._seats[number].socket = self._speaks_for[number] = number
        self._wake_by(session.next_timeout())
        return number

    def admit(self, direction: Direction, room: str, participant: str | None, exchange: Exchange, address: str) -> int:
        """Somebody comes by HTTP (WHIP, WHEP); the first `on_request` follows. `participant`: whom to watch."""
        begin = partial(
            HttpSession,
            direction,
            room=room,
            participant=participant,
            authenticate=partial(_verify, self._keys),
            limits=self._limits,
            now=self._loop.time(),
        )
        return self.seat(lambda names: begin(names=names), exchange.respond, exchange.close, address)[0]

    def seat(self, begin: Callable[[Names], S], send: Sending, close: Closing, address: str = "-") -> tuple[int, S]:
        """A session of its own kind, with its number for `feed`; nothing is asked of it before that."""
        number = next(self._numbers)
        session = begin(Names(number, self._calls, partial(_new_id, "TR")))
        self._seats[number] = Seat(number, session, send, close, address)
        return number, session

    def has_joined(self, socket: int) -> bool:
        """Or has ended already."""
        seat = self._seats.get(self._speaks_for.get(socket, 0))
        return seat is None or seat.session.grant is not None

    def on_frame(self, socket: int, frame: Frame) -> None:
        """A WebSocket that speaks for nobody (any more) is not heard."""
        self.feed(self._speaks_for.get(socket, 0), methodcaller("on_frame", frame, self._loop.time()))

    def on_disconnected(self, socket: int, *, leaving: bool) -> None:
        """The WebSocket is closed. `leaving`: in good order, by a client that does not mean to come back."""
        number = self._speaks_for.pop(socket, 0)
        seat = self._seats.get(number)
        if seat is not None:
            seat.on_socket_lost()
            self.feed(number, methodcaller("on_disconnected", self._loop.time(), leaving=leaving))

    def on_request(self, number: int, request: Request) -> None:
        """A session that is no more does not respond; its Exchange has been closed."""
        self.feed(number, methodcaller("on_request", request, self._loop.time()))

    def on_notice(self, notice: AnyNotice) -> None:
        if isinstance(notice, control.RoomNotice):
            self._wake_by(self.directory.on_notice(notice, self._loop.time()))
            self._run()
        else:
            number, now = session_of(control.subject(notice)), self._loop.time()
            self.feed(number, methodcaller("on_notice", notice, now))
            if number in self._seats:
                self._seats[number].on_notice(notice, now, self.first_media_times)

    async def perform(self, operation: Callable[[RoomDirectory, float], T]) -> T:
        """Runs `operation(directory, now)`, for REST, as a turn of its own; returns what it returns, when that is
        committed. It may change the books, too. `now` is of the clock that the directory lives by. Raises what the
        operation raises: Refused, of which nothing may have come then; Refused `unavailable` if nothing can be kept."""
        if self._store.stalled:
            raise Refused("unavailable", "nothing can be kept at the moment")
        done: asyncio.Future[None] = self._loop.create_future()
        try:
            result = operation(self.directory, self._loop.time())
        finally:
            self.turns.say(0, partial(_finish, done))
            self._run()
            self._wake_by(self.directory.next_timeout())
        await done
        return result

    def shut_down(self) -> None:
        """Farewell to all. They are not told of one another: nobody stays to see."""
        self.directory.shut_down(self._loop.time())
        for number in list(self._seats):
            self.feed(number, lambda session: session.on_shutdown())
        if self._timer is not None:
            self._timer.cancel()

    # --- the rule: feed, drain, deliver ---

    def feed(self, number: int, feed: Callable[[AnySession], None]) -> None:
        self._next.append((number, feed))
        self._run()

    def _run(self) -> None:
        self._take_deliveries()
        while self._next:
            touched: dict[int, None] = {}
            while self._next:
                number, feed = self._next.popleft()
                touched[number] = None
                self._feed_one(number, feed)
                self._take_deliveries()
            for number in touched:
                self._feed_one(number, lambda session: session.settle())
                if number in self._seats:
                    self._wake_by(self._seats[number].session.next_timeout())
            self._take_deliveries()
        self._tell_workers()
        self.turns.end(self.directory.poll_record, *(book.poll_record for book in self._books))

    def _tell_workers(self) -> None:
        while self._workers is not None and (post := self.directory.poll_post()) is not None:
            self._workers.link_of(post.room).call(post.command(next(self._calls)), lambda _: None)
        while self._workers is not None and (room := self.directory.poll_closed()) is not None:
            self._workers.release(room)

    def _say(self, number: int, seat: Seat, say: Callable[[], None]) -> None:
        """Unless the WebSocket is another one by then: what it missed, it is told again as that."""
        socket = seat.socket

        def say_unless_gone() -> None:
            if seat.socket != socket:
                return
            try:
                say()
            except Exception:
                logger.exception("session=%d: an error of ours, while saying something", number)
                self._loop.call_soon(self.feed, number, methodcaller("on_fault"))

        self.turns.say(number, say_unless_gone)

    def _take_deliveries(self) -> None:
        while (delivery := self.directory.poll()) is not None:
            self._hear(delivery.session, self._batches.admit(delivery, self._loop.time()))
        self._wake_by(self._batches.next_timeout())

    def _hear(self, number: int, events: Iterable[RoomEvent]) -> None:
        self._next += ((number, _feed_of(event, partial(self._seat, number))) for event in events)

    def _feed_one(self, number: int, feed: Callable[[AnySession], None]) -> None:
        seat = self._seats.get(number)
        if seat is None:
            return
        try:
            feed(seat.session)
            while (output := seat.session.poll()) is not None:
                self._perform(number, seat, output)
        except Exception:
            logger.exception("session=%d: an error of ours", number)
            seat.session.on_fault()
            self._drain_after_fault(number, seat)

    def _drain_after_fault(self, number: int, seat: Seat) -> None:
        """Its Transports are to be closed and the room told, whatever else fails."""
        while (output := seat.session.poll()) is not None:
            try:
                self._perform(number, seat, output)
            except Exception:
                logger.exception("session=%d: an error of ours, while closing", number)

    def _perform(self, number: int, seat: Seat, output: Output) -> None:
        match output:
            case Send(message) | Tell(message):
                self._say(number, seat, partial(seat.send, message))
            case Call(command):
                assert self._workers is not None
                link = self._workers.link_of(seat.session.room)
                link.call(command, lambda reply: self.feed(number, lambda session: session.on_reply(reply)))
            case Enter(grant):
                self._enter(number, seat, grant)
            case TakeUp(resume):
                self._take_up(number, seat, resume)
            case Attend(away):
                self.directory.attend(number, away=away)
                logger.info("%s %s", "away" if away else "resumed", seat)
            case Announce(change):
                self.directory.change(number, change)
                if isinstance(change, TrackPublished | TrackUnpublished):
                    logger.info("%s %s", describe_track(change), seat)
            case Renew(request, grant):
                assert isinstance(seat.session, ClientSession)
                now = self._loop.time()
                refused = _refusal(partial(self.directory.renew, number, grant, now))
                seat.session.on_renewed(request, grant, refused, now)
            case Moderate(request):
                self._moderate(number, seat, request)
            case Depart(reason):
                self.directory.leave(number, reason, self._loop.time())
                self._wake_by(self.directory.next_timeout())
            case Close(ws_code, code, reason):
                self._forget(number, seat, code)
                self._closed[code] = self._closed.get(code, 0) + 1
                self._say(number, seat, partial(seat.close, ws_code, code))
                logger.info("closed %s code=%s reason=%r", seat, code, reason)

    def _enter(self, number: int, seat: Seat, grant: Grant) -> None:
        assert isinstance(seat.session, ClientSession | HttpSession)
        try:
            if self._store.stalled:
                raise Refused("unavailable", "nothing can be kept at the moment")
            entered = self.directory.enter(number, grant, self._loop.time())
        except Refused as error:
            seat.session.on_refused(error)
        else:
            if entered is None:
                logger.info("waits %s", seat)
                seat.session.on_waiting()
            else:
                self._seat(number, entered, seat.session)

    def _seat(self, number: int, entered: Entered, session: AnySession) -> None:
        """It is in the room."""
        logger.info("joined %s client=%r", self._seats[number], session.client)
        self._seats[number].on_joined(entered, self._loop.time())
        if isinstance(session, ClientSession):
            session.on_entered(entered, self._tokens.issue(number, session.room))
        elif isinstance(session, HttpSession):
            session.on_entered(entered)

    def _moderate(self, number: int, seat: Seat, request: AnyModeration) -> None:
        refused = _refusal(partial(carry_out, self.directory, number, request, self._loop.time()))
        if refused is None:
            logger.info("moderates %s request=%s", seat, type(request).__name__)
        self._wake_by(self.directory.next_timeout())
        if self.directory.place_of(number) is not None:
            self._take_deliveries()  # Told first: who is answered looks at the state of things
        self._next.append((number, methodcaller("on_moderated", request, refused)))

    def _take_up(self, number: int, seat: Seat, resume: Resume) -> None:
        """The WebSocket of this session, which was only begun, becomes that of the session it asks for."""
        assert isinstance(seat.session, ClientSession)
        now = self._loop.time()
        try:
            owner = self._tokens.session_of(resume.token, seat.session.room, now)
        except (ProtocolError, Refused) as error:
            seat.session.on_refused(error)
            return
        del self._seats[number]
        taken = self._seats[owner]
        if taken.socket is not None:
            # Half open, most likely: the client knows better than we.
            del self._speaks_for[taken.socket]
            taken.close(closing.RESUMED_ELSEWHERE, "replaced")
        taken.send, taken.close, taken.address, taken.socket = seat.send, seat.close, seat.address, seat.socket
        assert taken.socket is not None
        self._speaks_for[taken.socket] = owner
        self._resumed += 1
        self._hear(owner, self._batches.take(owner))  # or it would be told again after the state of things
        token, present = self._tokens.issue(owner, seat.session.room), self.directory.describe(owner)
        on_resumed = methodcaller("on_resumed", resume, token, seat.session.subprotocol, present, now)
        self._next.append((owner, on_resumed))

    def _forget(self, number: int, seat: Seat, code: str) -> None:
        del self._seats[number]
        self.directory.overlook(number, seat.session.room)
        if seat.socket is not None:
            del self._speaks_for[seat.socket]
        if code == "replaced":
            self._tokens.remember_replaced(number, self._loop.time() + self._limits.resume_within_s)
        else:
            self._tokens.withdraw(number)

    # --- one timer for everybody ---

    def _wake_by(self, when: float | None) -> None:
        """May wake too early, when somebody joined in time: asking all of them anew each time would cost more."""
        if when is not None and (self._timer is None or when < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        self.directory.on_timeout(now)
        for number, event in self._batches.due(now):
            self._hear(number, [event])
        self._run()
        for number, seat in list(self._seats.items()):
            when = seat.session.next_timeout()
            if when is not None and when <= now:
                self.feed(number, lambda session: session.on_timeout(now))
        whens = [self.directory.next_timeout(), self._batches.next_timeout()]
        whens += [seat.session.next_timeout() for seat in self._seats.values()]
        self._wake_by(min((when for when in whens if when is not None), default=None))


def _feed_of(event: RoomEvent, admit: Callable[[Entered, AnySession], None]) -> Callable[[AnySession], None]:
    return partial(admit, event.entered) if isinstance(event, Admitted) else methodcaller("on_room_event", event)
