"""Sender and receiver reports (RFC 3550 §6.4), one compound a second for each connection."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from loadtest.traffic.compiled.counting cimport expected
from loadtest.traffic.compiled.sending cimport send_rtcp
from loadtest.traffic.compiled.system cimport CLOCK_REALTIME, clock_ns
from loadtest.traffic.compiled.tables cimport Connection, DATAGRAM_BYTES, Generator, Incoming, Outgoing
from sfu.plane.compiled.numbers cimport write16, write32

cdef enum:
    REPORT_INTERVAL_NS = 1000000000
    MOST_BLOCKS = 31
    BLOCK_BYTES = 24
    LONGEST_COMPOUND = 1200


cdef inline void send_reports(Generator *generator, Connection *connection) noexcept nogil:
    """More than one compound when all does not fit one."""
    cdef uint8_t compound[DATAGRAM_BYTES]
    cdef int64_t now_ns = clock_ns(CLOCK_REALTIME)
    cdef Outgoing *stream
    cdef uint32_t sender = 1
    cdef int index, size = 0
    for index in range(connection.outgoing.count):
        stream = <Outgoing *>connection.outgoing.items[index]
        if stream.packets:
            sender = stream.ssrc
            size += write_sender_report(stream, now_ns, compound + size)
            if size > LONGEST_COMPOUND - 2 * BLOCK_BYTES:
                finish(generator, connection, compound, size, sender)
                size = 0
    index = 0
    while index < connection.incoming_room:
        size += write_receiver_report(connection, &index, sender, now_ns, compound + size)
        finish(generator, connection, compound, size, sender)
        size = 0
    if size:
        finish(generator, connection, compound, size, sender)


cdef inline void finish(
    Generator *generator, Connection *connection, uint8_t *compound, int size, uint32_t sender
) noexcept nogil:
    """With the name that every compound ends with (SDES, §6.5)."""
    cdef uint8_t *out = compound + size
    memset(out, 0, 16)
    out[0], out[1] = 0x81, 202
    write16(out + 2, 3)
    write32(out + 4, sender)
    out[8], out[9] = 1, 3
    memcpy(out + 10, b"sfu", 3)
    if send_rtcp(generator, connection, compound, size + 16):
        generator.sums.reports += 1


cdef inline int write_sender_report(Outgoing *stream, int64_t now_ns, uint8_t *out) noexcept nogil:
    cdef uint64_t fraction = (<uint64_t>(now_ns % 1000000000) << 32) // 1000000000
    cdef double elapsed = (now_ns - stream.last_frame_ns) * 1e-9 * stream.clock_rate
    out[0], out[1] = 0x80, 200
    write16(out + 2, 6)
    write32(out + 4, stream.ssrc)
    write32(out + 8, <uint32_t>(now_ns // 1000000000 + 2208988800LL))  # from 1900 on
    write32(out + 12, <uint32_t>fraction)
    write32(out + 16, <uint32_t><int64_t>(stream.timestamp + elapsed))
    write32(out + 20, <uint32_t>stream.packets)
    write32(out + 24, <uint32_t>stream.octets)
    return 28


cdef inline int write_receiver_report(
    Connection *connection, int *index, uint32_t sender, int64_t now_ns, uint8_t *out
) noexcept nogil:
    """Of the streams from `index` on, which it moves behind the last that found room."""
    cdef Incoming *stream
    cdef int blocks = 0
    while index[0] < connection.incoming_room and blocks < MOST_BLOCKS:
        stream = &connection.incoming[index[0]]
        index[0] += 1
        if stream.ssrc and stream.begun:
            write_block(stream, now_ns, out + 8 + blocks * BLOCK_BYTES)
            blocks += 1
    out[0], out[1] = <uint8_t>(0x80 | blocks), 201
    write16(out + 2, 1 + 6 * blocks)
    write32(out + 4, sender)
    return 8 + blocks * BLOCK_BYTES


cdef inline void write_block(Incoming *stream, int64_t now_ns, uint8_t *out) noexcept nogil:
    cdef int64_t due = expected(stream), recently = due - stream.expected_then
    cdef int64_t lost = recently - (stream.received - stream.received_then), total = due - stream.received
    cdef uint32_t fraction = 0, delay = 0
    if recently > 0 and lost > 0:
        fraction = <uint32_t>((lost << 8) // recently)
    stream.expected_then, stream.received_then = due, stream.received
    if stream.last_report_ntp:
        delay = <uint32_t>((now_ns - stream.last_report_at_ns) * 1e-9 * 65536)
    write32(out, stream.ssrc)
    write32(out + 4, <uint32_t>((fraction if fraction < 255 else 255) << 24 | (total & 0xFFFFFF)))
    write32(out + 8, <uint32_t>(stream.highest - (1 << 20)))
    write32(out + 12, <uint32_t>stream.jitter)
    write32(out + 16, stream.last_report_ntp)
    write32(out + 20, delay)
