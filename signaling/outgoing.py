"""What a session puts out: all outputs in order, and the messages among them numbered, kept and said again. Sans-IO.

Send ─► numbered, kept (replay.py) ─► to the client, or to nobody while its socket is lost
everything else ───────────────────► as it is
"""

from __future__ import annotations

from collections import deque

from signaling.limits import ReplayLimits
from signaling.messages import AnyServerMessage, Closing, Offer, Resumed, Resynced
from signaling.outputs import Output, Send
from signaling.replay import Replay
from signaling.whip.exchange import Response


class Outgoing:
    def __init__(self, limits: ReplayLimits) -> None:
        self._replay = Replay(limits)
        self._outputs: deque[Output] = deque()
        self._numbering = False
        self._silent = False  # there is no socket

    @property
    def acknowledged(self) -> int:
        return self._replay.acknowledged

    def poll(self) -> Output | None:
        return self._outputs.popleft() if self._outputs else None

    def emit(self, output: Output) -> None:
        if isinstance(output, Send):
            assert not isinstance(output.message, Response)
            self.send(output.message)
        else:
            self._outputs.append(output)

    def send(self, message: AnyServerMessage) -> int:
        """Returns its number; 0 while none are given."""
        # A farewell is not said again: who comes back finds the session ended.
        if self._numbering and not isinstance(message, Closing):
            message = self._replay.number(message)
        if not self._silent:
            self._outputs.append(Send(message))
        return message.seq

    def begin_numbering(self) -> None:
        """`joined` is said."""
        self._numbering = True

    def acknowledge(self, received: int) -> None:
        self._replay.acknowledge(received)

    def on_socket_lost(self) -> None:
        self._silent = True

    def resume(self, received: int, resumed: Resumed) -> bool:
        """On a new socket: what was missed. False when it is not kept any more; then `resync`."""
        missed = self._replay.since(received)
        if missed is None:
            return False
        self._replay.acknowledge(received)
        self._silent = False
        self._outputs.append(Send(resumed))
        self._outputs.extend(Send(message) for message in missed)
        return True

    def resync(self, received: int, resynced: Resynced, offer: Offer | None) -> None:
        """On a new socket: the state, the answers that were missed, and the offer that waits for its answer."""
        self._silent = False
        self._outputs.append(Send(resynced))
        self._outputs.extend(Send(message) for message in self._replay.answers_since(received))
        if offer is not None:
            self.send(offer)
