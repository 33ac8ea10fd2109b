"""What arrived on a layer's own SSRC, counted for receiver reports. As `fallback/reception.py`."""

from libc.math cimport fabs
from libc.stdint cimport int64_t, uint32_t, uint64_t

from sfu.plane.compiled.numbers cimport is_newer
from sfu.plane.compiled.packets cimport NO_CODEC, Packet

cdef enum:
    # As in interface.py
    COUNTED_SPATIAL_LAYERS = 3
    COUNTED_TEMPORAL_LAYERS = 4
    FRAMES_IN_MEAN = 30


cdef struct Reception:
    bint begun
    uint64_t packets
    uint64_t restored  # by RTX or RED
    uint64_t bytes
    int64_t first
    int64_t highest
    double jitter  # RTP timestamp units
    double last_at
    bint has_previous
    uint32_t previous_timestamp
    double previous_at
    uint64_t frames
    uint64_t freezes
    double frozen_s
    double frame_gap_s  # mean; 0 before there is one
    int codec  # of the last packet that carried anything; NO_CODEC: none did
    uint64_t by_layer[COUNTED_SPATIAL_LAYERS][COUNTED_TEMPORAL_LAYERS]
    uint64_t by_temporal_id[COUNTED_TEMPORAL_LAYERS]  # frames


cdef inline bint count_arrival(
    Reception *seen, int64_t number, uint32_t timestamp, int size, int clock_rate, double now
) noexcept nogil:
    """`number` is unwrapped; `size` is the payload's. Returns whether it is the first of another frame."""
    seen.packets += 1
    seen.bytes += size
    seen.last_at = now
    if not seen.begun or number < seen.first:
        seen.first = number
    if not seen.begun or number > seen.highest:
        seen.begun = True
        seen.highest = number
        return observe_transit(seen, timestamp, clock_rate, now)
    return False


cdef inline void count_layer(Reception *seen, const Packet *packet, bint begins_frame) noexcept nogil:
    """Once it is known what the packet carries."""
    cdef int temporal_id
    if packet.codec != NO_CODEC:
        seen.codec = packet.codec
    if packet.layering.known:
        temporal_id = min(packet.layering.temporal_id, COUNTED_TEMPORAL_LAYERS - 1)
        seen.by_layer[min(packet.layering.spatial_id, COUNTED_SPATIAL_LAYERS - 1)][temporal_id] += packet.size
        seen.by_temporal_id[temporal_id] += begins_frame


cdef inline bint observe_transit(Reception *seen, uint32_t timestamp, int clock_rate, double now) noexcept nogil:
    # Only a frame's first packet: the others wait behind it at the sender, which is not the network's jitter.
    cdef double change
    if seen.has_previous:
        if not is_newer(timestamp, seen.previous_timestamp):
            return False
        change = (now - seen.previous_at) * clock_rate - <double><uint32_t>(timestamp - seen.previous_timestamp)
        observe_gap(seen, now - seen.previous_at)
        # A longer stillness or jump of the timestamps says nothing about the network: 5 s.
        if fabs(change) < 5.0 * clock_rate:
            seen.jitter += (fabs(change) - seen.jitter) / 16
    seen.frames += 1
    seen.has_previous = True
    seen.previous_timestamp = timestamp
    seen.previous_at = now
    return True


cdef inline void observe_gap(Reception *seen, double gap_s) noexcept nogil:
    """Between two frames. What counts as a freeze, and why the mean takes a second at most: fallback/reception.py."""
    if seen.frame_gap_s == 0.0:
        seen.frame_gap_s = min(gap_s, 1.0)
        return
    if gap_s > max(3.0 * seen.frame_gap_s, seen.frame_gap_s + 0.15):
        seen.freezes += 1
        seen.frozen_s += gap_s
    seen.frame_gap_s += (min(gap_s, 1.0) - seen.frame_gap_s) / FRAMES_IN_MEAN
