"""The thread: waits for its sockets, reads them in batches, and gives each datagram to `receiving.pxd`."""

from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from sfu.plane.compiled.drops cimport DROP_SEND_ERROR
from sfu.plane.compiled.events cimport event_count
from sfu.plane.compiled.later cimport next_due, send_due
from sfu.plane.compiled.outbox cimport drop
from sfu.plane.compiled.paths cimport Endpoint
from sfu.plane.compiled.receiving cimport on_datagram
from sfu.plane.compiled.sending cimport flush
from sfu.plane.compiled.sharing cimport signal_events, somebody_waits, step_aside
from sfu.plane.compiled.sinks cimport flush_sinks
from sfu.plane.compiled.system cimport (
    AF_INET, EAGAIN, EINTR, MSG_DONTWAIT, POLLIN, __ATOMIC_RELAXED, __atomic_load_n, errno, iovec, mmsghdr,
    monotonic, ntohs, poll, pollfd, ppoll, pthread_mutex_lock, pthread_mutex_unlock, pthread_self, pthread_setname_np,
    read, recvmmsg, sockaddr_in, sockaddr_in6, timespec,
)
from sfu.plane.compiled.tables cimport Plane

cdef enum:
    DATAGRAM_BYTES = 2048  # above any path MTU that WebRTC uses; what is longer is cut, and fails authentication
    LONGEST_WAIT_S = 3600  # what is due later than that, at a rate of a few bits, is looked at again

cdef extern from *:
    """
    /* Lower: more wake-ups for feedback alone; higher: estimates, which are made twenty times a second, learn later. */
    #define FEEDBACK_WAITS_S 0.02
    /* Where the thread is awake anyway, and it would be woken for feedback within so long, it need not. */
    #define FEEDBACK_EARLY_S 0.01
    """
    const double FEEDBACK_WAITS_S, FEEDBACK_EARLY_S


cdef struct Inbox:
    int room
    mmsghdr *messages
    iovec *parts
    sockaddr_in6 *addresses
    uint8_t *bytes


cdef struct Watch:
    # What the thread waits for: the sockets, those for feedback, and `wake_fd`.
    pollfd *fds
    double feedback_at  # those for feedback are read then; infinite: as soon as something comes


cdef inline bint run(Plane *plane) noexcept nogil:
    """Until told to stop. False without memory."""
    cdef Inbox inbox
    cdef Watch watch
    cdef bint opened = watch_open(&watch, plane)
    opened &= inbox_open(&inbox, plane.limits.batch_datagrams)
    pthread_setname_np(pthread_self(), b"sfu-plane")
    while opened and not __atomic_load_n(&plane.stop, __ATOMIC_RELAXED):
        if wait(plane, &watch) > 0:
            read_ready(plane, &watch, &inbox)
        if watch.feedback_at <= monotonic() + FEEDBACK_EARLY_S:
            read_feedback_sockets(plane, &watch, &inbox)
        if next_wake(plane) <= monotonic():
            do_due(plane)
    free(watch.fds)
    inbox_close(&inbox)
    return opened


cdef inline int wait(Plane *plane, Watch *watch) noexcept nogil:
    """For something to read, or until something is due."""
    cdef timespec timeout
    cdef int index
    cdef double left, at = min(next_wake(plane), watch.feedback_at)
    cdef bint at_once = watch.feedback_at == INFINITY
    for index in range(plane.socket_count):
        watch.fds[plane.socket_count + index].fd = plane.feedback_sockets[index] if at_once else -1
    if at == INFINITY:
        return poll(watch.fds, 2 * plane.socket_count + 1, -1)
    left = min(max(0.0, at - monotonic()), LONGEST_WAIT_S)
    timeout.tv_sec = <long>left
    timeout.tv_nsec = <long>((left - <double>timeout.tv_sec) * 1e9)
    return ppoll(watch.fds, 2 * plane.socket_count + 1, &timeout, NULL)


cdef inline void read_ready(Plane *plane, Watch *watch, Inbox *inbox) noexcept nogil:
    """A batch of each in turn, so that a flood on one address does not silence the others."""
    cdef uint64_t wakes
    cdef int index
    for index in range(plane.socket_count):
        if watch.fds[index].revents:
            receive_batch(plane, inbox, index, plane.sockets[index])
        if watch.fds[plane.socket_count + index].revents:
            watch.feedback_at = -INFINITY
    if watch.fds[2 * plane.socket_count].revents:
        read(plane.wake_fd, &wakes, sizeof(wakes))


cdef inline void read_feedback_sockets(Plane *plane, Watch *watch, Inbox *inbox) noexcept nogil:
    """What came while nothing could wake the thread; and again after a while, until nothing has come in one."""
    cdef int index, count, most = 0
    for index in range(plane.socket_count):
        if plane.feedback_sockets[index] >= 0:
            count = receive_batch(plane, inbox, index, plane.feedback_sockets[index])
            most = max(most, count)
    if most == inbox.room:
        watch.feedback_at = -INFINITY  # there is more; but media first
    else:
        watch.feedback_at = monotonic() + FEEDBACK_WAITS_S if most > 0 else INFINITY


