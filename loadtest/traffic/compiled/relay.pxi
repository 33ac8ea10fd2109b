# What nobody who forwards SRTP can leave out, and nothing else: the second floor (floor.py). Included by _engine.pyx.
#
#    recvmmsg ─► decrypt, once ─► for each destination: copy, encrypt with its key ─► sendmmsg, in runs (GSO)
#
# Numbers, SSRCs and timestamps stay as they came; nothing is parsed, filtered, kept or counted by destination. All that
# is kept of one lies in two lines of memory, next to those of the others.

cdef enum:
    RELAYED = 64  # datagrams received per call, and messages sent
    RELAY_BYTES = 768 << 10  # as in the plane's outbox
    RELAY_WAIT_MS = 20  # how late a run may end


cdef struct Destination:
    RtpKeys keys
    sockaddr_in6 address
    unsigned int address_size


cdef struct Relayed:
    # One SSRC: who sends it, and to whom it goes.
    uint32_t ssrc
    void *session
    int count
    int *to  # indices of Relay.destinations


cdef class Relay:
    """Not for two threads at once."""

    cdef int fd, relayed_count
    cdef OpenSsl openssl
    cdef SrtpCall unprotect
    cdef Destination *destinations
    cdef Relayed *relayed
    cdef object sessions  # live as long as it does
    cdef uint8_t *inbox
    cdef uint8_t *outbox
    cdef mmsghdr received[RELAYED]
    cdef iovec places[RELAYED]
    cdef mmsghdr messages[RELAYED]
    cdef iovec parts[RELAYED]
    cdef segment_control controls[RELAYED]
    cdef int waiting
    cdef size_t used
    cdef readonly uint64_t sent  # packets, those refused too
    cdef readonly uint64_t refused  # runs, by the kernel; and packets that did not decrypt

    def __cinit__(self, int fd, destinations, sources):
        """`destinations`: (packed address, SrtpKeys, of which those for sending). `sources`: (SSRC, inbound session,
        numbers of those destinations). ImportError if pylibsrtp was built on something else than OpenSSL."""
        cdef int index
        cdef uintptr_t addresses_of[OPENSSL_FUNCTIONS]
        self.fd = fd
        self.unprotect = <SrtpCall><uintptr_t>function_address("srtp_unprotect")
        functions = openssl.function_addresses()
        if functions is None:
            raise ImportError("this pylibsrtp has no OpenSSL in it")
        for index in range(<int>OPENSSL_FUNCTIONS):
            addresses_of[index] = functions[index]
        self.destinations = <Destination *>calloc(max(1, len(destinations)), sizeof(Destination))
        self.relayed = <Relayed *>calloc(max(1, len(sources)), sizeof(Relayed))
        self.inbox = <uint8_t *>malloc(RELAYED * DATAGRAM_BYTES)
        self.outbox = <uint8_t *>malloc(RELAY_BYTES)
        if (
            not openssl_open(&self.openssl, addresses_of)
            or self.destinations == NULL or self.relayed == NULL or self.inbox == NULL or self.outbox == NULL
        ):
            raise MemoryError
        for index, (address, keys) in enumerate(destinations):
            fill_destination(&self.openssl, &self.destinations[index], address, keys)
        self.sessions = [session for _, session, _ in sources]
        for index, (ssrc, session, to) in enumerate(sources):
            self.relayed_count += 1
            fill_relayed(&self.relayed[index], ssrc, session, to)
        for index in range(<int>RELAYED):
            self.places[index].iov_base = self.inbox + index * DATAGRAM_BYTES
            self.places[index].iov_len = DATAGRAM_BYTES
            self.received[index].msg_hdr.msg_iov, self.received[index].msg_hdr.msg_iovlen = &self.places[index], 1

    def __dealloc__(self):
        cdef int index
        for index in range(self.relayed_count):
            free(self.relayed[index].to)
        free(self.relayed)
        free(self.destinations)
        free(self.inbox)
        free(self.outbox)
        openssl_close(&self.openssl)

    def run(self, double duration_s):
        """Relays for so long; what that took of a core, in seconds, waking up included."""
        cdef int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + <int64_t>(duration_s * 1e9), cpu_ns
        with nogil:
            cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID)
            while clock_ns(CLOCK_MONOTONIC) < end_ns:
                self.turn()
            cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns
        return cpu_ns * 1e-9

    cdef void turn(self) noexcept nogil:
        """Waits for something to read, and passes on what is there."""
        cdef pollfd waits
        cdef int first = 0, count
        waits.fd, waits.events = self.fd, POLLIN
        if poll(&waits, 1, RELAY_WAIT_MS) <= 0:
            return
        count = recvmmsg(self.fd, self.received, RELAYED, MSG_DONTWAIT, NULL)
        while first < count:
            first += self.pass_on(first, count)
        self.flush()

    cdef int pass_on(self, int first, int count) noexcept nogil:
        """A run of one SSRC and one size, to all its destinations; how many that were."""
        cdef uint8_t *packet = self.inbox + first * DATAGRAM_BYTES
        cdef Relayed *source = self.source_of(packet, self.received[first].msg_len)
        cdef int length = 1, index, size = 0
        if source == NULL:
            return 1  # reports
        while (
            first + length < count
            and self.received[first + length].msg_len == self.received[first].msg_len
            and self.source_of(packet + length * DATAGRAM_BYTES, self.received[first + length].msg_len) == source
        ):
            length += 1
        for index in range(length):
            size = self.received[first].msg_len
            if self.unprotect(source.session, packet + index * DATAGRAM_BYTES, &size) != 0:
                self.refused += 1
                return index + 1
        for index in range(source.count):
            self.write_run(&self.destinations[source.to[index]], packet, length, size)
        return length

    cdef Relayed *source_of(self, const uint8_t *packet, int size) noexcept nogil:
        cdef int index
        if classify(packet, size) == KIND_RTP and size >= 12:
            for index in range(self.relayed_count):
                if self.relayed[index].ssrc == read32(packet + 8):
                    return &self.relayed[index]
        return NULL

    cdef void write_run(self, Destination *to, const uint8_t *packet, int length, int size) noexcept nogil:
        cdef msghdr *header
        cdef uint8_t *at
        cdef int index, protected_size = 0
        if self.waiting == RELAYED or self.used + length * DATAGRAM_BYTES > RELAY_BYTES:
            self.flush()
        at = self.outbox + self.used
        self.parts[self.waiting].iov_base = at
        for index in range(length):
            memcpy(at, packet + index * DATAGRAM_BYTES, size)
            protected_size = size
            protect_as(&self.openssl, &to.keys, read16(at + 2), at, &protected_size)
            at += protected_size
        self.parts[self.waiting].iov_len = length * protected_size
        self.used += (length * protected_size + 15) & ~15
        header = &self.messages[self.waiting].msg_hdr
        memset(header, 0, sizeof(msghdr))
        header.msg_name, header.msg_namelen = &to.address, to.address_size
        header.msg_iov, header.msg_iovlen = &self.parts[self.waiting], 1
        if length > 1:
            set_segment_size(header, &self.controls[self.waiting], <uint16_t>protected_size)
        self.waiting += 1
        self.sent += length

    cdef void flush(self) noexcept nogil:
        cdef int done = 0, taken
        while done < self.waiting:
            taken = sendmmsg(self.fd, &self.messages[done], self.waiting - done, MSG_DONTWAIT)
            if taken > 0:
                done += taken
            elif errno != EINTR:
                self.refused += 1
                done += 1
        self.waiting = 0
        self.used = 0


cdef fill_destination(const OpenSsl *opened, Destination *of, bytes address, keys):
    key, salt, authentication = sending_keys(keys)
    of.keys.protection = AES_CM_SHA1_80 if authentication else AES_GCM_128 if len(key) == 16 else AES_GCM_256
    memcpy(of.keys.key, PyBytes_AsString(key), len(key))
    memcpy(of.keys.salt, PyBytes_AsString(salt), len(salt))
    set_hash_key(opened, &of.keys, <const uint8_t *>PyBytes_AsString(authentication), <int>len(authentication))
    of.address_size = len(address)
    memcpy(&of.address, PyBytes_AsString(address), of.address_size)


cdef fill_relayed(Relayed *of, uint32_t ssrc, session, to):
    cdef int index
    of.ssrc, of.session = ssrc, <void *><uintptr_t>context_address(session)
    of.to = <int *>calloc(max(1, len(to)), sizeof(int))
    if of.to == NULL:
        raise MemoryError
    for index in range(len(to)):
        of.to[index] = to[index]
    of.count = len(to)
