"""Memory for what every packet that leaves looks at: in few places, on huge pages.

A packet to one subscriber looks at some twenty lines of eight objects. On pages of 4 kB of their own, those of fifty
subscribers are more than the processor's table of pages (TLB) keeps beside all else that runs, and in a virtual
machine to look a page up takes longer than to fetch the line. Here they lie together in chunks of 2 MB, each a single
page where the kernel grants it.

Only Python's control methods take and give, so nothing here needs the plane's mutex. `arena_reserve` is to be called
without it: a huge page takes the kernel a tenth of a millisecond and more to clear.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free
from libc.string cimport memset

from sfu.plane.compiled.pointers cimport Pointers, pointers_add, pointers_close

cdef extern from *:
    """
    #include <stdlib.h>
    #include <sys/mman.h>
    #if defined(__SANITIZE_ADDRESS__)
    #include <sanitizer/asan_interface.h>
    #else
    #define ASAN_POISON_MEMORY_REGION(address, size) ((void)0)
    #define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)0)
    #endif
    """
    enum: MADV_HUGEPAGE
    int posix_memalign(void **memory, size_t alignment, size_t size) nogil
    int madvise(void *address, size_t size, int advice) nogil
    # AddressSanitizer is told what nobody has, so that stale pointers are found here as in memory of malloc's
    void ASAN_POISON_MEMORY_REGION(const void *address, size_t size) nogil
    void ASAN_UNPOISON_MEMORY_REGION(const void *address, size_t size) nogil

cdef enum:
    CHUNK_BYTES = 2 << 20  # a huge page, on x86 and on most of ARM
    LINE_BYTES = 64

# What is kept here. All of one kind have one size within a plane.
cdef enum:
    PIECE_TRANSPORT
    PIECE_SLOT
    PIECE_NUMBERS
    PIECE_FRAMES
    PIECE_SENT
    PIECE_DEPARTURES
    PIECES


cdef struct Arena:
    Pointers chunks
    uint8_t *at  # what nobody has had yet of the last one
    size_t left
    void *given[PIECES]  # back, and to be used again: each begins with a pointer to the next


cdef inline bint arena_reserve(Arena *arena, size_t bytes) noexcept nogil:
    """Room for `bytes` more, which the kernel has cleared. False without memory."""
    cdef size_t size = (bytes + <size_t>CHUNK_BYTES - 1) // <size_t>CHUNK_BYTES * <size_t>CHUNK_BYTES
    cdef void *chunk = NULL
    if bytes <= arena.left:
        return True
    if posix_memalign(&chunk, CHUNK_BYTES, size) != 0:
        return False
    if not pointers_add(&arena.chunks, chunk):
        free(chunk)
        return False
    madvise(chunk, size, MADV_HUGEPAGE)  # refused where there are none: then these are pages like any other
    memset(chunk, 0, size)
    ASAN_POISON_MEMORY_REGION(chunk, size)
    arena.at, arena.left = <uint8_t *>chunk, size
    return True


cdef inline void *arena_take(Arena *arena, int piece, size_t size) noexcept nogil:
    """Zeros, at the beginning of a line. NULL without memory."""
    cdef void *taken = arena.given[piece]
    cdef size_t room
    if taken != NULL:
        ASAN_UNPOISON_MEMORY_REGION(taken, size)
        arena.given[piece] = (<void **>taken)[0]
        memset(taken, 0, size)
        return taken
    room = room_of(size)
    if not arena_reserve(arena, room):
        return NULL
    taken = arena.at
    arena.at += room
    arena.left -= room
    ASAN_UNPOISON_MEMORY_REGION(taken, size)
    return taken


cdef inline void arena_give(Arena *arena, int piece, void *given, size_t size) noexcept nogil:
    """Back, for the next of its kind; NULL is nothing."""
    if given != NULL:
        (<void **>given)[0] = arena.given[piece]
        arena.given[piece] = given
        ASAN_POISON_MEMORY_REGION(given, size)


cdef inline size_t room_of(size_t size) noexcept nogil:
    """With a line to spare, and an odd number of them: places of equal rings that are used at the same time would
    otherwise be a power of two apart, and push each other out of the caches."""
    return ((size // <size_t>LINE_BYTES + 1) | 1) * <size_t>LINE_BYTES


cdef inline void arena_close(Arena *arena) noexcept nogil:
    cdef int index
    for index in range(arena.chunks.count):
        ASAN_UNPOISON_MEMORY_REGION(arena.chunks.items[index], CHUNK_BYTES)
        free(arena.chunks.items[index])
    pointers_close(&arena.chunks)
