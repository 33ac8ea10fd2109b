"""The batch's groups, dealt out: whose each is, and which of its Transport's it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfu.core.estimation.columns import Rows


class DealtGroups(NamedTuple):
    rows: Rows  # whose, one per group
    turns: Rows  # 0 for the first of its row, 1 for the next, …
    groups: NDArray[Any]  # of dtype GROUP

    def in_turns(self) -> Iterator[tuple[Rows, NDArray[Any]]]:
        """The first of every row, then the second of those that have one, and so on: in a turn no row comes twice."""
        if not len(self.rows):
            return
        for turn in range(int(self.turns.max()) + 1):
            of_turn = np.flatnonzero(self.turns == turn)
            yield self.rows[of_turn], self.groups[of_turn]


def deal(rows: Rows, counts: NDArray[np.int64], groups: NDArray[Any]) -> DealtGroups:
    """`counts[i]` of the `groups`, in their order, are of `rows[i]`; those of row -1 are of nobody."""
    owners = np.repeat(rows, counts)
    turns = np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    known = owners >= 0
    return DealtGroups(owners[known], turns[known], groups[known])
