"""What is to be sent later: which Transports have RTX that waits, a probe that runs or arrivals to be told of, and when
the next is due."""

from libc.math cimport INFINITY

from sfu.plane.compiled.arrivals cimport arrivals_await, arrivals_send_due, arrivals_timeout
from sfu.plane.compiled.pointers cimport pointers_add, pointers_remove
from sfu.plane.compiled.probing cimport probing_send_due, probing_timeout
from sfu.plane.compiled.recovery cimport recovery_send_due, recovery_timeout
from sfu.plane.compiled.tables cimport Plane, Transport


cdef inline double transport_timeout(const Transport *transport) noexcept nogil:
    """Infinite: never."""
    return min(
        min(recovery_timeout(&transport.recovery), probing_timeout(&transport.probing)), arrivals_timeout(transport)
    )


cdef inline void note_later(Plane *plane, Transport *transport) noexcept nogil:
    """After anything that changes whether something waits to be sent."""
    cdef bint waits = transport_timeout(transport) != INFINITY
    if waits and not transport.is_later:
        transport.is_later = pointers_add(&plane.later, transport)
    elif transport.is_later and not waits:
        pointers_remove(&plane.later, transport)
        transport.is_later = False


cdef inline void await_feedback(Plane *plane, Transport *transport, double now) noexcept nogil:
    """On the thread, after something has arrived."""
    arrivals_await(transport, now)
    if arrivals_timeout(transport) != INFINITY:
        note_later(plane, transport)
        plane.wakes_at = min(plane.wakes_at, arrivals_timeout(transport))


cdef inline double next_due(const Plane *plane) noexcept nogil:
    """Infinite: never."""
    cdef double due = INFINITY
    cdef int index
    for index in range(plane.later.count):
        due = min(due, transport_timeout(<Transport *>plane.later.items[index]))
    return due


cdef inline void transport_send_due(Plane *plane, Transport *transport, double now) noexcept nogil:
    recovery_send_due(plane, &transport.recovery, now)
    probing_send_due(plane, transport, now)
    arrivals_send_due(plane, transport, now)
    note_later(plane, transport)


cdef inline void send_due(Plane *plane, double now) noexcept nogil:
    cdef Transport *transport
    cdef int index = 0
    while index < plane.later.count:
        transport = <Transport *>plane.later.items[index]
        transport_send_due(plane, transport, now)
        if transport.is_later:
            index += 1
