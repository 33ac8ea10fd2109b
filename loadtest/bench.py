"""Micro-benchmarks: `python -m loadtest.bench`, and `--against REV` for the same cases in another revision.

The other revision is checked out and built in a temporary folder, with the benchmarks of this one put over its own;
runs alternate between the two, so that a machine that becomes slower does so for both. Absent there: a dash.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from loadtest.bench_cases import CASES

ROOT: Final = Path(__file__).resolve().parents[1]
BATCH_S: Final = 0.02  # of CPU time: long enough for a clock of 1 µs, short enough to be left alone by others
BATCHES: Final = 7

Figures = dict[str, float]  # case → ns, the least of the batches: what others take is never less than nothing


def main() -> None:
    parser = argparse.ArgumentParser(description="ns of CPU for each case; with --against, of two revisions")
    parser.add_argument("--against", metavar="REV", help="compare the working tree with this revision")
    parser.add_argument("--runs", type=int, default=5, help="of each, alternating (default 5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains it")
    parser.add_argument("--json", action="store_true", help="one run, as JSON")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.json:
        print(json.dumps(run_cases(options.only)))
    elif options.against:
        with checked_out(options.against) as other:
            print(comparison(*_alternate(other, options.runs, options.only), options.against))
    else:
        for name, cost_ns in run_cases(options.only).items():
            print(f"{name:<44}{cost_ns:>12.0f} ns")


def run_cases(only: str) -> Figures:
    """Of those whose name contains `only`; what this revision cannot do is left out."""
    figures = {}
    for name, prepare in CASES.items():
        if only in name:
            with contextlib.suppress(ImportError, AttributeError, TypeError):
                figures[name] = prepare() if name.startswith("plane") else cost_ns(prepare)
    return figures


def cost_ns(prepare: Callable[[], object]) -> float:
    """CPU time of one call of what `prepare` returns."""
    call = prepare()
    assert callable(call)
    count = 1
    while (spent_s := _spent_s(call, count)) < BATCH_S:
        count = max(2 * count, int(count * BATCH_S / max(spent_s, 1e-6)))
    return min(_spent_s(call, count) for _ in range(BATCHES)) / count * 1e9


def comparison(ours: list[Figures], theirs: list[Figures], revision: str) -> str:
    """A table: medians, and how they compare; in brackets the lowest and the highest ratio of neighbouring runs."""
    lines = [f"{'':<44}{revision[:16]:>14}{'here':>14}{'here ÷ there':>24}"]
    for name in ours[0]:
        mine = [run[name] for run in ours if name in run]
        others = [run[name] for run in theirs if name in run]
        if not others:
            lines.append(f"{name:<44}{'–':>14}{statistics.median(mine):>11.0f} ns")
            continue
        ratios = sorted(one / other for one, other in zip(mine, others, strict=True))
        lines.append(
            f"{name:<44}{statistics.median(others):>11.0f} ns{statistics.median(mine):>11.0f} ns"
            + f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}, {ratios[-1]:.2f})".rjust(24)
        )
    return "\n".join(lines)


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A built worktree of it, with our benchmarks."""
    with tempfile.TemporaryDirectory(prefix="sfu-bench-") as folder:
        tree = Path(folder) / "tree"
        _run(["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree), revision])
        try:
            _run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=tree)
            for file in ROOT.joinpath("loadtest").glob("bench*.py"):
                shutil.copy(file, tree / "loadtest")
            yield tree
        finally:
            _run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)])


def _alternate(other: Path, runs: int, only: str) -> tuple[list[Figures], list[Figures]]:
    figures: Mapping[Path, list[Figures]] = {ROOT: [], other: []}
    for number in range(runs):
        print(f"run {number + 1} of {runs} …", file=sys.stderr)
        for tree, runs_there in figures.items():
            # From its own folder, whose packages come before those that are installed.
            text = _run([sys.executable, "-m", "loadtest.bench", "--json", "--only", only], cwd=tree)
            runs_there.append(json.loads(text))
    return figures[ROOT], figures[other]


def _run(command: list[str], cwd: Path = ROOT) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}: {ended.stderr[-2000:]}")
    return ended.stdout


def _spent_s(call: Callable[[], object], count: int) -> float:
    begin_s = time.thread_time()
    for _ in range(count):
        call()
    return time.thread_time() - begin_s


if __name__ == "__main__":
    main()
