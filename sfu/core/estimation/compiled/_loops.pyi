"""Types of _loops.pyx."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

class Loops:
    def __init__(
        self,
        columns: Mapping[str, Mapping[str, NDArray[Any]]],
        constants: Mapping[str, Mapping[str, Any]],
        report: np.dtype[np.void],
        group: np.dtype[np.void],
    ) -> None: ...
    def on_reports(self, rows: NDArray[np.intp], reports: NDArray[Any], groups: NDArray[Any], now: float) -> None: ...
    def take_changed(self, bound: int, now: float) -> list[int]: ...
    def probes_due(self, bound: int, now: float) -> list[int]: ...
