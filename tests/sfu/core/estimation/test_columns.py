"""Rows are given to Transports and used again."""

from __future__ import annotations

import numpy as np
import pytest

from sfu.core.estimation.columns import RowNumbers


def test_a_row_is_used_again_once_its_transport_has_gone() -> None:
    numbers = RowNumbers(2)
    first, second = numbers.add(10), numbers.add(20)
    assert {first, second} == {0, 1} and len(numbers) == 2
    with pytest.raises(IndexError):
        numbers.add(30)
    numbers.remove(10)
    assert 10 not in numbers and numbers.add(30) == first
    assert numbers.transport(first) == 30


def test_who_has_no_row_is_told_by_minus_one() -> None:
    numbers = RowNumbers(4)
    row = numbers.add(7)
    assert numbers.rows(np.array([7, 8])).tolist() == [row, -1]
    assert numbers.row(8) is None
