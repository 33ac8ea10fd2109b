"""Addresses: which of our sockets and the remote's address, and the table from them to whoever validated them.

Only validated addresses enter the table, so strangers can neither fill it nor choose where it collides.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

cdef enum:
    FIRST_ROOM = 64


# All bytes count in comparisons, so the reserved ones are zero. `addresses.py` writes and reads the same layout.
cdef struct Endpoint:
    uint16_t local  # index of our socket
    uint16_t family
    uint16_t port
    uint16_t reserved
    uint32_t scope  # of link-local IPv6
    uint32_t reserved_too
    uint8_t address[16]


cdef struct PathPlace:
    Endpoint endpoint
    void *owner  # NULL: free


cdef struct PathTable:
    # Open addressing, linear probing, at most half full.
    uint64_t room
    uint64_t count
    PathPlace *places


cdef inline bint same_endpoint(const Endpoint *one, const Endpoint *other) noexcept nogil:
    return memcmp(one, other, sizeof(Endpoint)) == 0


cdef inline void *path_owner(const PathTable *table, const Endpoint *endpoint) noexcept nogil:
    cdef uint64_t at
    if table.room == 0:
        return NULL
    at = endpoint_hash(endpoint) & (table.room - 1)
    while table.places[at].owner != NULL:
        if same_endpoint(&table.places[at].endpoint, endpoint):
            return table.places[at].owner
        at = (at + 1) & (table.room - 1)
    return NULL


cdef inline bint path_set(PathTable *table, const Endpoint *endpoint, void *owner) noexcept nogil:
    """False without memory."""
    cdef uint64_t at
    if 2 * (table.count + 1) > table.room and not path_grow(table):
        return False
    at = endpoint_hash(endpoint) & (table.room - 1)
    while table.places[at].owner != NULL:
        if same_endpoint(&table.places[at].endpoint, endpoint):
            table.places[at].owner = owner
            return True
        at = (at + 1) & (table.room - 1)
    table.places[at].endpoint = endpoint[0]
    table.places[at].owner = owner
    table.count += 1
    return True


cdef inline void path_remove(PathTable *table, const Endpoint *endpoint) noexcept nogil:
    cdef uint64_t mask = table.room - 1
    cdef uint64_t at, gap, home
    if table.room == 0:
        return
    at = endpoint_hash(endpoint) & mask
    while not same_endpoint(&table.places[at].endpoint, endpoint) or table.places[at].owner == NULL:
        if table.places[at].owner == NULL:
            return
        at = (at + 1) & mask
    table.count -= 1
    gap = at
    while True:
        # What was pushed on by the one that goes moves up, so that no probe ends too early.
        table.places[gap].owner = NULL
        at = gap
        while True:
            at = (at + 1) & mask
            if table.places[at].owner == NULL:
                return
            home = endpoint_hash(&table.places[at].endpoint) & mask
            if ((at - home) & mask) >= ((at - gap) & mask):
                break
        table.places[gap] = table.places[at]
        gap = at


cdef inline bint path_grow(PathTable *table) noexcept nogil:
    cdef PathTable larger
    cdef uint64_t at
    larger.room = max(<uint64_t>FIRST_ROOM, 2 * table.room)
    larger.count = 0
    larger.places = <PathPlace *>calloc(larger.room, sizeof(PathPlace))
    if larger.places == NULL:
        return False
    for at in range(table.room):
        if table.places[at].owner != NULL:
            path_set(&larger, &table.places[at].endpoint, table.places[at].owner)
    free(table.places)
    table[0] = larger
    return True


cdef inline uint64_t endpoint_hash(const Endpoint *endpoint) noexcept nogil:
    cdef uint64_t words[4]
    cdef uint64_t mixed = 0
    cdef int index
    memcpy(words, endpoint, sizeof(Endpoint))
    for index in range(4):
        mixed = (mixed ^ words[index]) * 0x9E3779B97F4A7C15ULL
        mixed ^= mixed >> 29
    return mixed
