"""Local sinks: what they get of the Tracks they tap, and the way out to their readers.

    packet of a layer ─► had it been there? ─► frames for the sinks that tap it ─► Slots of the Track
    RTCP of a publisher ─► sender reports of tapped layers ─► frames

Every packet goes to a sink once, as it arrives, late ones too. A reader that does not keep up loses frames of its own
and nobody else's: each frame says how many were lost before it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from sfu.core.types import DropReason
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.interface import SinkFrame, SinkGone
from sfu.wire import framing, red, rtp, rtx, tap
from sfu.wire.errors import MalformedRtcp
from sfu.wire.rtp import RtpHeader
from sfu.wire.tap import FrameKind, SenderClock, TapFrame

if TYPE_CHECKING:
    from sfu.plane.fallback.packets import MediaPacket
    from sfu.plane.fallback.publishing import Track, TrackLayer
    from sfu.plane.fallback.transport import Transport

MOST_LAYERS = 64  # of a Track that can be tapped; the compiled plane keeps them as bits
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE)
_SENDER_REPORT_BYTES = 24  # SSRC, times and counts


class Sink:
    __slots__ = ("dropped", "endpoint", "gone", "id", "tracks")

    def __init__(self, id: int, endpoint: socket.socket | None) -> None:
        """Without `endpoint`: logic alone."""
        self.id = id
        self.endpoint = endpoint
        self.tracks: dict[Track, None] = {}
        self.dropped = 0
        self.gone = False


class Sinks:
    def __init__(self, outbox: Outbox) -> None:
        self.live = False  # readers are written to; else frames wait to be taken
        self._outbox = outbox
        self._sinks: dict[int, Sink] = {}
        self._frames: list[tuple[Sink, bytes]] = []

    # --- control -------------------------------------------------------------------------------------------

    def __contains__(self, sink: int) -> bool:
        return sink in self._sinks

    def add(self, sink: int, endpoint: socket.socket | None) -> None:
        self._sinks[sink] = Sink(sink, endpoint)
        self._write(self._sinks[sink], FrameKind.OPENED)

    def set_tap(self, sink: int, track: Track, layers: Collection[int]) -> None:
        """Raises KeyError for a layer the Track has not, ValueError for one that cannot be tapped."""
        of = self._sinks[sink]
        for index in layers:
            track.layer(index)
            if index >= MOST_LAYERS:
                raise ValueError(f"layers from {MOST_LAYERS} on cannot be tapped")
        if layers:
            track.taps[of] = frozenset(layers)
            of.tracks[track] = None
        elif of in track.taps:
            self._end(of, track)

    def remove(self, sink: int) -> None:
        gone = self._sinks.pop(sink, None)
        if gone is None:
            return
        for track in gone.tracks:
            del track.taps[gone]
        self._write(gone, FrameKind.CLOSED)
        self.flush()
        if gone.endpoint is not None:
            gone.endpoint.close()

    def end_track(self, track: Track) -> None:
        for sink in list(track.taps):
            self._end(sink, track)

    def close(self) -> None:
        for sink in list(self._sinks):
            self.remove(sink)

    # --- what arrives --------------------------------------------------------------------------------------

    def on_packet(
        self, layer: TrackLayer, packet: bytes, header: RtpHeader, media: MediaPacket, recovered: bool, now: float
    ) -> None:
        """A packet that has not been there before. Readers need not know RED, for what is missing has been restored."""
        track = layer.track
        if recovered:
            original = track.formats[header.payload_type].repairs or 0
            packet = rtx.restore(packet, header.payload_offset, original, layer.ssrc or 0)
        elif media.red is not None:
            packet = red.strip(packet, header, media.red.primary_at, track.opus_payload_type)
        self._write_packet(layer, packet, media.sequence_number, recovered, now)

    def on_restored(self, layer: TrackLayer, media: MediaPacket, now: float) -> None:
        """What another packet's redundancy had of one that has not been there."""
        packet = rtp.build(
            payload_type=layer.track.opus_payload_type,
            sequence_number=media.sequence_number & 0xFFFF,
            timestamp=media.timestamp,
            ssrc=layer.ssrc or 0,
            payload=media.payload,
        )
        self._write_packet(layer, packet, media.sequence_number, True, now)

    def _write_packet(self, layer: TrackLayer, packet: bytes, number: int, recovered: bool, now: float) -> None:
        for sink, layers in layer.track.taps.items():
            if layer.index in layers:
                self._write(sink, FrameKind.RTP, layer.index, layer.track.id, packet, number, recovered, now)

    def on_rtcp(self, transport: Transport, compound: bytes, now: float) -> None:
        """Sender reports of tapped layers; what is behind a header that cannot be believed is not found."""
        if not any(track.taps for track in transport.tracks.values()):
            return
        try:
            for block in framing.blocks(compound):
                if block.packet_type == framing.SENDER_REPORT and len(block.body) >= _SENDER_REPORT_BYTES:
                    self._on_sender_report(transport, block.body, now)
        except MalformedRtcp:
            pass

    def _on_sender_report(self, transport: Transport, body: bytes, now: float) -> None:
        ssrc, ntp_time, timestamp = (int.from_bytes(body[a:b], "big") for a, b in ((0, 4), (4, 12), (12, 16)))
        source = transport.sources.get(ssrc)
        if source is None or source.rtx or source.layer is None:
            return
        clock, index = tap.pack_clock(SenderClock(ntp_time, timestamp, ssrc)), source.layer.index
        for sink, layers in source.track.taps.items():
            if index in layers:
                self._write(sink, FrameKind.SENDER_REPORT, index, source.track.id, clock, at_s=now)

    # --- out -----------------------------------------------------------------------------------------------

    def take(self) -> list[SinkFrame]:
        """Logic alone."""
        taken = [SinkFrame(sink.id, frame) for sink, frame in self._frames]
        self._frames.clear()
        self._outbox.counters.sink_frames += len(taken)
        return taken

    def flush(self) -> None:
        """To the readers, once started; a reader that is full is not tried again before the next time."""
        if not self.live:
            return
        full: set[Sink] = set()
        frames, self._frames = self._frames, []
        for sink, frame in frames:
            if sink.gone or sink in full:
                self._lose(sink)
                continue
            try:
                if sink.endpoint is None:
                    raise ConnectionRefusedError
                sink.endpoint.send(tap.with_dropped(frame, sink.dropped))
            except OSError as error:
                if error.errno in _FULL:
                    full.add(sink)
                    self._lose(sink)
                else:
                    self._on_gone(sink)
            else:
                self._outbox.counters.sink_frames += 1

    def _write(
        self,
        sink: Sink,
        kind: FrameKind,
        layer: int = 0,
        track: int = 0,
        body: bytes = b"",
        number: int = 0,
        recovered: bool = False,
        at_s: float = 0.0,
    ) -> None:
        if sink.gone:
            self._lose(sink)
            return
        self._frames.append((sink, tap.pack(TapFrame(kind, layer, recovered, 0, track, number, at_s, body))))

    def _end(self, sink: Sink, track: Track) -> None:
        del track.taps[sink], sink.tracks[track]
        self._write(sink, FrameKind.TRACK_ENDED, track=track.id)

    def _lose(self, sink: Sink) -> None:
        sink.dropped += 1
        self._outbox.drop(DropReason.SINK_GONE if sink.gone else DropReason.SINK_FULL)

    def _on_gone(self, sink: Sink) -> None:
        sink.gone = True
        self._lose(sink)
        self._outbox.tell(SinkGone(sink.id))
