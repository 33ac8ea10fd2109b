"""Audio levels as the plane hands them out (RFC 6464), for whoever finds out who is speaking: rows of one array.

One row per audio packet that carried a level and had not been there before, of all Tracks, in the order of arrival.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = np.dtype(
    [
        ("track", np.int64),
        ("at_s", np.float64),  # arrival
        ("level", np.int64),  # 0 (loudest) … 127 (silence): dB below overload, as on the wire
        ("voice", np.int64),  # 1: the sender takes it for speech; browsers may leave it at 0 or 1 throughout
    ]
)

NO_LEVELS: NDArray[Any] = np.empty(0, LEVEL)
