"""A trace of what an estimator was told, told to another: the same comes of it, whoever calculates."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sfu.core.estimation.estimator import Estimator
from sfu.core.estimation.paths import Paths
from sfu.core.estimation.traced import replay
from tests.sim.replay import Printed
from tests.sim.scenario import Stage
from tests.sim.scenarios import FULL_QUEUE


@pytest.fixture(scope="module")
def trace() -> list[str]:
    """Of a path that falls, with probes, key frames and losses."""
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SFU_PLANE", "fallback")
        Stage(FULL_QUEUE, trace=lines.append).run()
    return lines


@pytest.mark.parametrize("make_paths", [None, Paths], ids=["as it is", "numpy"])
def test_what_happened_happens_again(
    trace: list[str], make_paths: Callable[[int], Paths] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if make_paths is not None:
        monkeypatch.setattr("sfu.core.estimation.estimator.make_paths", make_paths)
    ticks, estimates, probes = 0, set(), 0
    for estimator, moment in replay(trace):
        for transport, bps in moment.estimates_bps.items():
            estimate = estimator.estimate(transport)
            assert estimate is not None and estimate.bps == pytest.approx(bps, abs=1)
            estimates.add(bps)
        ticks, probes = ticks + 1, probes + len(moment.probes)
    assert ticks > 200 and len(estimates) > 5 and probes > 1
    assert min(estimates) < 0.5e6 < 1.5e6 < max(estimates)


def test_another_estimator_may_say_something_else(trace: list[str]) -> None:
    for estimator, moment in replay(trace, Estimator(16, 0.7e6)):
        for transport in moment.estimates_bps:
            estimate = estimator.estimate(transport)
            assert estimate is not None and estimate.bps <= 0.7e6


def test_it_is_printed_in_words(trace: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    printed = Printed(None)
    for estimator, moment in replay(printed.passing(iter(trace))):
        printed.show(estimator, moment)
    text = capsys.readouterr().out
    assert "set_goal" in text and "Probe(transport=" in text and "packets, Stretch(groups=" in text
    assert "q\n" in text and " now " not in text
