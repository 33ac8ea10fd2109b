"""A picture of the comparison: for each traffic and profile a bar per server, with its range."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from loadtest.compare.results import Row


def draw(results: Sequence[Row], title: str, file: Path) -> None:
    """As PNG. µs per packet, but for the top rates packets/s. Needs matplotlib (`loadtest.chart.is_available`)."""
    import matplotlib

    matplotlib.use("Agg")  # no display
    from matplotlib import pyplot

    tables = list(dict.fromkeys((row.traffic, row.srtp_profile) for row in results))
    figure, plots = pyplot.subplots(
        len(tables), 1, figsize=(8, 0.8 + 2.2 * len(tables)), layout="constrained", squeeze=False
    )
    figure.suptitle(title, fontsize=9)
    for axes, table in zip(plots[:, 0], tables, strict=True):
        same = [row for row in results if (row.traffic, row.srtp_profile) == table and row.counted]
        is_top = table[0].startswith("top")
        values = [_values(row, is_top) for row in same]
        names = [row.server for row in same]
        middles = [statistics.median(each) for each in values]
        below = [middle - min(each) for middle, each in zip(middles, values, strict=True)]
        above = [max(each) - middle for middle, each in zip(middles, values, strict=True)]
        bars = axes.barh(names, middles, xerr=(below, above), capsize=3, color="tab:blue")
        axes.bar_label(bars, [f"{middle:.0f}" if is_top else f"{middle:.2f}" for middle in middles], padding=6)
        axes.set_title(", ".join(table), fontsize=9)
        axes.set_xlabel("thousand packets/s" if is_top else "CPU µs per forwarded packet")
        axes.set_xlim(left=0, right=1.25 * max(map(max, values), default=1))  # room for the labels
        axes.invert_yaxis()
    figure.savefig(file, format="png", dpi=120)
    pyplot.close(figure)


def _values(row: Row, is_top: bool) -> list[float]:
    if is_top:
        return [one.forwarded_pps / 1000 for one in row.counted]
    return [one.cpu_us_per_forwarded_packet or 0.0 for one in row.counted]
