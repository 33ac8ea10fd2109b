"""Both planes as one: every call goes to both, and whatever they answer, send and tell must be equal, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from sfu.core.transport_feedback import FeedbackBatch
from sfu.plane.compiled.plane import CompiledPlane
from sfu.plane.fallback.plane import FallbackPlane
from sfu.plane.interface import Plane, PlaneConfig


class Paired:
    """Logic alone, never started."""

    name = "paired"

    def __init__(self, addresses: Sequence[str], port: int, config: PlaneConfig) -> None:
        self.twin: Plane = FallbackPlane(addresses, port, config)
        self.compiled: Plane = CompiledPlane(addresses, port, config)
        self.calls = 0

    @property
    def counters(self) -> Any:
        assert self.compiled.counters == self.twin.counters
        return self.twin.counters

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return partial(self._both, method)

    def _both(self, method: str, *args: Any, **options: Any) -> Any:
        self.calls += 1
        expected, failure = _outcome(partial(getattr(self.twin, method), **options), args)
        got, other_failure = _outcome(partial(getattr(self.compiled, method), **options), args)
        what = f"call {self.calls}, {method}{args!r:.300}{options or ''}"
        assert type(other_failure) is type(failure), f"{what}: {other_failure!r} instead of {failure!r}"
        assert _comparable(got) == _comparable(expected), f"{what}:\n{got!r:.2000}\ninstead of\n{expected!r:.2000}"
        if failure is not None:
            raise failure
        return expected


def make_paired(addresses: Sequence[str], port: int, config: PlaneConfig) -> Plane:
    return cast(Plane, Paired(addresses, port, config))


def _comparable(answer: Any) -> Any:
    """Arrays as bytes: NaN is equal to NaN then, and what is equal is so to the last bit."""
    if isinstance(answer, FeedbackBatch):
        return [_comparable(column) for column in answer]
    if isinstance(answer, np.ndarray):
        return answer.dtype, answer.tobytes()
    return answer


def _outcome(method: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return method(*args), None
    except (KeyError, ValueError) as failure:
        return None, failure
