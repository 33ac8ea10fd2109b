"""What the plane needs of Linux and of the compiler."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from "<errno.h>" nogil:
    int errno
    enum: EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, ENOBUFS

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef unsigned long pthread_t
    int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    pthread_t pthread_self()
    int pthread_setname_np(pthread_t thread, const char *name)

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *now)
    int nanosleep(const timespec *time, timespec *left)

cdef extern from "<unistd.h>" nogil:
    ssize_t write(int fd, const void *bytes, size_t size)
    ssize_t read(int fd, void *bytes, size_t size)

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    enum: POLLIN
    int poll(pollfd *fds, unsigned long count, int timeout_ms)
    int ppoll(pollfd *fds, unsigned long count, const timespec *timeout, const void *signals)

cdef extern from "<arpa/inet.h>" nogil:
    uint16_t htons(uint16_t value)
    uint16_t ntohs(uint16_t value)

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr:
        pass
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
        uint32_t sin6_scope_id

cdef extern from "<sys/socket.h>" nogil:
    enum: AF_INET, AF_INET6, MSG_DONTWAIT, MSG_NOSIGNAL
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, timespec *timeout)
    int sendmmsg(int fd, mmsghdr *messages, unsigned int count, int flags)
    ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const sockaddr *to, unsigned int to_size)
    unsigned char *CMSG_DATA(cmsghdr *header)

cdef extern from *:
    """
    #include <netinet/udp.h>
    #ifndef UDP_SEGMENT
    #define UDP_SEGMENT 103
    #endif
    /* Room for one control message of a uint16_t, aligned as CMSG_DATA expects. */
    typedef union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(unsigned short))]; } segment_control;
    #define SEGMENT_CONTROL_SIZE CMSG_SPACE(sizeof(unsigned short))
    #define SEGMENT_CONTROL_LENGTH CMSG_LEN(sizeof(unsigned short))
    """
    enum: UDP_SEGMENT, SOL_UDP
    size_t SEGMENT_CONTROL_SIZE
    size_t SEGMENT_CONTROL_LENGTH
    ctypedef union segment_control:
        cmsghdr header

cdef extern from * nogil:
    enum: __ATOMIC_SEQ_CST, __ATOMIC_RELAXED
    int __atomic_add_fetch(int *where, int value, int order)
    int __atomic_load_n(int *where, int order)
    void __atomic_store_n(int *where, int value, int order)


cdef inline double monotonic() noexcept nogil:
    """The same clock as `time.monotonic`."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9
