"""What has arrived of one layer, lately. As `fallback/history.py`; the packets' memory is kept and used again."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

from sfu.plane.compiled.drops cimport DROP_DUPLICATE, DROP_TOO_OLD, NOT_DROPPED
from sfu.plane.compiled.numbers cimport floor_mod
from sfu.plane.compiled.packets cimport Packet

cdef enum:
    RECENT_NUMBERS = 128  # audio is not retransmitted; this is as far back as a packet may be late
    PAYLOAD_GRAIN = 256  # payload memory grows in such steps, so that it is rarely moved


cdef struct HistoryPlace:
    Packet packet
    bint filled
    int room  # bytes that packet.payload points to; the dependency descriptor stands behind the payload


cdef struct History:
    int size
    bint begun
    int64_t newest
    HistoryPlace *ring


cdef struct RecentNumbers:
    bint begun
    int64_t newest
    uint64_t seen[2]  # bit 0 of the first is the newest


cdef inline bint history_open(History *history, int size) noexcept nogil:
    """False without memory."""
    history.ring = <HistoryPlace *>calloc(size, sizeof(HistoryPlace))
    history.size = size
    return history.ring != NULL


cdef inline void history_close(History *history) noexcept nogil:
    cdef int index
    if history.ring != NULL:
        for index in range(history.size):
            free(history.ring[index].packet.payload)
        free(history.ring)


cdef inline int history_admit(History *history, const Packet *packet, Packet **kept) noexcept nogil:
    """Copies the packet and its payload, or says why not."""
    cdef int64_t number = packet.number
    cdef HistoryPlace *place
    if not history.begun or number > history.newest:
        history.newest = number
        history.begun = True
    elif number <= history.newest - history.size:
        return DROP_TOO_OLD
    elif history_get(history, number) != NULL:
        return DROP_DUPLICATE
    place = &history.ring[floor_mod(number, history.size)]
    if not fill(place, packet):
        return DROP_TOO_OLD  # out of memory: there is no place for it
    kept[0] = &place.packet
    return NOT_DROPPED


cdef inline Packet *history_get(const History *history, int64_t number) noexcept nogil:
    cdef HistoryPlace *place
    if not history_reaches(history, number):
        return NULL
    place = &history.ring[floor_mod(number, history.size)]
    return &place.packet if place.filled and place.packet.number == number else NULL


cdef inline bint history_lacks(const History *history, int64_t number) noexcept nogil:
    """Whether it was jumped over, has not arrived since, and would still find its place."""
    return history_reaches(history, number) and number < history.newest and history_get(history, number) == NULL


cdef inline bint history_reaches(const History *history, int64_t number) noexcept nogil:
    return history.begun and number > history.newest - history.size


cdef inline int history_held(const History *history) noexcept nogil:
    cdef int index, held = 0
    for index in range(history.size):
        held += history.ring[index].filled and history_reaches(history, history.ring[index].packet.number)
    return held


cdef inline bint fill(HistoryPlace *place, const Packet *packet) noexcept nogil:
    cdef int room, size = packet.size + (packet.descriptor_size if packet.descriptor != NULL else 0)
    cdef uint8_t *memory = place.packet.payload
    if size > place.room:
        room = (size + PAYLOAD_GRAIN - 1) // PAYLOAD_GRAIN * PAYLOAD_GRAIN
        memory = <uint8_t *>realloc(memory, room)
        if memory == NULL:
            return False
        place.room = room
    place.packet = packet[0]
    place.packet.payload = memory
    place.filled = True
    if packet.size:
        memcpy(memory, packet.payload, packet.size)
    if packet.descriptor != NULL:
        place.packet.descriptor = memory + packet.size
        memcpy(place.packet.descriptor, packet.descriptor, packet.descriptor_size)
    return True


cdef inline int recent_admit(RecentNumbers *recent, int64_t number) noexcept nogil:
    cdef int64_t age
    if not recent.begun:
        recent.begun = True
        recent.newest = number
    if number > recent.newest:
        shift(recent, number - recent.newest)
        recent.newest = number
    age = recent.newest - number
    if age >= RECENT_NUMBERS:
        return DROP_TOO_OLD
    if recent.seen[age >> 6] >> (age & 63) & 1:
        return DROP_DUPLICATE
    recent.seen[age >> 6] |= 1ULL << (age & 63)
    return NOT_DROPPED


cdef inline void shift(RecentNumbers *recent, int64_t by) noexcept nogil:
    if by >= 128:
        recent.seen[0] = recent.seen[1] = 0
    elif by >= 64:
        recent.seen[1] = recent.seen[0] << (by - 64)
        recent.seen[0] = 0
    else:
        recent.seen[1] = recent.seen[1] << by | recent.seen[0] >> (64 - by)
        recent.seen[0] <<= by
