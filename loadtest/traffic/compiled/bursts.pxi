# Datagrams of nothing but noise: what the kernel takes for sending alone (floor.py), and strangers (strangers.py).
# Included by _engine.pyx.


cdef struct Burst:
    int fd
    int count  # of destinations, a message for each
    int packets  # to each; several leave as one run (GSO)
    double period_ns, due_ns
    mmsghdr *messages
    sockaddr_in6 *addresses
    segment_control *controls
    iovec part
    uint8_t *bytes


cdef class Bursts:
    """Some datagrams to some addresses, again and again. Not for two threads at once."""

    cdef Burst *bursts
    cdef int count
    cdef readonly uint64_t sent
    cdef readonly uint64_t refused

    def __cinit__(self, specs):
        """`specs`: (socket, packed addresses, payload, packets to each, period in s, phase from 0 to 1)."""
        cdef int index
        self.bursts = <Burst *>calloc(max(1, len(specs)), sizeof(Burst))
        if self.bursts == NULL:
            raise MemoryError
        self.count = len(specs)
        for index in range(self.count):
            fd, addresses, payload, packets, period_s, phase = specs[index]
            burst_open(&self.bursts[index], fd, addresses, payload, packets)
            self.bursts[index].period_ns = period_s * 1e9
            self.bursts[index].due_ns = phase * period_s * 1e9

    def __dealloc__(self):
        cdef int index
        for index in range(self.count):
            burst_close(&self.bursts[index])
        free(self.bursts)

    def run(self, double duration_s):
        """Sends for so long; what that took of a core, in seconds, waking up included."""
        cdef int64_t begin_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns
        cdef int64_t end_ns = begin_ns + <int64_t>(duration_s * 1e9)
        cdef int index
        with nogil:
            prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0)
            for index in range(self.count):
                self.bursts[index].due_ns += begin_ns
            cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID)
            while clock_ns(CLOCK_MONOTONIC) < end_ns:
                sleep_until(min(end_ns, self.send_due()))
            cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns
            end_ns = clock_ns(CLOCK_MONOTONIC)
            for index in range(self.count):
                self.bursts[index].due_ns = max(0.0, self.bursts[index].due_ns - end_ns)
        return cpu_ns * 1e-9

    cdef int64_t send_due(self) noexcept nogil:
        """When the next is due."""
        cdef Burst *burst
        cdef int64_t now_ns = clock_ns(CLOCK_MONOTONIC)
        cdef double next_ns = 9e18
        cdef int index
        for index in range(self.count):
            burst = &self.bursts[index]
            if burst.due_ns <= now_ns:
                burst_send(burst, &self.sent, &self.refused)
                burst.due_ns = max(burst.due_ns + burst.period_ns, <double>now_ns)  # what was missed is left out
            next_ns = min(next_ns, burst.due_ns)
        return <int64_t>next_ns


cdef void burst_send(Burst *burst, uint64_t *sent, uint64_t *refused) noexcept nogil:
    """Counts in packets."""
    cdef int done = 0, taken
    while done < burst.count:
        taken = sendmmsg(burst.fd, burst.messages + done, burst.count - done, MSG_DONTWAIT)
        if taken > 0:
            sent[0] += taken * burst.packets
            done += taken
        elif errno != EINTR:
            refused[0] += burst.packets
            done += 1


cdef void burst_close(Burst *burst) noexcept nogil:
    free(burst.messages)
    free(burst.addresses)
    free(burst.controls)
    free(burst.bytes)


cdef burst_open(Burst *burst, int fd, addresses, bytes payload, int packets):
    cdef int index, size = len(payload)
    cdef uint16_t segment = size
    cdef msghdr *header
    if not 0 < packets <= LONGEST_FRAME or not 0 < packets * size <= LONGEST_RUN_BYTES:
        raise ValueError("more than one run can hold")
    burst.fd, burst.count, burst.packets = fd, len(addresses), packets
    burst.messages = <mmsghdr *>calloc(burst.count, sizeof(mmsghdr))
    burst.addresses = <sockaddr_in6 *>calloc(burst.count, sizeof(sockaddr_in6))
    burst.controls = <segment_control *>calloc(burst.count, sizeof(segment_control))
    burst.bytes = <uint8_t *>malloc(packets * size)
    if burst.messages == NULL or burst.addresses == NULL or burst.controls == NULL or burst.bytes == NULL:
        raise MemoryError
    for index in range(packets):
        memcpy(burst.bytes + index * size, PyBytes_AsString(payload), size)
    burst.part.iov_base, burst.part.iov_len = burst.bytes, packets * size
    for index in range(burst.count):
        memcpy(&burst.addresses[index], PyBytes_AsString(addresses[index]), len(addresses[index]))
        header = &burst.messages[index].msg_hdr
        header.msg_name, header.msg_namelen = &burst.addresses[index], len(addresses[index])
        header.msg_iov, header.msg_iovlen = &burst.part, 1
        if packets > 1:
            set_segment_size(header, &burst.controls[index], segment)


def drain(fds, double duration_s, double poll_s):
    """Reads all of these sockets, each `poll_s`, for so long; how many datagrams came."""
    cdef mmsghdr messages[DRAINED]
    cdef iovec part
    cdef uint8_t byte
    cdef int64_t now_ns = clock_ns(CLOCK_MONOTONIC), end_ns = now_ns + <int64_t>(duration_s * 1e9)
    cdef int64_t poll_ns = <int64_t>(poll_s * 1e9)
    cdef uint64_t count = 0
    cdef int index, got, size = len(fds)
    cdef int *sockets = <int *>malloc(max(1, size) * sizeof(int))
    if sockets == NULL:
        raise MemoryError
    for index in range(size):
        sockets[index] = fds[index]
    part.iov_base, part.iov_len = &byte, 1
    memset(messages, 0, sizeof(messages))
    for index in range(DRAINED):
        messages[index].msg_hdr.msg_iov, messages[index].msg_hdr.msg_iovlen = &part, 1
    with nogil:
        prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0)
        while now_ns < end_ns:
            for index in range(size):
                got = DRAINED
                while got == DRAINED:
                    got = recvmmsg(sockets[index], messages, DRAINED, MSG_DONTWAIT, NULL)
                    count += max(0, got)
            sleep_until(now_ns + poll_ns)
            now_ns = clock_ns(CLOCK_MONOTONIC)
    free(sockets)
    return count
