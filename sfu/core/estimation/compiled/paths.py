"""`Paths` with its loops compiled. The columns are those of the classes that explain them, and so are the constants."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.core.estimation import delivery, loss, paths, probing, queueing, rates, trend
from sfu.core.estimation.columns import Rows
from sfu.core.estimation.compiled._loops import Loops
from sfu.core.estimation.paths import Paths
from sfu.core.estimation.trend import Usage
from sfu.core.transport_feedback import GROUP, REPORT

_NAMES = ("trend", "delivery", "queueing", "loss", "rates", "probing")
_MODULES = (trend, delivery, queueing, loss, rates, probing)


class CompiledPaths(Paths):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        columns = {name: _columns(getattr(self, name)) for name in _NAMES} | {"paths": _columns(self)}
        constants = {name: _constants(module) for name, module in zip(_NAMES, _MODULES, strict=True)}
        constants |= {"paths": _constants(paths), "usage": {usage.name.lower(): usage.value for usage in Usage}}
        self._loops = Loops(columns, constants, REPORT, GROUP)

    def on_reports(self, rows: Rows, reports: NDArray[Any], groups: NDArray[Any], now: float) -> None:
        self._loops.on_reports(rows, reports, groups, now)

    def take_changed(self, bound: int, now: float) -> list[int]:
        return self._loops.take_changed(bound, now)

    def probes_due(self, bound: int, now: float) -> list[int]:
        return self._loops.probes_due(bound, now)


def _columns(owner: object) -> dict[str, NDArray[Any]]:
    return {name.removeprefix("_"): column for name, column in vars(owner).items() if isinstance(column, np.ndarray)}


def _constants(module: ModuleType) -> dict[str, Any]:
    return {name.lower(): value for name, value in vars(module).items() if name.isupper()}
