"""Which plane one gets."""

from __future__ import annotations

import os
import sys

import pytest

from sfu.plane import PLANE_VARIABLE, open_plane
from tests.support.planes import PLANES


def test_the_compiled_one_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLANE_VARIABLE, raising=False)
    assert open_plane(()).name == ("compiled" if "compiled" in PLANES else "fallback")


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="only CI insists on a compiler")
def test_continuous_integration_has_built_the_compiled_one() -> None:
    assert open_plane(()).name == "compiled"


def test_the_readable_one_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLANE_VARIABLE, "fallback")
    assert open_plane(()).name == "fallback"


def test_without_the_extension_the_readable_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLANE_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "sfu.plane.compiled.plane", None)
    assert open_plane(()).name == "fallback"


def test_a_wish_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLANE_VARIABLE, "fastest")
    with pytest.raises(ValueError, match="fastest"):
        open_plane(())
