"""A picture of CPU, latency and loss against load. Needs matplotlib (`pip install sfu[loadtest]`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from loadtest.results import Point


def is_available() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def draw(points: Sequence[Point], title: str, file: Path) -> None:
    """As PNG, three plots one below the other, with the load in packets/s on their common axis."""
    import matplotlib

    matplotlib.use("Agg")  # no display
    from matplotlib import pyplot

    ordered = sorted(points, key=lambda one: one.forwarded_pps)
    load = [one.forwarded_pps / 1000 for one in ordered]
    figure, (cpu, latency, loss) = pyplot.subplots(3, 1, sharex=True, figsize=(8, 9), layout="constrained")
    figure.suptitle(title)
    if all(one.cpu is not None for one in ordered):
        cpu.plot(load, [100 * (one.cpu or 0) for one in ordered], "o-", label="all server processes, % of a core")
        per_packet = cpu.twinx()
        costs = [one.cpu_us_per_forwarded_packet or 0 for one in ordered]
        per_packet.plot(load, costs, "s--", color="tab:orange", label="µs per forwarded packet")
        per_packet.set_ylim(bottom=0)
        per_packet.set_ylabel("µs per packet")
        per_packet.legend(loc="lower right")
        cpu.legend(loc="upper left")
    cpu.set_ylabel("CPU, % of a core")
    cpu.set_ylim(bottom=0)
    for name, label in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
        latency.plot(load, [one.added_latency_ms[name] or float("nan") for one in ordered], "o-", label=label)
    latency.set_yscale("log")
    latency.set_ylabel("added latency, ms")
    latency.legend()
    loss.plot(load, [100 * one.loss for one in ordered], "o-", color="tab:red")
    loss.set_ylabel("lost, %")
    loss.set_ylim(bottom=0)
    loss.set_xlabel("forwarded, thousand packets/s")
    for axes in (cpu, latency, loss):
        axes.grid(alpha=0.3)
    figure.savefig(file, format="png", dpi=120)
    pyplot.close(figure)
