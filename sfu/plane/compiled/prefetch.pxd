"""Fetches into the caches what the next Slots will need, while those before them are at work.

Between two packets of a publisher the caches forget its subscribers. Each of fifty Slots would wait for a dozen lines
of memory, one after the other, which takes longer than all we compute. Nothing is decided here, and a wrong guess
costs nothing but the fetch.
"""

from libc.stdint cimport uint8_t

from sfu.plane.compiled.arena cimport LINE_BYTES
from sfu.plane.compiled.filtering cimport PICTURES
from sfu.plane.compiled.numbers cimport floor_mod
from sfu.plane.compiled.packets cimport Packet
from sfu.plane.compiled.pointers cimport Pointers
from sfu.plane.compiled.protection cimport BY_LIBSRTP
from sfu.plane.compiled.tables cimport Plane, Sent, Slot, Transport

cdef extern from *:
    """
    #define FETCH(address) __builtin_prefetch(address)
    """
    void FETCH(const void *address) nogil

cdef enum:
    TRANSPORT_BYTES = 256  # of a Transport: what lies together at its beginning
    SESSION_BYTES = 64  # of libsrtp's context: where it finds its streams


cdef inline void fetch(const void *start, int size) noexcept nogil:
    cdef int offset = 0
    while offset < size:
        FETCH(<const uint8_t *>start + offset)
        offset += LINE_BYTES


cdef inline void fetch_slots_after(
    const Plane *plane, const Pointers *slots, int index, const Packet *packet
) noexcept nogil:
    """The further ahead, the less deep: what a pointer leads to can be fetched once the pointer is there."""
    cdef const Slot *slot
    cdef const Transport *transport
    cdef const Sent *sent
    if index + 3 < slots.count:
        slot = <const Slot *>slots.items[index + 3]
        fetch(slot, <int>(<const uint8_t *>slot.pictures.layers.decided - <const uint8_t *>slot))
        FETCH(&slot.mid)
        if packet.layering.has_picture:
            FETCH(&slot.pictures.layers.decided[floor_mod(packet.layering.picture, PICTURES)])
    if index + 2 < slots.count:
        slot = <const Slot *>slots.items[index + 2]
        fetch(slot.transport, TRANSPORT_BYTES)
        FETCH(&slot.numbers.places[floor_mod(packet.number, slot.numbers.size)])
        if packet.has_vp8:
            FETCH(&slot.pictures.frames.places[floor_mod(packet.picture_number, slot.pictures.frames.size)])
        if slot.sent != NULL:
            sent = &slot.sent[floor_mod(slot.newest_sent + 1, plane.limits.sent_packets)]
            FETCH(sent)
            FETCH(<const uint8_t *>(sent + 1) - 1)
    if index + 1 < slots.count:
        transport = (<const Slot *>slots.items[index + 1]).transport
        if transport.outbound != NULL and transport.rtp_keys.protection == BY_LIBSRTP:
            fetch(transport.outbound, SESSION_BYTES)
        if transport.flight.ring != NULL:
            FETCH(&transport.flight.ring[transport.flight.next_place])
