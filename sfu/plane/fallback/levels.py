"""Audio levels of all Tracks, for whoever finds out who is speaking (RFC 6464)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.audio_levels import LEVEL
from sfu.plane.fallback.packets import PASSED_ON, MediaPacket
from sfu.wire.extensions import parse_audio_level

_INDEX = PASSED_ON.index("audio_level")


class Levels:
    """What has arrived since the last `take`, at most so many of each Track."""

    def __init__(self, levels_per_track: int) -> None:
        self._levels_per_track = levels_per_track
        self._rows: list[tuple[int, float, int, int]] = []
        self._counts: dict[int, int] = {}

    def note(self, track: int, packet: MediaPacket) -> None:
        """The level of an audio packet that has not been there before, if it has one."""
        value = next((value for index, value in packet.passed_on if index == _INDEX), None)
        count = self._counts.get(track, 0)
        if value is None or count >= self._levels_per_track:
            return
        self._counts[track] = count + 1
        level = parse_audio_level(value)
        self._rows.append((track, packet.arrived_at, -level.level_dbov, int(level.voice)))

    def forget(self, track: int) -> None:
        """It is gone. Where nobody takes levels, those of all Tracks there ever were would pile up."""
        if self._counts.pop(track, 0):
            self._rows = [row for row in self._rows if row[0] != track]

    def take(self) -> NDArray[Any]:
        rows, self._rows = self._rows, []
        self._counts.clear()
        return np.array(rows, LEVEL)
