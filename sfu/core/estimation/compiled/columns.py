"""`Trend` and `Delivery` with their loops compiled; everything else of them is theirs."""

from __future__ import annotations

import numpy as np

from sfu.core.estimation import delivery, trend
from sfu.core.estimation.columns import Rows
from sfu.core.estimation.compiled._loops import PaceLoop, TrendLoop
from sfu.core.estimation.delivery import Delivery, Pace
from sfu.core.estimation.groups import DealtGroups
from sfu.core.estimation.trend import Trend, Usage
from sfu.core.transport_feedback import GROUP

_TREND_CONSTANTS = (
    *("WINDOW", "SMOOTHING", "GAIN", "MOST_COUNTED", "LOWEST_MS", "HIGHEST_MS", "RISE", "FALL"),
    *("OUTLIER_MS", "MOST_ELAPSED_MS", "OVER_FOR_MS"),
)


class CompiledTrend(Trend):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        columns = {name.removeprefix("_"): column for name, column in vars(self).items()}
        constants = {name.lower(): getattr(trend, name) for name in _TREND_CONSTANTS}
        self._loop = TrendLoop(columns, constants, (Usage.UNDER, Usage.NORMAL, Usage.OVER), GROUP)

    def on_groups(self, dealt: DealtGroups) -> None:
        if len(dealt.rows):
            self._loop.run(dealt.rows, dealt.groups)


class CompiledDelivery(Delivery):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        columns = {name.removeprefix("_"): column for name, column in vars(self).items()}
        constants = {name.lower(): getattr(delivery, name) for name in ("KEPT", "PAUSE_S", "SHORTEST_S")}
        self._loop = PaceLoop(columns, constants)

    def pace(self, rows: Rows, window_s: float) -> Pace:
        pace = Pace(*np.empty((4, len(rows))))
        if len(rows):
            self._loop.run(np.ascontiguousarray(rows), window_s, pace)
        return pace
