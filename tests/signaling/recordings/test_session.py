"""A recording's session, fed by hand: what it asks the Worker for, and what it tells the recorder."""

from __future__ import annotations

from itertools import count
from typing import Any

from msgspec.structs import replace

from recorder.control import Begin, Begun, End, Ended, Listening, Note, Progress
from recorder.control import Failed as RecorderFailed
from recorder.journal.events import (
    ConsentChanged,
    LayerSwitched,
    MediaEncrypted,
    ParticipantJoined,
    RecordingPaused,
    RecordingResumed,
    SpeakersChanged,
    TrackMuted,
    TrackStarted,
)
from sfu import control
from sfu.control import AnyCommand, CloseSink, Done, Failed, LayerTapped, OpenSink, SinkLost, TapTrack, TrackTapped
from sfu.core.types import Codec, PayloadFormat
from signaling import messages, moderation_messages
from signaling.message_values import Participant, TrackDescription
from signaling.moderation_messages import RoomState
from signaling.names import Names
from signaling.outputs import Call, Close, Tell
from signaling.recordings.options import RecordingOptions
from signaling.recordings.session import EMPTY_TIMEOUT_S, RECORDER_TIMEOUT_S, RecordingSession
from signaling.room_events import Evicted, MediaMoved, Observed, RoomEvent

FORMATS = {
    "audio": [PayloadFormat(111, Codec.OPUS, 48_000)],
    "video": [PayloadFormat(96, Codec.VP8, 90_000), PayloadFormat(97, Codec.VP8, 90_000, repairs=96)],
}


def described(name: str, source: Any = "microphone", *, muted: bool = False) -> TrackDescription:
    video = source in ("camera", "screen")
    rids = ("q", "h") if video else ()
    return TrackDescription(id=name, kind="video" if video else "audio", source=source, muted=muted, rids=rids)


def somebody(identity: str, *tracks: TrackDescription) -> Participant:
    return Participant(identity=identity, name=identity.title(), state="connected", tracks=tracks)


class Recording:
    """A session, a Worker that answers at once, and ears for what the recorder is told."""

    def __init__(
        self,
        *present: Participant,
        media: dict[str, str | None] | None = None,
        consent: bool = False,
        encrypted: bool = False,
        **options: Any,
    ) -> None:
        self.now = 10.0
        self.commands: list[AnyCommand] = []
        self.orders: list[Any] = []
        self.closed: str | None = None
        self.sinks: set[str] = set()
        self.answers = True  # at once
        self._numbers = count(1)
        self.session = RecordingSession(
            "REC_1",
            "room",
            "/rec/REC_1",
            RecordingOptions(**options),
            Observed(
                present,
                media or {},
                RoomState(max_participants=9, version=1, recording_consent=consent, end_to_end_encrypted=encrypted),
            ),
            Names(7, count(1), lambda: "TR"),
            self.now,
        )
        self.session.start()
        self.drain()

    def begin(self, *, listening: bool = True) -> Recording:
        self.session.on_word(Begun(recording="REC_1", address="/tmp/1.sock"), self.now)
        self.drain()
        if listening:
            self.hears(Listening(recording="REC_1"))
        return self

    def happens(self, event: RoomEvent) -> None:
        self.session.on_room_event(event)
        self.drain()

    def hears(self, word: Any) -> None:
        self.session.on_word(word, self.now)
        self.drain()

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.session.on_timeout(self.now)
        self.drain()

    def drain(self) -> None:
        while (output := self.session.poll()) is not None:
            if isinstance(output, Call):
                self.commands.append(output.command)
                if self.answers:
                    self.session.on_reply(self.reply(output.command))
            elif isinstance(output, Tell):
                self.orders.append(output.order)
            elif isinstance(output, Close):
                self.closed = output.code

    def reply(self, command: AnyCommand) -> control.AnyReply:
        match command:
            case OpenSink(sink=sink):
                self.sinks.add(sink)
            case TapTrack(sink=sink) if sink not in self.sinks:
                return Failed(call=command.call, code="unknown_sink", reason="")
            case TapTrack(track=track):
                formats = FORMATS["video" if "cam" in track or "screen" in track else "audio"]
                return TrackTapped(
                    call=command.call,
                    number=next(self._numbers),
                    formats=formats,
                    rids=["q", "h"],
                    capture_time_id=12,
                    orientation_id=13,
                )
            case CloseSink(sink=sink):
                self.sinks.discard(sink)
        return Done(call=command.call)

    def tapped(self) -> list[str]:
        return [command.track for command in self.commands if isinstance(command, TapTrack)]

    def noted(self, kind: type) -> list[Any]:
        return [order.event for order in self.orders if isinstance(order, Note) and isinstance(order.event, kind)]


