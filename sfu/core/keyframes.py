"""When to ask a publisher for a key frame.

Many subscribers may want one at once, and a request or the key frame itself may be lost; yet every key frame is
dear on the publisher's uplink. Browsers answer a request on one simulcast layer with key frames on all of them, so
wishes are merged and spaced per Track, not per layer:

    wish(layer) ──► at most one request per spacing_s on the Track ──► again until on_key_frame(layer)
                                                               └──► or until GIVE_UP; then REST before the next

Builds no packets: the caller turns a due layer into a PLI.
"""

from __future__ import annotations

from math import inf

# A publisher that has not answered ten requests is muted, gone, or cannot. Higher: only more useless PLIs.
GIVE_UP_AFTER_S = 5.0
# After giving up. Higher: a publisher that comes back without our noticing is asked later.
REST_S = 5.0


class KeyFrameRequests:
    """Wishes for key frames of one Track."""

    def __init__(self, spacing_s: float) -> None:
        self._spacing_s = spacing_s
        self._wished_at: dict[int, float] = {}  # layer -> when its unanswered wish began
        self._asked_at: dict[int, float] = {}  # layer -> its last request; outlives the wish
        self._resting_until: dict[int, float] = {}
        self._last_request_at = -inf
        self.sent = 0

    def wish(self, layer: int, now: float) -> None:
        """A subscriber cannot go on without a key frame of `layer`. Merged with a wish that is still open; ignored
        for a while after giving up."""
        if now >= self._resting_until.get(layer, -inf):
            self._wished_at.setdefault(layer, now)

    def is_wished(self, layer: int) -> bool:
        return layer in self._wished_at

    def on_key_frame(self, layer: int) -> None:
        self._wished_at.pop(layer, None)
        self._resting_until.pop(layer, None)

    def withdraw(self, layer: int | None = None) -> None:
        """Nobody waits for `layer` any more (`None`: for any), or it cannot answer: the Track was muted."""
        if layer is None:
            self._wished_at.clear()
        else:
            self._wished_at.pop(layer, None)

    def on_resumed(self, layer: int) -> None:
        """Packets of `layer` flow (again): worth asking, even if we had given up."""
        self._resting_until.pop(layer, None)

    def next_timeout(self) -> float | None:
        if not self._wished_at:
            return None
        return max(min(self._wished_at.values()), self._last_request_at + self._spacing_s)

    def due(self, now: float) -> int | None:
        """The layer to request a key frame of, now: the one not asked for longest. Others get their turn later,
        unless the answer brings them along."""
        for layer, wished_at in list(self._wished_at.items()):
            if now - wished_at >= GIVE_UP_AFTER_S:
                del self._wished_at[layer]
                self._resting_until[layer] = now + REST_S
        at = self.next_timeout()
        if at is None or at > now:
            return None
        layer = min(self._wished_at, key=lambda layer: (self._asked_at.get(layer, -inf), layer))
        self._asked_at[layer] = self._last_request_at = now
        self.sent += 1
        return layer
