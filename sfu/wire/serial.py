"""Arithmetic on counters that wrap: RTP sequence numbers and timestamps, transport-cc numbers, picture ids.

Logic elsewhere uses plain growing integers: unwrap on entry, mask again on exit. Two numbers exactly half the
space apart have no order (RFC 1982 §3.2); here the later-seen one then counts as the older, in every function.
"""


class Unwrapper:
    """Turns wrapped counter values into integers that go on growing, relative to the highest seen so far.

    The first value stays as it is, so one that comes late across a wrap just before it is negative.
    """

    __slots__ = ("_half", "_mask", "highest")

    def __init__(self, bits: int = 16) -> None:
        self._half = 1 << (bits - 1)
        self._mask = (1 << bits) - 1
        self.highest: int | None = None

    def unwrap(self, value: int) -> int:
        """The integer congruent to `value` that lies nearest to the highest one returned so far."""
        highest = self.highest
        if highest is None:
            self.highest = value
            return value
        unwrapped = highest + ((value - highest + self._half) & self._mask) - self._half
        if unwrapped > highest:
            self.highest = unwrapped
        return unwrapped


def forward_distance(a: int, b: int, bits: int = 16) -> int:
    """How many steps forward lead from `a` to `b`: 0 … 2**bits - 1."""
    return (b - a) & ((1 << bits) - 1)


def is_newer(a: int, b: int, bits: int = 16) -> bool:
    """Whether `a` comes after `b`, taking the shorter way round."""
    return 0 < (a - b) & ((1 << bits) - 1) < 1 << (bits - 1)
