"""What the backend says to people in a room."""

from __future__ import annotations

import base64

from msgspec import UNSET, UnsetType

from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.server_models import MessageToSend
from signaling.errors import Refused


class Messages:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="send_message",
                method="POST",
                path="/rooms/{room}/messages",
                tag="messages",
                summary="Say something to everybody in a room, or to some",
                description="It arrives with an empty `from`, at who has opened messages.",
                run=self._send,
                body=MessageToSend,
                problems=("unknown_participant", "out_of_range", "conflict", "unavailable"),
                example=Example(body={"text": "Five minutes left.", "topic": "notices", "to": ["ada"]}),
            ),
        )

    async def _send(self, asked: Asked) -> Answer:
        message: MessageToSend = asked.body
        room, content = asked.path["room"], _content(message)
        await self._observer.perform(
            lambda directory, now: directory.send_message(
                room, content, topic=message.topic, to=message.to, reliable=message.reliable
            )
        )
        return Answer()


def _content(message: MessageToSend) -> str | bytes:
    """Raises Refused."""
    if (message.text is UNSET) == (message.data is UNSET):
        raise Refused("conflict", "a message is `text` or `data`, one of them")
    if isinstance(message.data, UnsetType):
        assert not isinstance(message.text, UnsetType)
        return message.text
    return base64.b64decode(message.data)
