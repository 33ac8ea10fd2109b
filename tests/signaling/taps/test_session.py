"""A tap's session, fed by hand: what it asks the Worker for, and what its client is told."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from sfu import control
from sfu.control import (
    AnyCommand,
    CloseSink,
    Done,
    Failed,
    LayerTapped,
    OpenSink,
    SinkLost,
    TapTrack,
    TrackTapped,
    UntapTrack,
)
from sfu.core.types import Codec, PayloadFormat
from signaling.message_values import KIND_OF_SOURCE, Participant, TrackDescription
from signaling.messages import ParticipantJoined, ParticipantLeft, TrackMuted, TrackPublished, TrackUnpublished
from signaling.moderation_messages import ConsentChanged, RoomChanged, RoomState
from signaling.names import Names
from signaling.outputs import Call, Close, Tell
from signaling.room_events import Evicted, MediaMoved, Observed, RoomEvent
from signaling.taps.messages import TapEnded, TapLayer, TapMuted, TapStarted
from signaling.taps.session import TapSession, Wish

FORMATS = [PayloadFormat(111, Codec.OPUS, 48_000), PayloadFormat(112, Codec.OPUS, 48_000, repairs=111)]


def described(name: str, source: Any) -> TrackDescription:
    return TrackDescription(id=name, kind=KIND_OF_SOURCE[source], source=source, muted=False, rids=())


def somebody(identity: str, *sources: Any) -> Participant:
    tracks = tuple(described(f"{identity}-{source}", source) for source in sources)
    return Participant(identity=identity, name="", state="connected", tracks=tracks)


OPEN = RoomState(locked=False, lobby=False, end_to_end_encrypted=False, max_participants=10, metadata="", version=1)


class Tapped:
    """A session, and a Worker that answers at once."""

    def __init__(self, *present: Participant, wish: Wish, refuses: str = "", state: RoomState = OPEN) -> None:
        self.commands: list[AnyCommand] = []
        self.told: list[Any] = []
        self.closed: tuple[int, str] | None = None
        self.refuses = refuses
        self.answers = True  # at once
        self._numbers = count(1)
        names = Names(7, count(1), lambda: "TR")
        self.session = TapSession("room", wish, "/tmp/1.sock", Observed(present, {}, state), names, ends_at=60.0)
        self.session.start()
        self.drain()

    def happens(self, *events: RoomEvent) -> None:
        for event in events:
            self.session.on_room_event(event)
            self.drain()

    def drain(self) -> None:
        while (output := self.session.poll()) is not None:
            if isinstance(output, Call):
                self.commands.append(output.command)
                if self.answers:
                    self.answer(output.command)
            elif isinstance(output, Tell):
                self.told.append(output.order)
            elif isinstance(output, Close):
                self.closed = output.ws_code, output.code

    def answer(self, command: AnyCommand) -> None:
        self.session.on_reply(self._reply(command))
        if not self.answers:
            self.drain()

    def _reply(self, command: AnyCommand) -> control.AnyReply:
        if type(command).__name__ == self.refuses:
            return Failed(call=command.call, code="unknown_sink", reason="")
        if isinstance(command, TapTrack):
            return TrackTapped(call=command.call, number=next(self._numbers), formats=FORMATS, rids=["q", "h"])
        return Done(call=command.call)

    def tapped(self) -> list[str]:
        return [command.track for command in self.commands if isinstance(command, TapTrack)]

    def started(self) -> list[str]:
        return [message.track for message in self.told if isinstance(message, TapStarted)]


HEARS = Wish("ada", "audio")


@pytest.mark.parametrize(
    ("wish", "tracks"),
    [
        (HEARS, ["ada-microphone", "ada-screen_audio"]),
        (Wish("ada", "audio", "screen_audio"), ["ada-screen_audio"]),
        (Wish("ada", "video"), ["ada-camera"]),
        (Wish("nobody", "audio"), []),
    ],
)
def test_taps_what_was_wished_for_of_that_participant_alone(wish: Wish, tracks: list[str]) -> None:
    ada, bob = somebody("ada", "microphone", "camera", "screen_audio"), somebody("bob", "microphone", "camera")
    tapped = Tapped(ada, bob, wish=wish)
    tapped.happens(TrackPublished(identity="bob", track=described("bob-2", "screen_audio")))
    assert isinstance(tapped.commands[0], OpenSink) and tapped.tapped() == tapped.started() == tracks


def test_the_client_is_told_what_it_needs_to_read_the_media() -> None:
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS)
    (started,) = tapped.told
    assert (started.number, started.track, started.formats, started.rids) == (
        1,
        "ada-microphone",
        FORMATS[:1],
        ["q", "h"],
    )
    sink = next(command.sink for command in tapped.commands if isinstance(command, OpenSink))
    tapped.session.on_notice(LayerTapped(sink=sink, track="ada-microphone", layer=1), 0.0)
    tapped.happens(TrackMuted(identity="ada", track="ada-microphone", muted=True))
    tapped.happens(TrackMuted(identity="bob", track="bob-microphone", muted=True))
    assert tapped.told[1:] == [TapLayer(number=1, layer=1), TapMuted(track="ada-microphone", muted=True)]


def test_follows_who_goes_and_comes_back_and_what_moves() -> None:
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS)
    tapped.happens(
        MediaMoved("ada-microphone", None),
        MediaMoved("ada-microphone", "ada-microphone/2"),
        TrackUnpublished(identity="ada", track="ada-microphone"),
        TrackPublished(identity="ada", track=described("again", "microphone")),
        ParticipantLeft(identity="ada", reason="left"),
        ParticipantJoined(participant=somebody("ada", "screen_audio")),
    )
    assert tapped.tapped() == ["ada-microphone", "ada-microphone/2", "again", "ada-screen_audio"]
    assert [message.track for message in tapped.told if isinstance(message, TapEnded)] == ["ada-microphone", "again"]
    assert tapped.closed is None


@pytest.mark.parametrize("refuses", ["OpenSink", "TapTrack"])
def test_what_the_worker_does_not_know_any_more_is_begun_anew_by_the_client(refuses: str) -> None:
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS, refuses=refuses)
    assert tapped.closed == (4410, "transport_lost") and isinstance(tapped.commands[-1], CloseSink)


def test_where_people_are_asked_nothing_is_tapped_of_who_has_not_consented() -> None:
    asking = replace(OPEN, recording_consent=True)
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS, state=asking)
    tapped.happens(ConsentChanged(identity="bob", given=True))
    assert tapped.tapped() == []
    tapped.happens(ConsentChanged(identity="ada", given=True))
    assert tapped.started() == ["ada-microphone"]
    tapped.happens(ConsentChanged(identity="ada", given=False))
    assert isinstance(tapped.commands[-1], UntapTrack) and tapped.told[-1] == TapEnded(track="ada-microphone")
    tapped.happens(RoomChanged(room=OPEN))  # nobody is asked any more
    assert len(tapped.started()) == 2
    tapped.happens(RoomChanged(room=replace(OPEN, end_to_end_encrypted=True)))
    assert tapped.closed == (4410, "end_to_end_encrypted")


def test_who_takes_his_consent_back_before_the_worker_has_answered_is_not_said_to_be_tapped() -> None:
    asking = replace(OPEN, recording_consent=True)
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS, state=asking)
    tapped.answers = False
    tapped.happens(ConsentChanged(identity="ada", given=True))
    tapped.happens(ConsentChanged(identity="ada", given=False))
    tapped.happens(ConsentChanged(identity="ada", given=True))
    assert tapped.started() == [] and len(tapped.tapped()) == 2
    for command in tapped.commands[1:]:
        tapped.answer(command)
    assert tapped.started() == ["ada-microphone"], "by the last answer alone"


def test_who_is_tapped_again_is_muted_if_he_was_muted_meanwhile() -> None:
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS)
    tapped.happens(TrackMuted(identity="ada", track="ada-microphone", muted=True))
    tapped.happens(MediaMoved("ada-microphone", "ada-microphone/2"))
    assert [one.muted for one in tapped.told if isinstance(one, TapStarted)] == [False, True]


ENDS: list[tuple[Callable[[TapSession], None], tuple[int, str]]] = [
    (lambda one: one.on_room_event(Evicted("room_deleted", "")), (4404, "room_ended")),
    (lambda one: one.on_room_event(Evicted("token_revoked", "")), (4401, "token_revoked")),
    (lambda one: one.on_room_event(Evicted("banned", "")), (4403, "banned")),
    (lambda one: one.on_timeout(60.0), (4401, "token_expired")),
    (lambda one: one.on_notice(SinkLost(sink="7/sink/1"), 0.0), (4410, "transport_lost")),
    (lambda one: one.on_gone(), (4410, "left")),
    (lambda one: one.on_shutdown(), (1001, "server_shutdown")),
]


@pytest.mark.parametrize(("end", "code"), ENDS)
def test_ends_with_the_room_its_reader_or_its_client_and_takes_its_sink_along(
    end: Callable[[TapSession], None], code: tuple[int, str]
) -> None:
    tapped = Tapped(somebody("ada", "microphone"), wish=HEARS)
    assert tapped.session.next_timeout() == 60.0
    tapped.session.on_timeout(59.9)
    end(tapped.session)
    end(tapped.session)
    tapped.drain()
    assert tapped.closed == code
    assert [type(command) for command in tapped.commands].count(CloseSink) == 1
    assert tapped.session.next_timeout() is None
    tapped.happens(TrackPublished(identity="ada", track=described("late", "microphone")))
    assert "late" not in tapped.tapped()
