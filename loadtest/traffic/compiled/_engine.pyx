"""The generator's door for Python. Between `lock` and `unlock` no Python object is touched (sharing.pxd says why)."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from loadtest.traffic.compiled.counting cimport expected
from loadtest.traffic.compiled.feedback cimport INTERVAL_NS
from loadtest.traffic.compiled.histogram cimport BUCKETS, Histogram
from loadtest.traffic.compiled.receiving cimport BATCH
from loadtest.traffic.compiled.reports cimport REPORT_INTERVAL_NS
from loadtest.traffic.compiled.sending cimport write_packet
from loadtest.traffic.compiled.sharing cimport lock, unlock
from loadtest.traffic.compiled.system cimport (
    CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID, PR_SET_TIMERSLACK, SOL_SOCKET, SO_RXQ_OVFL,
    SO_TIMESTAMPNS, clock_ns, prctl, setsockopt, sleep_until,
)
from loadtest.traffic.compiled.tables cimport (
    ADDRESS_BYTES, Arrivals, CONTROLS, Connection, Control, DATAGRAM_BYTES, Generator, Incoming, LONGEST_FRAME,
    LONGEST_NAME, Outgoing, SendIds, SrtpCall, connection_free, find_outgoing, incoming_of, next_random, outgoing_free,
)
from loadtest.traffic.compiled.thread cimport SLACK_NS, run
from sfu.plane.compiled.numbers cimport read16, read32
from sfu.plane.compiled.openssl cimport FUNCTIONS as OPENSSL_FUNCTIONS, OpenSsl, openssl_close, openssl_open
from sfu.plane.compiled.pointers cimport pointers_add, pointers_close, pointers_remove
from sfu.plane.compiled.protection cimport (
    AES_CM_SHA1_80, AES_GCM_128, AES_GCM_256, RtpKeys, protect_as, set_hash_key,
)
from sfu.plane.compiled.rtp cimport KIND_RTP, classify
from sfu.plane.compiled.sending cimport set_segment_size
from sfu.plane.compiled.system cimport (
    EINTR, MSG_DONTWAIT, POLLIN, __ATOMIC_SEQ_CST, __atomic_store_n, errno, iovec, mmsghdr, msghdr, poll, pollfd,
    pthread_mutex_destroy, pthread_mutex_init, recvmmsg, segment_control, sendmmsg, sockaddr_in6,
)

from loadtest.traffic import addresses
from loadtest.traffic.streams import CLOCK_RATES
from sfu.plane import openssl
from sfu.plane.session_keys import sending_keys
from sfu.plane.srtp import FUNCTIONS, context_address, function_address

# A packet is authentic or not by its tag alone: the rest of what SRTP may write behind a packet finds room too.
if DATAGRAM_BYTES < 1500 + 4 + 16 + 128:
    raise ImportError("datagrams with their trailers do not fit")

cdef enum:
    LONGEST_RUN_BYTES = 65000  # a run is one datagram to the kernel until it is cut
    DRAINED = 64  # datagrams per call
    GCM_TAG_BYTES = 16


include "bursts.pxi"
include "fan.pxi"
include "relay.pxi"


cdef class Engine:
    cdef Generator generator
    cdef dict connections  # number → address of its Connection
    cdef dict sessions  # number → what lives as long as it does

    def __cinit__(self, *_, **__):
        memset(&self.generator, 0, sizeof(Generator))
        pthread_mutex_init(&self.generator.mutex, NULL)
        self.generator.controls = <Control *>calloc(CONTROLS, sizeof(Control))
        self.generator.inbox = <uint8_t *>malloc(BATCH * DATAGRAM_BYTES)
        self.generator.outbox = <uint8_t *>malloc(LONGEST_FRAME * DATAGRAM_BYTES)
        self.connections, self.sessions = {}, {}
        if self.generator.controls == NULL or self.generator.inbox == NULL or self.generator.outbox == NULL:
            raise MemoryError

    def __init__(self, double poll_s, int sample_every, bint feedback, uint64_t seed):
        if poll_s <= 0 or sample_every < 1 or seed == 0:
            raise ValueError("neither the turns nor the samples may be that far apart, and the seed must not be 0")
        self.generator.poll_ns = <int64_t>(poll_s * 1e9)
        self.generator.sample_every = sample_every
        self.generator.feedback = feedback
        self.generator.random = seed
        self.generator.due_ns = 9e18
        functions = [function_address(name) for name in FUNCTIONS]
        self.generator.protect = <SrtpCall><uintptr_t>functions[0]
        self.generator.protect_rtcp = <SrtpCall><uintptr_t>functions[1]
        self.generator.unprotect = <SrtpCall><uintptr_t>functions[2]
        self.generator.unprotect_rtcp = <SrtpCall><uintptr_t>functions[3]

    def __dealloc__(self):
        cdef int index
        for index in range(self.generator.connections.count):
            connection_free(<Connection *>self.generator.connections.items[index])
        pointers_close(&self.generator.connections)
        free(self.generator.controls)
        free(self.generator.inbox)
        free(self.generator.outbox)
        pthread_mutex_destroy(&self.generator.mutex)

    def run(self):
        """The thread's whole life; it holds the GIL at either end only."""
        with nogil:
            run(&self.generator)

    def stop(self):
        __atomic_store_n(&self.generator.stop, 1, __ATOMIC_SEQ_CST)

    # --- connections --------------------------------------------------------------------------------------------------

    def attach(self, int64_t number, int fd, remote, sessions):
        cdef int one = 1
        cdef bint added
        cdef int64_t now_ns = clock_ns(CLOCK_MONOTONIC)
        cdef bytes address = addresses.pack(remote)
        cdef Connection *connection = <Connection *>calloc(1, sizeof(Connection))
        if connection == NULL:
            raise MemoryError
        inbound, outbound = sessions
        connection.number, connection.fd = number, fd
        connection.remote_size = len(address)
        memcpy(&connection.remote, PyBytes_AsString(address), connection.remote_size)
        connection.inbound = <void *><uintptr_t>context_address(inbound)
        connection.outbound = <void *><uintptr_t>context_address(outbound)
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one))
        setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one))
        lock(&self.generator)
        # Spread over the second: a server's work for the reports of all is not to come at one moment.
        connection.feedback_due_ns = now_ns + next_random(&self.generator) % INTERVAL_NS
        connection.report_due_ns = now_ns + next_random(&self.generator) % REPORT_INTERVAL_NS
        added = pointers_add(&self.generator.connections, connection)
        unlock(&self.generator)
        if not added:
            connection_free(connection)
            raise MemoryError
        self.connections[number] = <uintptr_t>connection
        self.sessions[number] = sessions

    def detach(self, number):
        cdef Connection *connection = self.connection(number)
        lock(&self.generator)
        pointers_remove(&self.generator.connections, connection)
        unlock(&self.generator)
        connection_free(connection)
        del self.connections[number], self.sessions[number]

    cdef Connection *connection(self, number) except NULL:
        return <Connection *><uintptr_t>self.connections[number]

    # --- what is sent -------------------------------------------------------------------------------------------------

    def set_send_extensions(self, number, ids):
        cdef Connection *connection = self.connection(number)
        cdef SendIds wanted
        wanted.mid, wanted.rid, wanted.transport_cc = ids.mid, ids.rid, ids.transport_cc
        wanted.abs_send_time, wanted.audio_level = ids.abs_send_time, ids.audio_level
        lock(&self.generator)
        connection.send_ids = wanted
        unlock(&self.generator)

    def add_outgoing(self, number, stream, double phase):
        """`phase`: which part of a frame's time passes before the first."""
        cdef Connection *connection = self.connection(number)
        cdef Outgoing *added = <Outgoing *>calloc(1, sizeof(Outgoing))
        cdef bint found_room
        if added == NULL:
            raise MemoryError
        try:
            outgoing_fill(added, stream)
        except BaseException:
            outgoing_free(added)
            raise
        added.due_ns = clock_ns(CLOCK_MONOTONIC) + phase * added.frame_ns
        lock(&self.generator)
        self.draw(added)
        found_room = pointers_add(&connection.outgoing, added)
        self.generator.due_ns = min(self.generator.due_ns, added.due_ns)
        unlock(&self.generator)
        if not found_room:
            outgoing_free(added)
            raise MemoryError

    cdef void draw(self, Outgoing *added) noexcept:
        """What is random in a stream."""
        cdef int index
        for index in range(added.payload_size):
            added.payload[index] = <uint8_t>next_random(&self.generator)
        added.timestamp = next_random(&self.generator) & 0xFFFFFF
        # Below 32768: a receiver that misses the first packets may guess a rollover (RFC 3711 §3.3.1).
        added.sequence_number = next_random(&self.generator) & 0x7FFF
        added.picture_id = next_random(&self.generator) & 0x7FFF

    def remove_outgoing(self, number, uint32_t ssrc):
        cdef Connection *connection = self.connection(number)
        cdef Outgoing *stream = self.outgoing(connection, ssrc)
        lock(&self.generator)
        pointers_remove(&connection.outgoing, stream)
        unlock(&self.generator)
        outgoing_free(stream)

    def set_level(self, number, uint32_t ssrc, int level_dbov, bint voice):
        cdef Outgoing *stream = self.outgoing(self.connection(number), ssrc)
        stream.level = <uint8_t>((0x80 if voice else 0) | (level_dbov & 0x7F))  # one byte: no mutex needed

    def set_rate(self, number, uint32_t ssrc, double frames_per_s):
        cdef Outgoing *stream = self.outgoing(self.connection(number), ssrc)
        if frames_per_s <= 0:
            raise ValueError("a stream has frames")
        lock(&self.generator)
        stream.frame_ns = 1e9 / frames_per_s
        stream.timestamp_step = stream.clock_rate / frames_per_s
        unlock(&self.generator)

    cdef Outgoing *outgoing(self, Connection *connection, uint32_t ssrc) except NULL:
        cdef Outgoing *stream = find_outgoing(connection, ssrc)
        if stream == NULL:
            raise KeyError(f"SSRC {ssrc} is not sent here")
        return stream

    # --- what is received ---------------------------------------------------------------------------------------------

    def set_receive_extensions(self, number, ids):
        cdef Connection *connection = self.connection(number)
        cdef uint8_t transport_cc = ids.transport_cc
        cdef Arrivals *arrivals = NULL
        if transport_cc and self.generator.feedback and connection.arrivals == NULL:
            arrivals = <Arrivals *>calloc(1, sizeof(Arrivals))
            if arrivals == NULL:
                raise MemoryError
        lock(&self.generator)
        if arrivals != NULL:
            connection.arrivals = arrivals
        connection.transport_cc_id = transport_cc if connection.arrivals != NULL else 0
        unlock(&self.generator)

    def add_incoming(self, number, stream):
        cdef Connection *connection = self.connection(number)
        cdef uint32_t ssrc = stream.ssrc
        cdef bint video = stream.kind == "video", repairs = stream.repairs
        cdef Incoming *added
        lock(&self.generator)
        added = incoming_of(connection, ssrc)
        if added != NULL:
            added.video, added.repairs = video, repairs
        unlock(&self.generator)
        if added == NULL:
            raise ValueError("SSRC 0") if ssrc == 0 else MemoryError

    def take_control(self):
        cdef Control *taken
        cdef int count, index
        if self.generator.control_count == 0:  # mostly; what comes meanwhile is taken the next time
            return []
        taken = <Control *>calloc(CONTROLS, sizeof(Control))
        if taken == NULL:
            raise MemoryError
        lock(&self.generator)
        taken, self.generator.controls = self.generator.controls, taken
        count = self.generator.control_count
        self.generator.control_count = 0
        unlock(&self.generator)
        try:
            return [
                (
                    taken[index].number,
                    PyBytes_FromStringAndSize(<char *>taken[index].bytes, taken[index].size),
                    addresses.unpack(PyBytes_FromStringAndSize(<char *>taken[index].source, ADDRESS_BYTES)),
                )
                for index in range(count)
            ]
        finally:
            free(taken)

    # --- what was counted ---------------------------------------------------------------------------------------------

    def counts(self):
        cdef Generator *copy = <Generator *>malloc(sizeof(Generator))
        if copy == NULL:
            raise MemoryError
        lock(&self.generator)
        memcpy(copy, &self.generator, sizeof(Generator))
        unlock(&self.generator)
        sums, latency, lateness = copy.sums, buckets_of(&copy.latency), buckets_of(&copy.lateness)
        free(copy)
        streams = []
        for number in self.connections:
            streams += self.counts_of(number)
        return sums, latency, lateness, streams

    def counts_of(self, number):
        cdef Connection *connection = self.connection(number)
        cdef Incoming *copy = NULL
        cdef int room, index
        cdef int64_t offset_ns = clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_REALTIME)
        lock(&self.generator)
        room = connection.incoming_room
        if room:
            copy = <Incoming *>malloc(room * sizeof(Incoming))
        if copy != NULL:
            memcpy(copy, connection.incoming, room * sizeof(Incoming))
        unlock(&self.generator)
        if room and copy == NULL:
            raise MemoryError
        try:
            return [
                stream_of(number, &copy[index], offset_ns)
                for index in range(room)
                if copy[index].ssrc and not copy[index].repairs
            ]
        finally:
            free(copy)


