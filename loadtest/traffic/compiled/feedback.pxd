"""Transport-cc feedback for what arrives on one connection, every 100 ms as Chromium's longest interval.

As `sfu/wire/twcc.py` builds it (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc

from loadtest.traffic.compiled.sending cimport send_rtcp
from loadtest.traffic.compiled.tables cimport ARRIVALS, Arrivals, Connection, DATAGRAM_BYTES, Generator
from sfu.plane.compiled.numbers cimport read16, write16, write32

cdef enum:
    INTERVAL_NS = 100000000
    STATUSES = 560  # in one feedback: at two bytes each still below what every path carries
    TICK_NS = 250000
    TICKS_PER_REFERENCE = 256
    HEADER_BYTES = 20
    TWO_BIT_SYMBOLS = 7
    ONE_BYTE_FORM = 0xBEDE
    LOST = 0
    SMALL = 1
    LARGE = 2


cdef inline void note_arrival(
    Generator *generator, Connection *connection, const uint8_t *packet, int size, int64_t at_ns
) noexcept nogil:
    cdef Arrivals *arrivals = connection.arrivals
    cdef int64_t number, step
    cdef int found = transport_number(packet, size, connection.transport_cc_id)
    if found < 0 or arrivals == NULL:
        return
    if not arrivals.begun:
        arrivals.begun = True
        arrivals.next = arrivals.highest = found
    step = (found - arrivals.highest) & 0xFFFF
    if step >= 0x8000:
        step -= 0x10000
    number = arrivals.highest + step
    if number < arrivals.next:
        return  # already reported as lost
    if number - arrivals.next >= ARRIVALS:
        send_feedback(generator, connection)
        if number - arrivals.next >= ARRIVALS:
            arrivals.next = number  # an outage longer than anything a feedback could tell
    if number > arrivals.highest:
        arrivals.highest = number
    if arrivals.at_ns[number % ARRIVALS] == 0:
        arrivals.at_ns[number % ARRIVALS] = at_ns


cdef inline int transport_number(const uint8_t *packet, int size, uint8_t wanted) noexcept nogil:
    """-1 when the packet has none. Both forms of RFC 8285."""
    cdef int at, end, number, length
    cdef bint one_byte
    if packet[0] & 0x10 == 0:
        return -1
    at = 12 + 4 * (packet[0] & 0x0F)
    if at + 4 > size:
        return -1
    one_byte = read16(packet + at) == ONE_BYTE_FORM
    end = at + 4 + 4 * <int>read16(packet + at + 2)
    at += 4
    if end > size:
        return -1
    while at + 1 < end:
        if packet[at] == 0:
            at += 1
            continue
        number = packet[at] >> 4 if one_byte else packet[at]
        length = (packet[at] & 0x0F) + 1 if one_byte else packet[at + 1]
        at += 1 if one_byte else 2
        if number == wanted and length == 2 and at + 2 <= end:
            return read16(packet + at)
        at += length
    return -1


cdef inline void send_feedback(Generator *generator, Connection *connection) noexcept nogil:
    """All that came since the last; as many packets as that takes, none for nothing."""
    cdef Arrivals *arrivals = connection.arrivals
    cdef uint8_t packet[DATAGRAM_BYTES]
    cdef int64_t number
    cdef int count, size
    while arrivals.begun and arrivals.next <= arrivals.highest:
        count = <int>(arrivals.highest - arrivals.next + 1)
        if count > STATUSES:
            count = STATUSES
        size = write_feedback(connection, count, packet)
        for number in range(arrivals.next, arrivals.next + count):
            arrivals.at_ns[number % ARRIVALS] = 0
        arrivals.next += count
        if size and send_rtcp(generator, connection, packet, size):
            generator.sums.feedbacks += 1


cdef inline int write_feedback(Connection *connection, int count, uint8_t *out) noexcept nogil:
    """Returns its size; 0 when none of these came."""
    cdef Arrivals *arrivals = connection.arrivals
    cdef uint8_t symbols[STATUSES]
    cdef uint8_t deltas[2 * STATUSES]
    cdef int64_t at_ns, tick, last = -1, reference = 0, delta
    cdef int index, delta_bytes = 0, at
    for index in range(count):
        at_ns = arrivals.at_ns[(arrivals.next + index) % ARRIVALS]
        symbols[index] = LOST
        if at_ns == 0:
            continue
        tick = at_ns // TICK_NS
        if last < 0:
            reference = tick // TICKS_PER_REFERENCE
            last = reference * TICKS_PER_REFERENCE
        delta = tick - last
        if delta < -0x8000 or delta > 0x7FFF:
            continue  # 8 s after its neighbour: the pause, not the packet, is what matters
        last = tick
        if 0 <= delta <= 0xFF:
            symbols[index] = SMALL
            deltas[delta_bytes] = <uint8_t>delta
            delta_bytes += 1
        else:
            symbols[index] = LARGE
            write16(deltas + delta_bytes, <uint32_t>delta & 0xFFFF)
            delta_bytes += 2
    if last < 0:
        return 0
    at = HEADER_BYTES + write_chunks(symbols, count, out + HEADER_BYTES)
    for index in range(delta_bytes):
        out[at + index] = deltas[index]
    at += delta_bytes
    return write_header(connection, count, reference, out, at)


cdef inline int write_header(
    Connection *connection, int count, int64_t reference, uint8_t *out, int size
) noexcept nogil:
    """Pads to four bytes; returns the size with that."""
    cdef Arrivals *arrivals = connection.arrivals
    cdef int padding = -size & 3, index
    for index in range(padding):
        out[size + index] = <uint8_t>(padding if index == padding - 1 else 0)
    size += padding
    out[0] = 0xAF if padding else 0x8F  # version 2, format 15
    out[1] = 205
    write16(out + 2, size // 4 - 1)
    write32(out + 4, 1)  # Chromium's SSRC when it only receives
    write32(out + 8, connection.media_ssrc)
    write16(out + 12, <uint32_t>(arrivals.next & 0xFFFF))
    write16(out + 14, count)
    write32(out + 16, <uint32_t>((reference & 0xFFFFFF) << 8 | arrivals.count))
    arrivals.count += 1
    return size


cdef inline int write_chunks(const uint8_t *symbols, int count, uint8_t *out) noexcept nogil:
    """Runs where they are longer than a vector, else vectors of two-bit symbols. Returns the size."""
    cdef int at = 0, size = 0, run, index
    cdef uint32_t chunk
    while at < count:
        run = 1
        while at + run < count and symbols[at + run] == symbols[at]:
            run += 1
        if run >= TWO_BIT_SYMBOLS or at + run == count:
            write16(out + size, <uint32_t>symbols[at] << 13 | run)
            at += run
        else:
            chunk = 0xC000
            for index in range(TWO_BIT_SYMBOLS):
                if at + index < count:
                    chunk |= <uint32_t>symbols[at + index] << (2 * (TWO_BIT_SYMBOLS - 1 - index))
            write16(out + size, chunk)
            at += TWO_BIT_SYMBOLS
        size += 2
    return size
