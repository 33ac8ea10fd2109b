"""One remote: the SSRCs it uses, what arrives of it, and the way out to it. As `fallback/transport.py`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memmove

from sfu.plane.compiled.drops cimport DROP_NOT_CONNECTED, NOT_DROPPED
from sfu.plane.compiled.flight cimport flight_note
from sfu.plane.compiled.numbers cimport read16, unwrap
from sfu.plane.compiled.outbox cimport outbox_add
from sfu.plane.compiled.paths cimport Endpoint, same_endpoint
from sfu.plane.compiled.spent cimport SpentNumbers
from sfu.plane.compiled.srtp cimport protect_rtp
from sfu.plane.compiled.tables cimport Arrival, Arrivals, Plane, Source, Transport


cdef inline bint is_connected(const Transport *transport) noexcept nogil:
    return transport.outbound != NULL and transport.has_selected


cdef inline int send_rtp(
    Plane *plane,
    Transport *transport,
    SpentNumbers *spent,
    int64_t number,
    uint8_t *packet,
    int *size,
    double now,
    uint32_t cluster,
) noexcept nogil:
    """What was written at `outbox_room`, under `number` of the SSRC that `spent` is of. `size` becomes the datagram's;
    `cluster` is the serial number of what it probes for, or 0. Returns why it could not leave, if so."""
    cdef int refusal
    if not is_connected(transport):
        return DROP_NOT_CONNECTED
    refusal = protect_rtp(plane, transport, spent, number, packet, size)
    if refusal == NOT_DROPPED:
        outbox_add(plane, transport, &transport.selected, size[0])
        if numbers_departures(transport):
            flight_note(&transport.flight, plane.limits.packets_in_flight, now, size[0], cluster)
    return refusal


cdef inline bint numbers_departures(const Transport *transport) noexcept nogil:
    """The remote reports on what it gets."""
    return transport.send_ids.transport_cc != 0


cdef inline uint16_t next_transport_number(const Transport *transport) noexcept nogil:
    """Of the packet that leaves next; spent when it does."""
    return <uint16_t>transport.flight.next_number


cdef inline bint may_hear(const Plane *plane, const Transport *transport, uint32_t ssrc) noexcept nogil:
    """Whether a packet of this SSRC may be decrypted: libsrtp keeps state for each, and so must be limited."""
    return transport.heard_count < plane.limits.ssrcs_per_transport or has_heard(transport, ssrc)


cdef inline bint has_heard(const Transport *transport, uint32_t ssrc) noexcept nogil:
    cdef int index
    for index in range(transport.heard_count):
        if transport.heard[index] == ssrc:
            return True
    return False


cdef inline void hear(Transport *transport, uint32_t ssrc, double now) noexcept nogil:
    """It has come from this remote, without doubt."""
    transport.heard_at = now
    if not has_heard(transport, ssrc):
        transport.heard[transport.heard_count] = ssrc
        transport.heard_count += 1


cdef inline Source *find_source(const Transport *transport, uint32_t ssrc) noexcept nogil:
    cdef int index
    for index in range(transport.source_count):
        if transport.sources[index].ssrc == ssrc:
            return &transport.sources[index]
    return NULL


cdef inline void forget_sources(Transport *transport, const void *track) noexcept nogil:
    """The Track is gone."""
    cdef int index = 0
    while index < transport.source_count:
        if transport.sources[index].track == track:
            forget_heard(transport, transport.sources[index].ssrc)
            transport.source_count -= 1
            transport.sources[index] = transport.sources[transport.source_count]
        else:
            index += 1


cdef inline void forget_heard(Transport *transport, uint32_t ssrc) noexcept nogil:
    cdef int index
    for index in range(transport.heard_count):
        if transport.heard[index] == ssrc:
            transport.heard_count -= 1
            transport.heard[index] = transport.heard[transport.heard_count]
            return


cdef inline void note_arrival(
    Plane *plane, Transport *transport, const uint8_t *element, int size, double now
) noexcept nogil:
    """`element` is the transport-cc number. Kept sorted: almost all come in order, and go to the end."""
    cdef Arrivals *arrivals = &transport.arrivals
    cdef int64_t number
    cdef int at = arrivals.count
    if size != 2 or at >= plane.limits.arrivals_per_transport or not arrivals_room(arrivals):
        return
    number = unwrap(&transport.transport_numbers, read16(element), 16)
    while at > 0 and arrivals.noted[at - 1].number > number:
        at -= 1
    if at > 0 and arrivals.noted[at - 1].number == number:
        return
    memmove(&arrivals.noted[at + 1], &arrivals.noted[at], (arrivals.count - at) * sizeof(Arrival))
    arrivals.noted[at] = Arrival(number, now)
    arrivals.count += 1


cdef inline bint arrivals_room(Arrivals *arrivals) noexcept nogil:
    cdef int room
    cdef Arrival *noted
    if arrivals.count < arrivals.room:
        return True
    room = max(64, 2 * arrivals.room)
    noted = <Arrival *>realloc(arrivals.noted, room * sizeof(Arrival))
    if noted == NULL:
        return False
    arrivals.noted = noted
    arrivals.room = room
    return True


cdef inline int find_path(const Transport *transport, const Endpoint *endpoint) noexcept nogil:
    """Its index, -1 when it is not validated."""
    cdef int index
    for index in range(transport.path_count):
        if same_endpoint(&transport.paths[index], endpoint):
            return index
    return -1


cdef inline void remove_path(Transport *transport, int index) noexcept nogil:
    transport.path_count -= 1
    memmove(&transport.paths[index], &transport.paths[index + 1], (transport.path_count - index) * sizeof(Endpoint))


cdef inline void unbind(Transport *transport, const Endpoint *endpoint) noexcept nogil:
    """Another Transport has validated it."""
    cdef int index = find_path(transport, endpoint)
    if index >= 0:
        remove_path(transport, index)
    if transport.has_selected and same_endpoint(&transport.selected, endpoint):
        transport.has_selected = False


cdef inline bint bind_path(Transport *transport, const Endpoint *endpoint, int limit, Endpoint *gone) noexcept nogil:
    """The latest check comes last. True if beyond the limit another had to go. There is room for one too many."""
    cdef int index = find_path(transport, endpoint)
    if index >= 0:
        remove_path(transport, index)
    transport.paths[transport.path_count] = endpoint[0]
    transport.path_count += 1
    if transport.path_count <= limit:
        return False
    for index in range(transport.path_count):
        if not (transport.has_selected and same_endpoint(&transport.paths[index], &transport.selected)):
            gone[0] = transport.paths[index]
            remove_path(transport, index)
            return True
    return False
