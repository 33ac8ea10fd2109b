# One stream to many addresses at any rate: what tries how much the generator can receive (loadtest/bench_generator.py).
# Included by _engine.pyx.


cdef class Fan:
    """Video that is encrypted once and sent to all: what a server's packets are to those who receive them, who here
    have one key. Not for two threads at once."""

    cdef Outgoing stream
    cdef Connection sender  # of it only that it has negotiated no extensions
    cdef Burst burst
    cdef object session
    cdef int packet_size
    cdef readonly uint64_t sent
    cdef readonly uint64_t refused

    def __cinit__(self, int fd, addresses, session, stream):
        """A frame of `stream` leaves as one run (GSO) to each of `addresses`, which are packed. `session`: of GCM."""
        self.packet_size = 12 + stream.payload_bytes + GCM_TAG_BYTES
        self.session = session
        burst_open(&self.burst, fd, addresses, bytes(self.packet_size), stream.packets_per_frame)
        outgoing_fill(&self.stream, stream)

    def __dealloc__(self):
        burst_close(&self.burst)
        free(self.stream.payload)

    def run(self, double duration_s, double packets_per_s):
        """Sends so many in all, to all; what of it is late by more than a frame is left out."""
        cdef SrtpCall protect = <SrtpCall><uintptr_t>function_address("srtp_protect")
        cdef void *session = <void *><uintptr_t>context_address(self.session)
        cdef int64_t now_ns = clock_ns(CLOCK_MONOTONIC)
        cdef int64_t end_ns = now_ns + <int64_t>(duration_s * 1e9)
        cdef double period_ns = 1e9 * self.burst.packets * self.burst.count / packets_per_s, due_ns = now_ns
        with nogil:
            prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0)
            while now_ns < end_ns:
                if now_ns >= due_ns:
                    self.make_frame(protect, session)
                    burst_send(&self.burst, &self.sent, &self.refused)
                    due_ns = max(due_ns + period_ns, now_ns - period_ns)
                sleep_until(min(end_ns, <int64_t>due_ns))
                now_ns = clock_ns(CLOCK_MONOTONIC)

    cdef void make_frame(self, SrtpCall protect, void *session) noexcept nogil:
        cdef int64_t now_ns = clock_ns(CLOCK_REALTIME)
        cdef uint8_t *packet = self.burst.bytes
        cdef int index, size
        for index in range(self.burst.packets):
            size = write_packet(&self.sender, &self.stream, False, index, now_ns, packet)
            protect(session, packet, &size)
            packet += self.packet_size
        self.stream.timestamp += self.stream.timestamp_step
