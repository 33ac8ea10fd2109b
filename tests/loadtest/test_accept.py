"""The list of figures to reach: what each case runs, and how medians are judged and told."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from loadtest import command
from loadtest.accept import CASES, Case, Check, Outcome, _measure, table, to_json

COST = Check("µs/packet", lambda one: one["cpu_us_per_forwarded_packet"], 2.5)
RATE = Check("packets/s", lambda one: one["forwarded_pps"], 1000, digits=0, at_least=True)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="sfu loadtest")
    command.add_arguments(made)
    return made


def result(cost_us: float, pps: float = 2000.0, **others: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"above_kernel_us_per_packet": None, "flaws": [], "participants": 51}
    return {"cpu_us_per_forwarded_packet": cost_us, "forwarded_pps": pps, **known, **others}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_is_a_command_that_exists(case: Case) -> None:
    parsed = parser().parse_args([*case.arguments, "--duration=5"])
    assert parsed.scenario == case.arguments[0]


@pytest.mark.parametrize(
    ("check", "measured", "reached"),
    [
        (COST, [2.0, 9.0, 2.4], True),
        (COST, [2.6, 2.0, 2.7], False),
        (COST, [], False),
        (RATE, [999.0], False),
        (RATE, [1000.0], True),
    ],
)
def test_the_median_of_the_runs_counts(check: Check, measured: list[float], reached: bool) -> None:
    outcome = Outcome(Case("a case", ("max",), (check,)), [result(value, value) for value in measured])
    assert outcome.is_reached(check) is reached


def test_the_table_tells_what_was_missed_and_what_is_to_be_doubted() -> None:
    good = Outcome(Case("good", ("max",), (COST, RATE)), [result(1.0, above_kernel_us_per_packet=0.25)])
    bad = Outcome(Case("bad", ("max",), (COST,)), [result(3.0), result(4.0, flaws=["others took 9 % of a core"])])
    none = Outcome(Case("none", ("max",), (COST,)), failures=["it said nothing"])
    lines = table([good, bad, none]).splitlines()
    assert [line.endswith("missed") for line in lines[1:5]] == [False, False, True, True]
    assert "≤ 2.5" in lines[1] and "0.25" in lines[1]
    assert "≥ 1000" in lines[2]
    assert "3.50 (3.00–4.00)" in lines[3]
    assert lines[5:] == ["! bad: others took 9 % of a core", "! none: it said nothing"]


def test_half_of_the_highest_rate_cannot_be_measured_without_it() -> None:
    (half,) = [case for case in CASES if case.of_highest]
    outcome = _measure(half, parser().parse_args(["accept"]), [])
    assert outcome.failures == ["the highest rate was not measured"]


def test_json_holds_what_was_wanted_beside_what_was_measured() -> None:
    outcome = Outcome(Case("a case", ("max",), (COST,)), [result(1.0)])
    (written,) = json.loads(json.dumps(to_json([outcome], "a machine")))["cases"]
    assert written["figures"] == [{"what": "µs/packet", "wanted": 2.5, "measured": [1.0]}]