ADA = somebody("ada", described("ada-mic"), described("ada-cam", "camera"))


def test_nothing_is_tapped_before_both_ends_of_the_sink_are_open() -> None:
    """Ten frames wait for a recorder that has not answered the plane yet: the first second of a busy start was lost."""
    recording = Recording(ADA).begin(listening=False)
    assert recording.sinks and recording.tapped() == []
    recording.hears(Listening(recording="REC_1"))
    assert recording.tapped() == ["ada-mic", "ada-cam"]
    silent = Recording(ADA).begin(listening=False)
    silent.passes(RECORDER_TIMEOUT_S)
    assert silent.session.reason == "recorder_failed" and not silent.sinks


def test_ciphertext_is_said_to_be_so_before_anything_of_it_is_named() -> None:
    recording = Recording(ADA, encrypted=True).begin()
    notes = [order.event for order in recording.orders if isinstance(order, Note)]
    assert isinstance(notes[0], MediaEncrypted) and recording.tapped() == ["ada-mic", "ada-cam"]
    state = RoomState(max_participants=9, version=2, end_to_end_encrypted=True, locked=True)
    recording.happens(moderation_messages.RoomChanged(room=state))
    assert recording.session.reason == ""
    recording.session.on_recorder_lost(recording.now)  # the next one's journal goes on, and says it again
    recording.drain()
    recording.begin()
    assert len(recording.noted(MediaEncrypted)) == 2
    recording.happens(moderation_messages.RoomChanged(room=replace(state, end_to_end_encrypted=False, version=3)))
    assert recording.session.reason == "end_to_end_encrypted"


def test_takes_what_is_there_and_what_comes() -> None:
    recording = Recording(ADA).begin()
    assert recording.tapped() == ["ada-mic", "ada-cam"]
    recording.happens(messages.ParticipantJoined(participant=somebody("bob")))
    recording.happens(messages.TrackPublished(identity="bob", track=described("bob-mic")))
    assert recording.tapped() == ["ada-mic", "ada-cam", "bob-mic"]
    assert [event.participant for event in recording.noted(ParticipantJoined)] == ["ada", "bob"]
    started = recording.noted(TrackStarted)
    assert {(event.capture_time_id, event.orientation_id) for event in started} == {(12, 13)}
    assert [(event.id, event.participant, event.source) for event in started] == [
        ("ada-mic", "ada", "microphone"),
        ("ada-cam", "ada", "camera"),
        ("bob-mic", "bob", "microphone"),
    ]
    # What repairs is not media.
    assert [one.codec for one in started[1].formats] == ["VP8"]


def test_asks_for_nothing_before_the_recorder_has_begun() -> None:
    recording = Recording(ADA)
    assert recording.orders == [Begin(recording="REC_1", room="room", directory="/rec/REC_1")]
    recording.happens(messages.TrackPublished(identity="ada", track=described("ada-screen", "screen")))
    assert recording.commands == []
    recording.begin()
    assert recording.tapped() == ["ada-mic", "ada-cam", "ada-screen"]


def test_takes_only_what_was_chosen() -> None:
    bob = somebody("bob", described("bob-mic"), described("bob-cam", "camera"))
    assert Recording(ADA, bob, participants=("bob",)).begin().tapped() == ["bob-mic", "bob-cam"]
    assert Recording(ADA, bob, sources=("camera",)).begin().tapped() == ["ada-cam", "bob-cam"]
    assert Recording(ADA, bob, mode="audio").begin().tapped() == ["ada-mic", "bob-mic"]


def test_notes_who_is_muted_and_who_speaks() -> None:
    recording = Recording(somebody("ada", described("ada-mic", muted=True))).begin()
    recording.happens(messages.TrackMuted(identity="ada", track="ada-mic", muted=False))
    recording.happens(messages.Speakers(recent=("ada", "bob"), speaking=True))
    recording.happens(messages.Speakers(recent=("ada", "bob"), speaking=False))
    assert [event.muted for event in recording.noted(TrackMuted)] == [True, False]
    assert [event.participants for event in recording.noted(SpeakersChanged)] == [("ada",), ()]


def test_notes_which_layer_is_taken() -> None:
    recording = Recording(ADA).begin()
    for sink in ("7/sink/1", "7/sink/0"):
        recording.session.on_notice(LayerTapped(sink=sink, track="ada-cam", layer=1), recording.now)
    recording.drain()
    assert [event.layer for event in recording.noted(LayerSwitched)] == [1]


