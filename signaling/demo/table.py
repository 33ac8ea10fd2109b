"""The demo's live table: redrawn in place on a terminal, printed now and then anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from signaling.demo.outcome import Direction, Outcome

PLAIN_INTERVAL_S = 5.0

_HEADINGS = (
    "receives",
    "video",
    "packets",
    "lost",
    "repaired",
    "frames",
    "number",
    "audio",
    "packets",
    "lost",
    "kbit/s",
)
_CLEAR_LINE = "\x1b[2K"


class Table:
    """Call `show` as often as there is news; `finish` draws the last state in any case."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._redraws = out.isatty()
        self._lines_shown = 0
        self._next_plain_s = PLAIN_INTERVAL_S

    def show(self, outcome: Outcome, elapsed_s: float, seconds: float) -> None:
        if not self._redraws:
            if elapsed_s < self._next_plain_s:
                return
            self._next_plain_s += PLAIN_INTERVAL_S
        self._draw([f"{elapsed_s:.0f} of {seconds:.0f} s", *rows(outcome.directions)])

    def finish(self, outcome: Outcome, elapsed_s: float) -> None:
        self._draw([f"after {elapsed_s:.0f} s", *rows(outcome.directions)])

    def _draw(self, lines: Sequence[str]) -> None:
        if self._redraws:
            if self._lines_shown:
                self._out.write(f"\x1b[{self._lines_shown}A")
            self._out.writelines(f"{_CLEAR_LINE}{line}\n" for line in lines)
            self._lines_shown = len(lines)
        else:
            self._out.writelines(f"{line}\n" for line in lines)
        self._out.flush()


def rows(directions: Sequence[Direction]) -> list[str]:
    """Headings and a line per direction, columns aligned."""
    cells = [_HEADINGS, *(_cells(one) for one in directions)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _cells(one: Direction) -> tuple[str, ...]:
    return (
        f"{one.receiver} ◄ {one.sender}",
        f"{one.width}x{one.height}" if one.frames_decoded else "–",
        str(one.video_packets),
        str(one.video_lost),
        str(one.recovered),
        str(one.frames_decoded),
        "–" if one.frame_number is None else str(one.frame_number),
        "–" if one.pitch_hz is None else f"{one.pitch_hz:.0f} Hz",
        str(one.audio_packets),
        str(one.audio_lost),
        f"{one.bitrate_bps / 1000:.0f}",
    )
