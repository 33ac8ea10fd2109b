"""The picture is a PNG, also of rows of which nothing counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.compare.chart import draw
from loadtest.compare.results import rows
from tests.support.comparison import RUN, with_point


def test_draws_costs_top_rates_and_rows_without_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runs = [
        RUN,
        with_point(cpu_us_per_forwarded_packet=2.0),
        replace(RUN, server="janus"),
        with_point(name="top rate, 1 → 50"),
        with_point(srtp_profile="SRTP_AES128_CM_SHA1_80", loss=1.0),
    ]
    file = tmp_path / "result.png"
    draw(rows(runs), "A machine", file)
    assert file.read_bytes().startswith(b"\x89PNG")
