"""Local sinks: made and taken apart, and their frames written to their readers by `sendmmsg`, never by waiting.

A reader that is full loses the rest of what waits for it and is not tried again before the next flush, so that one who
sleeps costs one system call per batch. One who has gone is told of once, and costs nothing from then on.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from sfu.plane.compiled.events cimport EVENT_SINK_GONE, Event
from sfu.plane.compiled.outbox cimport tell
from sfu.plane.compiled.pointers cimport pointers_add, pointers_close, pointers_remove
from sfu.plane.compiled.system cimport (
    EAGAIN, EINTR, EMSGSIZE, ENOBUFS, MSG_DONTWAIT, MSG_NOSIGNAL, errno, iovec, mmsghdr, sendmmsg,
)
from sfu.plane.compiled.tables cimport Plane, Sink, SinkFrame, Track
from sfu.plane.compiled.taps cimport (
    FRAME_CLOSED, FRAME_DROPPED_AT, FRAME_OPENED, forget_tap, frame_add, lose_frames, tap_index, write_little,
)

cdef enum:
    SINK_MESSAGES = 64  # per call


cdef inline Sink *sink_add(Plane *plane, int64_t id, int fd) noexcept nogil:
    """NULL without memory."""
    cdef Sink *sink = <Sink *>calloc(1, sizeof(Sink))
    if sink == NULL:
        return NULL
    sink.id = id
    sink.fd = fd
    sink.first = sink.last = -1
    if not pointers_add(&plane.sinks, sink):
        free(sink)
        return NULL
    frame_add(plane, sink, FRAME_OPENED, 0, False, 0, 0, 0.0, 0)
    return sink


cdef inline void sink_remove(Plane *plane, Sink *sink) noexcept nogil:
    """Its socket may be closed afterwards."""
    cdef Track *track
    cdef int index
    for index in range(sink.tracks.count):
        track = <Track *>sink.tracks.items[index]
        forget_tap(track, tap_index(track, sink))
    frame_add(plane, sink, FRAME_CLOSED, 0, False, 0, 0, 0.0, 0)
    if plane.live:
        flush_sinks(plane)
    for index in range(plane.frames.count):  # logic alone: they can still be taken
        if plane.frames.frames[index].sink == sink:
            plane.frames.frames[index].sink = NULL
    pointers_remove(&plane.sinks, sink)
    pointers_close(&sink.tracks)
    free(sink)


cdef inline void flush_sinks(Plane *plane) noexcept nogil:
    """Everything that waits for any of them."""
    cdef int index
    for index in range(plane.sinks.count):
        flush_sink(plane, <Sink *>plane.sinks.items[index])
    plane.frames.count = 0
    plane.frames.used = 0


cdef inline void flush_sink(Plane *plane, Sink *sink) noexcept nogil:
    cdef mmsghdr messages[SINK_MESSAGES]
    cdef iovec parts[SINK_MESSAGES]
    cdef SinkFrame *frame
    cdef int at = sink.first, count, done, sent
    sink.first = sink.last = -1
    while at >= 0:
        count = done = 0
        while at >= 0 and count < SINK_MESSAGES:
            frame = &plane.frames.frames[at]
            parts[count].iov_base = plane.frames.bytes + frame.offset
            parts[count].iov_len = frame.size
            write_little(plane.frames.bytes + frame.offset + FRAME_DROPPED_AT, sink.dropped, 4)
            memset(&messages[count], 0, sizeof(mmsghdr))
            messages[count].msg_hdr.msg_iov = &parts[count]
            messages[count].msg_hdr.msg_iovlen = 1
            count += 1
            at = frame.next
        while done < count:
            sent = sendmmsg(sink.fd, &messages[done], count - done, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent > 0:
                done += sent
                plane.counts.sink_frames += sent
            elif errno != EINTR:
                on_sink_refused(plane, sink, errno)
                lose_frames(plane, sink, count - done + frames_from(plane, at))
                return


cdef inline int frames_from(const Plane *plane, int at) noexcept nogil:
    """How many wait for one sink from this one on."""
    cdef int count = 0
    while at >= 0:
        count += 1
        at = plane.frames.frames[at].next
    return count


cdef inline void on_sink_refused(Plane *plane, Sink *sink, int reason) noexcept nogil:
    cdef Event event
    if reason == EAGAIN or reason == ENOBUFS or reason == EMSGSIZE:
        return
    sink.gone = True
    memset(&event, 0, sizeof(Event))
    event.kind = EVENT_SINK_GONE
    event.subject = sink.id
    tell(plane, &event, NULL)
