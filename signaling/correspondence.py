"""One participant's messages by way of its WebSocket, where it has no data channel. Procedures for a Lane.

    open_messages ─► OpenMessages      send_message ─► SayMessage ─► ok, or why not
    MessageHeard ─► message_arrived … ack ─► DrainMessages: the Worker hands out more

How much may be under way is the Worker's to say, as for data channels: a client that acknowledges slowly fills its own
queue there, and neither our replay nor its WebSocket.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sfu import control
from sfu.control import Done, Failed
from sfu.core.types import MessageChannel
from sfu.wire.errors import MalformedMessage
from sfu.wire.message import DeliveredMessage, SentMessage, build_sent, parse_delivered
from sfu.wire.message import MessagesLost as LostMessages
from signaling.correspondence_messages import MessageArrived, MessagesLost, OpenMessages, SendMessage, content_of
from signaling.errors import Refused
from signaling.lane import Procedure, expect
from signaling.messages import AnyServerMessage, Error, Ok
from signaling.names import Names
from signaling.outputs import Call, Output

logger = logging.getLogger(__name__)


class Correspondence:
    """`send` gives a message its number. `take_replay`: whether what the room keeps is still to be told, once."""

    def __init__(
        self,
        *,
        room: str,
        identity: str,
        may_send: bool,
        keeps_messages: int,
        take_replay: Callable[[], bool],
        names: Names,
        emit: Callable[[Output], None],
        send: Callable[[AnyServerMessage], int],
    ) -> None:
        self._room = room
        self._identity = identity
        self._may_send = may_send
        self._keeps_messages = keeps_messages
        self._take_replay = take_replay
        self._names = names
        self._emit = emit
        self._send = send
        self._name: str | None = None  # as the Worker knows it, while it is open
        self._handed: dict[str, int] = {}  # the seq of the last message, by channel

    def open(self, request: OpenMessages) -> Procedure:
        """Again: it is."""
        if self._name is None:
            yield from self._open()
        self._send(Ok(id=request.id))

    def send(self, request: SendMessage) -> Procedure:
        content = content_of(request)
        if content is None:
            self._send(Error(id=request.id, code="invalid", reason="a message has `text` or `data`"))
            return
        if self._name is None:
            yield from self._open()
        assert self._name is not None
        frame = build_sent(SentMessage(request.topic, request.to, content.is_text, content.payload))
        channel = MessageChannel.RELIABLE if request.reliable else MessageChannel.LOSSY
        command = control.SayMessage(call=self._names.call(), correspondent=self._name, channel=channel, frame=frame)
        (reply,) = yield [command]
        # As over data channels a message that is declined ends nothing, also where the code would elsewhere.
        if isinstance(reply, Failed):
            self._send(Error(id=request.id, code=reply.code, reason=reply.reason))
        else:
            self._send(Ok(id=request.id))

    def permit(self, may_send: bool) -> Procedure:
        """From now on."""
        if may_send != self._may_send:
            self._may_send = may_send
            if self._name is not None:
                yield [
                    control.PermitMessages(call=self._names.call(), transport=self._name, may_send_messages=may_send)
                ]

    def on_heard(self, notice: control.MessageHeard) -> None:
        if notice.correspondent != self._name:
            return
        try:
            heard = parse_delivered(notice.frame)
        except MalformedMessage:
            logger.exception("a message of the Worker cannot be read")
            return
        if isinstance(heard, DeliveredMessage):
            message: AnyServerMessage = MessageArrived(
                sender=heard.sender,
                topic=heard.topic,
                text=heard.payload.decode() if heard.text else None,
                data=None if heard.text else heard.payload,
                reliable=notice.channel == MessageChannel.RELIABLE,
                direct=heard.direct,
                age_s=heard.age_s,
            )
        elif isinstance(heard, LostMessages):
            message = MessagesLost(count=heard.count)
        else:
            return  # what is refused here is the answer to a request
        self._handed[notice.channel] = self._send(message)

    def on_acknowledged(self, received: int) -> None:
        """The client has all up to this seq."""
        if self._name is None:
            return
        for channel in [channel for channel, seq in self._handed.items() if seq <= received]:
            del self._handed[channel]
            self._emit(Call(control.DrainMessages(call=self._names.call(), correspondent=self._name, channel=channel)))

    def on_gone(self, notice: control.MessagesGone) -> Procedure:
        """With its Worker; the client need not know. What waited there is lost, as it is with a data channel."""
        if notice.correspondent == self._name:
            self._forget()
            yield from self._open()

    def close(self) -> None:
        if self._name is not None:
            self._emit(Call(control.CloseMessages(call=self._names.call(), correspondent=self._name)))
        self._forget()

    def _open(self) -> Procedure:
        name = self._name = self._names.correspondent()
        command = control.OpenMessages(
            call=self._names.call(),
            correspondent=name,
            room=self._room,
            participant=self._identity,
            may_send_messages=self._may_send,
            keeps_messages=self._keeps_messages,
            replays_messages=self._take_replay(),
        )
        (reply,) = yield [command]
        try:
            expect(reply, Done)
        except Refused:
            self._forget()
            raise

    def _forget(self) -> None:
        self._name = None
        self._handed.clear()
