"""What remotes report of what they were sent (RFC 3550 §6.4.1): one row per Slot that was reported on, as an array.

Only the newest block about each Slot is kept until it is asked for: its counts are totals.
"""

from __future__ import annotations

import numpy as np

# The last seven are the fields of `sfu.wire.rtcp.ReportBlock`. Rows come by Transport, and in a Transport by Slot.
BLOCK = np.dtype(
    [
        ("transport", np.int64),
        ("slot", np.int64),
        ("at_s", np.float64),  # when it came
        ("ssrc", np.int64),
        ("fraction_lost", np.int64),
        ("packets_lost", np.int64),
        ("highest_sequence", np.int64),
        ("jitter", np.int64),
        ("lsr", np.int64),
        ("dlsr", np.int64),
    ]
)
BlockRow = tuple[int, int, float, int, int, int, int, int, int, int]
