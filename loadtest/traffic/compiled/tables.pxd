"""What the generator knows: connections, the SSRCs on them, and the sums.

All of it belongs to whoever holds the mutex (sharing.pxd). A connection is one socket; it may send and receive.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from loadtest.traffic.compiled.histogram cimport Histogram
from sfu.plane.compiled.pointers cimport Pointers, pointers_close
from sfu.plane.compiled.system cimport pthread_mutex_t, sockaddr_in6

ctypedef int (*SrtpCall)(void *session, void *packet, int *size) noexcept nogil

cdef enum:
    LONGEST_NAME = 16  # of a mid or rid; more does not fit a one-byte header extension
    WINDOW = 1024  # sequence numbers behind the highest that can still be told apart: new or seen
    SEEN_WORDS = 16  # of WINDOW bits
    ARRIVALS = 4096  # transport-cc numbers between two feedbacks
    DATAGRAM_BYTES = 2048
    LONGEST_FRAME = 64  # packets
    CONTROLS = 1024  # STUN and DTLS that wait for Python
    ADDRESS_BYTES = 28  # of sockaddr_in6, the longer one


cdef struct SendIds:
    uint8_t mid, rid, transport_cc, abs_send_time, audio_level


cdef struct Outgoing:
    uint32_t ssrc
    bint video, key_frame_wanted, introduced, removed
    int payload_type, payload_size, packets_per_frame, clock_rate
    int mid_size, rid_size
    uint8_t mid[LONGEST_NAME]
    uint8_t rid[LONGEST_NAME]
    uint8_t level
    double frame_ns, due_ns  # on the monotonic clock; the fraction keeps odd rates exact
    double timestamp, timestamp_step
    int64_t last_frame_ns  # realtime
    uint16_t sequence_number, picture_id
    uint8_t tl0_picture_index
    uint64_t packets, octets
    uint8_t *payload  # noise: what an encoder's output looks like to everybody on the way


cdef struct Incoming:
    uint32_t ssrc  # 0: this place is free
    bint video, repairs, begun
    int64_t first, highest, received, duplicates, reordered
    uint64_t seen[SEEN_WORDS]
    uint32_t source_ssrc  # 0: none was decrypted
    int64_t first_at_ns  # realtime
    # For reports
    uint32_t last_report_ntp
    int64_t last_report_at_ns, expected_then, received_then, last_arrival_ns
    uint32_t last_timestamp
    double jitter


cdef struct Arrivals:
    # Receive times by transport-cc number, 0 for none, of those that the next feedback names.
    int64_t at_ns[ARRIVALS]
    int64_t next, highest  # unwrapped; next: where the next feedback begins
    bint begun
    uint8_t count


cdef struct Connection:
    int64_t number
    int fd
    sockaddr_in6 remote
    unsigned int remote_size
    void *inbound
    void *outbound
    SendIds send_ids
    uint8_t transport_cc_id  # in what arrives; 0: not negotiated
    uint16_t transport_number  # of the next packet we send
    Pointers outgoing
    Incoming *incoming  # open addressing by SSRC
    int incoming_room, incoming_count
    uint32_t media_ssrc  # one that the remote sends, for feedback
    uint32_t kernel_dropped
    Arrivals *arrivals
    int64_t feedback_due_ns, report_due_ns


cdef struct Control:
    int64_t number
    int size
    uint8_t source[ADDRESS_BYTES]
    uint8_t bytes[DATAGRAM_BYTES]


cdef struct Sums:
    uint64_t sent, sent_bytes, send_refused, received, received_bytes, repairs, kernel_dropped, sampled
    uint64_t undecryptable, unmarked, feedbacks, reports, key_frame_requests


cdef struct Generator:
    pthread_mutex_t mutex
    int waiting, stop
    bint feedback
    uint32_t sample_every
    uint64_t random
    int64_t poll_ns
    double due_ns  # of the next frame of all streams
    Pointers connections
    Sums sums
    Histogram latency, lateness
    Control *controls
    int control_count
    uint64_t control_dropped
    uint8_t *inbox
    uint8_t *outbox
    SrtpCall protect
    SrtpCall protect_rtcp
    SrtpCall unprotect
    SrtpCall unprotect_rtcp


cdef inline uint64_t next_random(Generator *generator) noexcept nogil:
    """xorshift64: to choose samples, nothing more."""
    cdef uint64_t state = generator.random
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    generator.random = state
    return state


cdef inline Incoming *find_incoming(Connection *connection, uint32_t ssrc) noexcept nogil:
    """Its place, or a free one; the table is never full."""
    cdef uint32_t mask = connection.incoming_room - 1
    cdef uint32_t at = (ssrc * 2654435761U) >> 8 & mask
    while connection.incoming[at].ssrc != 0 and connection.incoming[at].ssrc != ssrc:
        at = (at + 1) & mask
    return &connection.incoming[at]


cdef inline Incoming *incoming_of(Connection *connection, uint32_t ssrc) noexcept nogil:
    """Makes it when there is none. NULL without memory, and for SSRC 0."""
    cdef Incoming *stream
    if ssrc == 0 or (2 * (connection.incoming_count + 1) > connection.incoming_room and not grow(connection)):
        return NULL
    stream = find_incoming(connection, ssrc)
    if stream.ssrc == 0:
        stream.ssrc = ssrc
        stream.video = True
        connection.incoming_count += 1
        connection.media_ssrc = ssrc
    return stream


cdef inline bint grow(Connection *connection) noexcept nogil:
    cdef Incoming *before = connection.incoming
    cdef int room = connection.incoming_room, index
    connection.incoming = <Incoming *>calloc(2 * room if room else 8, sizeof(Incoming))
    if connection.incoming == NULL:
        connection.incoming = before
        return False
    connection.incoming_room = 2 * room if room else 8
    for index in range(room):
        if before[index].ssrc != 0:
            find_incoming(connection, before[index].ssrc)[0] = before[index]
    free(before)
    return True


cdef inline Outgoing *find_outgoing(Connection *connection, uint32_t ssrc) noexcept nogil:
    cdef Outgoing *stream
    cdef int index
    for index in range(connection.outgoing.count):
        stream = <Outgoing *>connection.outgoing.items[index]
        if stream.ssrc == ssrc:
            return stream
    return NULL


cdef inline void outgoing_free(Outgoing *stream) noexcept nogil:
    free(stream.payload)
    free(stream)


cdef inline void connection_free(Connection *connection) noexcept nogil:
    cdef int index
    for index in range(connection.outgoing.count):
        outgoing_free(<Outgoing *>connection.outgoing.items[index])
    pointers_close(&connection.outgoing)
    free(connection.incoming)
    free(connection.arrivals)
    free(connection)
