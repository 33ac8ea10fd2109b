"""What goes up to Python: a record and its bytes, one after the other, those of strangers apart.

Taken in order by those who drive the logic by hand; once started, known remotes come first and strangers' checks a few
at a time. Bounded by count (the callers refuse), so memory is bounded too.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from sfu.plane.compiled.paths cimport Endpoint

cdef enum EventKind:
    EVENT_STUN
    EVENT_CONSENT
    EVENT_STRAY
    EVENT_DTLS
    EVENT_RTCP
    EVENT_LEARNED
    EVENT_KEY_FRAME
    EVENT_GAP
    EVENT_SWITCHED
    EVENT_SINK_GONE

cdef enum:
    NOBODY = -1  # no Transport


cdef struct Event:
    uint64_t order
    EventKind kind
    uint32_t size  # of the bytes behind it
    int64_t subject  # Transport, Track, Slot or sink
    int64_t track
    int layer
    uint32_t value  # SSRC or timestamp
    bint rtx
    int64_t first
    int64_t last
    double at_s
    Endpoint endpoint


cdef struct EventQueue:
    int count
    size_t start
    size_t end
    size_t room
    uint8_t *bytes


cdef struct Events:
    uint64_t order
    double tell_by  # when Python should have been told, if there are any
    EventQueue known
    EventQueue strangers


cdef inline int event_count(const Events *events) noexcept nogil:
    return events.known.count + events.strangers.count


cdef inline bint event_put(
    Events *events, bint stranger, Event *event, const uint8_t *bytes, double tell_by
) noexcept nogil:
    """False without memory. `tell_by`: when Python is to be told; minus infinity: at once."""
    cdef EventQueue *queue = &events.strangers if stranger else &events.known
    event.order = events.order
    if not queue_room(queue, sizeof(Event) + event.size + 8):
        return False
    events.order += 1
    events.tell_by = min(events.tell_by, tell_by) if event_count(events) else tell_by
    memcpy(queue.bytes + queue.end, event, sizeof(Event))
    if bytes != NULL and event.size:
        memcpy(queue.bytes + queue.end + sizeof(Event), bytes, event.size)
    queue.end += event_span(event)
    queue.count += 1
    return True


cdef inline size_t event_span(const Event *event) noexcept nogil:
    """Rounded up, so that the next one is aligned."""
    return (sizeof(Event) + event.size + 7) & ~<size_t>7


cdef inline bint queue_room(EventQueue *queue, size_t wanted) noexcept nogil:
    cdef size_t room
    cdef uint8_t *bytes
    if queue.end + wanted <= queue.room:
        return True
    if queue.start > queue.room // 2:
        memmove(queue.bytes, queue.bytes + queue.start, queue.end - queue.start)
        queue.end -= queue.start
        queue.start = 0
        if queue.end + wanted <= queue.room:
            return True
    room = max(<size_t>16384, 2 * (queue.end + wanted))
    bytes = <uint8_t *>realloc(queue.bytes, room)
    if bytes == NULL:
        return False
    queue.bytes = bytes
    queue.room = room
    return True


cdef inline bint event_move(EventQueue *queue, EventQueue *into) noexcept nogil:
    """The oldest one; false without memory, when it stays."""
    cdef Event *event = <Event *>(queue.bytes + queue.start)
    cdef size_t span = event_span(event)
    if not queue_room(into, span):
        return False
    memcpy(into.bytes + into.end, event, span)
    into.end += span
    into.count += 1
    queue.start += span
    queue.count -= 1
    if queue.count == 0:
        queue.start = queue.end = 0
    return True


cdef inline void take_in_order(Events *events, EventQueue *into) noexcept nogil:
    cdef EventQueue *queue
    while events.known.count or events.strangers.count:
        if events.known.count == 0 or (
            events.strangers.count
            and (<Event *>(events.strangers.bytes + events.strangers.start)).order
            < (<Event *>(events.known.bytes + events.known.start)).order
        ):
            queue = &events.strangers
        else:
            queue = &events.known
        if not event_move(queue, into):
            return


cdef inline void take_known_first(Events *events, EventQueue *into, int known, int strangers) noexcept nogil:
    """At most so many of each."""
    while known > 0 and events.known.count and event_move(&events.known, into):
        known -= 1
    while strangers > 0 and events.strangers.count and event_move(&events.strangers, into):
        strangers -= 1


cdef inline void events_close(Events *events) noexcept nogil:
    free(events.known.bytes)
    free(events.strangers.bytes)
