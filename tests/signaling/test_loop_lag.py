"""The event loop's lateness is noticed and counted."""

from __future__ import annotations

import asyncio
import time

from signaling.loop_lag import LOOK_EVERY_S, Histogram, LoopLag


def test_a_histogram_counts_by_upper_bounds() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3.0):
        histogram.add(value)
    samples = {(one.name, one.labels.get("le")): one.value for one in histogram.family("x", "text").samples}
    assert samples["x_bucket", "0.1"] == 2
    assert samples["x_bucket", "1.0"] == 3
    assert samples["x_bucket", "+Inf"] == samples["x_count", None] == 4
    assert samples["x_sum", None] == 3.65


async def test_a_loop_that_was_blocked_was_late() -> None:
    lag = LoopLag()
    lag.start()
    await asyncio.sleep(0.05)
    time.sleep(LOOK_EVERY_S + 0.15)  # noqa: ASYNC251  # what it is to notice, whenever the next look is due
    await asyncio.sleep(0.05)
    lag.stop()
    late = {one.labels.get("le"): one.value for one in lag.lateness.family("x", "text").samples}
    assert late["+Inf"] > late["0.1"]