def test_follows_a_track_to_another_transport() -> None:
    recording = Recording(ADA, media={"ada-mic": "ada-mic/2"}).begin()
    assert recording.tapped() == ["ada-mic/2", "ada-cam"]
    recording.happens(MediaMoved(track="ada-cam", media=None))
    recording.happens(MediaMoved(track="ada-cam", media="ada-cam/3"))
    assert recording.tapped()[2:] == ["ada-cam/3"]
    assert [event.id for event in recording.noted(TrackStarted)] == ["ada-mic", "ada-cam", "ada-cam"]


def test_goes_on_after_the_worker_was_another_one() -> None:
    recording = Recording(ADA).begin()
    recording.sinks.clear()
    recording.happens(MediaMoved(track="ada-cam", media="ada-cam/3"))
    assert isinstance(recording.orders[-1], Begin)
    recording.begin()
    assert recording.tapped()[-2:] == ["ada-mic", "ada-cam/3"]
    assert len({command.sink for command in recording.commands if isinstance(command, OpenSink)}) == 2


def test_goes_on_in_another_recorder() -> None:
    recording = Recording(ADA).begin()
    recording.hears(Progress(recording="REC_1", bytes=500, packets=3, dropped=0, lost=0, state="open", failure=""))
    recording.session.on_recorder_lost(recording.now)
    recording.drain()
    recording.begin()
    assert recording.tapped() == ["ada-mic", "ada-cam"] * 2
    recording.hears(Progress(recording="REC_1", bytes=70, packets=3, dropped=0, lost=0, state="open", failure=""))
    assert recording.session.figures.bytes == 570
    # The plane may say the same of the sink that was.
    recording.session.on_notice(SinkLost(sink="7/sink/1"), recording.now)
    recording.drain()
    assert len(recording.tapped()) == 4


def test_pauses_and_resumes() -> None:
    recording = Recording(ADA).begin()
    recording.session.pause()
    recording.session.pause()
    recording.session.resume()
    recording.drain()
    assert len(recording.noted(RecordingPaused)) == len(recording.noted(RecordingResumed)) == 1


def test_a_pause_outlives_the_recorder_and_may_be_wished_before_there_is_one() -> None:
    recording = Recording(ADA)
    recording.session.pause()
    recording.begin()
    assert len(recording.noted(RecordingPaused)) == 1
    recording.session.on_recorder_lost(recording.now)
    recording.begin()
    assert len(recording.noted(RecordingPaused)) == 2
    # A sink that is lost leaves the process, which is still withholding, as it is.
    recording.session.on_notice(SinkLost(sink="7/sink/2"), recording.now)
    recording.session.resume()
    recording.begin()
    assert len(recording.noted(RecordingResumed)) == 1
    first_track = next(at for at, order in enumerate(recording.orders) if _is_note(order, TrackStarted))
    assert any(_is_note(order, RecordingPaused) for order in recording.orders[:first_track])


def test_only_who_has_consented_is_taken_where_that_is_asked() -> None:
    eve = replace(somebody("eve", described("eve-mic")), consent=True)
    recording = Recording(ADA, eve, consent=True).begin()
    recording.happens(messages.ParticipantJoined(participant=somebody("bob", described("bob-mic"))))

    def noted() -> list[tuple[str, bool]]:
        return [(event.participant, event.given) for event in recording.noted(ConsentChanged)]

    assert noted() == [("ada", False), ("eve", True), ("bob", False)]
    # Before any track of theirs is named, so that not a packet is taken.
    for identity in ("ada", "eve", "bob"):
        noted_events = [order.event for order in recording.orders if isinstance(order, Note)]
        about = [type(one) for one in noted_events if getattr(one, "participant", "") == identity]
        assert about.index(ConsentChanged) < about.index(TrackStarted)
    recording.happens(moderation_messages.ConsentChanged(identity="ada", given=True))
    recording.happens(moderation_messages.ConsentChanged(identity="eve", given=False))
    assert noted()[3:] == [("ada", True), ("eve", False)]
    # The next process is told all of it.
    recording.session.on_recorder_lost(recording.now)
    recording.begin()
    assert noted()[5:] == [("ada", True), ("eve", False), ("bob", False)]
    # It is not asked any more: everybody is taken, and who was withheld is told of.
    recording.happens(moderation_messages.RoomChanged(room=RoomState(max_participants=9, version=2)))
    assert noted()[8:] == [("eve", True), ("bob", True)]


