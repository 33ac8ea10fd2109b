"""Report blocks (RFC 3550 §6.4.1): what is kept for them, writing and reading one. As `sfu/core/reception.py`."""

from libc.math cimport rint
from libc.stdint cimport int64_t, uint8_t, uint32_t

from sfu.plane.compiled.numbers cimport read32, write32
from sfu.plane.compiled.reception cimport Reception

cdef enum:
    BLOCK_BYTES = 24
    MOST_BLOCKS = 31  # five bits of count


cdef struct BlockRow:
    # report_blocks.BLOCK
    int64_t transport
    int64_t slot
    double at_s
    int64_t ssrc
    int64_t fraction_lost
    int64_t packets_lost
    int64_t highest_sequence
    int64_t jitter
    int64_t lsr
    int64_t dlsr


cdef struct LayerReported:
    # What was told its publisher last, and what that said of its clock.
    int64_t expected
    int64_t received
    bint has_sender_report
    uint32_t lsr
    double sender_reported_at


cdef inline void write_block(
    uint8_t *out, uint32_t ssrc, const Reception *seen, LayerReported *told, double now
) noexcept nogil:
    """The fraction lost counts from the last call."""
    cdef int64_t received = <int64_t>seen.packets
    cdef int64_t expected = seen.highest - seen.first + 1
    cdef int64_t expected_now = expected - told.expected
    cdef int64_t lost_now = expected_now - (received - told.received)
    cdef int64_t fraction = 0, lost = min(max(expected - received, <int64_t>-0x800000), <int64_t>0x7FFFFF)
    cdef double delay = 0
    told.expected, told.received = expected, received
    if expected_now > 0 and lost_now > 0:
        fraction = min(<int64_t>255, 256 * lost_now // expected_now)
    if told.has_sender_report:
        delay = rint(max(0.0, now - told.sender_reported_at) * 65536)
    write32(out, ssrc)
    write32(out + 4, <uint32_t>(fraction << 24 | (lost & 0xFFFFFF)))
    write32(out + 8, <uint32_t>seen.highest)
    write32(out + 12, bounded32(seen.jitter))
    write32(out + 16, told.lsr if told.has_sender_report else 0)
    write32(out + 20, bounded32(delay))


cdef inline void read_block(const uint8_t *block, BlockRow *row) noexcept nogil:
    cdef uint32_t loss = read32(block + 4)
    row.ssrc = read32(block)
    row.fraction_lost = loss >> 24
    row.packets_lost = loss & 0xFFFFFF
    if row.packets_lost & 0x800000:
        row.packets_lost -= 0x1000000
    row.highest_sequence = read32(block + 8)
    row.jitter = read32(block + 12)
    row.lsr = read32(block + 16)
    row.dlsr = read32(block + 20)


cdef inline uint32_t bounded32(double value) noexcept nogil:
    """Not negative."""
    return 0xFFFFFFFFU if value >= 4294967295.0 else <uint32_t>value
