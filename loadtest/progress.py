"""What the load test is doing: a bar that is drawn over in a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
from typing import TextIO

WIDTH = 30


class Bar:
    """Writes to standard error, so that what is measured can be redirected."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._last = ""

    def show(self, what: str, done: float, total: float) -> None:
        filled = round(WIDTH * done / total) if total else WIDTH
        if self._is_terminal:
            bar = "█" * filled + "░" * (WIDTH - filled)
            self._out.write(f"\r\x1b[K{what} {bar} {done:.0f}/{total:.0f}")
            self._out.flush()
        elif what != self._last:
            self._out.write(f"{what} …\n")
            self._out.flush()
        self._last = what

    def say(self, text: str) -> None:
        self.clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def clear(self) -> None:
        if self._is_terminal and self._last:
            self._out.write("\r\x1b[K")
            self._out.flush()
        self._last = ""
