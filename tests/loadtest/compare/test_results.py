"""Which runs count, and what the table and the JSON say of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from loadtest.compare.results import line, markdown, rows, to_json
from tests.support.comparison import MACHINE, POINT, RUN, with_point


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"loss": 0.0099}, True),
        ({"loss": 0.01}, False),
        ({"foreign_cpu": 0.06}, False),
        ({"generator": {**POINT.generator, "lost": 1}}, False),
        ({"generator": {**POINT.generator, "undecryptable": 1}}, False),
    ],
)
def test_a_run_counts_without_loss_foreign_work_and_faults_of_the_generator(
    changes: dict[str, Any], counts: bool
) -> None:
    assert with_point(**changes).counts is counts


def test_a_row_has_medians_and_ranges_of_what_counts() -> None:
    (row,) = rows(
        [
            RUN,
            with_point(cpu_us_per_forwarded_packet=9.0, loss=0.5),
            with_point(cpu_us_per_forwarded_packet=2.0),
            with_point(cpu_us_per_forwarded_packet=1.75),
        ]
    )
    text = markdown([row], MACHINE, {})
    assert "| ours | 1.75 (1.50–2.00) | 1.5 | 10000 | 0.30 | 0.90 | 0.00 | 80 | 3, 1 left out |" in text


def test_a_row_of_which_nothing_counts_has_no_figures() -> None:
    text = markdown(rows([with_point(loss=1.0)]), MACHINE, {})
    assert "| ours | – | – | – | – | – | – | – | 0, 1 left out |" in text


def test_a_top_rate_says_when_it_was_the_generator_that_gave_up() -> None:
    assert "| 1, generator at its limit |" in markdown(rows([replace(RUN, generator_limited=True)]), MACHINE, {})


def test_rows_keep_the_order_of_first_occurrence() -> None:
    interleaved = [replace(RUN, server=name) for name in ("ours", "janus", "pion", "ours", "janus", "pion")]
    assert [(row.server, len(row.runs)) for row in rows(interleaved)] == [("ours", 2), ("janus", 2), ("pion", 2)]


def test_profiles_have_tables_of_their_own_below_machine_and_versions() -> None:
    text = markdown(
        rows([RUN, with_point(srtp_profile="SRTP_AES128_CM_SHA1_80")]), MACHINE, {"ours": "Something to know."}
    )
    assert text.startswith(f"{MACHINE}\n\n- ours: 1.0. Something to know.\n\n**1 → 50, SRTP_AEAD_AES_128_GCM**")
    assert text.count("| server |") == 2
    assert "**1 → 50, SRTP_AES128_CM_SHA1_80**" in text


def test_json_keeps_every_run_and_has_medians_of_those_that_count() -> None:
    results = rows([RUN, with_point(forwarded_pps=1.0, foreign_cpu=0.5), with_point(forwarded_pps=9_000.0)])
    (row,) = json.loads(json.dumps(to_json(results, MACHINE)))["rows"]
    assert row["counted"] == 2
    assert row["forwarded_pps"] == 9_500.0
    assert row["added_latency_ms"] == {"p50": 0.3, "p99": 0.9, "p999": 1.5}
    assert [run["point"]["forwarded_pps"] for run in row["runs"]] == [10_000.0, 1.0, 9_000.0]
    assert [run["counts"] for run in row["runs"]] == [True, False, True]


def test_json_of_nothing_that_counts_has_no_medians() -> None:
    (row,) = to_json(rows([with_point(loss=1.0)]), MACHINE)["rows"]
    assert row["loss"] is None
    assert row["added_latency_ms"]["p50"] is None


def test_the_line_of_a_run_ends_with_its_flaws() -> None:
    text = line(with_point(foreign_cpu=0.5, added_latency_ms={"p50": None, "p99": 0.9, "p999": None}))
    assert text == ("1.50 µs/packet at 10000/s, p50 – ms, p99 0.90 ms, 0.00 % lost; others took 50 % of a core")
