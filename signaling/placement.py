"""Which Worker a room lives in. Sans-IO.

A room is given to the least loaded Worker that runs, and stays there until it is no more: its media cannot pass from
one to another. Load is what a Worker forwards, as that is what costs; and a sum for each Transport and each room, for
what they will cost soon: twenty rooms that come at once would else all be given to the same.

A Worker that dies keeps its rooms: it is back within a second, and if it was one of them that killed it, that one must
not go on to kill the others. Only from a Worker that cannot be started do rooms go elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Of a second's forwarded packets: a voice is 50, a small camera 50 to 100, and a Transport receives several.
PACKETS_PER_TRANSPORT = 200.0
# As if two people were about to come.
TRANSPORTS_PER_ROOM = 4


@dataclass(frozen=True, slots=True)
class WorkerLoad:
    running: bool
    forwarded_pps: float  # in the last seconds
    transports: int


class Placement:
    """Workers are named by their index."""

    def __init__(self) -> None:
        self._worker_of: dict[str, int] = {}
        self._rooms: Counter[int] = Counter()

    def room_count(self, worker: int) -> int:
        return self._rooms[worker]

    def worker_of(self, room: str) -> int | None:
        """None: it has not been placed."""
        return self._worker_of.get(room)

    def place(self, room: str, loads: Sequence[WorkerLoad]) -> int:
        """A room that has no Worker. `loads`: of all Workers by index. If none runs, the one with the least to do will
        be the first to matter again, or as good as any."""
        assert room not in self._worker_of, f"{room} has its Worker"
        worker = min(range(len(loads)), key=lambda index: (not loads[index].running, self._cost(index, loads[index])))
        self._worker_of[room] = worker
        self._rooms[worker] += 1
        return worker

    def release(self, room: str) -> None:
        """It is no more."""
        worker = self._worker_of.pop(room, None)
        if worker is not None:
            self._rooms[worker] -= 1

    def evacuate(self, worker: int, loads: Sequence[WorkerLoad]) -> None:
        """Its rooms are placed anew, if any other Worker runs; otherwise they stay."""
        if not any(load.running for index, load in enumerate(loads) if index != worker):
            return
        for room in [room for room, where in self._worker_of.items() if where == worker]:
            self.release(room)
            self.place(room, loads)

    def _cost(self, worker: int, load: WorkerLoad) -> float:
        transports = max(load.transports, TRANSPORTS_PER_ROOM * self._rooms[worker])
        return load.forwarded_pps + PACKETS_PER_TRANSPORT * transports
