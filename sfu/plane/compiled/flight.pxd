"""What has left towards one remote, by transport-cc number. As `fallback/flight.py`, explained there."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from sfu.plane.compiled.arena cimport PIECE_DEPARTURES, Arena, arena_give, arena_take

cdef enum Fate:
    NOT_REPORTED
    MISSING
    ARRIVED


cdef struct Departure:
    # Sixteen bytes, one store for each packet that is forwarded.
    double at_s
    uint32_t cluster  # serial number; 0: none
    uint16_t size
    uint8_t fate
    uint8_t reserved


cdef struct Flight:
    int64_t next_number
    int64_t first_in_flight
    int64_t in_flight_bytes
    int next_place  # of next_number
    Departure *ring  # NULL: there is nothing to be sent yet


cdef inline bint flight_open(Flight *flight, Arena *arena, int room) noexcept nogil:
    """Before anything leaves; once is enough. False without memory."""
    if flight.ring == NULL:
        flight.ring = <Departure *>arena_take(arena, PIECE_DEPARTURES, room * sizeof(Departure))
    return flight.ring != NULL


cdef inline void flight_close(Flight *flight, Arena *arena, int room) noexcept nogil:
    arena_give(arena, PIECE_DEPARTURES, flight.ring, room * sizeof(Departure))


cdef inline void flight_note(Flight *flight, int room, double at_s, int size, uint32_t cluster) noexcept nogil:
    """It leaves under `next_number`."""
    if flight.first_in_flight <= flight.next_number - room:
        flight_pass_over(flight, room, flight.first_in_flight)  # nobody will report on it any more
    flight.ring[flight.next_place] = Departure(at_s, cluster, <uint16_t>size, NOT_REPORTED, 0)
    flight.in_flight_bytes += size
    flight.next_number += 1
    flight.next_place += 1
    if flight.next_place == room:
        flight.next_place = 0


cdef inline int64_t flight_unwrap(const Flight *flight, uint32_t number) noexcept nogil:
    """The last one that left under these sixteen bits. Negative if none has."""
    cdef int64_t newest = flight.next_number - 1
    return newest - ((newest - number) & 0xFFFF)


cdef inline Departure *flight_get(const Flight *flight, int room, int64_t number) noexcept nogil:
    """NULL for what has not left yet, and for what left too long ago."""
    if flight.ring == NULL or number < 0 or number < flight.next_number - room or number >= flight.next_number:
        return NULL
    return &flight.ring[number % room]


cdef inline void flight_pass_over(Flight *flight, int room, int64_t number) noexcept nogil:
    """This one and all before it are in flight no more: reported on, or forgotten by reports that got lost."""
    cdef Departure *passed
    while flight.first_in_flight <= number:
        passed = flight_get(flight, room, flight.first_in_flight)
        if passed != NULL:
            flight.in_flight_bytes -= passed.size
        flight.first_in_flight += 1
