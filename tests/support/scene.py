"""A server, bots that say one thing, and a network between them that can be lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sfu.core.types import Codec
from signaling.client import (
    Publication,
    ReceivedPacket,
    Room,
    SourceToPublish,
    connect,
    development_token,
)
from signaling.limits import Duplicates, SessionLimits
from signaling.messages import (
    AnyEvent,
    ParticipantChanged,
)
from signaling.server import Server
from tests.support.cutting import Forwarder, forwarding
from tests.support.ice import until
from tests.support.meeting import PATIENCE_S, open_test_server

MICROPHONE, CAMERA = SourceToPublish("microphone", Codec.OPUS), SourceToPublish("camera", Codec.VP8)
FAST = SessionLimits(resume_grace_s=0.2, messages_burst=1000)
"""Who is away is soon said to be."""

FORGIVING = SessionLimits(resume_grace_s=3.0, messages_burst=1000)
"""Who is back at once was never away, also where a busy machine takes a second for it."""


@dataclass(slots=True)
class Scene:
    server: Server
    forwarder: Forwarder
    tokens: dict[str, str]

    @asynccontextmanager
    async def present(self, name: str, *, cuttable: bool = False) -> AsyncIterator[tuple[Room, list[AnyEvent]]]:
        """Somebody in the room, and the events he is told. `cuttable`: through the forwarder."""
        token = await token_of(self, name)
        events: list[AnyEvent] = []
        url = self.forwarder.url if cuttable else self.server.url
        async with connect(url, "here", token, on_event=events.append) as room:
            yield room, events

    async def session_count(self, number: int) -> None:
        """Until so many are left."""
        await until(lambda: self.server.switchboard.counters.sessions == number)


@asynccontextmanager
async def scene(sessions: SessionLimits = FAST, duplicates: Duplicates = "replace") -> AsyncIterator[Scene]:
    async with (
        open_test_server(sessions=sessions, duplicates=duplicates) as server,
        forwarding(server.http_port) as forwarder,
    ):
        yield Scene(server, forwarder, {})


async def token_of(here: Scene, name: str) -> str:
    if name not in here.tokens:
        here.tokens[name] = (await development_token(here.server.url, name, "here")).token
    return here.tokens[name]


def told(events: list[AnyEvent]) -> list[str]:
    """What somebody heard of the others, in words."""
    words = []
    for event in events:
        tag = str(event.__struct_config__.tag)
        if isinstance(event, ParticipantChanged):
            words.append(str(event.state))
        elif tag.startswith(("participant", "track")):
            words.append(tag.removeprefix("participant_"))
    return words


class Talk:
    """A voice that never pauses: a packet every 20 ms, and who hears it keeps the longest time between two."""

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        number = 0
        while True:
            self.publication.send(0, [bytes(40)], number * 0.02)
            number += 1
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@asynccontextmanager
async def talking(room: Room) -> AsyncIterator[str]:
    """Publishes a microphone; gives its track."""
    (publication,) = await room.publish([MICROPHONE])
    talk = Talk(publication)
    try:
        yield publication.track
    finally:
        await talk.stop()


class Ear:
    """Listens to one track, on whichever m-line it comes.

    `missed` packets would have been between those that came, on one Transport. How long it was silent says as much of
    how busy the machine is, as all who talk and listen are in this process.
    """

    def __init__(self, room: Room, track: str) -> None:
        self._room = room
        self._track = track
        self._last: ReceivedPacket | None = None
        self.packets = 0
        self.missed = 0
        self.longest_gap_s = 0.0

    async def hears(self, packets: int = 10) -> None:
        """Until so many more have come."""
        until = self.packets + packets
        async with asyncio.timeout(PATIENCE_S):
            while self.packets < until:
                reception = self._room.reception_of(self._track)
                if reception is not None:
                    reception.on_packet = self._on_packet
                await asyncio.sleep(0.02)

    def _on_packet(self, packet: ReceivedPacket) -> None:
        if self._last is not None:
            self.longest_gap_s = max(self.longest_gap_s, packet.at_s - self._last.at_s)
            self.missed += packet.sequence_number - self._last.sequence_number - 1
        self._last = packet
        self.packets += 1


async def resumed(room: Room, times: int = 1) -> None:
    await until(lambda: room._open.resumed >= times and room._open._connected)
