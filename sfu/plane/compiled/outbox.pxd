"""What leaves, drops counted, and events told: the plane's parts write here, its drivers empty it.

Datagrams lie one behind the other in one piece of memory, which stays in the cache. Once started, a full outbox is
sent; before that it grows.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from sfu.plane.compiled.drops cimport DROP_EVENTS_FULL
from sfu.plane.compiled.events cimport Event, event_count, event_put
from sfu.plane.compiled.paths cimport Endpoint
from sfu.plane.compiled.sending cimport flush
from sfu.plane.compiled.tables cimport Layer, Outbox, Outgoing, Plane, Slot, Transport

cdef enum:
    DATAGRAMS = 512  # 256 to 1024 were measured to be equal; fewer cut runs, more leave the cache
    BYTES = 768 << 10
    ALIGNMENT = 16


cdef inline void drop(Plane *plane, int reason) noexcept nogil:
    plane.counts.dropped[reason] += 1


cdef inline void drop_of_slot(Plane *plane, Slot *slot, int reason) noexcept nogil:
    drop(plane, reason)
    slot.dropped[reason] += 1


cdef inline void drop_of_layer(Plane *plane, Layer *layer, int reason) noexcept nogil:
    drop(plane, reason)
    layer.dropped[reason] += 1


cdef inline uint8_t *outbox_room(Plane *plane, int size) noexcept nogil:
    """Where to write a datagram of at most `size` bytes; NULL without memory."""
    cdef Outbox *outbox = &plane.outbox
    cdef void *grown
    cdef int room
    cdef uint32_t bytes_room
    if plane.live and outbox.count and (outbox.count == outbox.room or outbox.used + size > outbox.bytes_room):
        flush(plane)
    if outbox.count == outbox.room:
        room = outbox.room * 2 if outbox.room else DATAGRAMS
        grown = realloc(outbox.datagrams, room * sizeof(Outgoing))
        if grown == NULL:
            return NULL
        outbox.datagrams = <Outgoing *>grown
        outbox.room = room
    if outbox.used + size > outbox.bytes_room:
        bytes_room = max(<uint32_t>BYTES, 2 * (outbox.bytes_room + <uint32_t>size))
        grown = realloc(outbox.bytes, bytes_room)
        if grown == NULL:
            return NULL
        outbox.bytes = <uint8_t *>grown
        outbox.bytes_room = bytes_room
    return outbox.bytes + outbox.used


cdef inline void outbox_add(Plane *plane, Transport *transport, const Endpoint *to, int size) noexcept nogil:
    """What was written where `outbox_room` said. `transport` may be NULL; of one Transport they leave together."""
    cdef Outbox *outbox = &plane.outbox
    cdef Outgoing *datagram = &outbox.datagrams[outbox.count]
    datagram.to = to[0]
    datagram.offset = outbox.used
    datagram.size = size
    datagram.next = -1
    datagram.is_next = False
    if transport != NULL:
        if transport.flush == outbox.flush:
            outbox.datagrams[transport.last_datagram].next = outbox.count
            datagram.is_next = True
        transport.flush = outbox.flush
        transport.last_datagram = outbox.count
    outbox.count += 1
    outbox.used += (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1)


cdef inline void send_as_is(
    Plane *plane, Transport *transport, const Endpoint *to, const uint8_t *bytes, int size
) noexcept nogil:
    cdef uint8_t *out = outbox_room(plane, size + ALIGNMENT)
    if out != NULL:
        memcpy(out, bytes, size)
        outbox_add(plane, transport, to, size)


cdef inline void tell(Plane *plane, Event *event, const uint8_t *bytes) noexcept nogil:
    """An event that must arrive, because it is told once: few by nature."""
    event_put(&plane.events, False, event, bytes, -INFINITY)


cdef inline void tell_if_room(Plane *plane, Event *event, const uint8_t *bytes) noexcept nogil:
    """An event of which a remote can cause any number, and which it will repeat."""
    tell_by_if_room(plane, event, bytes, -INFINITY)


cdef inline void tell_by_if_room(Plane *plane, Event *event, const uint8_t *bytes, double tell_by) noexcept nogil:
    """The same, of one that can wait a little for others."""
    if event_count(&plane.events) >= plane.limits.pending_events or not event_put(
        &plane.events, False, event, bytes, tell_by
    ):
        drop(plane, DROP_EVENTS_FULL)


cdef inline bint has_room_for_strangers(const Plane *plane) noexcept nogil:
    """Half the room is kept for remotes that we know."""
    return event_count(&plane.events) < plane.limits.pending_events // 2
