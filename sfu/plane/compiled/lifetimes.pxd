"""Making and taking apart: everything the tables hold, in any order, with nothing left that points to what is gone."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

from sfu.plane.compiled.arena cimport (
    PIECE_FRAMES, PIECE_NUMBERS, PIECE_SENT, PIECE_SLOT, PIECE_TRANSPORT, arena_close, arena_give, arena_take, room_of,
)
from sfu.plane.compiled.arrivals cimport arrivals_close
from sfu.plane.compiled.events cimport events_close
from sfu.plane.compiled.extensions cimport Text
from sfu.plane.compiled.feedback cimport feedback_close, feedback_open
from sfu.plane.compiled.filtering cimport filter_open
from sfu.plane.compiled.flight cimport Departure, flight_close, flight_open
from sfu.plane.compiled.later cimport note_later
from sfu.plane.compiled.layers cimport layer_new, layer_release
from sfu.plane.compiled.levels cimport forget_levels
from sfu.plane.compiled.numbering cimport NumberPlace, numbers_close, numbers_open
from sfu.plane.compiled.openssl cimport openssl_close
from sfu.plane.compiled.paths cimport Endpoint, path_remove, path_set
from sfu.plane.compiled.pictures cimport FRAMES
from sfu.plane.compiled.pointers cimport pointers_add, pointers_close, pointers_remove
from sfu.plane.compiled.recovery cimport recovery_forget, recovery_open
from sfu.plane.compiled.retransmission cimport forget_sent
from sfu.plane.compiled.sinks cimport sink_remove
from sfu.plane.compiled.slot cimport slot_route
from sfu.plane.compiled.srtp cimport LONGEST_PACKET, TRAILER
from sfu.plane.compiled.system cimport pthread_mutex_destroy, pthread_mutex_init
from sfu.plane.compiled.tables cimport Layer, Plane, Sent, Sink, Slot, Source, Track, Transport
from sfu.plane.compiled.taps cimport end_taps
from sfu.plane.compiled.timeline cimport clock_release
from sfu.plane.compiled.transport cimport bind_path, forget_sources, unbind

# --- the plane --------------------------------------------------------------------------------------------------------


cdef inline bint plane_open(Plane *plane) noexcept nogil:
    """False without memory."""
    plane.outbox.flush = plane.levels.turn = 1  # a Transport's or a Track's zero is none of ours
    plane.buffer = <unsigned char *>malloc(LONGEST_PACKET + TRAILER)
    return pthread_mutex_init(&plane.mutex, NULL) == 0 and plane.buffer != NULL


cdef inline void plane_close(Plane *plane) noexcept nogil:
    """After the thread has ended."""
    while plane.sinks.count:
        sink_remove(plane, <Sink *>plane.sinks.items[plane.sinks.count - 1])
    while plane.transports.count:
        transport_remove(plane, <Transport *>plane.transports.items[plane.transports.count - 1])
    pointers_close(&plane.transports)
    pointers_close(&plane.later)
    pointers_close(&plane.reporting)
    pointers_close(&plane.reported_on)
    events_close(&plane.events)
    free(plane.paths.places)
    free(plane.outbox.datagrams)
    free(plane.outbox.bytes)
    pointers_close(&plane.sinks)
    free(plane.frames.frames)
    free(plane.frames.bytes)
    free(plane.levels.rows)
    free(plane.buffer)
    free(plane.sockets)
    free(plane.feedback_sockets)
    free(plane.offload)
    openssl_close(&plane.openssl)
    arena_close(&plane.arena)
    pthread_mutex_destroy(&plane.mutex)


# --- Transports -------------------------------------------------------------------------------------------------------


cdef inline Transport *transport_add(Plane *plane, int64_t id) noexcept nogil:
    """NULL without memory."""
    cdef Transport *transport = <Transport *>arena_take(&plane.arena, PIECE_TRANSPORT, sizeof(Transport))
    if transport == NULL:
        return NULL
    transport.id = id
    transport.heard_at = -INFINITY
    transport.arrivals.due_at = INFINITY
    feedback_open(&transport.feedback)
    recovery_open(plane, &transport.recovery)
    transport.paths = <Endpoint *>calloc(plane.limits.paths_per_transport + 1, sizeof(Endpoint))
    transport.sources = <Source *>calloc(plane.limits.ssrcs_per_transport, sizeof(Source))
    transport.heard = <uint32_t *>calloc(plane.limits.ssrcs_per_transport, sizeof(uint32_t))
    if transport.paths == NULL or transport.sources == NULL or transport.heard == NULL:
        transport_free(plane, transport)
        return NULL
    if not pointers_add(&plane.transports, transport):
        transport_free(plane, transport)
        return NULL
    return transport


cdef inline void transport_remove(Plane *plane, Transport *transport) noexcept nogil:
    """With everything that hangs on it."""
    cdef int index
    while transport.slots.count:
        slot_remove(plane, <Slot *>transport.slots.items[0])
    while transport.tracks.count:
        track_remove(plane, <Track *>transport.tracks.items[0])
    for index in range(transport.path_count):
        path_remove(&plane.paths, &transport.paths[index])
    pointers_remove(&plane.transports, transport)
    pointers_remove(&plane.later, transport)
    pointers_remove(&plane.reporting, transport)
    pointers_remove(&plane.reported_on, transport)
    transport_free(plane, transport)


cdef inline void transport_free(Plane *plane, Transport *transport) noexcept nogil:
    pointers_close(&transport.slots)
    pointers_close(&transport.tracks)
    free(transport.paths)
    free(transport.sources)
    free(transport.heard)
    arrivals_close(&transport.arrivals)
    free(transport.recovery.waiting)
    flight_close(&transport.flight, &plane.arena, plane.limits.packets_in_flight)
    feedback_close(&transport.feedback)
    arena_give(&plane.arena, PIECE_TRANSPORT, transport, sizeof(Transport))


cdef inline bint transport_bind(
    Plane *plane, Transport *transport, const Endpoint *endpoint, Transport *before
) noexcept nogil:
    """`before` had validated the address, if it is not NULL. False without memory."""
    cdef Endpoint gone
    if not path_set(&plane.paths, endpoint, transport):
        return False
    if before != NULL and before != transport:
        unbind(before, endpoint)
    if bind_path(transport, endpoint, plane.limits.paths_per_transport, &gone):
        path_remove(&plane.paths, &gone)
    return True


# --- Tracks -----------------------------------------------------------------------------------------------------------


cdef inline Track *track_new(int layers) noexcept nogil:
    """Empty, to be filled in before `track_add`; NULL without memory."""
    cdef Track *track = <Track *>calloc(1, sizeof(Track))
    if track == NULL:
        return NULL
    track.layer_count = layers
    track.layers = <Layer **>calloc(layers, sizeof(Layer *))
    track.rids = <Text *>calloc(layers, sizeof(Text))
    if track.layers == NULL or track.rids == NULL:
        track_free(track)
        return NULL
    return track


cdef inline bint track_add(Plane *plane, Transport *transport, Track *track) noexcept nogil:
    """False without memory; the track is still the caller's then."""
    cdef int index
    track.transport = transport
    for index in range(track.layer_count):
        track.layers[index] = layer_new(plane, track, index)
        if track.layers[index] == NULL:
            return False
    return pointers_add(&transport.tracks, track)


