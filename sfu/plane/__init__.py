"""The per-packet engine: `open_plane` chooses one; `interface.Plane` is what all of them offer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from sfu.plane.fallback.plane import FallbackPlane
from sfu.plane.interface import Plane, PlaneConfig

__all__ = ["PLANE_VARIABLE", "open_plane"]

PLANE_VARIABLE: Final = "SFU_PLANE"  # "fallback": the readable plane, though the compiled one is there
_DEFAULTS = PlaneConfig()


def open_plane(addresses: Sequence[str], port: int = 0, config: PlaneConfig = _DEFAULTS) -> Plane:
    """The best plane there is; `name` says which. Nothing is opened before `start`.

    `addresses` are numeric and local, no wildcards; `port` is used on all of them, 0 picks one. Raises ValueError for
    a wish in PLANE_VARIABLE that cannot be met.
    """
    wish = os.environ.get(PLANE_VARIABLE, "")
    if wish not in ("", FallbackPlane.name):
        raise ValueError(f"{PLANE_VARIABLE} may be {FallbackPlane.name!r} or nothing, not {wish!r}")
    if not wish:
        try:
            from sfu.plane.compiled.plane import CompiledPlane
        except ImportError:  # installed without a compiler, or not on Linux
            pass
        else:
            return CompiledPlane(addresses, port, config)
    return FallbackPlane(addresses, port, config)
