"""Commands and Notices about messages between participants; part of `control.py`, where they are told apart."""

from __future__ import annotations

from sfu.control_values import Command, Message


class PermitMessages(Command, frozen=True, kw_only=True):
    """Change `may_send_messages`. `transport`: or a correspondent. Reply: Done."""

    transport: str
    may_send_messages: bool


class OpenMessages(Command, frozen=True, kw_only=True):
    """A participant has its messages by way of signaling, as long as no Transport of it has the channel open. What it
    hears are MessageHeard. Reply: Done."""

    correspondent: str
    room: str
    participant: str
    may_send_messages: bool = False
    keeps_messages: int = 0
    replays_messages: bool = False


class SayMessage(Command, frozen=True, kw_only=True):
    """A correspondent sends a message. Reply: Done, or Failed as `MessageRefusal` has it."""

    correspondent: str
    channel: str  # a value of MessageChannel
    frame: bytes  # sfu/wire/message.py


class DrainMessages(Command, frozen=True, kw_only=True):
    """A correspondent's client has all that it was handed on this channel. Reply: Done."""

    correspondent: str
    channel: str


class CloseMessages(Command, frozen=True, kw_only=True):
    """Reply: Done."""

    correspondent: str


class SendMessage(Command, frozen=True, kw_only=True):
    """From the app to who has opened messages in this room. Reply: Done, or Failed as `MessageRefusal` has it."""

    room: str
    channel: str  # a value of MessageChannel
    frame: bytes  # as a participant would send it: sfu/wire/message.py


class MessageHeard(Message, frozen=True, kw_only=True):
    """For a correspondent, who is handed more when signaling says so (DrainMessages)."""

    correspondent: str
    channel: str
    frame: bytes  # sfu/wire/message.py


class MessagesGone(Message, frozen=True, kw_only=True):
    """A correspondent is no more, with its Worker."""

    correspondent: str