cdef inline void track_remove(Plane *plane, Track *track) noexcept nogil:
    while track.slots.count:
        slot_route(plane, <Slot *>track.slots.items[0], NULL)
    end_taps(plane, track)
    forget_levels(plane, track)
    forget_sources(track.transport, track)
    pointers_remove(&track.transport.tracks, track)
    track_free(track)


cdef inline void track_free(Track *track) noexcept nogil:
    cdef int index
    if track.layers != NULL:
        for index in range(track.layer_count):
            layer_release(track.layers[index])
    pointers_close(&track.slots)
    free(track.taps)
    free(track.layers)
    free(track.rids)
    free(track)


# --- Slots ------------------------------------------------------------------------------------------------------------


cdef inline size_t room_of_slot(const Plane *plane) noexcept nogil:
    """What a Slot takes of the arena at most, and its Transport for what leaves."""
    return (
        room_of(sizeof(Slot))
        + room_of(plane.limits.sent_packets * sizeof(NumberPlace))
        + room_of(<int>FRAMES * sizeof(NumberPlace))
        + room_of(plane.limits.packets_in_flight * sizeof(Departure))
    )


cdef inline Slot *slot_new(Plane *plane, int64_t first_number) noexcept nogil:
    """Empty, to be filled in before `slot_add`; NULL without memory."""
    cdef Slot *slot = <Slot *>arena_take(&plane.arena, PIECE_SLOT, sizeof(Slot))
    if slot == NULL:
        return NULL
    slot.wanted = -1
    slot.next_rtx_number = first_number
    filter_open(&slot.pictures.layers)
    slot.pictures.last_tl0 = slot.pictures.last_number = -1
    if not numbers_open(
        &slot.numbers,
        &plane.arena,
        PIECE_NUMBERS,
        plane.limits.sent_packets,
        first_number,
        plane.limits.history_packets,
    ) or not numbers_open(&slot.pictures.frames, &plane.arena, PIECE_FRAMES, FRAMES, 0, FRAMES):
        slot_free(plane, slot)
        return NULL
    return slot


cdef inline bint slot_add(Plane *plane, Transport *transport, Slot *slot) noexcept nogil:
    """False without memory; the slot is still the caller's then."""
    slot.transport = transport
    if not flight_open(&transport.flight, &plane.arena, plane.limits.packets_in_flight):
        return False
    return pointers_add(&transport.slots, slot)


cdef inline void slot_remove(Plane *plane, Slot *slot) noexcept nogil:
    slot_route(plane, slot, NULL)
    forget_sent(plane, slot)
    pointers_remove(&slot.transport.slots, slot)
    recovery_forget(plane, &slot.transport.recovery, slot)
    note_later(plane, slot.transport)
    slot_free(plane, slot)


cdef inline void slot_free(Plane *plane, Slot *slot) noexcept nogil:
    numbers_close(&slot.numbers, &plane.arena, PIECE_NUMBERS)
    numbers_close(&slot.pictures.frames, &plane.arena, PIECE_FRAMES)
    clock_release(slot.line.clock)
    arena_give(&plane.arena, PIECE_SENT, slot.sent, plane.limits.sent_packets * sizeof(Sent))
    arena_give(&plane.arena, PIECE_SLOT, slot, sizeof(Slot))
