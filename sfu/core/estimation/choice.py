"""Compiled loops where they could be built; else NumPy's, which say what these do."""

from __future__ import annotations

from sfu.core.estimation.paths import Paths

try:
    from sfu.core.estimation.compiled.paths import CompiledPaths
except ImportError:  # there was no compiler
    _PATHS: type[Paths] = Paths
else:
    _PATHS = CompiledPaths


def make_paths(capacity: int) -> Paths:
    return _PATHS(capacity)
