"""Which RTP timestamps leave through a Slot, whatever it carries. As `fallback/timeline.py`, explained there.

A source's clock is counted by those who hold it: its layer, and the lines that followed it last.
"""

from libc.math cimport fabs, rint
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free

from sfu.plane.compiled.numbers cimport signed32


cdef struct SourceClock:
    int holders
    bint reported
    uint32_t timestamp
    double at_s


cdef struct LinePoint:
    bint known
    uint32_t timestamp
    double at_s  # captured (anchor) or arrived (newest)


cdef struct Timeline:
    uint32_t first
    double clock_rate
    int64_t least_advance
    int64_t tolerance
    int64_t offset  # outgoing minus incoming timestamp, in this stretch
    int64_t ahead  # by how much this stretch had to be put off
    SourceClock *clock  # of the source of this stretch; NULL before the first
    LinePoint anchor
    LinePoint newest


cdef inline SourceClock *clock_new() noexcept nogil:
    cdef SourceClock *clock = <SourceClock *>calloc(1, sizeof(SourceClock))
    if clock != NULL:
        clock.holders = 1
    return clock


cdef inline void clock_release(SourceClock *clock) noexcept nogil:
    if clock != NULL:
        clock.holders -= 1
        if clock.holders == 0:
            free(clock)


cdef inline uint32_t line_begin(
    Timeline *line, uint32_t timestamp, double arrived_at, SourceClock *clock
) noexcept nogil:
    """Starts a stretch with this packet of another source; returns its outgoing timestamp."""
    cdef double captured_at = arrived_at
    cdef uint32_t out
    if clock.reported:
        captured_at = clock.at_s + <double>signed32(<int64_t>timestamp - clock.timestamp) / line.clock_rate
    out = line_continue(line, captured_at, arrived_at)
    line.offset = <int64_t>out - timestamp
    clock.holders += 1
    clock_release(line.clock)
    line.clock = clock
    line.anchor = LinePoint(True, out, captured_at)
    line.newest = LinePoint(True, out, arrived_at)
    return out


cdef inline uint32_t line_map(Timeline *line, uint32_t timestamp, double arrived_at) noexcept nogil:
    """The outgoing timestamp of another packet of this stretch."""
    cdef uint32_t out = <uint32_t>(timestamp + line.offset)
    if not line.newest.known or signed32(<int64_t>out - line.newest.timestamp) > 0:
        line.newest = LinePoint(True, out, arrived_at)
    return out


cdef inline uint32_t line_newest(const Timeline *line) noexcept nogil:
    """The highest timestamp sent, or what the first one will be."""
    return line.newest.timestamp if line.newest.known else line.first


cdef inline bint line_is_idle(const Timeline *line, double since) noexcept nogil:
    """Nothing that has arrived since then has left."""
    return not line.newest.known or line.newest.at_s < since


cdef inline LinePoint line_pair(const Timeline *line) noexcept nogil:
    """A point of the line: an outgoing timestamp and when it was captured."""
    cdef LinePoint point = line.anchor
    if point.known and line.clock != NULL and line.clock.reported:
        point.timestamp = <uint32_t>(line.clock.timestamp + line.offset)
        point.at_s = line.clock.at_s
    return point


cdef inline uint32_t line_continue(Timeline *line, double captured_at, double arrived_at) noexcept nogil:
    cdef LinePoint point = line_pair(line)
    cdef int64_t by_arrival, advance
    if not point.known or not line.newest.known:
        return line.first
    by_arrival = ticks((arrived_at - line.newest.at_s) * line.clock_rate)
    advance = signed32(<int64_t>point.timestamp - line.ahead - line.newest.timestamp)
    advance += ticks((captured_at - point.at_s) * line.clock_rate)
    if advance - by_arrival > line.tolerance or by_arrival - advance > line.tolerance:
        advance = by_arrival  # a publisher may report what it likes; it shall not move the next one's timestamps
    line.ahead = max(<int64_t>0, line.least_advance - advance)
    return <uint32_t>(line.newest.timestamp + advance + line.ahead)


cdef inline int64_t ticks(double time) noexcept nogil:
    """Rounded as Python does, half to even; what no clock can mean is bounded, because C leaves it undefined."""
    return <int64_t>rint(time) if fabs(time) < 1e15 else (<int64_t>1 << 50 if time > 0 else -(<int64_t>1 << 50))
