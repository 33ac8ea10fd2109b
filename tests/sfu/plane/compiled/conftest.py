"""Tests that know the compiled plane's insides: its thread, its sockets, its memory."""

from __future__ import annotations

import pytest

from tests.support.planes import PLANES


@pytest.fixture(autouse=True)
def _is_built() -> None:
    if "compiled" not in PLANES:
        pytest.skip("the compiled plane is not built")
