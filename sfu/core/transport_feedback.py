"""What the plane knows of packets after they left: matched transport-cc feedback of all Transports, as rows of arrays.

    sent (number, time, size, cluster) ─┐
    feedback: arrived when, or lost ────┴► matched in the plane ─► groups of packets sent together ─► FeedbackBatch

One batch holds what came in since the last, for everybody, so that the estimators work on columns and not on packets:
twenty microseconds per feedback is all there is. Times called `sent` are the server's clock; times called `arrived` are
the remote's, of which only differences mean anything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Packets sent within this time of a group's first are one group: a pacer's burst, a frame (GCC draft §5.2).
GROUP_SPAN_S = 0.005

# One row per Transport that has reported since the last batch, by Transport ascending.
REPORT = np.dtype(
    [
        ("transport", np.int64),
        ("at_s", np.float64),  # when its newest feedback came
        ("rtt_s", np.float64),  # of the newest packet acknowledged: feedback's time minus sent; NaN if none is newer
        # than all that were acknowledged before (RFC 9002 §5.1)
        ("acked_packets", np.int64),  # reported to have arrived for the first time, reordered ones too
        ("acked_bytes", np.int64),  # whole datagrams, as all bytes here
        ("lost_packets", np.int64),  # reported missing for the first time
        ("reordered_packets", np.int64),  # reported missing before, and arrived after all: no loss
        ("in_flight_bytes", np.int64),  # sent, and not reported on yet, neither they nor any that were sent later
        ("groups", np.int64),  # how many rows of `groups` are of this Transport
    ]
)

# Completed groups, those of the first Transport first, in the order of sending. A group is complete when a packet of a
# later one was acknowledged. The first group ever of a Transport has nothing before it, and is not told; nor is the
# first after the remote's clock has jumped by three seconds. Packets that arrive in a burst, because the link was away
# for a moment, are one group too; and what takes longer to arrive than 50 ms are several.
GROUP = np.dtype(
    [
        ("sent_at_s", np.float64),  # its last packet
        ("arrived_at_s", np.float64),  # its last packet
        ("sent_delta_s", np.float64),  # since the group before; 0 for what was sent together and is told in parts
        ("arrived_delta_s", np.float64),  # since the group before; negative when groups overtook each other
        ("longest_gap_s", np.float64),  # in which none of its packets arrived, from the last of the group before on
        ("bytes", np.int64),  # acknowledged ones
    ]
)

# Probe clusters of which all packets were reported on, or whose last packet left a second ago. Rates are for the
# estimator to make. One that could send nothing is told all the same, with NaN for its times.
CLUSTER = np.dtype(
    [
        ("transport", np.int64),
        ("cluster", np.int64),  # as the caller of `probe` named it
        ("sent_packets", np.int64),
        ("sent_bytes", np.int64),
        ("first_sent_at_s", np.float64),
        ("last_sent_at_s", np.float64),
        ("acked_packets", np.int64),
        ("acked_bytes", np.int64),
        ("first_arrived_at_s", np.float64),  # NaN when none was acknowledged
        ("last_arrived_at_s", np.float64),
        ("first_arrived_bytes", np.int64),  # size of the packet that arrived first: its time is the interval's start
        ("last_sent_bytes", np.int64),  # size of the packet sent last: the interval ends when it begins to leave
    ]
)


class FeedbackBatch(NamedTuple):
    """Structured arrays with the dtypes above; all may be empty."""

    reports: NDArray[Any]
    groups: NDArray[Any]
    clusters: NDArray[Any]


NO_FEEDBACK = FeedbackBatch(np.empty(0, REPORT), np.empty(0, GROUP), np.empty(0, CLUSTER))
