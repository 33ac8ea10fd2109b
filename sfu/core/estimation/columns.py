"""State of all estimators as columns: one row per Transport, so that each step of arithmetic is made for all at once.

Rows are given out once per Transport and used again. Memory that no row has touched costs nothing: the kernel gives
zeroed pages when they are written.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]  # which rows an operation is about, each at most once


class RowNumbers:
    """Which row is whose."""

    def __init__(self, capacity: int) -> None:
        self.bound = 0  # no row from here on was ever given out
        self._free = list(range(capacity - 1, -1, -1))
        self._rows: dict[int, int] = {}
        self._transports: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, transport: int) -> bool:
        return transport in self._rows

    def add(self, transport: int) -> int:
        """Raises IndexError beyond the capacity."""
        row = self._rows[transport] = self._free.pop()
        self._transports[row] = transport
        self.bound = max(self.bound, row + 1)
        return row

    def remove(self, transport: int) -> None:
        row = self._rows.pop(transport)
        del self._transports[row]
        self._free.append(row)

    def row(self, transport: int) -> int | None:
        return self._rows.get(transport)

    def transport(self, row: int) -> int:
        return self._transports[row]

    def rows(self, transports: NDArray[np.int64]) -> Rows:
        """-1 for those that have none."""
        found = [self._rows.get(transport, -1) for transport in transports.tolist()]
        return np.array(found, np.intp)
