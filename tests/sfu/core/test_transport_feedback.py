"""The layout that the compiled plane writes: fields lie where C puts them, without gaps."""

from __future__ import annotations

import numpy as np
import pytest

from sfu.core.transport_feedback import CLUSTER, GROUP, NO_FEEDBACK, REPORT


@pytest.mark.parametrize("row", [REPORT, GROUP, CLUSTER], ids=["report", "group", "cluster"])
def test_every_field_has_eight_bytes(row: np.dtype[np.void]) -> None:
    assert row.names is not None
    assert row.itemsize == 8 * len(row.names)


def test_an_empty_batch_has_columns_all_the_same() -> None:
    assert NO_FEEDBACK.reports["acked_bytes"].sum() == 0
    assert NO_FEEDBACK.groups["sent_delta_s"].sum() == 0
    assert NO_FEEDBACK.clusters["cluster"].size == 0
