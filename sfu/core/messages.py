"""Messages between the participants of a room: who gets one, and what a sender or a slow receiver may cost the others.

    on_message ─► granted? rate, size? ─► each receiver's Outbox ─► poll      refused ─► an error to the sender
    on_drained ─► the next from that Outbox ─► poll

A sender is heard by everybody else in its room who has opened the same channel, or by those it names. A receiver that
does not keep up loses messages, and nobody else notices: lossy ones silently, oldest first; in the place of reliable
ones it is told how many they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sfu.core.allowance import Allowance
from sfu.core.errors import Refused
from sfu.core.outbox import LossyOutbox, Outbox, ReliableOutbox
from sfu.core.types import MessageChannel
from sfu.wire import message as wire
from sfu.wire.errors import MalformedMessage
from sfu.wire.message import DeliveredMessage, MessageError, MessagesLost, SentMessage


@dataclass(frozen=True, slots=True)
class MessageLimits:
    # Size. With the payload so limited our frames, too, stay within the 64 KiB that every remote takes (RFC 8841 §6.1).
    frame_bytes: int = 64 * 1024  # as our descriptions say; a longer one is not even read
    reliable_bytes: int = 60 * 1024  # of payload
    lossy_bytes: int = 15 * 1024  # 13 packets, none of which may be lost: at 1 % loss one such message in eight is
    topic_length: int = 64  # a name, not content
    recipients: int = 100  # as many as a room has; more are a list that nobody checked

    # Rate of one sender, and what its messages cost. A packet to a receiver takes 100 µs of the Worker's loop (aiortc).
    messages_per_s: float = 50.0  # pointers and game states come 20 to 30 times a second
    messages_burst: int = 100
    packets_per_s: float = 500.0  # to all receivers together: 5 % of a core. 50 messages/s to ten, 5 to a hundred
    packets_burst: int = 1000  # no more at once than one receiver's queue holds, lest others lose theirs by it
    room_packets_per_s: float = 4000.0  # of all its senders: 40 % of a core, lest one room starve the others
    room_packets_burst: int = 8000
    errors_per_s: float = 2.0  # answers to what was refused: enough to debug a client
    errors_burst: int = 10

    # What waits for one receiver
    reliable_queue_bytes: int = 1 << 20  # ten seconds of a slow path's 100 kB/s. Lower: gaps; higher: memory
    lossy_queue_bytes: int = 64 << 10  # what is older than this is out of date, or it should not have been lossy
    # What a room keeps for who comes later, where it is set to: a page of chat. Each who comes is sent all of it.
    history_messages: int = 200
    history_bytes: int = 128 << 10

    ahead_bytes: int = 16 << 10  # with SCTP beyond its window, a turn of the loop's worth; it cannot be given up
    # Over a WebSocket, per channel: one of the largest, 64 short ones. Both channels: half of what its replay keeps.
    spare_ahead_bytes: int = 64 << 10
    spare_least_bytes: int = 1 << 10  # what a short one counts as


class MessageRefusal(StrEnum):
    """Why a message was not taken, or not delivered to all: the sender is told."""

    NOT_GRANTED = "not_granted"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    RATE = "rate"
    UNKNOWN_PARTICIPANT = "unknown_participant"


class MessageDrop(StrEnum):
    """Why a message ended on its way to one receiver."""

    QUEUE_FULL = "queue_full"  # it does not keep up
    RECEIVER_CLOSED = "receiver_closed"  # it left, or opened another channel


@dataclass(slots=True)
class MessageCounters:
    """Only ever grow. `sent` counts each message once per receiver, when the transport takes it."""

    received: dict[MessageChannel, int] = field(default_factory=lambda: dict.fromkeys(MessageChannel, 0))
    sent: dict[MessageChannel, int] = field(default_factory=lambda: dict.fromkeys(MessageChannel, 0))
    refused: dict[MessageRefusal, int] = field(default_factory=lambda: dict.fromkeys(MessageRefusal, 0))
    dropped: dict[MessageDrop, int] = field(default_factory=lambda: dict.fromkeys(MessageDrop, 0))


@dataclass(frozen=True, slots=True)
class Send:
    transport: int
    channel: MessageChannel
    frame: bytes


# Smaller than what SCTP puts into one packet, so that costs are not guessed too low.
_PACKET_BYTES = 1100


class Messages:
    """Transports are known by number. One that opens no channels costs nothing and gets nothing."""

    def __init__(self, limits: MessageLimits) -> None:
        self.counters = MessageCounters()
        self._limits = limits
        self._parties: dict[int, _Party] = {}
        self._rooms: dict[str, _Room] = {}
        self._outputs: deque[Send] = deque()

    def add(
        self,
        transport: int,
        room: str,
        participant: str,
        *,
        may_send: bool,
        keeps: int = 0,
        replays: bool = False,
        is_spare: bool = False,
    ) -> None:
        """`keeps`: how many of its messages the room keeps from now on; `replays`: this one is to hear them.
        `is_spare`: it is no Transport, and receives on a channel only while no Transport of its participant does."""
        entry = self._rooms.setdefault(room, _Room(room, self._limits))
        entry.keeps = min(keeps, self._limits.history_messages)
        party = _Party(transport, entry, participant, may_send, self._limits, replays, is_spare)
        entry.spares += is_spare
        self._parties[transport] = entry.parties[transport] = party

    def permit(self, transport: int, *, may_send: bool) -> None:
        """From now on. Nothing if it is not there (any more)."""
        party = self._parties.get(transport)
        if party is not None:
            party.may_send = may_send

    def remove(self, transport: int) -> None:
        """Nothing if it is not there (any more)."""
        party = self._parties.pop(transport, None)
        if party is None:
            return
        for channel in list(party.outboxes):
            self._close(party, channel)
        del party.room.parties[transport]
        party.room.spares -= party.is_spare
        if not party.room.parties:
            del self._rooms[party.room.name]

    def on_opened(self, transport: int, channel: MessageChannel, now: float) -> None:
        """From now on it receives. Opened again: what still waited was for the one before."""
        party = self._parties.get(transport)
        if party is None:
            return
        self._close(party, channel)
        limits = self._limits
        ahead, least = (
            (limits.spare_ahead_bytes, limits.spare_least_bytes) if party.is_spare else (limits.ahead_bytes, 0)
        )
        party.outboxes[channel] = (
            LossyOutbox(limits.lossy_queue_bytes, ahead, least)
            if channel is MessageChannel.LOSSY
            else ReliableOutbox(limits.reliable_queue_bytes, ahead, _notice_of_lost, least)
        )
        if channel is MessageChannel.RELIABLE and party.replays:
            party.replays = False
            for at, message in party.room.history:
                self._put(party, channel, wire.build_delivered(replace(message, age_s=now - at)))

    def on_closed(self, transport: int, channel: MessageChannel) -> None:
        party = self._parties.get(transport)
        if party is not None:
            self._close(party, channel)

    def on_drained(self, transport: int, channel: MessageChannel) -> None:
        party = self._parties.get(transport)
        outbox = None if party is None else party.outboxes.get(channel)
        if party is not None and outbox is not None:
            outbox.on_drained()
            self._hand_out(party, channel, outbox)

    def on_message(self, transport: int, channel: MessageChannel, frame: bytes, now: float) -> None:
        """Whatever is in it."""
        party = self._parties.get(transport)
        if party is None:
            return
        topic = ""
        try:
            message = self._read(party, channel, frame, now)
            topic = message.topic
            self._send_of(party, channel, message, now)
        except Refused as refused:
            self._refuse(party, channel, refused, topic, now)

    def say(self, transport: int, channel: MessageChannel, frame: bytes, now: float) -> None:
        """The same of somebody who is told at once what became of it. Raises Refused."""
        party = self._parties[transport]
        try:
            self._send_of(party, channel, self._read(party, channel, frame, now), now)
        except Refused as refused:
            self.counters.refused[MessageRefusal(refused.code)] += 1
            raise

    def post(self, room: str, sender: str, channel: MessageChannel, message: SentMessage, now: float) -> None:
        """Somebody says it who has no Transport: the app, with an empty `sender`. Raises Refused."""
        self._check(message, channel)
        entry = self._rooms.get(room)
        if entry is None:
            raise Refused(MessageRefusal.UNKNOWN_PARTICIPANT, "nobody in this room has opened messages")
        self._deliver(entry, sender, channel, message, now, lambda cost: True)

    def poll(self) -> Send | None:
        return self._outputs.popleft() if self._outputs else None

    def _send_of(self, party: _Party, channel: MessageChannel, message: SentMessage, now: float) -> None:
        """Raises Refused."""
        self._deliver(party.room, party.participant, channel, message, now, lambda cost: party.packets.spend(cost, now))

    def _read(self, party: _Party, channel: MessageChannel, frame: bytes, now: float) -> SentMessage:
        """Raises Refused."""
        self.counters.received[channel] += 1
        limits = self._limits
        if not party.may_send:
            raise Refused(MessageRefusal.NOT_GRANTED, "the token does not permit sending messages")
        if not party.messages.take(1, now):
            raise Refused(MessageRefusal.RATE, f"more than {limits.messages_per_s:g} messages per second")
        if len(frame) > limits.frame_bytes:
            raise Refused(MessageRefusal.TOO_LARGE, f"a frame of {len(frame)} bytes, of at most {limits.frame_bytes}")
        try:
            message = wire.parse_sent(frame)
        except MalformedMessage as error:
            raise Refused(MessageRefusal.MALFORMED, str(error)) from error
        self._check(message, channel)
        return message

    def _check(self, message: SentMessage, channel: MessageChannel) -> None:
        """Raises Refused."""
        limits = self._limits
        largest = limits.lossy_bytes if channel is MessageChannel.LOSSY else limits.reliable_bytes
        if len(message.payload) > largest:
            raise Refused(MessageRefusal.TOO_LARGE, f"{len(message.payload)} bytes; {channel} takes {largest}")
        if len(message.topic) > limits.topic_length:
            raise Refused(MessageRefusal.TOO_LARGE, f"a topic has at most {limits.topic_length} characters")
        if message.to is not None and len(message.to) > limits.recipients:
            raise Refused(MessageRefusal.TOO_LARGE, f"a message names at most {limits.recipients} participants")

    def _deliver(
        self,
        room: _Room,
        sender: str,
        channel: MessageChannel,
        message: SentMessage,
        now: float,
        spend: Callable[[int], bool],
    ) -> None:
        """Raises Refused: before anybody was reached, or when somebody who was named could not be."""
        named = None if message.to is None else frozenset(message.to)
        receivers = [
            party
            for party in room.listeners(channel)
            if party.participant != sender and (named is None or party.participant in named)
        ]
        direct = message.to is not None
        delivered = DeliveredMessage(sender, message.topic, direct, message.text, message.payload)
        frame = wire.build_delivered(delivered)
        # Receiving it was work too, and what reaches nobody is not for free.
        cost = max(1, len(receivers)) * (1 + len(frame) // _PACKET_BYTES)
        if not spend(cost):
            raise Refused(MessageRefusal.RATE, "so much to so many costs more than one sender may")
        if not room.packets.spend(cost, now):
            raise Refused(MessageRefusal.RATE, "the room sends more messages than it may")
        for party in receivers:
            self._put(party, channel, frame)
        if not direct and channel is MessageChannel.RELIABLE:
            room.keep(delivered, now)
        missed = (named or frozenset()) - {party.participant for party in receivers}
        if missed:
            raise Refused(MessageRefusal.UNKNOWN_PARTICIPANT, f"not here, or without messages: {_list(missed)}")

    def _refuse(self, party: _Party, channel: MessageChannel, refused: Refused, topic: str, now: float) -> None:
        self.counters.refused[MessageRefusal(refused.code)] += 1
        if channel in party.outboxes and party.errors.take(1, now):
            self._put(party, channel, wire.build_error(MessageError(refused.code, refused.reason, topic)))

    def _put(self, party: _Party, channel: MessageChannel, frame: bytes) -> None:
        outbox = party.outboxes[channel]
        self.counters.dropped[MessageDrop.QUEUE_FULL] += outbox.put(frame)
        self._hand_out(party, channel, outbox)

    def _hand_out(self, party: _Party, channel: MessageChannel, outbox: Outbox) -> None:
        while (frame := outbox.take()) is not None:
            self.counters.sent[channel] += 1
            self._outputs.append(Send(party.transport, channel, frame))

    def _close(self, party: _Party, channel: MessageChannel) -> None:
        outbox = party.outboxes.pop(channel, None)
        if outbox is not None:
            self.counters.dropped[MessageDrop.RECEIVER_CLOSED] += outbox.waiting


class _Room:
    def __init__(self, name: str, limits: MessageLimits) -> None:
        self.name = name
        self.parties: dict[int, _Party] = {}
        self.spares = 0
        self.packets = Allowance(limits.room_packets_per_s, limits.room_packets_burst)
        self.keeps = 0
        self.history: deque[tuple[float, DeliveredMessage]] = deque()
        self._history_bytes = 0
        self._most_bytes = limits.history_bytes

    def listeners(self, channel: MessageChannel) -> list[_Party]:
        """Each participant once: who has the channel open on a Transport needs no spare."""
        listening = [party for party in self.parties.values() if channel in party.outboxes]
        if not self.spares:
            return listening
        direct = {party.participant for party in listening if not party.is_spare}
        return [party for party in listening if not party.is_spare or party.participant not in direct]

    def keep(self, message: DeliveredMessage, now: float) -> None:
        """For who comes later, if the room is set so; the oldest go."""
        if self.keeps:
            self.history.append((now, message))
            self._history_bytes += len(message.payload)
        while len(self.history) > self.keeps or self._history_bytes > self._most_bytes:
            _, oldest = self.history.popleft()
            self._history_bytes -= len(oldest.payload)


class _Party:
    """One Transport's side: what it may send, and what waits for it."""

    def __init__(
        self,
        transport: int,
        room: _Room,
        participant: str,
        may_send: bool,
        limits: MessageLimits,
        replays: bool,
        is_spare: bool,
    ) -> None:
        self.transport = transport
        self.room = room
        self.participant = participant
        self.may_send = may_send
        self.replays = replays
        self.is_spare = is_spare
        self.outboxes: dict[MessageChannel, Outbox] = {}  # of the channels that are open
        self.messages = Allowance(limits.messages_per_s, limits.messages_burst)
        self.packets = Allowance(limits.packets_per_s, limits.packets_burst)
        self.errors = Allowance(limits.errors_per_s, limits.errors_burst)


def _notice_of_lost(count: int) -> bytes:
    return wire.build_lost(MessagesLost(count))


def _list(identities: Iterable[str]) -> str:
    """Some of them: a reason is a sentence."""
    some = sorted(identities)
    return ", ".join(one[:64] for one in some[:3]) + (f" and {len(some) - 3} more" if len(some) > 3 else "")
