"""Out through the sockets: `sendmmsg`, and UDP GSO for what goes to one remote in a run of equal sizes.

Nothing waits to form a run: only what one batch has caused for a Transport leaves together. A GSO send traverses the
kernel's UDP stack once, which is where the time goes. Interfaces that accept the option and then fail (EIO) are known;
from then on their socket sends singly. A segment too long for the path (EINVAL, EMSGSIZE) concerns that run alone.
"""

from libc.stdint cimport uint16_t
from libc.string cimport memcpy, memset

from sfu.plane.compiled.drops cimport DROP_SEND_BUFFER_FULL, DROP_SEND_ERROR
from sfu.plane.compiled.paths cimport Endpoint, same_endpoint
from sfu.plane.compiled.system cimport (
    AF_INET, AF_INET6, CMSG_DATA, EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, MSG_DONTWAIT, SEGMENT_CONTROL_LENGTH,
    SEGMENT_CONTROL_SIZE, SOL_UDP, UDP_SEGMENT, errno, htons, iovec, mmsghdr, msghdr, segment_control, sendmmsg, sendto,
    sockaddr, sockaddr_in, sockaddr_in6,
)
from sfu.plane.compiled.tables cimport Outbox, Outgoing, Plane

cdef enum:
    MESSAGES = 64  # per call
    SEGMENTS = 64  # per message: the kernel's own limit
    PARTS = 512
    LONGEST_RUN = 65000  # bytes: a run is one datagram to the kernel until it is cut


cdef struct Batch:
    int local
    int count
    int part_count
    mmsghdr messages[MESSAGES]
    sockaddr_in6 addresses[MESSAGES]
    segment_control controls[MESSAGES]
    iovec parts[PARTS]


cdef inline void flush(Plane *plane) noexcept nogil:
    """Everything in the outbox, each at once or not at all."""
    cdef Outbox *outbox = &plane.outbox
    cdef Batch batch
    cdef int first, at
    batch.count = batch.part_count = 0
    batch.local = -1
    for first in range(outbox.count):
        if not outbox.datagrams[first].is_next:
            at = first
            while at >= 0:
                at = add_run(plane, &batch, at)
    send_batch(plane, &batch)
    outbox.count = 0
    outbox.used = 0
    outbox.flush += 1


cdef inline int add_run(Plane *plane, Batch *batch, int first) noexcept nogil:
    """Makes one message of `first` and what can leave with it; returns what comes after, -1 if nothing."""
    cdef Outgoing *datagrams = plane.outbox.datagrams
    cdef Outgoing *start = &datagrams[first]
    cdef int at = start.next, length = 1, total = start.size
    cdef msghdr *header
    if start.to.local >= plane.socket_count:
        plane.counts.dropped[DROP_SEND_ERROR] += 1
        return at
    if plane.offload[start.to.local]:
        while at >= 0 and continues(start, &datagrams[at]) and length < SEGMENTS:
            if total + datagrams[at].size > LONGEST_RUN:
                break
            total += datagrams[at].size
            length += 1
            if datagrams[at].size < start.size:  # only the last may be shorter
                at = datagrams[at].next
                break
            at = datagrams[at].next
    if batch.local != start.to.local or batch.count == MESSAGES or batch.part_count + length > PARTS:
        send_batch(plane, batch)
        batch.local = start.to.local
    header = &batch.messages[batch.count].msg_hdr
    memset(header, 0, sizeof(msghdr))
    header.msg_name = &batch.addresses[batch.count]
    header.msg_namelen = write_address(&start.to, &batch.addresses[batch.count])
    header.msg_iov = &batch.parts[batch.part_count]
    header.msg_iovlen = length
    if length > 1:
        set_segment_size(header, &batch.controls[batch.count], <uint16_t>start.size)
    fill_parts(plane, batch, first, length)
    batch.count += 1
    return at


cdef inline bint continues(const Outgoing *start, const Outgoing *datagram) noexcept nogil:
    return datagram.size <= start.size and same_endpoint(&datagram.to, &start.to)


cdef inline void fill_parts(Plane *plane, Batch *batch, int first, int length) noexcept nogil:
    cdef Outgoing *datagram
    cdef int at = first, index
    for index in range(length):
        datagram = &plane.outbox.datagrams[at]
        batch.parts[batch.part_count].iov_base = plane.outbox.bytes + datagram.offset
        batch.parts[batch.part_count].iov_len = datagram.size
        batch.part_count += 1
        at = datagram.next


cdef inline void set_segment_size(msghdr *header, segment_control *control, uint16_t size) noexcept nogil:
    control.header.cmsg_level = SOL_UDP
    control.header.cmsg_type = UDP_SEGMENT
    control.header.cmsg_len = SEGMENT_CONTROL_LENGTH
    memcpy(CMSG_DATA(&control.header), &size, sizeof(size))
    header.msg_control = control
    header.msg_controllen = SEGMENT_CONTROL_SIZE


cdef inline void send_batch(Plane *plane, Batch *batch) noexcept nogil:
    cdef int done = 0, sent, index
    while done < batch.count:
        sent = sendmmsg(plane.sockets[batch.local], &batch.messages[done], batch.count - done, MSG_DONTWAIT)
        if sent > 0:
            for index in range(done, done + sent):
                plane.counts.sent_datagrams += batch.messages[index].msg_hdr.msg_iovlen
                plane.counts.sent_bytes += batch.messages[index].msg_len
            done += sent
        elif errno != EINTR:
            # sendmmsg stops at the first that fails: step over it.
            on_refused(plane, batch, &batch.messages[done].msg_hdr, errno)
            done += 1
    batch.count = batch.part_count = 0


cdef inline void on_refused(Plane *plane, Batch *batch, msghdr *header, int reason) noexcept nogil:
    cdef size_t index
    if header.msg_iovlen > 1 and (reason == EIO or reason == EINVAL or reason == EMSGSIZE):
        if reason == EIO:
            plane.offload[batch.local] = False
        for index in range(header.msg_iovlen):
            send_singly(plane, plane.sockets[batch.local], header, &header.msg_iov[index])
    else:
        count_refused(plane, reason, <int>header.msg_iovlen)


cdef inline void send_singly(Plane *plane, int fd, msghdr *header, iovec *part) noexcept nogil:
    cdef ssize_t sent = sendto(
        fd, part.iov_base, part.iov_len, MSG_DONTWAIT, <const sockaddr *>header.msg_name, header.msg_namelen
    )
    if sent < 0:
        count_refused(plane, errno, 1)
        return
    plane.counts.sent_datagrams += 1
    plane.counts.sent_bytes += sent


cdef inline void count_refused(Plane *plane, int reason, int datagrams) noexcept nogil:
    plane.counts.dropped[DROP_SEND_BUFFER_FULL if reason == EAGAIN else DROP_SEND_ERROR] += datagrams


cdef inline unsigned int write_address(const Endpoint *to, sockaddr_in6 *address) noexcept nogil:
    """Returns its size."""
    cdef sockaddr_in *short_address = <sockaddr_in *>address
    memset(address, 0, sizeof(sockaddr_in6))
    if to.family == AF_INET:
        short_address.sin_family = AF_INET
        short_address.sin_port = htons(to.port)
        memcpy(&short_address.sin_addr, to.address, 4)
        return sizeof(sockaddr_in)
    address.sin6_family = AF_INET6
    address.sin6_port = htons(to.port)
    address.sin6_scope_id = to.scope
    memcpy(&address.sin6_addr, to.address, 16)
    return sizeof(sockaddr_in6)
