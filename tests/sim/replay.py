"""Looks into a trace of a server's estimators, a line per report: what was seen, and what came of it.

python -m tests.sim.replay FILE.0 [TRANSPORT]        `sfu serve --trace-estimates FILE` wrote it

The trace is told to today's estimator once more. Where that says something else than the one that wrote it did, both
stand there. Marks: `p` a probe is under way or its queue is, `k` a key frame's, `q` a queue stands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sfu.core.estimation.estimator import Estimator
from sfu.core.estimation.paths import ARRIVING_S, CARRIED_S
from sfu.core.estimation.rates import STANDING_S
from sfu.core.estimation.traced import Moment, replay

TOLD_BESIDE = ("set_goal", "on_burst", "expect_burst", "on_probe_refused")


class Printed:
    """A trace on its way into a replay, printed as it passes."""

    def __init__(self, transport: int | None) -> None:
        self._transport = transport
        self._goals: dict[int, float] = {}
        self.began_at: float | None = None

    def passing(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            call, *rest = json.loads(line)
            if call in TOLD_BESIDE and self.concerns(rest[0]) and self._is_news(call, rest):
                print(f"{self.at(rest[-1]):8.3f} {rest[0]:4} {call} {' '.join(f'{word:.0f}' for word in rest[1:-1])}")
            yield line

    def show(self, estimator: Estimator, moment: Moment) -> None:
        first = 0
        for report in moment.batch.reports:
            groups = moment.batch.groups[first : first + report["groups"]]
            first += len(groups)
            if self.concerns(report["transport"]):
                print(f"{self.at(moment.now):8.3f} {report['transport']:4} {seen(estimator, moment, report)}")
        for cluster in moment.batch.clusters:
            if self.concerns(cluster["transport"]):
                print(f"{self.at(moment.now):8.3f} {cluster['transport']:4} {answer(estimator, cluster)}")
        for probe in moment.probes:
            if self.concerns(probe.transport):
                print(f"{self.at(moment.now):8.3f} {probe.transport:4} {probe}")

    def concerns(self, transport: int) -> bool:
        return self._transport in (None, transport)

    def at(self, now: float) -> float:
        self.began_at = now if self.began_at is None else self.began_at
        return now - self.began_at

    def _is_news(self, call: str, rest: list[Any]) -> bool:
        if call != "set_goal":
            return True
        before, self._goals[rest[0]] = self._goals.get(rest[0], 0.0), rest[1]
        return bool(abs(rest[1] - before) > 0.05 * before)


def seen(estimator: Estimator, moment: Moment, report: np.void) -> str:
    transport, paths = int(report["transport"]), estimator._paths
    row = estimator._numbers.row(transport)
    assert row is not None
    rows = np.array([row])
    estimate, traced_bps = estimator.estimate(transport), moment.estimates_bps.get(transport)
    bps = None if estimate is None else estimate.bps
    long, short = paths.delivery.pace(rows, ARRIVING_S), paths.delivery.pace(rows, CARRIED_S)
    waited_s, rose_s = paths.queueing.waited_s[row], paths.queueing.rose_s[row]
    is_probed = paths.probing.is_under_way(rows, short.sent_at_s, moment.now)[0]
    is_burst = paths._burst_since[row] <= short.sent_at_s[0] and moment.now < paths._burst_until[row]
    marks = is_probed, is_burst, waited_s > STANDING_S
    return (
        f"{traced_bps}{'' if bps == traced_bps else f' now {bps}'} "
        f"arriving {min(long.arrived_bps[0], long.sent_bps[0]) / 1e3:.0f} "
        f"carried {short.arrived_bps[0] / 1e3:.0f} kbit/s, "
        f"later {1000 * short.later_s[0]:.0f} waited {1000 * waited_s:.0f} rose {1000 * rose_s:.0f} "
        f"rtt {1000 * report['rtt_s']:.0f} ms, usage {paths.trend.usage[row]}, "
        f"lost {report['lost_packets']} of {report['lost_packets'] + report['acked_packets']}, "
        f"in flight {report['in_flight_bytes']} "
        f"{''.join(mark for mark, is_so in zip('pkq', marks, strict=True) if is_so)}"
    )


def answer(estimator: Estimator, cluster: np.void) -> str:
    row = estimator._numbers.row(int(cluster["transport"]))
    first_at, last_at = float(cluster["first_sent_at_s"]), float(cluster["last_sent_at_s"])
    stretch = None if row is None else estimator._paths.delivery.stretch(row, first_at, last_at)
    return f"probe {cluster['cluster']}: {cluster['acked_packets']} of {cluster['sent_packets']} packets, {stretch}"


def main(path: Path, transport: int | None) -> None:
    printed = Printed(transport)
    with path.open(encoding="utf-8") as file:
        for estimator, moment in replay(printed.passing(iter(file))):
            printed.show(estimator, moment)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
