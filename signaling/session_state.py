"""How far a client's session is; what may come when hangs on it (`session.py`)."""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    JOINING = auto()
    ENTERING = auto()
    WAITING = auto()  # in the lobby
    TAKING_UP = auto()
    JOINED = auto()
    CLOSED = auto()
