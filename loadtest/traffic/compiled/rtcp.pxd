"""What the remote says in RTCP that we act on: key frame requests, sender reports, and that it knows our SSRCs."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from loadtest.traffic.compiled.tables cimport Connection, Generator, Incoming, Outgoing, find_incoming, find_outgoing
from sfu.plane.compiled.numbers cimport read16, read32
from libc.string cimport memcmp

cdef enum:
    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    PAYLOAD_FEEDBACK = 206
    PICTURE_LOSS_INDICATION = 1
    FULL_INTRA_REQUEST = 4
    BLOCK_BYTES = 24


cdef inline void read_rtcp(
    Generator *generator, Connection *connection, const uint8_t *compound, int size, int64_t at_ns
) noexcept nogil:
    """Decrypted. Stops at what is cut short."""
    cdef int at = 0, length
    while at + 8 <= size:
        length = 4 * (1 + <int>read16(compound + at + 2))
        if at + length > size:
            return
        read_packet(generator, connection, compound + at, length, at_ns)
        at += length


cdef inline void read_packet(
    Generator *generator, Connection *connection, const uint8_t *packet, int size, int64_t at_ns
) noexcept nogil:
    cdef int at, count = packet[0] & 0x1F
    if packet[1] == SENDER_REPORT and size >= 28:
        note_sender_report(connection, packet, at_ns)
        note_blocks(connection, packet + 28, size - 28)
    elif packet[1] == RECEIVER_REPORT:
        note_blocks(connection, packet + 8, size - 8)
    elif packet[1] == PAYLOAD_FEEDBACK and count == PICTURE_LOSS_INDICATION and size >= 12:
        want_key_frame(generator, connection, read32(packet + 8))
    elif packet[1] == PAYLOAD_FEEDBACK and count == FULL_INTRA_REQUEST:
        for at in range(12, size - 7, 8):
            want_key_frame(generator, connection, read32(packet + at))


cdef inline void note_sender_report(Connection *connection, const uint8_t *packet, int64_t at_ns) noexcept nogil:
    cdef Incoming *stream
    if connection.incoming_room == 0:
        return
    stream = find_incoming(connection, read32(packet + 4))
    if stream.ssrc:
        stream.last_report_ntp = read32(packet + 10)  # the middle 32 bits
        stream.last_report_at_ns = at_ns


cdef inline void note_blocks(Connection *connection, const uint8_t *blocks, int size) noexcept nogil:
    cdef Outgoing *stream
    cdef int index
    for index in range(size // BLOCK_BYTES):
        stream = find_outgoing(connection, read32(blocks + index * BLOCK_BYTES))
        if stream != NULL:
            stream.introduced = True


cdef inline void want_key_frame(Generator *generator, Connection *connection, uint32_t ssrc) noexcept nogil:
    """An encoder makes it for all layers of a track."""
    cdef Outgoing *asked = find_outgoing(connection, ssrc)
    cdef Outgoing *stream
    cdef int index
    generator.sums.key_frame_requests += 1
    if asked == NULL:
        return
    for index in range(connection.outgoing.count):
        stream = <Outgoing *>connection.outgoing.items[index]
        if stream.mid_size == asked.mid_size and memcmp(stream.mid, asked.mid, asked.mid_size) == 0:
            stream.key_frame_wanted = True
