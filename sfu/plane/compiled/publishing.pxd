"""Tracks and their layers: what arrives of them, with which gaps. As `fallback/publishing.py`, explained there."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from sfu.plane.compiled.drops cimport (
    DROP_MALFORMED, DROP_PADDING, DROP_UNKNOWN_PAYLOAD_TYPE, NOT_DROPPED,
)
from sfu.plane.compiled.events cimport EVENT_GAP, EVENT_KEY_FRAME, Event
from sfu.plane.compiled.extensions cimport ROLE_DESCRIPTOR, take_passed_on
from sfu.plane.compiled.h264 cimport may_hold_parameter_sets
from sfu.plane.compiled.history cimport history_admit, history_get, history_lacks, recent_admit
from sfu.plane.compiled.layering cimport read_again, read_layers
from sfu.plane.compiled.numbers cimport read16, unwrap
from sfu.plane.compiled.outbox cimport drop_of_layer, tell_if_room
from sfu.plane.compiled.packets cimport H264, NO_CODEC, OPUS, RED, Packet
from sfu.plane.compiled.red cimport read_red
from sfu.plane.compiled.reception cimport count_arrival, count_layer
from sfu.plane.compiled.rtp cimport RtpHeader
from sfu.plane.compiled.tables cimport Format, Layer, Plane


cdef inline Packet *on_media(Plane *plane, Layer *layer, const RtpHeader *header, double now) noexcept nogil:
    """A packet on the layer's own SSRC. Returns what Routes should look at; NULL: nothing."""
    cdef int64_t number = unwrap(&layer.numbers, header.sequence_number, 16)
    cdef int64_t expected = layer.reception.highest + 1 if layer.reception.begun else number
    cdef Format *form = &layer.track.formats[header.payload_type]
    cdef Packet *packet = begin_packet(plane, header, number, now)
    cdef Packet *admitted
    cdef bint begins_frame
    layer.restored = NULL
    packet.payload = <uint8_t *>header.payload
    packet.size = header.payload_size
    begins_frame = count_arrival(
        &layer.reception, number, header.timestamp, header.payload_size, layer.track.clock_rate, now
    )
    if form.codec != NO_CODEC and form.repairs < 0:
        read_packet(plane, layer, packet, form.codec, header, number >= expected)
        count_layer(&layer.reception, packet, begins_frame)
    else:
        drop_of_layer(plane, layer, DROP_UNKNOWN_PAYLOAD_TYPE if packet.size else DROP_PADDING)
    if number > expected and packet.codec == RED:
        restore(plane, layer, packet, now)
    admitted = admit(plane, layer, packet)
    if number > expected:
        tell_gap(plane, layer, expected, number - 1)
    return admitted


cdef inline Packet *on_repair(Plane *plane, Layer *layer, const RtpHeader *header, double now) noexcept nogil:
    """A packet on the RTX SSRC: a probe that carries nothing, or one that comes back and is late."""
    cdef Format *form = &layer.track.formats[header.payload_type]
    cdef Packet *packet
    cdef Packet *admitted
    cdef int codec = NO_CODEC
    if header.payload_size == 0:
        drop_of_layer(plane, layer, DROP_PADDING)
        return NULL
    if form.codec != NO_CODEC and 0 <= form.repairs < 128:
        codec = layer.track.formats[form.repairs].codec
    if codec == NO_CODEC:
        drop_of_layer(plane, layer, DROP_UNKNOWN_PAYLOAD_TYPE)
        return NULL
    if header.payload_size < 2:
        drop_of_layer(plane, layer, DROP_MALFORMED)
        return NULL
    packet = begin_packet(plane, header, unwrap(&layer.numbers, read16(header.payload), 16), now)
    packet.payload = <uint8_t *>header.payload + 2
    packet.size = header.payload_size - 2
    read_packet(plane, layer, packet, codec, header, False)
    admitted = admit(plane, layer, packet)
    if admitted != NULL:
        layer.reception.restored += 1
        plane.counts.recovered += 1
    return admitted


