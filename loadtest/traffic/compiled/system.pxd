"""What the generator needs of Linux beyond what the plane does (`sfu/plane/compiled/system.pxd`)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from sfu.plane.compiled.system cimport cmsghdr, msghdr, timespec

cdef extern from "<time.h>" nogil:
    int CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME
    int clock_gettime(int clock, timespec *now)
    int clock_nanosleep(int clock, int flags, const timespec *until, timespec *left)

cdef extern from "<sys/prctl.h>" nogil:
    int PR_SET_TIMERSLACK
    int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long)

cdef extern from "<sys/socket.h>" nogil:
    int SOL_SOCKET, SO_TIMESTAMPNS, SCM_TIMESTAMPNS, SO_RXQ_OVFL
    int setsockopt(int fd, int level, int option, const void *value, unsigned int size)
    cmsghdr *CMSG_FIRSTHDR(msghdr *message)
    cmsghdr *CMSG_NXTHDR(msghdr *message, cmsghdr *header)

cdef extern from *:
    """
    /* Room for a time stamp and a count of drops, each with its header. */
    #define NOTES_BYTES (CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t)))
    """
    enum: NOTES_BYTES


cdef inline int64_t clock_ns(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return now.tv_sec * 1000000000LL + now.tv_nsec


cdef inline void sleep_until(int64_t at_ns) noexcept nogil:
    """On the monotonic clock; earlier by a signal, which none sends."""
    cdef timespec until
    until.tv_sec = at_ns // 1000000000
    until.tv_nsec = at_ns % 1000000000
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)