cdef inline double next_wake(const Plane *plane) noexcept nogil:
    """When something is to be sent, or reports have waited long enough; infinite: never. What Python changes of it, it
    changes under the mutex, and wakes this thread right after where it must; so it may be read without."""
    if plane.signalled or not event_count(&plane.events):
        return plane.wakes_at
    return min(plane.wakes_at, plane.events.tell_by)


cdef inline void do_due(Plane *plane) noexcept nogil:
    """What is due by now; then says when the next is."""
    pthread_mutex_lock(&plane.mutex)
    send_due(plane, monotonic())
    if plane.outbox.count:
        flush(plane)
    plane.wakes_at = next_due(plane)
    signal_events(plane)
    pthread_mutex_unlock(&plane.mutex)
    step_aside(plane)


cdef inline int receive_batch(Plane *plane, Inbox *inbox, int local, int fd) noexcept nogil:
    """How many datagrams there were."""
    cdef Endpoint source
    cdef double now
    cdef int index, count
    for index in range(inbox.room):
        inbox.messages[index].msg_hdr.msg_namelen = sizeof(sockaddr_in6)  # overwritten by each call
    count = recvmmsg(fd, inbox.messages, inbox.room, MSG_DONTWAIT, NULL)
    if count < 0 and (errno == EAGAIN or errno == EINTR):
        return 0
    now = monotonic()
    pthread_mutex_lock(&plane.mutex)
    plane.strangers = 0
    if count < 0:
        drop(plane, DROP_SEND_ERROR)  # an unreachable peer is reported here (ICMP); the socket itself goes on
    for index in range(count):
        read_address(&inbox.addresses[index], local, &source)
        on_datagram(plane, inbox.bytes + index * DATAGRAM_BYTES, inbox.messages[index].msg_len, &source, now)
        if somebody_waits(plane):
            pthread_mutex_unlock(&plane.mutex)
            step_aside(plane)
            pthread_mutex_lock(&plane.mutex)
    if plane.outbox.count:
        flush(plane)
    if plane.frames.count:
        flush_sinks(plane)
    signal_events(plane)
    pthread_mutex_unlock(&plane.mutex)
    step_aside(plane)
    return max(count, 0)


cdef inline void read_address(const sockaddr_in6 *address, int local, Endpoint *source) noexcept nogil:
    cdef const sockaddr_in *short_address = <const sockaddr_in *>address
    memset(source, 0, sizeof(Endpoint))
    source.local = local
    source.family = address.sin6_family
    source.port = ntohs(address.sin6_port)
    if address.sin6_family == AF_INET:
        memcpy(source.address, &short_address.sin_addr, 4)
    else:
        source.scope = address.sin6_scope_id
        memcpy(source.address, &address.sin6_addr, 16)


cdef inline bint watch_open(Watch *watch, const Plane *plane) noexcept nogil:
    """False without memory."""
    cdef int index
    watch.feedback_at = INFINITY
    watch.fds = <pollfd *>malloc((2 * plane.socket_count + 1) * sizeof(pollfd))
    if watch.fds == NULL:
        return False
    for index in range(2 * plane.socket_count + 1):
        watch.fds[index].events = POLLIN
    for index in range(plane.socket_count):
        watch.fds[index].fd = plane.sockets[index]
    watch.fds[2 * plane.socket_count].fd = plane.wake_fd
    return True


cdef inline bint inbox_open(Inbox *inbox, int room) noexcept nogil:
    """False without memory."""
    cdef int index
    inbox.room = room
    inbox.messages = <mmsghdr *>malloc(room * sizeof(mmsghdr))
    inbox.parts = <iovec *>malloc(room * sizeof(iovec))
    inbox.addresses = <sockaddr_in6 *>malloc(room * sizeof(sockaddr_in6))
    inbox.bytes = <uint8_t *>malloc(room * DATAGRAM_BYTES)
    if inbox.messages == NULL or inbox.parts == NULL or inbox.addresses == NULL or inbox.bytes == NULL:
        return False
    memset(inbox.messages, 0, room * sizeof(mmsghdr))
    for index in range(room):
        inbox.parts[index].iov_base = inbox.bytes + index * DATAGRAM_BYTES
        inbox.parts[index].iov_len = DATAGRAM_BYTES
        inbox.messages[index].msg_hdr.msg_iov = &inbox.parts[index]
        inbox.messages[index].msg_hdr.msg_iovlen = 1
        inbox.messages[index].msg_hdr.msg_name = &inbox.addresses[index]
    return True


cdef inline void inbox_close(Inbox *inbox) noexcept nogil:
    free(inbox.messages)
    free(inbox.parts)
    free(inbox.addresses)
    free(inbox.bytes)
