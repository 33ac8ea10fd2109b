"""The plane's mutex: Python's control methods on one side, the thread on the other.

Python keeps the GIL while it waits: the thread never wants the GIL, so it waits for one datagram's way at most. Given
up, the GIL could be gone for as long as another Python thread likes, with the mutex held and the media standing still.
For the same reason no Python object is touched between `lock` and `unlock`. pthread mutexes are not fair: the thread
steps aside when somebody waits.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from sfu.plane.compiled.events cimport event_count
from sfu.plane.compiled.later cimport next_due
from sfu.plane.compiled.sending cimport flush
from sfu.plane.compiled.sinks cimport flush_sinks
from sfu.plane.compiled.system cimport (
    __ATOMIC_RELAXED, __ATOMIC_SEQ_CST, __atomic_add_fetch, __atomic_load_n, monotonic, nanosleep, pthread_mutex_lock,
    pthread_mutex_unlock, sched_yield, timespec, write,
)
from sfu.plane.compiled.tables cimport Plane

cdef enum:
    PATIENCE = 100  # yields: about 30 µs, more than a wake-up takes; those who wait may have lost their CPU
    NAPS = 10  # at most, of NAP_NS: so long may those who wait be kept off the CPU by others
    NAP_NS = 20_000


cdef inline void lock(Plane *plane) noexcept nogil:
    __atomic_add_fetch(&plane.waiting, 1, __ATOMIC_SEQ_CST)
    pthread_mutex_lock(&plane.mutex)
    __atomic_add_fetch(&plane.waiting, -1, __ATOMIC_SEQ_CST)


cdef inline void unlock(Plane *plane) noexcept nogil:
    """What was caused leaves at once, when the plane is started."""
    if plane.live:
        if plane.outbox.count:
            flush(plane)
        if plane.frames.count:
            flush_sinks(plane)
        signal_events(plane)
        if plane.later.count:
            wake_thread(plane)
    pthread_mutex_unlock(&plane.mutex)


cdef inline bint somebody_waits(Plane *plane) noexcept nogil:
    return __atomic_load_n(&plane.waiting, __ATOMIC_RELAXED) > 0


cdef inline void step_aside(Plane *plane) noexcept nogil:
    """Without the mutex: until those who wait have had it. A real-time thread yields to nobody of lower priority: if
    Python is to run on this core, the thread has to sleep."""
    cdef timespec nap
    cdef int tries = NAPS if plane.realtime else PATIENCE
    nap.tv_sec, nap.tv_nsec = 0, NAP_NS
    while tries > 0 and somebody_waits(plane):
        if plane.realtime:
            nanosleep(&nap, NULL)
        else:
            sched_yield()
        tries -= 1


cdef inline void signal_events(Plane *plane) noexcept nogil:
    """Wakes the event loop, once for all that is pending, when one of it should be told by now."""
    cdef uint64_t one = 1
    if plane.signalled or not event_count(&plane.events):
        return
    if plane.events.tell_by == -INFINITY or plane.events.tell_by <= monotonic():
        plane.signalled = write(plane.events_fd, &one, sizeof(one)) == sizeof(one)


cdef inline void wake_thread(Plane *plane) noexcept nogil:
    """Unless it will look at what is due early enough by itself."""
    cdef uint64_t one = 1
    cdef double due = next_due(plane)
    if due < plane.wakes_at:
        plane.wakes_at = due
        write(plane.wake_fd, &one, sizeof(one))
