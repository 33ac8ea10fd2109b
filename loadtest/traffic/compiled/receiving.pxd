"""Reads one socket until it is empty: RTP is counted, one packet in so many decrypted; the rest goes where it belongs.

Header, SSRC and numbers are in the clear, so counting needs no key. Times are the kernel's (SO_TIMESTAMPNS): when we
got round to reading says nothing.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from loadtest.traffic.compiled.counting cimport DUPLICATE, note_number
from loadtest.traffic.compiled.feedback cimport note_arrival
from loadtest.traffic.compiled.histogram cimport note_duration
from loadtest.traffic.compiled.payload cimport Mark, read_mark
from loadtest.traffic.compiled.rtcp cimport read_rtcp
from loadtest.traffic.compiled.system cimport (
    CLOCK_REALTIME, CMSG_FIRSTHDR, CMSG_NXTHDR, NOTES_BYTES, SCM_TIMESTAMPNS, SOL_SOCKET, SO_RXQ_OVFL, clock_ns,
)
from loadtest.traffic.compiled.tables cimport (
    CONTROLS, Connection, Control, DATAGRAM_BYTES, Generator, Incoming, incoming_of, next_random,
)
from sfu.plane.compiled.numbers cimport read16, read32
from sfu.plane.compiled.rtp cimport KIND_DTLS, KIND_RTCP, KIND_RTP, KIND_STUN, Kind, classify
from sfu.plane.compiled.system cimport (
    CMSG_DATA, MSG_DONTWAIT, cmsghdr, iovec, mmsghdr, msghdr, recvmmsg, sockaddr_in6, timespec,
)

cdef enum:
    BATCH = 64
    BATCHES = 16  # of one socket in one turn: the others fill meanwhile
    ONE_BYTE_FORM = 0xBEDE


cdef struct Inbox:
    mmsghdr messages[BATCH]
    iovec parts[BATCH]
    sockaddr_in6 sources[BATCH]
    uint8_t notes[BATCH][NOTES_BYTES]


cdef inline void inbox_open(Inbox *inbox, uint8_t *bytes) noexcept nogil:
    """`bytes`: BATCH times DATAGRAM_BYTES."""
    cdef int index
    memset(inbox, 0, sizeof(Inbox))
    for index in range(BATCH):
        inbox.parts[index].iov_base = bytes + index * DATAGRAM_BYTES
        inbox.parts[index].iov_len = DATAGRAM_BYTES
        inbox.messages[index].msg_hdr.msg_iov = &inbox.parts[index]
        inbox.messages[index].msg_hdr.msg_iovlen = 1
        inbox.messages[index].msg_hdr.msg_name = &inbox.sources[index]
        inbox.messages[index].msg_hdr.msg_control = inbox.notes[index]


cdef inline void receive_all(Generator *generator, Inbox *inbox, Connection *connection) noexcept nogil:
    cdef int batch, index, count
    for batch in range(BATCHES):
        for index in range(BATCH):
            # Overwritten by each call
            inbox.messages[index].msg_hdr.msg_namelen = sizeof(sockaddr_in6)
            inbox.messages[index].msg_hdr.msg_controllen = NOTES_BYTES
        count = recvmmsg(connection.fd, inbox.messages, BATCH, MSG_DONTWAIT, NULL)
        for index in range(count):
            on_datagram(
                generator, connection, &inbox.messages[index].msg_hdr, <uint8_t *>inbox.parts[index].iov_base,
                inbox.messages[index].msg_len
            )
        if count < BATCH:
            return


cdef inline void on_datagram(
    Generator *generator, Connection *connection, msghdr *message, uint8_t *datagram, int size
) noexcept nogil:
    cdef int64_t at_ns = read_notes(generator, connection, message)
    cdef Kind kind = classify(datagram, size)
    if kind == KIND_RTP:
        on_rtp(generator, connection, datagram, size, at_ns)
    elif kind == KIND_RTCP:
        if generator.unprotect_rtcp(connection.inbound, datagram, &size) == 0:
            read_rtcp(generator, connection, datagram, size, at_ns)
        else:
            generator.sums.undecryptable += 1
    elif kind == KIND_STUN or kind == KIND_DTLS:
        keep_control(generator, connection, message, datagram, size)


cdef inline int64_t read_notes(Generator *generator, Connection *connection, msghdr *message) noexcept nogil:
    """The kernel's time stamp, realtime; counts what it dropped at this socket before."""
    cdef cmsghdr *header = CMSG_FIRSTHDR(message)
    cdef int64_t at_ns = 0
    cdef timespec at
    cdef uint32_t dropped
    while header != NULL:
        if header.cmsg_level == SOL_SOCKET and header.cmsg_type == SCM_TIMESTAMPNS:
            memcpy(&at, CMSG_DATA(header), sizeof(timespec))
            at_ns = at.tv_sec * 1000000000LL + at.tv_nsec
        elif header.cmsg_level == SOL_SOCKET and header.cmsg_type == SO_RXQ_OVFL:
            memcpy(&dropped, CMSG_DATA(header), sizeof(dropped))
            generator.sums.kernel_dropped += dropped - connection.kernel_dropped
            connection.kernel_dropped = dropped
        header = CMSG_NXTHDR(message, header)
    return at_ns if at_ns else clock_ns(CLOCK_REALTIME)