cdef inline Packet *begin_packet(Plane *plane, const RtpHeader *header, int64_t number, double now) noexcept nogil:
    """Without payload yet."""
    cdef Packet *packet = &plane.scratch
    packet.number = number
    packet.timestamp = header.timestamp
    packet.marker = header.marker
    packet.codec = NO_CODEC
    packet.arrived_at = now
    packet.starts_key_frame = packet.has_vp8 = packet.has_vp9 = packet.has_picture_number = False
    packet.layering.known = False
    packet.descriptor = NULL
    packet.descriptor_size = 0
    packet.described = False
    take_passed_on(&header.elements, &packet.passed_on)
    return packet


cdef inline void read_packet(
    Plane *plane, Layer *layer, Packet *packet, int codec, const RtpHeader *header, bint newest
) noexcept nogil:
    """Sets `codec` and what belongs to it, unless there is nothing to forward."""
    if packet.size == 0:
        drop_of_layer(plane, layer, DROP_PADDING)
        return
    if codec == RED and not read_red(packet.payload, packet.size, layer.track.opus_payload_type, &packet.red):
        drop_of_layer(plane, layer, DROP_MALFORMED)
        return
    if not read_layers(
        &layer.reader,
        packet,
        codec,
        header.elements.value[ROLE_DESCRIPTOR],
        header.elements.size[ROLE_DESCRIPTOR],
        newest,
    ):
        drop_of_layer(plane, layer, DROP_MALFORMED)


cdef inline void restore(Plane *plane, Layer *layer, const Packet *packet, double now) noexcept nogil:
    """The packet before this one was lost, or is late; what is repeated of it takes its place."""
    cdef Packet before
    cdef Packet *admitted
    if packet.red.previous_size == 0:
        return
    memset(&before, 0, sizeof(Packet))
    before.number = packet.number - 1
    before.timestamp = packet.timestamp - packet.red.earlier
    before.codec = OPUS
    before.arrived_at = now
    before.payload = packet.payload + packet.red.previous_at
    before.size = packet.red.previous_size
    admitted = admit(plane, layer, &before)
    if admitted != NULL and admitted != &before:  # which is kept nowhere when memory is short
        layer.restored = admitted
        layer.reception.restored += 1
        plane.counts.recovered += 1


cdef inline Packet *admit(Plane *plane, Layer *layer, Packet *packet) noexcept nogil:
    cdef Packet *kept = packet
    cdef Event event
    cdef Packet *later
    cdef int64_t number
    cdef int refusal
    if layer.reader.renewed_late and layer.track.is_video:
        for number in range(packet.number + 1, layer.history.newest + 1):
            later = history_get(&layer.history, number)
            if later != NULL:
                read_again(&layer.reader, later)
    if layer.track.is_video:
        refusal = history_admit(&layer.history, packet, &kept)
    else:
        refusal = recent_admit(&layer.recent, packet.number)
        if refusal == NOT_DROPPED:
            history_admit(&layer.history, packet, &kept)
    if refusal != NOT_DROPPED:
        drop_of_layer(plane, layer, refusal)
        return NULL
    if kept.starts_key_frame:
        # In H.264 both the parameter sets and the slice behind them look like a start; it is the first.
        if (layer.has_key_frame and kept.timestamp == layer.key_frame_timestamp) or lacks_parameter_sets(layer, kept):
            kept.starts_key_frame = False
        else:
            layer.has_key_frame = True
            layer.key_frame_timestamp = kept.timestamp
            memset(&event, 0, sizeof(Event))
            event.kind = EVENT_KEY_FRAME
            event.track = layer.track.id
            event.layer = layer.index
            tell_if_room(plane, &event, NULL)
    return kept


cdef inline bint lacks_parameter_sets(const Layer *layer, const Packet *packet) noexcept nogil:
    """A slice after a missing packet: that was probably its parameter sets, and when it comes back it is the start."""
    if packet.codec != H264 or packet.layering.known or may_hold_parameter_sets(packet.payload):
        return False
    return layer.track.is_video and history_get(&layer.history, packet.number - 1) == NULL


cdef inline void tell_gap(Plane *plane, Layer *layer, int64_t first, int64_t last) noexcept nogil:
    cdef Event event
    cdef int64_t number
    if not layer.track.is_video or last - first >= plane.limits.history_packets:
        return
    for number in range(first, last + 1):
        if history_lacks(&layer.history, number):
            memset(&event, 0, sizeof(Event))
            event.kind = EVENT_GAP
            event.track = layer.track.id
            event.layer = layer.index
            event.first = first
            event.last = last
            tell_if_room(plane, &event, NULL)
            return