cdef outgoing_fill(Outgoing *added, stream):
    """All of it that is not random."""
    cdef bytes mid = stream.mid.encode(), rid = stream.rid.encode()
    if len(mid) > LONGEST_NAME or len(rid) > LONGEST_NAME:
        raise ValueError(f"mid and rid have at most {LONGEST_NAME} bytes")
    added.ssrc, added.payload_type, added.payload_size = stream.ssrc, stream.payload_type, stream.payload_bytes
    added.video = added.key_frame_wanted = stream.kind == "video"
    added.packets_per_frame = stream.packets_per_frame
    added.clock_rate = CLOCK_RATES[stream.kind]
    added.frame_ns = 1e9 / stream.frames_per_s
    added.timestamp_step = added.clock_rate / stream.frames_per_s
    added.mid_size, added.rid_size = len(mid), len(rid)
    memcpy(added.mid, PyBytes_AsString(mid), added.mid_size)
    memcpy(added.rid, PyBytes_AsString(rid), added.rid_size)
    added.level = 127
    added.payload = <uint8_t *>calloc(added.payload_size, 1)
    if added.payload == NULL:
        raise MemoryError


cdef stream_of(number, Incoming *stream, int64_t offset_ns):
    return (
        number,
        stream.ssrc,
        "video" if stream.video else "audio",
        stream.received,
        expected(stream),
        stream.duplicates,
        stream.reordered,
        stream.source_ssrc or None,
        (stream.first_at_ns + offset_ns) * 1e-9 if stream.first_at_ns else None,
    )


cdef tuple buckets_of(Histogram *histogram):
    cdef int index, last = BUCKETS
    while last > 0 and histogram.buckets[last - 1] == 0:
        last -= 1
    return tuple([histogram.buckets[index] for index in range(last)])
