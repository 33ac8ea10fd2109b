"""`sfu loadtest compare`: arguments, the order of runs, and what is printed and written."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest import chart as curves
from loadtest import plans
from loadtest.compare import chart, janus, measuring, pion, results
from loadtest.compare.measuring import Bench
from loadtest.compare.namespace import own_network
from loadtest.compare.ours import Ours
from loadtest.compare.results import Row, Run
from loadtest.compare.servers import CannotCompare, Server
from loadtest.machine import pinned, read_machine
from loadtest.plans import Plan, Rates
from loadtest.traffic import SrtpChoice, Unavailable

SERVERS: Final = ("ours", "janus", "janus-1", "pion")
NOTES: Final = {
    "janus": "As Debian ships it: a thread for each handle",
    "janus, event_loops=1": "All handles on one thread",
    "pion": "A forwarder of 200 lines on it, with its default interceptors; GOMAXPROCS is 1 by pinning",
}
EPILOG: Final = """\
servers: ours; janus (as Debian ships it: a thread for each handle); janus-1 (the same with event_loops=1); pion (a
forwarder on Pion v3). Each run has a fresh server on one core and the generator on another; runs are interleaved,
A B C, A B C. One with 1 % loss or more does not count, one beside which other work took more than 5 % of a core is
repeated. Needs root, for a network namespace of its own, and Debian's packages janus, golang-go and
golang-github-pion-webrtc.v3-dev. loadtest/compare/README.md says what is fair and what is not.
"""


@dataclass(frozen=True, slots=True)
class Task:
    server: str
    plan: Plan
    srtp: SrtpChoice
    is_top: bool
    round: int

    def __str__(self) -> str:
        return f"{self.server}, {'top rate, ' if self.is_top else ''}{self.plan.name}, {self.srtp}, run {self.round}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--servers", type=_names(SERVERS), default=SERVERS, metavar="LIST", help=f"of {','.join(SERVERS)}")
    add("--subscribers", type=int, default=50, metavar="N", help="of 1 → N; 0: leave that out (default 50)")
    add("--meeting", type=int, default=10, metavar="N", help="participants of a meeting; 0: leave it out (default 10)")
    add("--top", action="store_true", help="find the highest rate of 1 → N with less than 1 %% lost, too")
    add("--srtp", type=_names(("gcm", "cm")), default=("gcm", "cm"), metavar="LIST", help="profiles (default gcm,cm)")
    add("--runs", type=int, default=3, metavar="N", help="of each (default 3)")
    add("--duration", type=float, default=10.0, metavar="S", help="of a run's window (default 10)")
    add("--warm-up", type=float, default=3.0, metavar="S", help="before it (default 3)")
    add("--repeats", type=int, default=3, metavar="N", help="tries of a run beside other work (default 3)")
    add("--server-core", type=int, default=0, metavar="N", help="default 0")
    add("--generator-core", type=int, default=1, metavar="N", help="default 1")
    add("--json", type=Path, metavar="FILE", help="write all runs there, too")
    add("--png", type=Path, metavar="FILE", help="draw the medians and ranges")


def run(parsed: argparse.Namespace) -> int:
    """Exit status: 0 well, 1 it could not be run, 2 wrong arguments, 3 not every row has a run that counts, 143 ended
    by SIGTERM."""
    if parsed.png and not curves.is_available():
        print("sfu loadtest: --png needs matplotlib: pip install sfu[loadtest]", file=sys.stderr)
        return 2
    machine = read_machine()
    try:
        with own_network() as address, pinned(parsed.generator_core):
            rows = asyncio.run(_compare(parsed, address))
    except (CannotCompare, Unavailable) as error:
        print(f"sfu loadtest: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    print(f"{results.markdown(rows, machine, NOTES)}\n")
    if parsed.json:
        parsed.json.write_text(json.dumps(results.to_json(rows, machine), indent=1) + "\n")
    if parsed.png:
        chart.draw(rows, str(machine), parsed.png)
    wanted = {(task.server, task.plan, task.srtp, task.is_top) for task in order_of_runs(parsed)}
    return 0 if sum(bool(row.counted) for row in rows) == len(wanted) else 3


async def _compare(parsed: argparse.Namespace, address: str) -> list[Row]:
    if this := asyncio.current_task():  # as for SIGINT: no server is to outlive us
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    tasks = list(order_of_runs(parsed))
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="sfu-compare-") as folder:
        # First of all, so that what is missing is said before an hour has passed.
        makers = {name: await _maker(name, Path(folder)) for name in parsed.servers}
        for number, task in enumerate(tasks, start=1):
            bench = Bench(address, parsed.server_core, task.srtp, Rates(), parsed.warm_up, parsed.duration)
            measure = measuring.top if task.is_top else measuring.steady
            for _ in range(1 if task.is_top else parsed.repeats):  # the search repeats its steps
                try:
                    runs.append(await measure(makers[task.server](), task.plan, bench))
                except CannotCompare as error:  # the others are worth their time all the same
                    _say(f"[{number}/{len(tasks)}] {task}: {error}")
                    continue
                _say(f"[{number}/{len(tasks)}] {task}: {results.line(runs[-1])}")
                if not runs[-1].point.flaws:
                    break
    return results.rows(runs)


async def _maker(name: str, folder: Path) -> Callable[[], Server]:
    """What makes a fresh server. Raises CannotCompare with what is missing."""
    if name == "pion":
        program, version = await pion.build(folder)
        return lambda: pion.Pion(program, version)
    if name.startswith("janus"):
        version = await janus.version()
        return lambda: janus.Janus(version, event_loops=1 if name == "janus-1" else 0)
    return Ours


def order_of_runs(parsed: argparse.Namespace) -> Iterator[Task]:
    """Rounds within each table, servers within each round."""
    one_to_many = plans.one_to_many(parsed.subscribers)
    wanted = [(one_to_many, False)] if parsed.subscribers else []
    wanted += [(plans.meeting(parsed.meeting), False)] if parsed.meeting else []
    wanted += [(one_to_many, True)] if parsed.top and parsed.subscribers else []
    for srtp in parsed.srtp:
        for plan, is_top in wanted:
            for number in range(1, parsed.runs + 1):
                for server in parsed.servers:
                    yield Task(server, plan, srtp, is_top, number)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(known)}")
        return names

    return read
