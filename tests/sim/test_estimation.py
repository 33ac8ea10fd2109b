"""Estimates and what is forwarded for them, in virtual time: the real core, the readable plane, simulated paths."""

from __future__ import annotations

import pytest

from tests.sim.scenario import Scenario, Stage
from tests.sim.scenarios import SCENARIOS


@pytest.fixture(autouse=True)
def readable_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification; that the compiled one does the same is what its parity tests show."""
    monkeypatch.setenv("SFU_PLANE", "fallback")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.sentence)
def test_what_the_path_does_is_followed(scenario: Scenario) -> None:
    Stage(scenario).run()


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 51))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.sentence)
def test_whatever_else_happens_at_that_moment(scenario: Scenario, number: int) -> None:
    """When frames are sent and who speaks is drawn: what holds for one seed by luck does not hold for fifty."""
    Stage(scenario, number).run()
