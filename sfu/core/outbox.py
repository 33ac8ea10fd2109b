"""What waits for one receiver on one data channel, bounded: a receiver that is slow fills its own queue, and no other.

    put ─► waiting ─► take ─► the transport, a little ahead ─► on_drained

Little is handed to the transport ahead of what it can send, so that what waits is here, where it can still be given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Outbox:
    """`limit_bytes` may wait, and `ahead_bytes` (one frame at least) be in the transport's hands, where a shorter frame
    counts as `least_bytes`."""

    def __init__(self, limit_bytes: int, ahead_bytes: int, least_bytes: int = 0) -> None:
        self._limit_bytes = limit_bytes
        self._ahead_limit_bytes = ahead_bytes
        self._least_bytes = least_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._ahead_bytes = 0

    @property
    def waiting(self) -> int:
        """Frames."""
        return len(self._waiting)

    def put(self, frame: bytes) -> int:
        """How many frames are given up because of this one, itself included if need be; 0 when there is room."""
        raise NotImplementedError

    def take(self) -> bytes | None:
        """The next for the transport; None: nothing waits, or the transport has enough."""
        if not self._waiting or self._ahead_bytes >= self._ahead_limit_bytes:
            return None
        frame = self._shift()
        self._ahead_bytes += max(len(frame), self._least_bytes)
        return frame

    def on_drained(self) -> None:
        """The transport has sent all it was handed."""
        self._ahead_bytes = 0

    def _fits(self, frame: bytes) -> bool:
        return self._waiting_bytes + len(frame) <= self._limit_bytes

    def _push(self, frame: bytes) -> None:
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)

    def _shift(self) -> bytes:
        frame = self._waiting.popleft()
        self._waiting_bytes -= len(frame)
        return frame


class LossyOutbox(Outbox):
    """Newer frames take the place of older ones: who says where something is need not say where it was."""

    def put(self, frame: bytes) -> int:
        given_up = 0
        while not self._fits(frame):
            given_up += 1
            if not self._waiting:
                return given_up
            self._shift()
        self._push(frame)
        return given_up


class ReliableOutbox(Outbox):
    """What does not fit is not taken, but never unseen: in its place comes `notice(how many)`, once half of the queue
    is free again. One gap, rather than a hole for every frame that a full queue loses."""

    def __init__(
        self, limit_bytes: int, ahead_bytes: int, notice: Callable[[int], bytes], least_bytes: int = 0
    ) -> None:
        super().__init__(limit_bytes, ahead_bytes, least_bytes)
        self._notice = notice
        self._lost = 0

    def put(self, frame: bytes) -> int:
        self._end_gap()
        if self._lost or not self._fits(frame):
            self._lost += 1
            return 1
        self._push(frame)
        return 0

    def take(self) -> bytes | None:
        self._end_gap()
        return super().take()

    def _end_gap(self) -> None:
        if self._lost and self._waiting_bytes <= self._limit_bytes // 2:
            self._push(self._notice(self._lost))
            self._lost = 0
