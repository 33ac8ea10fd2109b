"""Runs into a table: which count, medians with ranges, Markdown and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any, Final

from loadtest.machine import Machine
from loadtest.results import MOST_LOSS, Point


@dataclass(frozen=True, slots=True)
class Run:
    """One window with one fresh server. `generator_limited`: the rate was not raised further because the generator,
    not the server, lost packets."""

    server: str
    version: str
    point: Point
    generator_limited: bool = False

    @property
    def counts(self) -> bool:
        """A server that loses does less work than the others; what it costs is the cost of something else."""
        return self.point.loss < MOST_LOSS and not self.point.flaws


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of one server under one traffic and profile."""

    server: str
    traffic: str
    srtp_profile: str
    runs: tuple[Run, ...]

    @property
    def counted(self) -> tuple[Point, ...]:
        return tuple(run.point for run in self.runs if run.counts)

    @property
    def left_out(self) -> int:
        return len(self.runs) - len(self.counted)

    def median(self, read: Callable[[Point], float | None]) -> float | None:
        """Of the runs that count; `None` if there are none."""
        known = [value for value in map(read, self.counted) if value is not None]
        return statistics.median(known) if known else None

    def spread(self, read: Callable[[Point], float | None], form: str) -> str:
        """Median (lowest–highest)."""
        middle = self.median(read)
        if middle is None:
            return "–"
        known = [value for value in map(read, self.counted) if value is not None]
        low, high = format(min(known), form), format(max(known), form)
        return low if low == high else f"{middle:{form}} ({low}–{high})"


def rows(runs: Iterable[Run]) -> list[Row]:
    """In the order in which each combination first occurs."""
    grouped: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.server, run.point.name, run.point.srtp_profile), []).append(run)
    return [Row(*key, tuple(group)) for key, group in grouped.items()]


def _latency(percentile: str) -> Callable[[Point], float | None]:
    return lambda one: one.added_latency_ms[percentile]


COLUMNS: Final[tuple[tuple[str, Callable[[Point], float | None], str], ...]] = (
    ("CPU µs/packet", lambda one: one.cpu_us_per_forwarded_packet, ".2f"),
    ("CPU %", lambda one: 100 * (one.cpu or 0.0), ".1f"),
    ("packets/s", lambda one: one.forwarded_pps, ".0f"),
    ("p50 ms", _latency("p50"), ".2f"),
    ("p99 ms", _latency("p99"), ".2f"),
    ("loss %", lambda one: 100 * one.loss, ".2f"),
    ("RSS MB", lambda one: (one.rss_kb or 0) / 1000, ".0f"),
)

# What stands in `as_json` for a row: by the names of `Point`, so that they mean what `sfu loadtest --json` writes.
_MEDIANS: Final[tuple[str, ...]] = ("forwarded_pps", "loss", "cpu", "cpu_us_per_forwarded_packet", "rss_kb")


def markdown(results: Sequence[Row], machine: Machine, notes: Mapping[str, str]) -> str:
    """One table for each traffic and profile, servers in rows. `notes`: server → what to know beside its figures."""
    versions = {run.server: run.version for row in results for run in row.runs}
    parts = [
        str(machine),
        "\n".join(f"- {server}: {_noted(version, notes.get(server))}" for server, version in versions.items()),
    ]
    for traffic, profile in dict.fromkeys((row.traffic, row.srtp_profile) for row in results):
        same = [row for row in results if (row.traffic, row.srtp_profile) == (traffic, profile)]
        lines = [
            f"**{traffic}, {profile}**",
            "",
            f"| server | {' | '.join(name for name, _, _ in COLUMNS)} | runs |",
            f"|---|{'---|' * (len(COLUMNS) + 1)}",
            *(f"| {row.server} | {' | '.join(_cells(row))} |" for row in same),
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def to_json(results: Sequence[Row], machine: Machine) -> dict[str, Any]:
    """For each row the medians of what counts, and every run as it was."""
    return {
        "scenario": "compare",
        "machine": asdict(machine),
        "rows": [
            {
                "server": row.server,
                "traffic": row.traffic,
                "srtp_profile": row.srtp_profile,
                "counted": len(row.counted),
                **{name: row.median(attrgetter(name)) for name in _MEDIANS},
                "added_latency_ms": {name: row.median(_latency(name)) for name in ("p50", "p99", "p999")},
                "runs": [{**asdict(run), "counts": run.counts, "flaws": run.point.flaws} for run in row.runs],
            }
            for row in results
        ],
    }


def line(run: Run) -> str:
    """While it goes on."""
    point = run.point
    cost = _or_dash(point.cpu_us_per_forwarded_packet)
    p50, p99 = (_or_dash(point.added_latency_ms[name]) for name in ("p50", "p99"))
    return (
        f"{cost} µs/packet at {point.forwarded_pps:.0f}/s, p50 {p50} ms, p99 {p99} ms, {100 * point.loss:.2f} % lost"
        + "".join(f"; {flaw}" for flaw in point.flaws)
    )


def _cells(row: Row) -> list[str]:
    runs = str(len(row.counted))
    if row.left_out:
        runs += f", {row.left_out} left out"
    if any(run.generator_limited for run in row.runs if run.counts):
        runs += ", generator at its limit"
    return [*(row.spread(read, form) for _, read, form in COLUMNS), runs]


def _noted(version: str, note: str | None) -> str:
    return f"{version}. {note}" if note else version


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
