"""What arrived on a layer's own SSRC, counted for receiver reports (RFC 3550 §6.4.1, appendix A.8).

Packets that came back by RTX or RED are counted apart: a report tells the publisher what its network lost.
"""

from __future__ import annotations

from sfu.core.types import Codec
from sfu.plane.fallback.packets import MediaPacket
from sfu.plane.interface import COUNTED_SPATIAL_LAYERS, COUNTED_TEMPORAL_LAYERS
from sfu.wire.serial import is_newer

# A longer stillness or jump of the timestamps says nothing about the network.
_LONGEST_TRANSIT_CHANGE_S = 5.0
# A freeze is what browsers count as one (W3C webrtc-stats, freezeCount): a gap between two frames of three times the
# mean of the last thirty, and of at least so much more than it.
_FRAMES_IN_MEAN = 30
_FREEZE_S = 0.15
# More of one gap does not enter the mean: after a pause of a minute, no freeze would be noticed for long.
_LONGEST_IN_MEAN_S = 1.0


class Reception:
    __slots__ = (
        "_by_layer",
        "_by_temporal_id",
        "_frame_gap_s",
        "_previous",
        "bytes",
        "codec",
        "first",
        "frames",
        "freezes",
        "frozen_s",
        "highest",
        "jitter",
        "last_at",
        "packets",
        "restored",
    )

    def __init__(self) -> None:
        self.packets = 0
        self.restored = 0  # by RTX or RED: what receivers do not miss
        self.bytes = 0
        self.first: int | None = None
        self.highest: int | None = None
        self.jitter = 0.0  # RTP timestamp units
        self.last_at = 0.0
        self.frames = 0
        self.freezes = 0
        self.frozen_s = 0.0
        self._frame_gap_s = 0.0  # mean; 0 before there is one
        self.codec: Codec | None = None  # of the last packet that carried anything
        self._by_layer = [[0] * COUNTED_TEMPORAL_LAYERS for _ in range(COUNTED_SPATIAL_LAYERS)]
        self._by_temporal_id = [0] * COUNTED_TEMPORAL_LAYERS  # frames
        self._previous: tuple[int, float] | None = None  # (timestamp, arrival) of the newest frame's first packet

    def count(self, number: int, timestamp: int, size_bytes: int, clock_rate: int, now: float) -> bool:
        """`number` is unwrapped; `size_bytes` is the payload. Returns whether it is the first of another frame."""
        self.packets += 1
        self.bytes += size_bytes
        self.last_at = now
        if self.first is None or number < self.first:
            self.first = number
        if self.highest is None or number > self.highest:
            self.highest = number
            return self._observe(timestamp, clock_rate, now)
        return False

    def count_layer(self, packet: MediaPacket, *, begins_frame: bool) -> None:
        """Once it is known what the packet carries."""
        if packet.codec is not None:
            self.codec = packet.codec
        if packet.layering is not None:
            spatial_id = min(packet.layering.spatial_id, COUNTED_SPATIAL_LAYERS - 1)
            temporal_id = min(packet.layering.temporal_id, COUNTED_TEMPORAL_LAYERS - 1)
            self._by_layer[spatial_id][temporal_id] += len(packet.payload)
            self._by_temporal_id[temporal_id] += begins_frame

    def layer_bytes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(map(tuple, self._by_layer))

    def temporal_frames(self) -> tuple[int, ...]:
        return tuple(self._by_temporal_id)

    def _observe(self, timestamp: int, clock_rate: int, now: float) -> bool:
        # Only a frame's first packet: the others wait behind it at the sender, which is not the network's jitter.
        if self._previous is not None:
            before, arrived = self._previous
            if not is_newer(timestamp, before, 32):
                return False
            self._observe_gap(now - arrived)
            change = (now - arrived) * clock_rate - ((timestamp - before) & 0xFFFFFFFF)
            if abs(change) < _LONGEST_TRANSIT_CHANGE_S * clock_rate:
                self.jitter += (abs(change) - self.jitter) / 16
        self.frames += 1
        self._previous = (timestamp, now)
        return True

    def _observe_gap(self, gap_s: float) -> None:
        """Between two frames."""
        mean_s, counted_s = self._frame_gap_s, min(gap_s, _LONGEST_IN_MEAN_S)
        if mean_s == 0.0:
            self._frame_gap_s = counted_s
            return
        if gap_s > max(3.0 * mean_s, mean_s + _FREEZE_S):
            self.freezes += 1
            self.frozen_s += gap_s
        self._frame_gap_s += (counted_s - mean_s) / _FRAMES_IN_MEAN
