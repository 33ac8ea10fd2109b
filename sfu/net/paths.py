"""The paths of one Transport, and which of them is used (RFC 8445 §8, for the controlled side).

The remote nominates: the path of its latest check with USE-CANDIDATE is used. Until it has nominated any, the first
that was checked. If the used one falls silent while another is still checked, that one takes over, for a remote
whose network changed may check for a long time before it nominates. What a remote has encrypted for us, from a new
port, counts as both: it is there, and wants us there (`IceLite.on_moved`).
"""

from __future__ import annotations

from sfu.net.config import TransportConfig
from sfu.plane.interface import Path


class Paths:
    def __init__(self, config: TransportConfig) -> None:
        self.selected: Path | None = None
        self._config = config
        self._checked_at: dict[Path, float] = {}  # in the order of their first check
        self._settled = False  # False: whatever is checked next is selected

    def __contains__(self, path: Path) -> bool:
        return path in self._checked_at

    def on_check(self, path: Path, nominates: bool, now: float) -> bool:
        """A valid check. True if this path is to be selected by it."""
        self._checked_at[path] = now
        if not (nominates or self._should_take_over(path, now)):
            return False
        self._settled = True
        changed = path != self.selected
        self.selected = path
        return changed

    def on_moved(self, path: Path, now: float) -> None:
        self._checked_at[path] = now
        self._settled = True
        self.selected = path

    def forget_oldest(self) -> Path | None:
        """If there are too many: drops the one checked longest ago that is not selected."""
        if len(self._checked_at) <= self._config.paths:
            return None
        path = min((path for path in self._checked_at if path != self.selected), key=self._checked_at.__getitem__)
        del self._checked_at[path]
        return path

    def lose(self, path: Path, now: float) -> Path | None:
        """Another Transport has validated it. Returns the path to select instead, if there is one."""
        self._checked_at.pop(path, None)
        if path != self.selected:
            return None
        self.selected = max(
            (other for other, at in self._checked_at.items() if now - at < self._config.path_silent_s),
            key=self._checked_at.__getitem__,
            default=None,
        )
        return self.selected

    def on_restart(self) -> None:
        """New credentials are in use: the next check chooses afresh. What was used goes on until then."""
        self._settled = False

    def _should_take_over(self, path: Path, now: float) -> bool:
        if self.selected is None or not self._settled:
            return True
        return path != self.selected and now - self._checked_at[self.selected] >= self._config.path_silent_s
