"""Numbers that run on without a gap although packets are left out: sequence numbers, VP8 picture ids.

    in    7  8  9 10 11 12        8 is left out on purpose, 10 is late, 12 is new
    out   0  -  1 (2) 3  4        10 keeps its place: if it comes, it is sent as 2

In order, an offset would do. A late packet needs to know what the offset was at its place, so the map from in to
out is kept for the last `size` numbers. All numbers are unwrapped; a stretch is what lies between two switches.
"""

from __future__ import annotations

_LEFT_OUT = -1


class NumberMap:
    """in → out, rising. Numbers given out never repeat, across stretches too."""

    __slots__ = ("_from", "_last", "_longest_gap", "_offset", "_size", "_to", "begun", "first", "newest")

    def __init__(self, size: int, next_out: int, longest_gap: int) -> None:
        """`next_out` is the first number to give out. A gap in the input longer than `longest_gap` is not kept as
        it is, because nobody waits for its packets; and the receiver's SRTP loses count beyond 32768."""
        self._size = size
        self._longest_gap = longest_gap
        self._last = next_out - 1  # the highest number given out
        self._offset = 0
        self._from: list[int | None] = [None] * size
        self._to = [_LEFT_OUT] * size
        self.begun = False
        self.first = 0  # what comes before it is not of this stretch
        self.newest = -1  # the highest in-number seen in this stretch

    def begin(self, number: int) -> None:
        """A new stretch: `number` will get the number after the last one given out."""
        self.begun = True
        self.first = number
        self.newest = number - 1
        self._offset = number - (self._last + 1)
        self._from = [None] * self._size

    def place(self, number: int) -> int | None:
        """The out-number of `number`; `None` if it was left out, is of before, or is too old to know."""
        if number <= self.newest:
            return self._known(number)
        self._reserve(number)
        out = number - self._offset
        self._note(number, out)
        self.newest = number
        self._last = out
        return out

    def leave_out(self, number: int) -> None:
        """No out-number for `number`. Of a late one the place stays empty: what follows is sent already."""
        if number > self.newest:
            self._reserve(number)
            self._offset += 1
            self.newest = number
            self._note(number, _LEFT_OUT)
        elif self._from[number % self._size] == number:
            self._note(number, _LEFT_OUT)

    def describe(self) -> dict[str, object]:
        return {"first": self.first, "newest": self.newest, "last_sent": self._last}

    def _known(self, number: int) -> int | None:
        index = number % self._size
        out = self._to[index]
        if self._from[index] != number or out == _LEFT_OUT:
            return None
        # It may be the highest so far, when all that followed was left out.
        self._last = max(self._last, out)
        return out

    def _reserve(self, number: int) -> None:
        """Places for what is missing between the newest and `number`."""
        excess = number - self._offset - self._last - 1 - self._longest_gap
        if excess > 0:
            self._offset += excess
            self.first = number
            self._from = [None] * self._size
            return
        for missing in range(self.newest + 1, number):
            self._note(missing, missing - self._offset)

    def _note(self, number: int, out: int) -> None:
        index = number % self._size
        self._from[index] = number
        self._to[index] = out
