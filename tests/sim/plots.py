"""Draws scenarios: what the path carries, what is estimated, what arrives, how long the queue is.

python -m tests.sim.plots [FOLDER]        docs/estimation by default
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.sim.falls import FALL
from tests.sim.scenario import Scenario, Stage, Trace
from tests.sim.scenarios import DOWNLOAD, RANDOM_LOSS, down_and_up

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "estimation"
DRAWN = {
    "steps": down_and_up("A link falls from 3 to 0.8 Mbit/s and comes back"),
    "steps_rtt_300": down_and_up("The same over 300 ms of round trip", delay_s=0.15),
    "fall": FALL,
    "loss": RANDOM_LOSS,
    "download": DOWNLOAD,
}


def draw(scenario: Scenario, trace: Trace, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = [sample.at_s for sample in trace.samples]
    figure, (rates, queue) = pyplot.subplots(
        2, 1, figsize=(9, 5), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    rates.step(times, [s.capacity_bps / 1e6 for s in trace.samples], "k", where="post", label="the path")
    rates.plot(times, [s.estimate_bps / 1e6 for s in trace.samples], color="#1f6fb4", label="estimate")
    rates.plot(times, [s.received_bps / 1e6 for s in trace.samples], color="#b0b0b0", lw=0.8, label="arrives")
    rates.set_ylabel("Mbit/s")
    rates.set_ylim(bottom=0)
    rates.set_title(scenario.sentence, fontsize=11)
    rates.legend(loc="lower right", fontsize=9)
    queue.fill_between(times, [1000 * s.queue_s for s in trace.samples], color="#c44e52", lw=0)
    queue.set_ylabel("queue, ms")
    queue.set_xlabel("seconds")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, scenario in DRAWN.items():
        draw(scenario, Stage(scenario).run(), folder / f"{name}.png")
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
