"""`sfu loadtest accept`: every figure we want to reach, measured one after another, and how far each is from that.

Each case is an `sfu loadtest` command in a process of its own, which is printed, so that one of them can be repeated by
hand. Costs are medians of the runs. Figures of a loaded machine mean little: what made a run doubtful stands below.

Exit status: 0 all reached, 1 a case could not be run, 3 something was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sfu
from loadtest.machine import read_machine

Result = Mapping[str, Any]  # what `--json` wrote
CASE_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Check:
    """One figure: at most `wanted`, or at least."""

    what: str
    read: Callable[[Result], float | None]
    wanted: float
    digits: int = 2
    at_least: bool = False

    def is_reached(self, value: float | None) -> bool:
        return value is not None and (value >= self.wanted if self.at_least else value <= self.wanted)


@dataclass(frozen=True, slots=True)
class Case:
    """`arguments`: of `sfu loadtest`. `of_highest`: at this part of the rate that the `max` before it came to."""

    name: str
    arguments: tuple[str, ...]
    checks: tuple[Check, ...]
    repeated: bool = True
    of_highest: float | None = None
    plane: str = ""


@dataclass(slots=True)
class Outcome:
    """All runs of one case; `None` in the place of one that failed."""

    case: Case
    results: list[Result] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def values(self, check: Check) -> list[float]:
        return [value for value in map(check.read, self.results) if value is not None]

    def is_reached(self, check: Check) -> bool:
        values = self.values(check)
        return bool(values) and check.is_reached(statistics.median(values))


def _latency(percentile: str, wanted_ms: float) -> Check:
    return Check(f"{percentile} ms", lambda one: one["added_latency_ms"][percentile], wanted_ms)


def _cost(wanted_us: float) -> Check:
    return Check("µs/packet", lambda one: one["cpu_us_per_forwarded_packet"], wanted_us)


def _loss(wanted_percent: float) -> Check:
    return Check("loss %", lambda one: 100 * one["loss"], wanted_percent, digits=3)


_RATE: Final = Check("packets/s", lambda one: one["forwarded_pps"], 640_000, digits=0, at_least=True)
_MEMORY: Final = Check("kB/participant", lambda one: one["rss_kb_per_participant"], 1000, digits=0)

CASES: Final = (
    Case(
        "1 → 50, AES-GCM, no feedback",
        ("one-to-many", "--srtp=gcm", "--no-feedback"),
        (_cost(1.5), _latency("p50", 0.3), _latency("p99", 1.0), _loss(0.1)),
    ),
    Case("1 → 50, AES-CM, no feedback", ("one-to-many", "--srtp=cm", "--no-feedback"), (_cost(2.5), _loss(0.1))),
    Case("1 → 50, AES-GCM, feedback", ("one-to-many", "--srtp=gcm"), (_cost(2.5), _loss(0.1))),
    Case("10 × 10 meeting, AES-GCM", ("meeting", "--srtp=gcm", "--no-feedback"), (_cost(2.5), _loss(0.1))),
    Case(
        "1 → 50, Python busy in 20 ms pieces",
        ("one-to-many", "--srtp=gcm", "--busy-python"),
        (_latency("p99", 2.0), _loss(0.1)),
    ),
    Case(
        "1 → 300, 150 packets/s",
        ("one-to-many", "--subscribers=300", "--srtp=gcm", "--video-rate=100"),
        (_loss(0.1), _MEMORY),
        repeated=False,
    ),
    Case("highest rate with < 1 % lost", ("max", "--srtp=gcm", "--no-feedback"), (_RATE,), repeated=False),
    Case(
        "half of that",
        ("one-to-many", "--srtp=gcm", "--no-feedback"),
        (_latency("p99", 2.0), _loss(0.1)),
        repeated=False,
        of_highest=0.5,
    ),
    Case(
        "1 → 50 and 100 000 strangers' RTP/s",
        ("one-to-many", "--srtp=gcm", "--strangers=100000"),
        (_loss(0.1),),
        repeated=False,
    ),
    Case(
        "1 → 50 and 100 000 strangers' STUN/s",
        ("one-to-many", "--srtp=gcm", "--strangers=100000", "--strangers-stun"),
        (_loss(0.1),),
        repeated=False,
    ),
    Case("10 × 10 meeting, readable plane", ("meeting", "--srtp=gcm"), (_loss(0.1),), repeated=False, plane="fallback"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--runs", type=int, default=2, metavar="N", help="of what is about costs (default 2)")
    add("--duration", type=float, default=5.0, metavar="S", help="of a window (default 5)")
    add("--only", metavar="TEXT", default="", help="cases with this in their name")
    add("--json", type=Path, metavar="FILE", help="write all of it there, too")


def run(parsed: argparse.Namespace) -> int:
    machine = read_machine()
    outcomes: list[Outcome] = []
    for case in CASES:
        if parsed.only in case.name:
            outcomes.append(_measure(case, parsed, outcomes))
    print(f"{machine}\n\n{table(outcomes)}")
    if parsed.json:
        parsed.json.write_text(json.dumps(to_json(outcomes, str(machine)), indent=1) + "\n")
    if any(outcome.failures for outcome in outcomes):
        return 1
    return 0 if all(outcome.is_reached(check) for outcome in outcomes for check in outcome.case.checks) else 3


def table(outcomes: Sequence[Outcome]) -> str:
    rows: list[tuple[str, ...]] = [("", "figure", "wanted", "measured", "above kernel", "")]
    for outcome in outcomes:
        for index, check in enumerate(outcome.case.checks):
            rows.append(_row(outcome, check, named=index == 0))
    widths = [max(len(cells[index]) for cells in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    doubts = [
        f"! {outcome.case.name}: {doubt}"
        for outcome in outcomes
        for doubt in [*outcome.failures, *dict.fromkeys(flaw for one in outcome.results for flaw in one["flaws"])]
    ]
    return "\n".join([*lines, *doubts])


def to_json(outcomes: Sequence[Outcome], machine: str) -> dict[str, Any]:
    return {
        "scenario": "accept",
        "machine": machine,
        "cases": [
            {
                "name": outcome.case.name,
                "figures": [
                    {"what": check.what, "wanted": check.wanted, "measured": outcome.values(check)}
                    for check in outcome.case.checks
                ],
                "runs": list(outcome.results),
            }
            for outcome in outcomes
        ],
    }


def _row(outcome: Outcome, check: Check, *, named: bool) -> tuple[str, ...]:
    values = outcome.values(check)
    measured = "–"
    if values:
        measured = f"{statistics.median(values):.{check.digits}f}"
        if min(values) != max(values):
            measured += f" ({min(values):.{check.digits}f}–{max(values):.{check.digits}f})"
    above = [one["above_kernel_us_per_packet"] for one in outcome.results if one["above_kernel_us_per_packet"]]
    return (
        outcome.case.name if named else "",
        check.what,
        f"{'≥' if check.at_least else '≤'} {check.wanted:g}",
        measured,
        f"{statistics.median(above):.2f}" if above and check.what == "µs/packet" else "",
        "" if outcome.is_reached(check) else "missed",
    )


def _measure(case: Case, parsed: argparse.Namespace, before: Sequence[Outcome]) -> Outcome:
    outcome = Outcome(case)
    rate = list(_rate(case, before))
    if case.of_highest is not None and not rate:
        outcome.failures.append("the highest rate was not measured")
        return outcome
    for _ in range(parsed.runs if case.repeated else 1):
        arguments = [*case.arguments, *rate, f"--duration={parsed.duration:g}"]
        shown = f"SFU_PLANE={case.plane} " if case.plane else ""
        print(f"{shown}sfu loadtest {' '.join(arguments)}", file=sys.stderr, flush=True)
        _run_once(outcome, arguments)
    return outcome


def _rate(case: Case, before: Sequence[Outcome]) -> Iterator[str]:
    """The video that makes this part of what the highest rate's subscribers received."""
    for outcome in before:
        if case.of_highest is not None and outcome.case.arguments[0] == "max" and outcome.results:
            best = outcome.results[0]
            per_subscriber = case.of_highest * best["forwarded_pps"] / (best["participants"] - 1)
            yield f"--video-rate={per_subscriber - 50:.0f}"  # the rest is audio


def _run_once(outcome: Outcome, arguments: Sequence[str]) -> None:
    # This very code, as server.py does it.
    environment = {**os.environ, "PYTHONPATH": str(Path(sfu.__file__).parents[1])}
    if outcome.case.plane:
        environment["SFU_PLANE"] = outcome.case.plane
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "signaling.cli", "loadtest", *arguments, f"--json={file.name}"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=CASE_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            outcome.failures.append(f"it took more than {CASE_TIMEOUT_S:.0f} s")
            return
        written = Path(file.name).read_text()
        if written:  # also where more was lost than should be
            outcome.results.append(json.loads(written))
        else:
            outcome.failures.append(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it said nothing")
