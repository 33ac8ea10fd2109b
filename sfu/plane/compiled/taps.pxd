"""What local sinks get: frames of tapped Tracks, as `sfu/wire/tap.py` lays them out. As `fallback/sinks.py`."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memmove

from sfu.plane.compiled.drops cimport DROP_SINK_FULL, DROP_SINK_GONE
from sfu.plane.compiled.numbers cimport read16, read32, write32
from sfu.plane.compiled.outbox cimport drop
from sfu.plane.compiled.packets cimport RED, Packet
from sfu.plane.compiled.pointers cimport pointers_add, pointers_remove
from sfu.plane.compiled.rtp cimport RtpHeader, write_rtp
from sfu.plane.compiled.tables cimport Layer, Plane, Sink, SinkFrame, SinkOutbox, Source, Tap, Track, Transport
from sfu.plane.compiled.transport cimport find_source

cdef enum:
    FRAME_OPENED
    FRAME_RTP
    FRAME_SENDER_REPORT
    FRAME_TRACK_ENDED
    FRAME_CLOSED

cdef enum:
    FRAME_VERSION = 1
    FRAME_RECOVERED = 1  # flag
    FRAME_DROPPED_AT = 4  # where the count stands
    FRAME_HEADER = 32
    CLOCK_BYTES = 16
    SENDER_REPORT = 200
    SENDER_REPORT_BYTES = 28  # with its header
    MOST_LAYERS = 64  # of a Track that can be tapped
    FRAMES = 128
    FRAME_BYTES = 128 << 10
    RTP_HEADER = 12
    RTP_PADDING = 0x20


# --- who taps what ----------------------------------------------------------------------------------------------------


cdef inline bint tap_set(Plane *plane, Sink *sink, Track *track, uint64_t layers) noexcept nogil:
    """No layers: it ends. False without memory."""
    cdef int index = tap_index(track, sink)
    cdef Tap *taps
    if layers == 0:
        if index >= 0:
            end_tap(plane, track, index)
        return True
    if index < 0:
        taps = <Tap *>realloc(track.taps, (track.tap_count + 1) * sizeof(Tap))
        if taps == NULL:
            return False
        track.taps = taps
        if not pointers_add(&sink.tracks, track):
            return False
        index = track.tap_count
        track.tap_count += 1
    track.taps[index] = Tap(sink, layers)
    return True


cdef inline int tap_index(const Track *track, const Sink *sink) noexcept nogil:
    """-1: it does not tap this Track."""
    cdef int index
    for index in range(track.tap_count):
        if track.taps[index].sink == sink:
            return index
    return -1


cdef inline void end_tap(Plane *plane, Track *track, int index) noexcept nogil:
    cdef Sink *sink = track.taps[index].sink
    forget_tap(track, index)
    pointers_remove(&sink.tracks, track)
    frame_add(plane, sink, FRAME_TRACK_ENDED, 0, False, track.id, 0, 0.0, 0)


cdef inline void forget_tap(Track *track, int index) noexcept nogil:
    track.tap_count -= 1
    memmove(&track.taps[index], &track.taps[index + 1], (track.tap_count - index) * sizeof(Tap))


cdef inline void end_taps(Plane *plane, Track *track) noexcept nogil:
    while track.tap_count:
        end_tap(plane, track, 0)


# --- what arrives -----------------------------------------------------------------------------------------------------


cdef inline void tap_packet(
    Plane *plane,
    const Layer *layer,
    const uint8_t *packet,
    int size,
    const RtpHeader *header,
    const Packet *media,
    bint recovered,
    double now,
) noexcept nogil:
    """A decrypted packet that has not been there before. Readers need not know RED, for what is missing has been
    restored."""
    cdef Track *track = layer.track
    cdef uint8_t *body
    cdef int index, at = <int>(header.payload - packet), left_out = 0
    if recovered:
        left_out = 2
    elif media.codec == RED:
        left_out = size - at - (header.payload_size - media.red.primary_at)
    for index in range(track.tap_count):
        if not track.taps[index].layers >> layer.index & 1:
            continue
        body = frame_add(
            plane, track.taps[index].sink, FRAME_RTP, layer.index, recovered, track.id, media.number, now,
            size - left_out,
        )
        if body == NULL:
            continue
        if not recovered and media.codec == RED:  # its primary alone, without padding
            memcpy(body, packet, at)
            body[0] = <uint8_t>(packet[0] & ~RTP_PADDING)
            body[1] = <uint8_t>(packet[1] & 0x80 | track.opus_payload_type)
            memcpy(body + at, header.payload + media.red.primary_at, size - left_out - at)
            continue
        if not recovered:
            memcpy(body, packet, size)
            continue
        # The header of the RTX packet, with the number that stands in front of the original payload.
        memcpy(body, packet, at)
        body[1] = <uint8_t>(packet[1] & 0x80 | track.formats[header.payload_type].repairs)
        memcpy(body + 2, packet + at, 2)
        write32(body + 8, layer.ssrc)
        memcpy(body + at, packet + at + 2, size - at - 2)


cdef inline void tap_restored(Plane *plane, const Layer *layer, const Packet *media, double now) noexcept nogil:
    """What another packet's redundancy had of one that has not been there."""
    cdef Track *track = layer.track
    cdef uint8_t *body
    cdef int index
    for index in range(track.tap_count):
        if track.taps[index].layers >> layer.index & 1:
            body = frame_add(
                plane, track.taps[index].sink, FRAME_RTP, layer.index, True, track.id, media.number, now,
                RTP_HEADER + media.size,
            )
            if body != NULL:
                write_rtp(
                    body, False, False, track.opus_payload_type, <uint32_t>media.number, media.timestamp, layer.ssrc
                )
                memcpy(body + RTP_HEADER, media.payload, media.size)


