"""Which layers of a Track its publisher may as well not send, because nobody would show them.

Asked of each subscriber is not what it gets but what its tile could use: a layer that only bandwidth keeps from
somebody must flow, or it could never be given. Layers below the best that is wanted flow, too: they are what a
subscriber falls back to, at once, and they are cheap. So the answer is one number, the best layer to be sent.

It rises at once, as somebody waits for it, and falls after a while in which nobody has wanted more: people turn pages
back, and each time a publisher starts a layer it costs a key frame.

Who has spoken and is not shown only because others have since is kept warm: the lowest layer goes on, so that a picture
is there as soon as they speak again. Who has never spoken is not: those are most of a large room.
"""

from __future__ import annotations

from collections.abc import Sequence

from sfu.core.allocation import ENOUGH_PIXELS

NO_LAYER = -1  # nobody would show any


def needed_layer(layer_count: int, best_pixels: int, pixels: int | None, max_layer: int | None) -> int:
    """The smallest layer that fills a tile of so many pixels (`None`: any number; 0: there is none), or the best."""
    best = layer_count - 1 if max_layer is None else min(layer_count - 1, max_layer)
    if pixels is None:
        return best
    if pixels == 0:
        return NO_LAYER
    sizes = [best_pixels >> 2 * (layer_count - 1 - layer) for layer in range(best)]
    return next((layer for layer, size in enumerate(sizes) if size >= ENOUGH_PIXELS * pixels), best)


def warm_layer(participant: str, recent: Sequence[str], *, is_beyond_last_n: bool) -> int:
    """`recent`: who has spoken; `is_beyond_last_n`: somebody would show it otherwise."""
    return 0 if is_beyond_last_n and participant in recent else NO_LAYER


class Upstream:
    """One Track. Its publisher begins with all layers."""

    def __init__(self, layer_count: int, pause_after_s: float) -> None:
        self.best_layer = layer_count - 1  # what the publisher is told to send, and all below
        self._pause_after_s = pause_after_s
        self._wanted = self.best_layer
        self._falls_at: float | None = None
        self._changed = False

    def on_wanted(self, best_layer: int, now: float) -> None:
        """The best layer that any subscriber would show now, or NO_LAYER."""
        if best_layer > self.best_layer:
            self.best_layer = best_layer
            self._changed = True
        if best_layer >= self.best_layer:
            self._falls_at = None
        elif self._falls_at is None or best_layer > self._wanted:
            self._falls_at = now + self._pause_after_s
        self._wanted = best_layer

    def next_timeout(self) -> float | None:
        return self._falls_at

    def on_timeout(self, now: float) -> None:
        if self._falls_at is not None and now >= self._falls_at:
            self._falls_at = None
            self.best_layer = self._wanted
            self._changed = True

    def poll(self) -> int | None:
        """The best layer to be sent, if that has changed."""
        if not self._changed:
            return None
        self._changed = False
        return self.best_layer
