"""One recording while it runs: an onlooker of its room that has tracks tapped, and tells the recorder of it. Sans-IO.

    BEGINNING ─ Begun ─► OPENING ─ Listening ─► TAKING ── stop, a limit, the room ends ──► ENDING ─ Ended ─► CLOSED
        ▲                                          │
        └──── the recorder, or the sink, is lost ──┘         and the same recording goes on

Used by the switchboard like any session: it is in nobody's roster and keeps no room open. What it says goes to the
recorder (recorder/control.py), what it asks to the Worker. One that is stopped before the recorder has started is begun
and ended there all the same: it comes to an empty recording, as any other in which nobody said a word.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from msgspec.structs import replace

from recorder import control as tape
from recorder.control import AnyOrder, AnyWord, Begin, Begun, End, Ended, Listening, Note, Progress
from recorder.journal import events as journal
from sfu import control
from sfu.control import AnyCommand, AnyNotice, AnyReply, Failed, LayerTapped, SinkLost, TrackTapped
from signaling.auth import Grant
from signaling.message_values import Participant, TrackDescription
from signaling.messages import (
    ParticipantJoined,
    ParticipantLeft,
    Speakers,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)
from signaling.moderation_messages import ConsentChanged, RoomChanged
from signaling.names import Names
from signaling.outputs import Call, Close, Output, Tell
from signaling.recordings.consents import Consents
from signaling.recordings.options import RecordingOptions
from signaling.records import ROOM_EMPTY
from signaling.room_events import Evicted, MediaMoved, Observed, RoomEvent

logger = logging.getLogger(__name__)

# A recorder that does not say that it has begun, or ended, for so long is not going to.
RECORDER_TIMEOUT_S = 20.0


# Who was the last one may be reloading the page; longer, and nobody would know when a room that stays ends.
EMPTY_TIMEOUT_S = 60.0


class State(Enum):
    BEGINNING = auto()
    OPENING = auto()
    TAKING = auto()
    ENDING = auto()
    CLOSED = auto()


@dataclass(slots=True)
class _Track:
    participant: str
    description: TrackDescription
    media: str | None  # as named to the Worker; None: not for the moment
    asked: str | None = None  # the media that was asked for
    number: int | None = None  # in the sink's frames


@dataclass(slots=True)
class _Figures:
    """Of this recording, over all processes that have taken it."""

    bytes_before: int = 0
    last: Progress | None = None

    @property
    def bytes(self) -> int:
        return self.bytes_before + (self.last.bytes if self.last is not None else 0)

    def on_process_lost(self) -> None:
        self.bytes_before, self.last = self.bytes, None


class RecordingSession:
    grant: Grant | None = None  # for the switchboard: nobody's
    client = ""

    def __init__(
        self,
        recording: str,
        room: str,
        directory: str,
        options: RecordingOptions,
        observed: Observed,
        names: Names,
        now: float,
    ) -> None:
        self.recording = recording
        self.room = room
        self.state = State.BEGINNING
        self.reason = ""  # why it has ended
        self.begun = False  # something may be in the journal
        self.figures = _Figures()
        self._directory = directory
        self._options = options
        self._names = names
        self._sink = names.sink()
        self._outputs: deque[Output] = deque()
        self._replies: dict[int, Callable[[AnyReply], None]] = {}
        self._tracks: dict[str, _Track] = {}
        self._present: dict[str, str] = {}  # name by identity
        self._encrypted = observed.room.end_to_end_encrypted
        self._consents = Consents(observed.room.recording_consent)
        self._paused: bool | None = None  # None: never was
        self._ends_at = None if options.max_duration_s is None else now + options.max_duration_s
        self._answer_by: float | None = now + RECORDER_TIMEOUT_S
        self._empty_until: float | None = None
        self._has_emptied = False  # just now: when that is, the timer knows
        self._is_open = self._listens = False  # the plane's end of the sink, the recorder's
        for participant in observed.participants:
            self._on_present(participant)
        for track in self._tracks.values():
            track.media = observed.media.get(track.description.id, track.description.id)

    @property
    def is_ending(self) -> bool:
        return self.state in (State.ENDING, State.CLOSED)

    # --- the switchboard's ---

    def poll(self) -> Output | None:
        return self._outputs.popleft() if self._outputs else None

    def next_timeout(self) -> float | None:
        if self._has_emptied:
            return 0.0
        whens = (self._ends_at, self._answer_by, self._empty_until)
        return min((at for at in whens if at is not None), default=None)

    def settle(self) -> None:
        """Nothing waits for the end of a turn."""

    def on_timeout(self, now: float) -> None:
        if self._has_emptied:
            self._has_emptied, self._empty_until = False, now + EMPTY_TIMEOUT_S
        if self._empty_until is not None and now >= self._empty_until:
            self._empty_until = None
            self.stop(ROOM_EMPTY, now)
        if self._ends_at is not None and now >= self._ends_at:
            self._ends_at = None
            self.stop("duration_limit", now)
        if self._answer_by is not None and now >= self._answer_by:
            self.reason = self.reason or "recorder_failed"
            self._close()

    def on_shutdown(self) -> None:
        """The process ends with us, its journal as it is."""
        self.reason = "server_shutdown"
        self._close()

    def on_fault(self) -> None:
        self.reason = "internal"
        self._close()

    def on_room_event(self, event: RoomEvent) -> None:
        if self.is_ending:
            return
        match event:
            case ParticipantJoined(participant=participant):
                self._on_present(participant)
                self._note(journal.ParticipantJoined(participant.identity, participant.name))
                self._note_consent(participant.identity)
            case ParticipantLeft(identity=identity):
                self._present.pop(identity, None)
                self._consents.forget(identity)
                self._has_emptied = not self._present
                for name in [name for name, track in self._tracks.items() if track.participant == identity]:
                    del self._tracks[name]
                self._note(journal.ParticipantLeft(identity))
            case TrackPublished(identity=identity, track=description):
                self._add_track(identity, description, description.id)
            case TrackUnpublished(track=name):
                self._tracks.pop(name, None)  # the sink says itself that it has ended
            case TrackMuted(track=name, muted=muted):
                self._on_muted(name, muted)
            case MediaMoved(track=name, media=media):
                if name in self._tracks:
                    self._tracks[name].media = media
            case Speakers(recent=recent, speaking=speaking):
                self._note(journal.SpeakersChanged(tuple(recent[:1]) if speaking else ()))
            case Evicted():
                self.stop("room_ended", None)
            case ConsentChanged(identity=identity, given=given):
                self._consents.on_said(identity, given)
                self._note_consent(identity)
            case RoomChanged(room=state):
                if state.end_to_end_encrypted != self._encrypted:
                    self.stop("end_to_end_encrypted", None)  # what comes from now on is not what it was begun for
                self._consents.needed = state.recording_consent
                self._note_consent(*self._present)
            case _:
                return
        self._tap()

    # --- from who manages it ---

    def start(self) -> None:
        """First of all, though the room may have gone on since it was observed, or ended."""
        if self.state is State.BEGINNING:
            self._begin()

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._note(journal.RecordingPaused())

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._note(journal.RecordingResumed())

    def stop(self, reason: str, now: float | None) -> None:
        if self.is_ending:
            return
        self.reason = reason
        if self.state in (State.OPENING, State.TAKING):
            self._call(control.CloseSink(call=self._names.call(), sink=self._sink))
        self.state = State.ENDING
        self._ends_at = self._empty_until = None
        self._has_emptied = False
        self._answer_by = None if now is None else now + RECORDER_TIMEOUT_S
        self._say(End(recording=self.recording, reason=reason))

    # --- from the recorder ---

    def on_word(self, word: AnyWord, now: float) -> None:
        match word:
            case Begun(address=address) if self.state is State.BEGINNING:
                self._answer_by = now + RECORDER_TIMEOUT_S
                self.begun = True
                self._open(address)
            case Begun():  # stopped before its process had started: there is a journal, with nothing in it
                self.begun = True
            case Listening() if self.state is State.OPENING:
                self._listens = True
                self._take_up()
            case Progress():
                self.figures.last = word
                if self._options.max_bytes is not None and self.figures.bytes >= self._options.max_bytes:
                    self.stop("size_limit", now)
            case Ended() if self.state is State.ENDING:
                self._close()
            case tape.Failed(reason=reason) if self.state is State.BEGINNING:
                logger.error("recording %s: %s", self.recording, reason)
                self.reason = "recorder_failed"
                self._close()
            case _:
                pass

    def on_recorder_lost(self, now: float) -> None:
        """Another is being started. What this one had written is there."""
        self.figures.on_process_lost()
        if self.state is State.ENDING and not self.begun:
            self._say(self._beginning())
            self._say(End(recording=self.recording, reason=self.reason))
        elif self.state is State.ENDING:
            self._close()
        elif self.state is not State.CLOSED:
            self._begin_again(now)

    # --- from the Worker ---

    def on_reply(self, reply: AnyReply) -> None:
        on_reply = self._replies.pop(reply.call, None)
        if on_reply is not None:
            on_reply(reply)

    def on_notice(self, notice: AnyNotice, now: float) -> None:
        if self.state is not State.TAKING:
            return
        match notice:
            case SinkLost(sink=self._sink):
                # The recorder is gone, and says so itself, or the plane could not write for once.
                self._begin_again(now)
            case LayerTapped(sink=self._sink, track=media, layer=layer):
                # Files follow a switch downwards at once only if they are told of it.
                for track in self._tracks.values():
                    if track.asked == media and track.number is not None:
                        self._note(journal.LayerSwitched(layer), track.number)

    # --- the rest ---

    def _begin(self) -> None:
        self.state = State.BEGINNING
        self._say(self._beginning())

    def _beginning(self) -> Begin:
        live = "" if self._options.live is None else self._options.live.layout
        return Begin(recording=self.recording, room=self.room, directory=self._directory, live=live)

    def _begin_again(self, now: float | None) -> None:
        """With another socket, and another sink of the Worker's, whichever of the two was lost."""
        if self.state in (State.OPENING, State.TAKING):
            self._call(control.CloseSink(call=self._names.call(), sink=self._sink))
        self._sink = self._names.sink()
        for track in self._tracks.values():
            track.asked = track.number = None
        self._answer_by = None if now is None else now + RECORDER_TIMEOUT_S
        self._begin()

    def _open(self, address: str) -> None:
        self.state = State.OPENING
        self._is_open = self._listens = False
        if self._encrypted:  # first of all, so that nobody takes it for what can be decoded
            self._note(journal.MediaEncrypted())
        for identity, name in self._present.items():
            self._note(journal.ParticipantJoined(identity, name))
        self._consents.on_process()
        self._note_consent(*self._present)
        if self._paused is not None:  # said while nobody listened, or to a process that is gone
            self._note(journal.RecordingPaused() if self._paused else journal.RecordingResumed())
        sink = self._sink
        command = control.OpenSink(call=self._names.call(), room=self.room, sink=sink, address=address)
        self._call(command, lambda reply: self._on_opened(sink, reply))

    def _on_opened(self, sink: str, reply: AnyReply) -> None:
        if sink != self._sink or self.state is not State.OPENING:
            return
        if isinstance(reply, Failed):
            logger.warning("recording %s: the sink: %s", self.recording, reply.reason)
            self._begin_again(None)
            return
        self._is_open = True
        self._take_up()

    def _take_up(self) -> None:
        """Once both ends of the sink are open: before, what comes first would be lost to a recorder that is slow."""
        if self._is_open and self._listens:
            self.state = State.TAKING
            self._answer_by = None
            self._tap()

    def _on_present(self, participant: Participant) -> None:
        self._present[participant.identity] = participant.name
        self._has_emptied, self._empty_until = False, None
        self._consents.on_said(participant.identity, participant.consent)
        for description in participant.tracks:
            self._add_track(participant.identity, description, description.id)

    def _add_track(self, identity: str, description: TrackDescription, media: str) -> None:
        if self._options.takes(identity, description.source):
            self._tracks[description.id] = _Track(identity, description, media)

    def _note_consent(self, *identities: str) -> None:
        """Before any track of theirs is named: what is not to be taken is withheld from its first packet on."""
        if self.state in (State.OPENING, State.TAKING):
            for identity in identities:
                if (given := self._consents.to_tell(identity)) is not None:
                    self._note(journal.ConsentChanged(identity, given))

    def _on_muted(self, name: str, muted: bool) -> None:
        track = self._tracks.get(name)
        if track is not None:
            track.description = replace(track.description, muted=muted)
            if track.number is not None:
                self._note(journal.TrackMuted(muted), track.number)

    def _tap(self) -> None:
        """Whatever is there and has not been asked for yet."""
        if self.state is not State.TAKING:
            return
        for track in self._tracks.values():
            if track.media is None or track.asked == track.media:
                continue
            track.asked, track.number = track.media, None
            command = control.TapTrack(
                call=self._names.call(), sink=self._sink, track=track.media, max_layer=self._options.max_layer
            )
            self._call(command, self._on_tapped(track, self._sink))

    def _on_tapped(self, track: _Track, sink: str) -> Callable[[AnyReply], None]:
        def on_reply(reply: AnyReply) -> None:
            if sink != self._sink or self.state is not State.TAKING:
                return
            if self._tracks.get(track.description.id) is not track:
                return  # gone meanwhile, with what the recorder was told of its owner: not named, it is not taken
            if isinstance(reply, TrackTapped):
                track.number = reply.number
                muted = track.description.muted
                self._note(_started(track, reply), reply.number, muted=muted)
                if muted:
                    self._note(journal.TrackMuted(True), reply.number)
            elif isinstance(reply, Failed) and reply.code == "unknown_sink":
                self._begin_again(None)  # the Worker is another one

        return on_reply

    def _note(self, event: journal.AnyEvent, track: int = 0, *, muted: bool = False) -> None:
        if self.state in (State.OPENING, State.TAKING):
            self._say(Note(recording=self.recording, event=event, track=track, muted=muted))

    def _say(self, order: AnyOrder) -> None:
        self._outputs.append(Tell(order))

    def _call(self, command: AnyCommand, on_reply: Callable[[AnyReply], None] = lambda reply: None) -> None:
        self._replies[command.call] = on_reply
        self._outputs.append(Call(command))

    def _close(self) -> None:
        if self.state is State.CLOSED:
            return
        if self.state in (State.OPENING, State.TAKING):
            self._call(control.CloseSink(call=self._names.call(), sink=self._sink))
        self.state = State.CLOSED
        self._ends_at = self._answer_by = self._empty_until = None
        self._has_emptied = False
        self._outputs.append(Close(1000, self.reason, ""))


def _started(track: _Track, tapped: TrackTapped) -> journal.TrackStarted:
    description = track.description
    return journal.TrackStarted(
        description.id,
        track.participant,
        description.kind,
        description.source,
        formats=tuple(
            journal.PayloadFormat(
                one.payload_type, one.codec.value, one.clock_rate, 2 if description.kind == "audio" else 1
            )
            for one in tapped.formats
            if one.repairs is None
        ),
        layers=tuple(journal.LayerDescription(layer, rid) for layer, rid in enumerate(tapped.rids)),
        capture_time_id=tapped.capture_time_id,
        orientation_id=tapped.orientation_id,
    )
