"""The tests in this folder run against every plane; those in `fallback/` know its insides."""

from __future__ import annotations

import pytest

from tests.support.planes import PLANES, MakePlane


@pytest.fixture(params=sorted(PLANES))
def make_plane(request: pytest.FixtureRequest) -> MakePlane:
    return PLANES[request.param]
