"""Groups of a batch are dealt to the rows of their Transports, in turns."""

from __future__ import annotations

import numpy as np

from sfu.core.estimation.groups import deal
from tests.support.paths import groups


def test_groups_are_dealt_in_turns_and_those_of_nobody_are_left_out() -> None:
    sent = groups(*((float(n), 0.0, 0.0, 0.0, 0.0, 100) for n in range(6)))
    dealt = deal(np.array([4, -1, 2]), np.array([2, 1, 3]), sent)
    turns = [(rows.tolist(), taken["sent_at_s"].tolist()) for rows, taken in dealt.in_turns()]
    assert turns == [([4, 2], [0.0, 3.0]), ([4, 2], [1.0, 4.0]), ([2], [5.0])]


def test_nothing_is_dealt_of_nothing() -> None:
    none = deal(np.empty(0, np.intp), np.empty(0, np.int64), groups())
    assert list(none.in_turns()) == []
    assert list(deal(np.array([-1]), np.array([1]), groups((0.0, 0.0, 0.0, 0.0, 0.0, 1))).in_turns()) == []
