"""What the server has said and the client may not have heard: numbered, kept for a while, and said again. Sans-IO.

Every message after `joined` gets the next `seq`. What the client acknowledges is forgotten; what it never does is
forgotten when there is too much, the oldest first. Then a return costs the full state instead. Answers are kept
longer: state can be told anew, but not what became of a request.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from signaling.limits import ReplayLimits
from signaling.messages import AnyServerMessage, Error, Ok, Published

M = TypeVar("M", bound=AnyServerMessage)


@dataclass(frozen=True, slots=True)
class _Kept:
    message: AnyServerMessage
    octets: int


class Replay:
    def __init__(self, limits: ReplayLimits) -> None:
        self._limits = limits
        self._kept: deque[_Kept] = deque()  # without gaps, up to the newest
        self._octets = 0
        self._answers: dict[int, Ok | Error | Published] = {}  # by seq; of those in `_kept`, and older ones
        self.last = 0  # the newest seq
        self.acknowledged = 0

    def number(self, message: M) -> M:
        """The message as it is to be sent, and maybe sent again."""
        self.last += 1
        numbered = replace(message, seq=self.last)
        # As JSON, which is about what it takes in memory.
        self._kept.append(_Kept(numbered, len(msgspec.json.encode(numbered))))
        self._octets += self._kept[-1].octets
        if isinstance(numbered, Ok | Error | Published):
            self._answers[numbered.seq] = numbered
        while len(self._kept) > self._limits.messages or self._octets > self._limits.octets:
            self._octets -= self._kept.popleft().octets
        while len(self._answers) > self._limits.answers:
            del self._answers[next(iter(self._answers))]
        return numbered

    def acknowledge(self, received: int) -> None:
        """The client has all up to this seq. One beyond the newest is as good as the newest."""
        self.acknowledged = max(self.acknowledged, min(received, self.last))
        while self._kept and self._kept[0].message.seq <= received:
            self._octets -= self._kept.popleft().octets
        for seq in [seq for seq in self._answers if seq <= received]:
            del self._answers[seq]

    def since(self, received: int) -> list[AnyServerMessage] | None:
        """All after this seq, in order. None: they do not reach back so far, or it was never given."""
        oldest = self.last - len(self._kept) + 1
        if not oldest - 1 <= received <= self.last:
            return None
        return [kept.message for kept in self._kept if kept.message.seq > received]

    def answers_since(self, received: int) -> list[AnyServerMessage]:
        """For a client that gets the full state instead: what became of its requests, under new numbers."""
        missed = [answer for seq, answer in self._answers.items() if seq > received]
        self.acknowledge(self.last)
        return [self.number(answer) for answer in missed]
