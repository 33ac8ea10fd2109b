"""Compiled loops where they could be built; else NumPy's, which say what these do."""

from __future__ import annotations

from sfu.core.estimation.delivery import Delivery
from sfu.core.estimation.trend import Trend

try:
    from sfu.core.estimation.compiled.columns import CompiledDelivery, CompiledTrend
except ImportError:  # there was no compiler
    _TREND, _DELIVERY = Trend, Delivery
else:
    _TREND, _DELIVERY = CompiledTrend, CompiledDelivery


def make_trend(capacity: int) -> Trend:
    return _TREND(capacity)


def make_delivery(capacity: int) -> Delivery:
    return _DELIVERY(capacity)
