"""What there is to see, as the API shows it: of rooms from their directory, of media from the Workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Final, TypeVar

from sfu.control import AnyCommand, AnyReply, Failed, ReadStatistics, Statistics
from signaling.errors import Refused
from signaling.lane import Steps
from signaling.messages import Explanation
from signaling.rooms import RoomDirectory
from signaling.seat import AnySession
from signaling.session import ClientSession
from signaling.subscribing import Subscribing
from signaling.switchboard import Switchboard
from signaling.whip.session import HttpSession
from signaling.workers import Workers

# A Worker answers within milliseconds; who asked does not wait for one that is just being replaced.
ANSWER_TIMEOUT_S: Final = 4.0

R = TypeVar("R")


class Observer:
    def __init__(self, switchboard: Switchboard, workers: Workers) -> None:
        self.switchboard = switchboard
        self._workers = workers

    @property
    def directory(self) -> RoomDirectory:
        """To look into."""
        return self.switchboard.directory

    async def perform(self, operation: Callable[[RoomDirectory, float], R]) -> R:
        """Done, and kept. Raises Refused."""
        return await self.switchboard.perform(operation)

    async def statistics(self, room: str) -> Statistics:
        """Of a room that there is, without what each receives. Raises Refused."""
        return await self._ask(room, lambda call: ReadStatistics(call=call, room=room, subscriptions=False), Statistics)

    async def explanation(self, room: str, identity: str) -> Explanation:
        """Why somebody receives what he does. Raises Refused."""
        return await self._ask_session(room, identity, lambda tell: partial(_explain, tell))

    async def ask_about(self, room: str, identity: str, question: Callable[[Subscribing], Steps[R]]) -> R:
        """What somebody receives; what he wishes may be changed, too. Raises Refused."""
        return await self._ask_session(room, identity, lambda tell: methodcaller("ask", question, tell))

    async def _ask_session(
        self, room: str, identity: str, feed: Callable[[Callable[[R | Refused], None]], Callable[[AnySession], None]]
    ) -> R:
        """`feed`: what is done with the session, given how it tells."""
        told: asyncio.Future[R | Refused] = asyncio.get_running_loop().create_future()
        number = self.directory.session_of(room, identity)
        if number is None:
            raise Refused("unknown_participant", f"{identity} is not in the room")
        self.switchboard.feed(number, feed(partial(_settle, told)))
        try:
            answer = await asyncio.wait_for(told, ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise Refused("unavailable", "the media worker does not answer") from None
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def _ask(self, room: str, command: Callable[[int], AnyCommand], expected: type[R]) -> R:
        answered: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
        link = self._workers.link_of(room)
        link.ask(command, lambda reply: None if answered.done() else answered.set_result(reply))
        try:
            reply = await asyncio.wait_for(answered, ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise Refused("unavailable", "the media worker does not answer") from None
        if isinstance(reply, Failed):
            raise Refused("unavailable", f"the media worker answered {reply.code}")
        assert isinstance(reply, expected)
        return reply


def _explain(tell: Callable[[Explanation | Refused], None], session: AnySession) -> None:
    if isinstance(session, HttpSession):
        session.explain(tell)
    elif isinstance(session, ClientSession):
        session.ask(Subscribing.explanation, tell)


def _settle(told: asyncio.Future[R], answer: R) -> None:
    if not told.done():
        told.set_result(answer)


def public_name(media: str) -> str:
    """Of a track, as people know it: towards the Worker it has another name after its connection was lost."""
    return media.partition("/")[0]
