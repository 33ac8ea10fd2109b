"""One recording: entries of its journal in, frames at session times and marks out. Sans I/O; entries bring the time.

    entry ─► Take (per track): order, frames, clock, layer ─► frames(): (track id, TimedFrame) in each track's order
          ├► PublisherClock (per sender) ─► readings ─► the clocks of its tracks
          └► SessionMarks: who was there, muted, speaking, what is missing

The same code makes files while a call runs and from a journal found after a crash.
"""

from __future__ import annotations

from typing import NamedTuple

from recorder.config import MediaConfig
from recorder.journal import (
    ConsentChanged,
    Entry,
    Event,
    FramesDropped,
    JournalGap,
    LayerSwitched,
    MediaEncrypted,
    Packet,
    ParticipantJoined,
    ParticipantLeft,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    SenderReport,
    SpeakersChanged,
    TrackEnded,
    TrackMuted,
    TrackStarted,
)
from recorder.marks import Intervals, Moment, ParticipantMarks, SessionMarks, TrackMarks
from recorder.media.layers import TimedFrame
from recorder.take import Take
from sfu.core.timeline import ClockReading, PublisherClock


class TrackFrame(NamedTuple):
    track: str
    timed: TimedFrame


class Session:
    def __init__(self, config: MediaConfig) -> None:
        self._config = config
        self.marks = SessionMarks()
        self.takes: dict[str, Take] = {}
        self._numbers: dict[int, Take] = {}
        self._senders: dict[int, PublisherClock] = {}  # by track number
        self._clocks: dict[tuple[str, str], PublisherClock] = {}  # by participant and Transport
        self._ready: list[TrackFrame] = []
        self._paused = False
        self.now = 0.0

    def on_entry(self, entry: Entry) -> None:
        if not -60.0 <= entry.at_s <= self._config.longest_s:
            self.marks.ignored += 1
            return
        self.now = max(self.now, entry.at_s)
        self.marks.until_s = self.now
        if isinstance(entry, Packet):
            self._on_packet(entry)
        elif isinstance(entry, SenderReport):
            self._on_sender_report(entry)
        else:
            self._on_event(entry)

    def frames(self) -> list[TrackFrame]:
        """What is complete by now. Ask often, or wait for it all."""
        for take in self.takes.values():
            self._ready += [TrackFrame(take.marks.id, timed) for timed in take.frames(self.now)]
        ready, self._ready = self._ready, []
        return ready

    def settled_s(self) -> float:
        """No frame of before this time will come any more, but for one that came too late for everything."""
        return max(0.0, self.now - self._config.settled_after_s)

    def finish(self) -> list[TrackFrame]:
        """The journal has ended: the last frames. Closes all intervals."""
        for take in self.takes.values():
            self._ready += [TrackFrame(take.marks.id, timed) for timed in take.finish()]
        for participant in self.marks.participants.values():
            participant.presence.end(self.now)
        for track in self.marks.tracks.values():
            track.presence.end(self.now)
            track.mutes.end(self.now)
        self.marks.pauses.end(self.now)
        ready, self._ready = self._ready, []
        return ready

    # --- media ---------------------------------------------------------------------------------------------------

    def _on_packet(self, packet: Packet) -> None:
        take = self._numbers.get(packet.track)
        if take is None:
            self.marks.ignored += 1
            return
        if self._paused or self.marks.encrypted or not self._may_take(take.marks.participant):
            return
        heard, sender = take.on_packet(packet), self._senders[packet.track]
        if heard.anew:
            sender.forget_layer(packet.track, packet.layer)
        if heard.captured is not None:
            clock = (take.clock_rate, heard.captured.ntp_time, heard.captured.rtp_timestamp)
            self._pass_on(sender.on_capture_time(packet.track, packet.layer, *clock, packet.at_s))

    def _on_sender_report(self, entry: SenderReport) -> None:
        take = self._numbers.get(entry.track)
        if take is None:
            self.marks.ignored += 1
            return
        clock = (take.clock_rate, entry.clock.ntp_time, entry.clock.rtp_timestamp)
        self._pass_on(self._senders[entry.track].on_sender_report(entry.track, entry.layer, *clock, entry.at_s))

    def _pass_on(self, readings: list[ClockReading]) -> None:
        for reading in readings:
            reader = self._numbers.get(reading.track)
            feed = None if reader is None else reader.feeds.get(reading.layer)
            if feed is not None:
                feed.on_reading(reading.rtp_timestamp, reading.at_s)

    def _may_take(self, identity: str) -> bool:
        participant = self.marks.participants.get(identity)
        return participant is None or participant.consent is not False

    # --- what happened -------------------------------------------------------------------------------------------

    def _on_event(self, entry: Event) -> None:
        event, at_s, marks = entry.event, max(0.0, entry.at_s), self.marks
        match event:
            case TrackStarted():
                self._on_track_started(entry.track, at_s, event)
            case TrackEnded():
                self._on_track_ended(entry.track, at_s)
            case TrackMuted():
                take = self._numbers.get(entry.track)
                if take is not None and event.muted:
                    take.marks.mutes.begin(at_s)
                elif take is not None:
                    take.marks.mutes.end(at_s)
            case LayerSwitched():
                take = self._numbers.get(entry.track)
                if take is not None:
                    take.ask(event.layer)
            case ParticipantJoined():
                self._participant(event.participant, event.name).presence.begin(at_s)
            case ParticipantLeft():
                self._participant(event.participant).presence.end(at_s)
            case ConsentChanged():
                participant = self._participant(event.participant)
                participant.consent = event.given
                participant.consents.append((at_s, event.given))
            case SpeakersChanged():
                marks.speakers.append((at_s, event.participants))
            case MediaEncrypted():
                marks.encrypted = True
            case RecordingPaused():
                self._paused = True
                marks.pauses.begin(at_s)
            case RecordingResumed():
                self._paused = False
                marks.pauses.end(at_s)
            case RecordingEnded():
                marks.ended = event.reason
            case FramesDropped():
                marks.missing.append(Moment(at_s, f"{event.count} packets that the recorder read too slowly"))
            case JournalGap():
                marks.missing.append(Moment(at_s, f"{event.records} entries, because of the disk: {event.reason}"))
            case _:  # an epoch: the reader's
                pass

    def _participant(self, identity: str, name: str = "") -> ParticipantMarks:
        known = self.marks.participants.get(identity)
        if known is None:
            intervals = Intervals(self._config.intervals_per_track)
            known = self.marks.participants[identity] = ParticipantMarks(identity, name or identity, intervals)
        if name:
            known.name = name
        return known

    def _on_track_started(self, number: int, at_s: float, event: TrackStarted) -> None:
        self._on_track_ended(number, at_s)
        known = self.marks.tracks.get(event.id)
        same = known is None or (known.participant, known.kind) == (event.participant, event.kind)
        if event.kind not in ("audio", "video") or not same:
            self.marks.ignored += 1
            return
        self._participant(event.participant).presence.begin(at_s)
        take = self.takes.get(event.id)
        if take is None:
            if len(self.takes) >= self._config.tracks:
                self.marks.ignored += 1
                return
            most = self._config.intervals_per_track
            marks = TrackMarks(
                event.id, event.participant, event.kind, event.source, at_s, Intervals(most), Intervals(most),
                Intervals(most),
            )  # fmt: skip
            self.marks.tracks[event.id] = marks
            take = self.takes[event.id] = Take(event, marks, self._config)
        else:
            self._forget(take)
            self._ready += [TrackFrame(event.id, timed) for timed in take.begin(event)]
            take.marks.presence.end(at_s)
        take.marks.presence.begin(at_s)
        take.marks.ended_s = None
        self._numbers[number] = take
        self._senders[number] = self._sender(event.participant, event.transport)

    def _on_track_ended(self, number: int, at_s: float) -> None:
        take = self._numbers.pop(number, None)
        if take is None:
            return
        self._senders.pop(number)
        self._ready += [TrackFrame(take.marks.id, timed) for timed in take.finish()]
        take.marks.presence.end(at_s)
        take.marks.mutes.end(at_s)
        take.marks.ended_s = at_s

    def _forget(self, take: Take) -> None:
        """Its numbers mean nothing any more."""
        for number in [number for number, one in self._numbers.items() if one is take]:
            del self._numbers[number], self._senders[number]

    def _sender(self, participant: str, transport: str) -> PublisherClock:
        """The clock that tracks of one Transport share. After all of them have gone, a new one: who comes back may
        come from another machine."""
        key = (participant, transport)
        clock = self._clocks.get(key)
        if clock is None or clock not in self._senders.values():
            clock = self._clocks[key] = PublisherClock()
        return clock