cdef inline void on_rtp(
    Generator *generator, Connection *connection, uint8_t *packet, int size, int64_t at_ns
) noexcept nogil:
    cdef Incoming *stream
    if size < 12:
        return
    if connection.transport_cc_id:
        note_arrival(generator, connection, packet, size, at_ns)
    stream = incoming_of(connection, read32(packet + 8))
    if stream == NULL:
        return
    generator.sums.received_bytes += size
    if note_number(stream, read16(packet + 2)) == DUPLICATE:
        return
    note_jitter(stream, read32(packet + 4), at_ns)
    if stream.repairs:
        generator.sums.repairs += 1
        return
    generator.sums.received += 1
    if stream.first_at_ns == 0 or next_random(generator) % generator.sample_every == 0:
        look_inside(generator, connection, stream, packet, size, at_ns)
    if stream.first_at_ns == 0:
        stream.first_at_ns = at_ns


cdef inline void note_jitter(Incoming *stream, uint32_t timestamp, int64_t at_ns) noexcept nogil:
    """RFC 3550 §A.8, in timestamp units."""
    cdef double clock_rate = 90000.0 if stream.video else 48000.0, change
    if stream.last_arrival_ns:
        change = (at_ns - stream.last_arrival_ns) * clock_rate * 1e-9 - <int>(timestamp - stream.last_timestamp)
        stream.jitter += ((change if change > 0 else -change) - stream.jitter) / 16
    stream.last_arrival_ns = at_ns
    stream.last_timestamp = timestamp


cdef inline void look_inside(
    Generator *generator, Connection *connection, Incoming *stream, uint8_t *packet, int size, int64_t at_ns
) noexcept nogil:
    """Decrypts the packet: is it what somebody sent, and how long was it on the way?"""
    cdef Mark mark
    cdef int start
    if generator.unprotect(connection.inbound, packet, &size) != 0:
        generator.sums.undecryptable += 1
        return
    generator.sums.sampled += 1
    start = header_size(packet, size)
    if packet[0] & 0x20:
        size -= packet[size - 1]
    if start > size or not read_mark(packet + start, size - start, &mark):
        generator.sums.unmarked += 1
        return
    stream.source_ssrc = mark.ssrc
    note_duration(&generator.latency, at_ns - mark.sent_at_ns)


cdef inline int header_size(const uint8_t *packet, int size) noexcept nogil:
    """Of a packet of at least 12 bytes; larger than it when its lengths are wrong."""
    cdef int start = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        start += 4
        if start <= size:
            start += 4 * <int>read16(packet + start - 2)
    return start


cdef inline void keep_control(
    Generator *generator, Connection *connection, msghdr *message, const uint8_t *datagram, int size
) noexcept nogil:
    """For Python, which looks every few milliseconds. What finds no room is dropped; STUN and DTLS repeat."""
    cdef Control *kept
    if generator.control_count == CONTROLS:
        generator.control_dropped += 1
        return
    kept = &generator.controls[generator.control_count]
    generator.control_count += 1
    kept.number = connection.number
    kept.size = size
    memcpy(kept.source, message.msg_name, sizeof(kept.source))
    memcpy(kept.bytes, datagram, size)
