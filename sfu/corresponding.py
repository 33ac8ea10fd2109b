"""Participants that have messages by way of signaling, as they have no data channel: known by its names.

    OpenMessages ─► Messages.add … SayMessage ─► Messages.say      Messages ─► MessageHeard ─► signaling ─► its client
    DrainMessages: its client has what it was handed, and may have more

To Messages each is a party like any other, with a number from the same row as the Transports'.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from sfu import control
from sfu.control import AnyNotice
from sfu.core.errors import Refused
from sfu.core.messages import Messages
from sfu.core.types import MessageChannel


class Correspondents:
    """`most`: how many there may be. `new_number` and `others`: of everything that may be a party."""

    def __init__(
        self, messages: Messages, new_number: Callable[[], int], notify: Callable[[AnyNotice], None], most: int
    ) -> None:
        self._messages = messages
        self._new_number = new_number
        self._notify = notify
        self._most = most
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def open(self, command: control.OpenMessages, others: Container[str], now: float) -> None:
        """Raises Refused."""
        name = command.correspondent
        if name in self._numbers or name in others:
            raise Refused("duplicate", f"there is a correspondent {name} already")
        if len(self._numbers) >= self._most:
            raise Refused("limit", "this Worker has as many correspondents as it may")
        number = self._numbers[name] = self._new_number()
        self._names[number] = name
        self._messages.add(
            number,
            command.room,
            command.participant,
            may_send=command.may_send_messages,
            keeps=command.keeps_messages,
            replays=command.replays_messages,
            is_spare=True,
        )
        for channel in MessageChannel:
            self._messages.on_opened(number, channel, now)

    def permit(self, name: str, may_send: bool) -> None:
        self._messages.permit(self._number(name), may_send=may_send)

    def say(self, command: control.SayMessage, now: float) -> None:
        """Raises Refused, by the codes of MessageRefusal."""
        self._messages.say(self._number(command.correspondent), MessageChannel(command.channel), command.frame, now)

    def drain(self, command: control.DrainMessages) -> None:
        self._messages.on_drained(self._number(command.correspondent), MessageChannel(command.channel))

    def close(self, name: str) -> None:
        number = self._number(name)
        self._messages.remove(number)
        del self._numbers[name], self._names[number]

    def hear(self, number: int, channel: MessageChannel, frame: bytes) -> bool:
        """False: this is nobody here."""
        name = self._names.get(number)
        if name is not None:
            self._notify(control.MessageHeard(correspondent=name, channel=channel, frame=frame))
        return name is not None

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            raise Refused("unknown_correspondent", f"there is no correspondent {name}")
        return self._numbers[name]
