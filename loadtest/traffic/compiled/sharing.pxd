"""The generator's mutex, as the plane's: Python keeps the GIL while it waits, the thread never wants it."""

from loadtest.traffic.compiled.tables cimport Generator
from sfu.plane.compiled.system cimport (
    __ATOMIC_RELAXED, __ATOMIC_SEQ_CST, __atomic_add_fetch, __atomic_load_n, pthread_mutex_lock, pthread_mutex_unlock,
    sched_yield,
)

cdef enum:
    PATIENCE = 100  # yields; those who wait may have lost their CPU


cdef inline void lock(Generator *generator) noexcept nogil:
    __atomic_add_fetch(&generator.waiting, 1, __ATOMIC_SEQ_CST)
    pthread_mutex_lock(&generator.mutex)
    __atomic_add_fetch(&generator.waiting, -1, __ATOMIC_SEQ_CST)


cdef inline void unlock(Generator *generator) noexcept nogil:
    pthread_mutex_unlock(&generator.mutex)


cdef inline void let_others(Generator *generator) noexcept nogil:
    """The thread, between two connections: Python's turn, if it waits."""
    cdef int tries = PATIENCE
    if __atomic_load_n(&generator.waiting, __ATOMIC_RELAXED) == 0:
        return
    pthread_mutex_unlock(&generator.mutex)
    while tries > 0 and __atomic_load_n(&generator.waiting, __ATOMIC_RELAXED) > 0:
        sched_yield()
        tries -= 1
    pthread_mutex_lock(&generator.mutex)
