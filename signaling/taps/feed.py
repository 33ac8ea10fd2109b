"""Frames of a tap to whole frames of its codecs: in order, one layer at a time, none that a decoder could not build on.

Used where sound is made into what a WebSocket carries, and in the Python client. Live: a hole is waited for as long as
a retransmission takes, and no sender report is. Times are when frames came, on the server's monotonic clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import NamedTuple

from recorder.config import MediaConfig
from recorder.journal.events import LayerDescription, PayloadFormat, TrackStarted
from recorder.journal.records import Packet
from recorder.marks import Intervals, TrackMarks
from recorder.media.layers import TimedFrame
from recorder.take import Take
from sfu.wire.tap import FrameKind, TapFrame
from signaling.taps.messages import AnyTapMessage, TapEnded, TapLayer, TapStarted

LIVE = replace(MediaConfig(), reorder_wait_s=0.25, reorder_packets=512, clock_wait_s=0.0)
# A track's first frames may come before the word of which track it is: that goes another way.
MOST_WAITING = 256
_LISTED = 16  # gaps that are kept of a track; nobody reads them


class Heard(NamedTuple):
    track: TapStarted
    timed: TimedFrame


class TapFeed:
    def __init__(self) -> None:
        self._tracks: dict[int, tuple[TapStarted, Take]] = {}
        self._waiting: deque[TapFrame] = deque(maxlen=MOST_WAITING)

    @property
    def numbers(self) -> frozenset[int]:
        """Of the tracks that have started, and not ended."""
        return frozenset(self._tracks)

    def on_message(self, message: AnyTapMessage) -> list[Heard]:
        match message:
            case TapStarted():
                self._forget(message.track)
                self._tracks[message.number] = message, _take(message)
                waiting, self._waiting = self._waiting, deque(maxlen=MOST_WAITING)
                return [heard for frame in waiting for heard in self.on_frame(frame)]
            case TapLayer(number=number, layer=layer) if number in self._tracks:
                self._tracks[number][1].ask(layer)
            case TapEnded(track=track):
                self._forget(track)
        return []

    def on_frame(self, frame: TapFrame) -> list[Heard]:
        if frame.kind != FrameKind.RTP:
            return []
        found = self._tracks.get(frame.track)
        if found is None:
            self._waiting.append(frame)
            return []
        started, take = found
        packet = Packet(
            frame.track, frame.layer, frame.recovered, frame.sequence_number, frame.arrived_at_s, frame.body
        )
        take.on_packet(packet)
        return [Heard(started, timed) for timed in take.frames(frame.arrived_at_s)]

    def _forget(self, track: str) -> None:
        for number in [number for number, (started, _) in self._tracks.items() if started.track == track]:
            del self._tracks[number]


def _take(started: TapStarted) -> Take:
    marks = TrackMarks(
        started.track, "", started.kind, started.source, 0.0, Intervals(_LISTED), Intervals(_LISTED), Intervals(_LISTED)
    )
    formats = tuple(PayloadFormat(one.payload_type, one.codec.value, one.clock_rate) for one in started.formats)
    layers = tuple(LayerDescription(layer, rid) for layer, rid in enumerate(started.rids))
    described = TrackStarted(
        started.track,
        "",
        started.kind,
        started.source,
        formats=formats,
        layers=layers,
        orientation_id=started.orientation_id,
    )
    return Take(described, marks, LIVE)
