"""Commands that give Tracks to local sinks: to a recorder, or whoever else on this machine wants the media itself."""

from __future__ import annotations

from sfu.control_values import Command, Message, Reply
from sfu.core.types import PayloadFormat


class OpenSink(Command, frozen=True, kw_only=True):
    """Tracks of a room are to go to a reader on this machine: a bound Unix datagram socket, named as in sfu/tap.py.
    Reply: Done."""

    room: str
    sink: str
    address: str


class TapTrack(Command, frozen=True, kw_only=True):
    """Give this Track to the sink, as its publisher sends it and also while it is muted: its best layer, or none better
    than `max_layer`. Reply: TrackTapped."""

    sink: str
    track: str
    max_layer: int | None = None


class UntapTrack(Command, frozen=True, kw_only=True):
    """Reply: Done."""

    sink: str
    track: str


class CloseSink(Command, frozen=True, kw_only=True):
    """Reply: Done."""

    sink: str


class TrackTapped(Reply, frozen=True, kw_only=True):
    """`number` is what the sink's frames call it. `capture_time_id`, `orientation_id`: of the header extensions
    abs-capture-time and video-orientation in its packets; 0: they have none."""

    number: int
    formats: list[PayloadFormat]
    rids: list[str]
    capture_time_id: int = 0
    orientation_id: int = 0


class LayerTapped(Message, frozen=True, kw_only=True):
    """From the key frame that has just come, the sink is given this layer of the Track and no other."""

    sink: str
    track: str
    layer: int


class SinkLost(Message, frozen=True, kw_only=True):
    """Nobody reads this sink any more. It goes by CloseSink."""

    sink: str
