"""Types of _loops.pyx."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class TrendLoop:
    def __init__(
        self,
        columns: Mapping[str, NDArray[Any]],
        constants: Mapping[str, float],
        usages: Sequence[int],
        group: np.dtype[np.void],
    ) -> None: ...
    def run(self, rows: NDArray[np.intp], groups: NDArray[Any]) -> None: ...

class PaceLoop:
    def __init__(self, columns: Mapping[str, NDArray[Any]], constants: Mapping[str, float]) -> None: ...
    def run(self, rows: NDArray[np.intp], window_s: float, pace: Sequence[NDArray[np.float64]]) -> None: ...
