"""A room of 500 of whom 49 are shown: one more comes, something happens, a page is turned, and what each is told of it.

The real switchboard, directory, sessions and Slots; no sockets, and a Worker that minds the contract.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import pytest

from signaling.limits import RoomLimits
from signaling.messages import (
    Joined,
    Layout,
    Mute,
    Ok,
    ParticipantJoined,
    Publish,
    RosterChanged,
    SlotsChanged,
    Tile,
    TrackToPublish,
)
from signaling.subprotocols import Frame
from tests.signaling.descriptions import audio, described, video
from tests.signaling.test_switchboard import CAMERA, Call, Client, public
from tests.support.ice import until

SHOWN = 49  # as many tiles as a page has at most
PUBLISHING = 2 * SHOWN + 10
MUTING = 20
EVERYBODY = RoomLimits().max_participants
SOUND_AND_PICTURE = described(audio("0"), video("1", *CAMERA))
# Of JSON: who comes, with two tracks; and what happens, told anew.
JOINED_BYTES = 300 * EVERYBODY
EVENT_BYTES = 250
TURN_CPU_S = 1.0  # a tenth of that on an idle machine


class Guest(Client):
    """Keeps what it is told, apart: events that came together as well."""

    def __init__(self, call: Call, number: int, *, automatic: bool = False) -> None:
        """It joins at once."""
        self.heard: list[Any] = []
        self.heard_bytes = 0
        self.knows = 0  # so many others
        super().__init__(call.switchboard, f"guest-{number}", automatic)
        self.join()

    def send(self, frame: Frame) -> None:
        self.heard_bytes += len(frame)
        super().send(frame)

    def forget(self) -> None:
        self.heard, self.heard_bytes = [], 0

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]

    def publish_both(self) -> None:
        self.lines = [audio("0"), video("1", *CAMERA)]
        wishes = (TrackToPublish(mid="0", source="microphone"), TrackToPublish(mid="1", source="camera"))
        self.say(Publish, sdp=SOUND_AND_PICTURE, tracks=wishes)

    def show(self, cameras: Sequence[str]) -> None:
        self.say(Layout, tiles=tuple(Tile(track=track, width=182, height=102) for track in cameras))

    def _note(self, message: Any) -> None:
        self.heard.append(message)
        if isinstance(message, Joined):
            self.knows = len(message.participants)
        for event in message.events if isinstance(message, RosterChanged) else (message,):
            self.knows += isinstance(event, ParticipantJoined)
            super()._note(event)


async def fill(call: Call) -> list[Guest]:
    """All but one: the first publish sound and picture, and nobody shows anybody."""
    guests = []
    for number in range(EVERYBODY - 1):
        guests.append(Guest(call, number))
        if number < PUBLISHING:
            guests[-1].publish_both()
        while call.worker.step():
            pass
        await asyncio.sleep(0)  # batches leave by a timer
    call.clients += guests
    await until(
        lambda: all(len(guest.others) >= 2 * PUBLISHING - 2 and guest.knows == EVERYBODY - 2 for guest in guests)
    )
    return guests


def watched_by(call: Call, guest: Guest) -> set[str]:
    """Tracks on their way to this one, by the Worker."""
    transports, slots = call.worker.transports, call.worker.slots
    return {
        public(one.track)
        for one in call.worker.subscriptions.values()
        if transports[slots[one.slot].transport] == guest.identity
    }


async def test_the_500th_is_told_of_all_and_all_others_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(random.Random(1))
    others = await fill(call)
    publishing = others[:PUBLISHING]
    for guest in others:
        guest.forget()

    began_s = time.process_time()
    last = Guest(call, EVERYBODY - 1, automatic=True)
    call.clients.append(last)
    (joined,) = last.of(Joined)
    joined_bytes = last.heard_bytes
    call.settle()
    join_s = time.process_time() - began_s
    assert len(joined.participants) == EVERYBODY - 1
    assert joined_bytes < JOINED_BYTES
    assert len(last.offers) == 1 and join_s < TURN_CPU_S
    await until(lambda: all(guest.heard for guest in others))
    assert all([type(message) for message in guest.heard] == [ParticipantJoined] for guest in others)
    assert max(guest.heard_bytes for guest in others) < EVENT_BYTES

    for guest in others:
        guest.forget()
    for guest in publishing[:MUTING]:
        guest.say(Mute, track=guest.live["0"], muted=True)
    call.settle()
    assert not any(guest.heard for guest in others[MUTING:]), "it waits a moment for company"
    await until(lambda: all(guest.of(RosterChanged) for guest in others))
    for guest in others[MUTING:]:
        (batch,) = guest.heard
        assert [event.identity for event in batch.events] == [one.identity for one in publishing[:MUTING]]
        assert guest.heard_bytes < MUTING * EVENT_BYTES
    with capsys.disabled():
        print(
            f"\nthe {EVERYBODY}th: {join_s:.2f} s of CPU, {joined_bytes} bytes; {guest.heard_bytes} for {MUTING} mutes"
        )
    turn_pages(call, last, [guest.live["1"] for guest in publishing])


def turn_pages(call: Call, viewer: Guest, cameras: Sequence[str]) -> None:
    """There and back."""
    pages = cameras[:SHOWN], cameras[SHOWN : 2 * SHOWN]
    for page in (*pages, pages[0]):
        viewer.forget()
        slots = len(call.worker.slots)
        began_s = time.process_time()
        viewer.show(page)
        call.settle()
        assert set(page) <= set(viewer.carried.values()) and set(viewer.carried.values()) == watched_by(call, viewer)
        assert len(viewer.offers) == 1 and len(call.worker.slots) == slots, "no m-line is new"
        assert {type(message) for message in viewer.heard} <= {Ok, SlotsChanged}
        assert viewer.heard_bytes < 2 * SHOWN * EVENT_BYTES
        assert time.process_time() - began_s < TURN_CPU_S
