"""One track of a recording: its packets in, frames at session times out, and marks of what is missing. Sans I/O."""

from __future__ import annotations

from recorder.config import MediaConfig
from recorder.journal.events import TrackStarted
from recorder.journal.records import Packet
from recorder.marks import Moment, TrackMarks
from recorder.media import opus
from recorder.media.frames import GapReason
from recorder.media.layers import ExtensionIds, Heard, LayerChoice, LayerFeed, TimedFrame
from sfu.core.types import SOUND_CODECS, Codec

# Of audio, between two frames: less is what clocks jitter.
_AUDIO_GAP_S = 0.03
# What a codec's frame lasts where nothing says so: only to end a gap's beginning.
_FRAME_S = 0.02


class Take:
    """A track under all the numbers it has had."""

    def __init__(self, started: TrackStarted, marks: TrackMarks, config: MediaConfig) -> None:
        self.marks = marks
        self._config = config
        self._choice = LayerChoice(config.layer_silent_s)
        self._retired: list[LayerFeed] = []  # of earlier numbers, for their figures
        self.feeds: dict[int, LayerFeed] = {}
        self._described: dict[int, str] = {}
        self.clock_rate = 0
        self.begin(started)

    def begin(self, started: TrackStarted) -> list[TimedFrame]:
        """Under a new number, with new SSRCs. Gives what the old one still had."""
        left = self.finish()
        self._retired += self.feeds.values()
        self.feeds = {}
        self._choice.layer = self._choice.wanted = None
        self._formats = {one.payload_type: one for one in started.formats if _fits(one.codec, started.kind)}
        self._described = {layer.layer: layer.rid for layer in started.layers}
        self._extension_ids = ExtensionIds(started.capture_time_id, started.orientation_id)
        rates = [one.clock_rate for one in self._formats.values() if one.clock_rate > 0]
        self.clock_rate = rates[0] if rates else (48_000 if started.kind == "audio" else 90_000)
        return left

    def on_packet(self, packet: Packet) -> Heard:
        """Layers beyond the limit are ignored."""
        feed = self.feeds.get(packet.layer)
        if feed is None:
            if len(self.feeds) >= self._config.layers_per_track:
                return Heard()
            feed = self.feeds[packet.layer] = LayerFeed(packet.layer, self._formats, self._config, self._extension_ids)
        return feed.on_packet(packet)

    def ask(self, layer: int) -> None:
        """The sink was told to deliver this one from now on."""
        self._choice.wanted = layer

    def frames(self, now: float) -> list[TimedFrame]:
        return self._choose([timed for feed in self.feeds.values() for timed in feed.frames(now)])

    def finish(self) -> list[TimedFrame]:
        return self._choose([timed for feed in self.feeds.values() for timed in feed.finish()])

    def all_feeds(self) -> list[LayerFeed]:
        return [*self._retired, *self.feeds.values()]

    def _choose(self, timed: list[TimedFrame]) -> list[TimedFrame]:
        if len(self.feeds) > 1:
            timed.sort(key=lambda one: (one.at_s, -one.layer))
        chosen = []
        for one in timed:
            if self.marks.kind == "audio":
                self._mark_sound(one)
                chosen.append(one)
                continue
            before = self._choice.layer
            taken = self._choice.take(one)
            if taken is not None:
                self._mark_picture(taken, before)
                chosen.append(taken)
        return chosen

    def _mark_picture(self, timed: TimedFrame, layer_before: int | None) -> None:
        marks, frame = self.marks, timed.frame
        self._mark_frame(timed)
        if layer_before != timed.layer:
            marks.layers.append(Moment(timed.at_s, self._described.get(timed.layer) or str(timed.layer)))
        last_s = marks.last_frame_s
        if last_s is not None:
            silent = timed.at_s - last_s > self._config.longest_frame_gap_s
            if frame.gap in (GapReason.LOSS, GapReason.DAMAGED):
                marks.gaps.add(last_s, timed.at_s, frame.gap)
            elif silent and not marks.mutes.touches(last_s, timed.at_s):
                marks.gaps.add(last_s, timed.at_s, "restart" if frame.gap is GapReason.BEGIN else "nothing sent")
        if frame.key_frame and len(marks.key_frames) < marks.gaps.most:
            marks.key_frames.append(timed.at_s)
        marks.last_frame_s = timed.at_s

    def _mark_sound(self, timed: TimedFrame) -> None:
        """Silence that was not sent (DTX) is no gap; a loss is, and what was missed before the stream began anew."""
        marks, frame = self.marks, timed.frame
        self._mark_frame(timed)
        last_s = marks.last_frame_s
        missing = last_s is not None and timed.at_s - last_s > _AUDIO_GAP_S
        if last_s is not None and missing:
            if frame.gap in (GapReason.LOSS, GapReason.DAMAGED):
                marks.gaps.add(last_s, timed.at_s, frame.gap)
            elif frame.gap is GapReason.BEGIN and not marks.mutes.touches(last_s, timed.at_s):
                marks.gaps.add(last_s, timed.at_s, "restart")
        samples = opus.duration_samples(frame.bitstream) if frame.codec is Codec.OPUS else None
        marks.last_frame_s = timed.at_s + (samples / opus.CLOCK_RATE if samples else _FRAME_S)

    def _mark_frame(self, timed: TimedFrame) -> None:
        marks = self.marks
        marks.frames += 1
        if marks.first_frame_s is None:
            marks.first_frame_s = timed.at_s
        if timed.frame.codec.value not in marks.codecs:
            marks.codecs.append(timed.frame.codec.value)


def _fits(codec: str, kind: str) -> bool:
    """Whether this is a codec of ours, and one of sound for sound."""
    return codec.lower() in _OF_KIND.get(kind, frozenset())


_OF_KIND = {
    "audio": frozenset({Codec.OPUS.value.lower()}),
    "video": frozenset(codec.value.lower() for codec in Codec if codec not in SOUND_CODECS),
}