def test_of_who_has_passed_nothing_is_kept_and_nothing_taken_that_is_named_late() -> None:
    recording = Recording(consent=True).begin()
    for number in range(50):
        recording.happens(messages.ParticipantJoined(participant=somebody(f"passer{number}")))
        recording.happens(messages.ParticipantLeft(identity=f"passer{number}", reason="left"))
    assert "passer" not in repr(vars(recording.session._consents))
    # The Worker answers when he has left, and the recorder has forgotten that he did not consent.
    recording.answers = False
    recording.happens(messages.ParticipantJoined(participant=somebody("bob", described("bob-mic"))))
    recording.happens(messages.ParticipantLeft(identity="bob", reason="left"))
    recording.session.on_reply(recording.reply(recording.commands[-1]))
    recording.drain()
    assert recording.tapped() == ["bob-mic"] and recording.noted(TrackStarted) == []


def test_nobody_is_asked_and_nothing_is_noted_of_it() -> None:
    recording = Recording(replace(ADA, consent=False)).begin()
    assert recording.noted(ConsentChanged) == [] and recording.tapped() == ["ada-mic", "ada-cam"]


def _is_note(order: Any, kind: type) -> bool:
    return isinstance(order, Note) and isinstance(order.event, kind)


def test_ends_by_wish_limit_or_with_its_room() -> None:
    for end, reason in (
        (lambda recording: recording.session.stop("stopped", recording.now), "stopped"),
        (lambda recording: recording.passes(61.0), "duration_limit"),
        (lambda recording: recording.happens(Evicted("room_ended", "")), "room_ended"),
        (
            lambda recording: recording.hears(
                Progress(recording="REC_1", bytes=1001, packets=3, dropped=0, lost=0, state="open", failure="")
            ),
            "size_limit",
        ),
    ):
        recording = Recording(ADA, max_duration_s=60.0, max_bytes=1000).begin()
        end(recording)  # type: ignore[no-untyped-call]
        recording.drain()
        assert recording.orders[-1] == End(recording="REC_1", reason=reason)
        assert not recording.sinks and recording.closed is None
        recording.hears(Ended(recording="REC_1"))
        assert recording.closed == reason


def test_one_that_is_stopped_before_the_recorder_has_started_is_begun_and_ended_there() -> None:
    begin, end = Begin(recording="REC_1", room="room", directory="/rec/REC_1"), End(recording="REC_1", reason="stopped")
    for is_lost in (False, True):
        recording = Recording(ADA)
        recording.session.stop("stopped", recording.now)
        if is_lost:
            recording.session.on_recorder_lost(recording.now)
        recording.drain()
        assert recording.orders == [begin, end] * (2 if is_lost else 1) and recording.closed is None
        recording.begin()
        assert recording.tapped() == [] and recording.session.begun
        recording.hears(Ended(recording="REC_1"))
        assert recording.closed == "stopped"


def test_ends_when_everybody_has_been_gone_for_a_minute() -> None:
    recording = Recording(ADA).begin()
    recording.happens(messages.ParticipantLeft(identity="ada", reason="left"))
    assert recording.session.next_timeout() == 0.0, "when that was, the timer says"
    recording.passes(0.0)
    recording.happens(messages.ParticipantJoined(participant=ADA))
    recording.passes(EMPTY_TIMEOUT_S)
    assert not any(isinstance(order, End) for order in recording.orders), "a reload"
    recording.happens(messages.ParticipantLeft(identity="ada", reason="left"))
    recording.passes(0.0)
    recording.passes(EMPTY_TIMEOUT_S - 1)
    assert not any(isinstance(order, End) for order in recording.orders)
    recording.passes(1.0)
    assert recording.orders[-1] == End(recording="REC_1", reason="room_empty")


def test_waits_for_the_first_one_as_long_as_the_room_does() -> None:
    recording = Recording().begin()
    recording.passes(10 * EMPTY_TIMEOUT_S)
    assert not any(isinstance(order, End) for order in recording.orders)


def test_a_recorder_that_cannot_or_does_not_answer_ends_it() -> None:
    recording = Recording(ADA)
    recording.hears(RecorderFailed(recording="REC_1", reason="No space left on device"))
    assert recording.closed == "recorder_failed" and not recording.session.begun
    recording = Recording(ADA)
    recording.passes(RECORDER_TIMEOUT_S)
    assert recording.closed == "recorder_failed"
    recording = Recording(ADA).begin()
    recording.session.stop("stopped", recording.now)
    recording.passes(RECORDER_TIMEOUT_S)
    assert recording.closed == "stopped"
