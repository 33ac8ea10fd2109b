"""Messages by way of the WebSocket, as one session has them."""

from __future__ import annotations

from functools import partial
from typing import Any

from sfu import control
from sfu.core.types import MessageChannel
from sfu.wire.message import DeliveredMessage, MessagesLost, SentMessage, build_delivered, build_lost, parse_sent
from signaling.correspondence_messages import OpenMessages, SendMessage
from signaling.messages import Ack, Error, Grants, Ok
from signaling.room_events import Permit
from tests.signaling.conversations import Conversation, entered, tags

RELIABLE, LOSSY = MessageChannel.RELIABLE, MessageChannel.LOSSY


def opened() -> tuple[Conversation, str]:
    """And the name that the Worker knows it by."""
    conversation = Conversation().enter(entered(keeps_messages=7))
    conversation.say(lambda number: OpenMessages(id=number))
    (command,) = conversation.calls
    assert isinstance(command, control.OpenMessages)
    assert (command.participant, command.may_send_messages, command.keeps_messages) == ("ada", True, 7)
    assert command.replays_messages
    assert tags(conversation.done()) == ["ok"]
    return conversation, command.correspondent


def heard(name: str, text: str | bytes, channel: MessageChannel = RELIABLE) -> control.MessageHeard:
    payload = text.encode() if isinstance(text, str) else text
    message = DeliveredMessage("bob", "chat", direct=True, text=isinstance(text, str), payload=payload)
    return control.MessageHeard(correspondent=name, channel=channel, frame=build_delivered(message))


def hear(conversation: Conversation, notice: control.MessageHeard | control.MessagesGone) -> list[Any]:
    return conversation.do(lambda session: session.on_notice(notice, 0.0))


def _send(text: str | None, data: bytes | None, number: int) -> SendMessage:
    return SendMessage(id=number, text=text, data=data)


def acknowledge(conversation: Conversation) -> None:
    conversation.do(lambda session: session.on_message(Ack(received=conversation.seqs[-1]), 0.0))


def test_a_message_is_said_as_it_would_be_on_a_channel() -> None:
    conversation, name = opened()
    conversation.say(lambda number: SendMessage(id=number, text="Hé", topic="chat", to=("bob",), reliable=False))
    (command,) = conversation.calls
    assert isinstance(command, control.SayMessage)
    assert (command.correspondent, command.channel) == (name, "lossy")
    assert parse_sent(command.frame) == SentMessage("chat", ("bob",), True, "Hé".encode())
    assert tags(conversation.done()) == ["ok"]


def test_what_is_declined_ends_nothing_whatever_the_code() -> None:
    conversation, _ = opened()
    for code in ("rate", "too_large", "malformed", "not_granted"):
        conversation.say(lambda number: SendMessage(id=number, data=b"x"))
        (answer,) = conversation.refuse(code)
        assert isinstance(answer, Error) and answer.code == code
    for text, data in ((None, None), ("x", b"y")):
        (answer,) = conversation.say(partial(_send, text, data))
        assert answer.code == "invalid"
    assert conversation.closed is None


def test_what_is_heard_arrives_and_more_is_asked_for_when_it_is_acknowledged() -> None:
    conversation, name = opened()
    (first,) = hear(conversation, heard(name, "hello"))
    assert (first.sender, first.topic, first.text, first.data, first.direct) == ("bob", "chat", "hello", None, True)
    (second,) = hear(conversation, heard(name, b"\0", LOSSY))
    assert (second.text, second.data, second.reliable) == (None, b"\0", False)
    assert conversation.calls == []
    acknowledge(conversation)
    wanted = [call for call in conversation.calls if isinstance(call, control.DrainMessages)]
    assert [(call.correspondent, call.channel) for call in wanted] == [(name, RELIABLE), (name, LOSSY)]
    conversation.serve()
    acknowledge(conversation)
    assert conversation.calls == []
    lost = control.MessageHeard(correspondent=name, channel=RELIABLE, frame=build_lost(MessagesLost(3)))
    assert [one.count for one in hear(conversation, lost)] == [3]
    assert hear(conversation, heard("7/messages/99", "somebody else's, by now")) == []


def test_messages_are_said_again_on_another_socket() -> None:
    conversation, name = opened()
    received = conversation.seqs[-1]
    conversation.lose_socket()
    assert hear(conversation, heard(name, "meanwhile")) == []
    assert [one.text for one in conversation.resume(received) if hasattr(one, "text")] == ["meanwhile"]


def test_after_its_worker_was_lost_it_goes_on_in_the_next() -> None:
    conversation, name = opened()
    conversation.say(lambda number: SendMessage(id=number, text="lost"))
    (answer,) = hear(conversation, control.MessagesGone(correspondent=name))
    assert answer.code == "connection_reset"
    reopened = conversation.calls[-1]
    assert isinstance(reopened, control.OpenMessages) and reopened.correspondent != name
    assert not reopened.replays_messages, "it has heard them"
    conversation.calls = [reopened]
    conversation.serve()
    assert [one.text for one in hear(conversation, heard(reopened.correspondent, "on"))] == ["on"]


def test_what_was_heard_before_its_opening_failed_is_acknowledged_in_vain() -> None:
    conversation = Conversation().enter(entered())
    conversation.say(lambda number: OpenMessages(id=number))
    (command,) = conversation.calls
    assert isinstance(command, control.OpenMessages)
    hear(conversation, heard(command.correspondent, "hello"))
    (answer,) = conversation.refuse("limit")
    assert isinstance(answer, Error) and answer.code == "limit"
    acknowledge(conversation)
    assert conversation.calls == []
    # And the next one is asked for anew.
    conversation.say(lambda number: OpenMessages(id=number))
    assert [type(call) for call in conversation.calls] == [control.OpenMessages]


def test_opened_twice_is_opened_and_the_end_closes_it() -> None:
    conversation, name = opened()
    (answer,) = conversation.say(lambda number: OpenMessages(id=number))
    assert isinstance(answer, Ok) and conversation.calls == []
    conversation.do(lambda session: session.on_shutdown())
    closed = [call.correspondent for call in conversation.calls if isinstance(call, control.CloseMessages)]
    assert closed == [name]


def test_who_may_not_send_any_more_is_known_to_the_worker() -> None:
    conversation, name = opened()
    conversation.hear(Permit(Grants(subscribe=True)))
    (command,) = [call for call in conversation.calls if isinstance(call, control.PermitMessages)]
    assert (command.transport, command.may_send_messages) == (name, False)
