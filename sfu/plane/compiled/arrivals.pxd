"""Transport-cc feedback to one publisher: which packets one report speaks of, and where it begins. As
`core/feedback.py`, explained there, and `fallback/arrivals.py`. Bytes are `building.pxd`'s affair."""

from libc.math cimport INFINITY, fabs, floor
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from sfu.plane.compiled.building cimport LONGEST_FEEDBACK, build_feedback
from sfu.plane.compiled.drops cimport DROP_NOT_CONNECTED, NOT_DROPPED
from sfu.plane.compiled.numbers cimport floor_mod
from sfu.plane.compiled.outbox cimport drop, outbox_add, outbox_room
from sfu.plane.compiled.srtp cimport TRAILER, protect_rtcp
from sfu.plane.compiled.tables cimport Arrival, Arrivals, Plane, Track, Transport
from sfu.plane.compiled.transport cimport is_connected

cdef enum:
    # As in core/feedback.py
    MAX_ARRIVALS = 300
    MAX_SPAN = 2000
    REMEMBERED = 500
    REMEMBERED_ROOM = 512
    FARTHEST_S = 4  # half of MAX_STEP_S


cdef inline double arrivals_timeout(const Transport *transport) noexcept nogil:
    """Infinite: nothing has arrived, or nobody wants to know."""
    return transport.arrivals.due_at


cdef inline void arrivals_await(Transport *transport, double now) noexcept nogil:
    """After what may have made feedback due: at multiples of the interval, together with all others'."""
    cdef Arrivals *arrivals = &transport.arrivals
    if arrivals.due_at == INFINITY and arrivals.interval_s > 0 and arrivals.count:
        arrivals.due_at = (floor(now / arrivals.interval_s) + 1) * arrivals.interval_s
        if arrivals.due_at <= now:  # by rounding
            arrivals.due_at += arrivals.interval_s


cdef inline void arrivals_send_due(Plane *plane, Transport *transport, double now) noexcept nogil:
    cdef Arrivals *arrivals = &transport.arrivals
    cdef uint32_t media_ssrc
    cdef int64_t before = arrivals.next_first
    cdef bint had_before = arrivals.has_next
    cdef int start = 0, index
    if now < arrivals.due_at:
        return
    arrivals.due_at = INFINITY
    if not find_media_ssrc(transport, &media_ssrc):
        arrivals_await(transport, now)
        return
    for index in range(1, arrivals.count):
        if is_cut(&arrivals.noted[start], &arrivals.noted[index], index - start) or (
            had_before and arrivals.noted[index - 1].number < before <= arrivals.noted[index].number
        ):
            report(plane, transport, media_ssrc, start, index)
            start = index
    report(plane, transport, media_ssrc, start, arrivals.count)
    arrivals.count = 0


cdef inline bint is_cut(const Arrival *first, const Arrival *next, int count) noexcept nogil:
    """`next` does not fit into one report with `count` from `first` on."""
    return (
        count >= MAX_ARRIVALS
        or next.number - first.number >= MAX_SPAN
        or fabs(next.at_s - first.at_s) >= FARTHEST_S
    )


cdef inline bint find_media_ssrc(const Transport *transport, uint32_t *ssrc) noexcept nogil:
    """One that the remote sends with."""
    cdef int at, index
    cdef Track *track
    for at in range(transport.tracks.count):
        track = <Track *>transport.tracks.items[at]
        for index in range(track.layer_count):
            if track.layers[index].has_ssrc:
                ssrc[0] = track.layers[index].ssrc
                return True
    return False


cdef inline void report(Plane *plane, Transport *transport, uint32_t media_ssrc, int start, int end) noexcept nogil:
    """About `noted[start:end]`."""
    cdef Arrivals *arrivals = &transport.arrivals
    cdef Arrival around[MAX_ARRIVALS]
    cdef const Arrival *told = &arrivals.noted[start]
    cdef int count = end - start, merged
    cdef int64_t first = told[0].number, last = told[count - 1].number
    if arrivals.has_next and last < arrivals.next_first:
        # Late ones: what lies between them was reported before, and is so again, not as lost.
        merged = reported_around(arrivals, told, count, around)
        if merged:
            told, count = around, merged
    elif arrivals.has_next and first - arrivals.next_first < MAX_SPAN - (last - first):
        first = arrivals.next_first
    if not arrivals.has_next or last >= arrivals.next_first:
        arrivals.has_next, arrivals.next_first = True, last + 1
    remember(arrivals, told, count)
    send(plane, transport, media_ssrc, first, told, count)
    arrivals.feedback_count += 1


cdef inline void send(
    Plane *plane, Transport *transport, uint32_t media_ssrc, int64_t first, const Arrival *told, int count
) noexcept nogil:
    cdef uint8_t *out = outbox_room(plane, LONGEST_FEEDBACK + TRAILER)
    cdef int size, refusal = DROP_NOT_CONNECTED
    if out == NULL:
        return
    size = build_feedback(
        out, transport.reporter.ssrc, media_ssrc, transport.arrivals.feedback_count, first, told, count
    )
    if is_connected(transport):
        refusal = protect_rtcp(plane, transport, out, &size)
    if refusal == NOT_DROPPED:
        outbox_add(plane, transport, &transport.selected, size)
        plane.counts.transport_feedback_sent += 1
    else:
        drop(plane, refusal)


cdef inline void remember(Arrivals *arrivals, const Arrival *told, int count) noexcept nogil:
    """Of the last so many numbers when they came; without memory nothing."""
    cdef int index
    if arrivals.remembered == NULL:
        arrivals.remembered = <Arrival *>calloc(REMEMBERED_ROOM, sizeof(Arrival))
        if arrivals.remembered == NULL:
            return
        for index in range(REMEMBERED_ROOM):
            arrivals.remembered[index].at_s = -INFINITY
    for index in range(count):
        if told[index].number >= arrivals.next_first - REMEMBERED:
            arrivals.remembered[floor_mod(told[index].number, REMEMBERED_ROOM)] = told[index]


cdef inline int reported_around(
    const Arrivals *arrivals, const Arrival *late, int count, Arrival *around
) noexcept nogil:
    """These and those between them that are remembered, by number. 0: they do not fit."""
    cdef int64_t number = late[0].number
    cdef double at_s = late[0].at_s
    cdef int merged = 0, index = 0
    cdef const Arrival *known
    while index < count:
        if late[index].number == number:
            known = &late[index]
            index += 1
        else:
            known = remembered_at(arrivals, number, at_s)
        if known != NULL:
            if merged == MAX_ARRIVALS:
                return 0
            around[merged] = known[0]
            merged += 1
        number += 1
    return merged


cdef inline const Arrival *remembered_at(const Arrivals *arrivals, int64_t number, double at_s) noexcept nogil:
    cdef const Arrival *known
    if arrivals.remembered == NULL or number < arrivals.next_first - REMEMBERED:
        return NULL
    known = &arrivals.remembered[floor_mod(number, REMEMBERED_ROOM)]
    return known if known.number == number and fabs(known.at_s - at_s) < FARTHEST_S else NULL


cdef inline void arrivals_close(Arrivals *arrivals) noexcept nogil:
    free(arrivals.noted)
    free(arrivals.remembered)