cdef inline void tap_reports(
    Plane *plane, const Transport *transport, const uint8_t *compound, int size, double now
) noexcept nogil:
    """Sender reports of tapped layers; what is behind a header that cannot be believed is not found."""
    cdef int at = 0, length, index
    cdef bint tapped = False
    for index in range(transport.tracks.count):
        tapped = tapped or (<Track *>transport.tracks.items[index]).tap_count > 0
    if not tapped:
        return
    while at + 4 <= size:
        length = 4 + 4 * <int>read16(compound + at + 2)
        if compound[at] & 0xC0 != 0x80 or at + length > size:
            return
        if compound[at + 1] == SENDER_REPORT and length >= SENDER_REPORT_BYTES:
            tap_report(plane, transport, compound + at, now)
        at += length


cdef inline void tap_report(
    Plane *plane, const Transport *transport, const uint8_t *report, double now
) noexcept nogil:
    cdef uint32_t ssrc = read32(report + 4)
    cdef Source *source = find_source(transport, ssrc)
    cdef Track *track
    cdef uint8_t *body
    cdef int index
    if source == NULL or source.rtx or source.layer == NULL:
        return
    track = source.track
    for index in range(track.tap_count):
        if track.taps[index].layers >> source.layer.index & 1:
            body = frame_add(
                plane, track.taps[index].sink, FRAME_SENDER_REPORT, source.layer.index, False, track.id, 0, now,
                CLOCK_BYTES,
            )
            if body != NULL:
                write_little(body, <uint64_t>read32(report + 8) << 32 | read32(report + 12), 8)
                write_little(body + 8, read32(report + 16), 4)
                write_little(body + 12, ssrc, 4)


# --- frames -----------------------------------------------------------------------------------------------------------


cdef inline uint8_t *frame_add(
    Plane *plane,
    Sink *sink,
    int kind,
    int layer,
    bint recovered,
    int64_t track,
    int64_t number,
    double at_s,
    int size,
) noexcept nogil:
    """Where its body of `size` bytes is to be written; NULL when it goes nowhere."""
    cdef SinkOutbox *outbox = &plane.frames
    cdef SinkFrame *frame
    cdef uint8_t *header
    cdef uint64_t time
    if sink.gone or not frame_room(outbox, FRAME_HEADER + size):
        lose_frames(plane, sink, 1)
        return NULL
    frame = &outbox.frames[outbox.count]
    frame[0] = SinkFrame(sink, sink.id, outbox.used, FRAME_HEADER + size, -1)
    if sink.first < 0:
        sink.first = outbox.count
    else:
        outbox.frames[sink.last].next = outbox.count
    sink.last = outbox.count
    header = outbox.bytes + outbox.used
    outbox.count += 1
    outbox.used += (FRAME_HEADER + size + 7) & ~7
    header[0] = FRAME_VERSION
    header[1] = <uint8_t>kind
    header[2] = <uint8_t>layer
    header[3] = FRAME_RECOVERED if recovered else 0
    write_little(header + FRAME_DROPPED_AT, 0, 4)  # known when it leaves
    write_little(header + 8, <uint64_t>track, 8)
    write_little(header + 16, <uint64_t>number, 8)
    memcpy(&time, &at_s, sizeof(time))
    write_little(header + 24, time, 8)
    return header + FRAME_HEADER


cdef inline bint frame_room(SinkOutbox *outbox, int size) noexcept nogil:
    """False without memory. It holds what one batch has caused, for it is flushed with each."""
    cdef void *grown
    cdef int room
    cdef uint32_t bytes_room
    if outbox.count == outbox.room:
        room = max(<int>FRAMES, 2 * outbox.room)
        grown = realloc(outbox.frames, room * sizeof(SinkFrame))
        if grown == NULL:
            return False
        outbox.frames = <SinkFrame *>grown
        outbox.room = room
    if outbox.used + size + 8 > outbox.bytes_room:
        bytes_room = max(<uint32_t>FRAME_BYTES, 2 * (outbox.bytes_room + <uint32_t>size))
        grown = realloc(outbox.bytes, bytes_room)
        if grown == NULL:
            return False
        outbox.bytes = <uint8_t *>grown
        outbox.bytes_room = bytes_room
    return True


cdef inline void lose_frames(Plane *plane, Sink *sink, int count) noexcept nogil:
    plane.counts.dropped[DROP_SINK_GONE if sink.gone else DROP_SINK_FULL] += count
    sink.dropped += count


cdef inline void write_little(uint8_t *at, uint64_t value, int size) noexcept nogil:
    cdef int index
    for index in range(size):
        at[index] = <uint8_t>(value >> 8 * index)
