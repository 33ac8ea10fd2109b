"""A Slot: one outgoing SSRC, and the Route that feeds it now. As `fallback/slot.py`, explained there."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from sfu.plane.compiled.arena cimport PIECE_SENT, arena_take
from sfu.plane.compiled.drops cimport (
    DROP_AWAITING_KEY_FRAME, DROP_BEFORE_SWITCH, DROP_NOT_CONNECTED, DROP_NO_PAYLOAD_TYPE, DROP_OTHER_LAYER,
    DROP_PAUSED, DROP_SEND_BUFFER_FULL, DROP_TOO_OLD, NOT_DROPPED,
)
from sfu.plane.compiled.events cimport EVENT_SWITCHED, Event
from sfu.plane.compiled.extensions cimport LONGEST_BLOCK, SentDescriptor, write_block
from sfu.plane.compiled.history cimport history_get
from sfu.plane.compiled.layers cimport layer_hold, layer_release
from sfu.plane.compiled.numbering cimport numbers_begin, numbers_leave_out, numbers_place
from sfu.plane.compiled.outbox cimport drop_of_slot, outbox_room, tell
from sfu.plane.compiled.packets cimport NO_CODEC, OPUS, RED, Packet
from sfu.plane.compiled.pictures cimport (
    PictureFields, pictures_begin, pictures_place, rewrite_payload, sent_descriptor,
)
from sfu.plane.compiled.pointers cimport pointers_add, pointers_remove
from sfu.plane.compiled.red cimport rename_red
from sfu.plane.compiled.retransmission cimport forget_sent, note_sent
from sfu.plane.compiled.rtp cimport write_rtp
from sfu.plane.compiled.srtp cimport TRAILER
from sfu.plane.compiled.tables cimport Layer, Plane, Sent, Slot, SlotFormat, Track
from sfu.plane.compiled.timeline cimport line_begin, line_is_idle, line_map
from sfu.plane.compiled.transport cimport is_connected, next_transport_number, send_rtp


cdef inline void slot_send_layer(Slot *slot, Layer *layer) noexcept nogil:
    """What is being sent; NULL: nothing."""
    if layer != NULL:
        layer_hold(layer)
    layer_release(slot.layer)
    slot.layer = layer


cdef inline bint slot_route(Plane *plane, Slot *slot, Track *track) noexcept nogil:
    """NULL clears. False without memory."""
    if slot.track != NULL:
        pointers_remove(&slot.track.slots, slot)
    if track != slot.track:
        forget_sent(plane, slot)
    slot.track = NULL
    slot_send_layer(slot, NULL)
    slot.wanted = -1
    if track == NULL:
        return True
    if track.is_video and slot.sent == NULL:  # audio is not retransmitted, and needs none
        slot.sent = <Sent *>arena_take(&plane.arena, PIECE_SENT, plane.limits.sent_packets * sizeof(Sent))
        if slot.sent == NULL:
            return False
    if not pointers_add(&track.slots, slot):
        return False
    slot.track = track
    return True


cdef inline void slot_on_packet(
    Plane *plane, Slot *slot, const Packet *packet, Layer *layer, double now
) noexcept nogil:
    """A packet of any layer of the Track has arrived, in whatever order."""
    if layer == slot.layer:
        forward(plane, slot, packet, layer, now)
    elif layer.index != slot.wanted:
        drop_of_slot(plane, slot, DROP_PAUSED if slot.wanted < 0 else DROP_OTHER_LAYER)
    elif packet.codec == NO_CODEC:
        return  # nothing to send, and its sequence number counts for nobody yet
    elif layer.track.is_video and not packet.starts_key_frame:
        drop_of_slot(plane, slot, DROP_AWAITING_KEY_FRAME)
    elif not format_of(slot, packet).known:
        drop_of_slot(plane, slot, DROP_NO_PAYLOAD_TYPE)
    elif not is_connected(slot.transport):
        drop_of_slot(plane, slot, DROP_NOT_CONNECTED)
    else:
        switch_to(plane, slot, packet, layer, now)


cdef inline void slot_look_back(Plane *plane, Slot *slot, double since, double now) noexcept nogil:
    """Begin with what has arrived since then, unless something has left in the meantime."""
    cdef Layer *layer
    cdef Packet *packet
    cdef int64_t number
    if slot.track == NULL or slot.wanted < 0 or slot.track.is_video:
        return
    layer = slot.track.layers[slot.wanted]
    if layer == slot.layer or not layer.history.begun or not line_is_idle(&slot.line, since):
        return
    for number in range(layer.history.newest - layer.history.size + 1, layer.history.newest + 1):
        packet = history_get(&layer.history, number)
        if packet != NULL and packet.arrived_at >= since:
            slot_on_packet(plane, slot, packet, layer, now)


cdef inline void switch_to(Plane *plane, Slot *slot, const Packet *packet, Layer *layer, double now) noexcept nogil:
    cdef Event event
    cdef Packet *later
    cdef int64_t number
    slot_send_layer(slot, layer)
    slot.has_switched = True
    slot.switched_at = now
    numbers_begin(&slot.numbers, packet.number)
    pictures_begin(&slot.pictures, packet)
    memset(&event, 0, sizeof(Event))
    event.kind = EVENT_SWITCHED
    event.subject = slot.id
    event.track = layer.track.id
    event.layer = layer.index
    event.value = line_begin(&slot.line, packet.timestamp, packet.arrived_at, layer.clock)
    tell(plane, &event, NULL)
    forward(plane, slot, packet, layer, now)
    if layer.track.is_video:
        # When the key frame's first packet comes late, by RTX, the others are there already. Passed over as
        # AWAITING_KEY_FRAME, they have their turn now, which saves asking for another key frame.
        for number in range(packet.number + 1, layer.history.newest + 1):
            later = history_get(&layer.history, number)
            if later != NULL:
                forward(plane, slot, later, layer, now)


cdef inline void forward(Plane *plane, Slot *slot, const Packet *packet, Layer *layer, double now) noexcept nogil:
    """A packet of the current layer."""
    cdef int64_t out = 0
    cdef PictureFields picture
    cdef uint32_t timestamp
    cdef int refusal
    if packet.number < slot.numbers.first:
        drop_of_slot(plane, slot, DROP_BEFORE_SWITCH)
        return
    if not is_connected(slot.transport):
        drop_of_slot(plane, slot, DROP_NOT_CONNECTED)  # to the subscriber it is lost like any other
        return
    if packet.codec == NO_CODEC or not format_of(slot, packet).known:
        leave_out(plane, slot, packet, now, NOT_DROPPED if packet.codec == NO_CODEC else DROP_NO_PAYLOAD_TYPE)
        return
    refusal = pictures_place(&slot.pictures, packet, packet.number > slot.numbers.newest, &picture)
    if refusal != NOT_DROPPED:
        leave_out(plane, slot, packet, now, refusal)
        return
    if not numbers_place(&slot.numbers, packet.number, &out):
        drop_of_slot(plane, slot, DROP_TOO_OLD)
        return
    slot.payload_type = format_of(slot, packet).payload_type
    timestamp = line_map(&slot.line, packet.timestamp, packet.arrived_at)
    if send_packet(plane, slot, out, timestamp, packet, &picture, now):
        plane.counts.forwarded += 1
        if layer.track.is_video:
            note_sent(plane, slot, out, timestamp, layer, packet.number, picture)


cdef inline void leave_out(Plane *plane, Slot *slot, const Packet *packet, double now, int reason) noexcept nogil:
    """The numbers close up over it. If a place was kept because it was late, an empty packet fills it: receivers take
    that for padding, and ask for it no more."""
    cdef int64_t out = 0
    if reason != NOT_DROPPED:
        drop_of_slot(plane, slot, reason)
    if packet.number > slot.numbers.newest:
        numbers_leave_out(&slot.numbers, packet.number)
    elif numbers_place(&slot.numbers, packet.number, &out):
        send_packet(plane, slot, out, line_map(&slot.line, packet.timestamp, packet.arrived_at), packet, NULL, now)


cdef inline bint send_packet(
    Plane *plane,
    Slot *slot,
    int64_t number,
    uint32_t timestamp,
    const Packet *packet,
    const PictureFields *picture,
    double now,
) noexcept nogil:
    """Without `picture`, an empty one."""
    cdef int start = packet.red.primary_at if is_stripped(slot, packet) else 0
    cdef int size = packet.size - start if picture != NULL else 0
    cdef uint8_t *out = outbox_room(plane, 12 + LONGEST_BLOCK + size + TRAILER)
    cdef int extension_size, datagram_size, refusal
    cdef SentDescriptor descriptor
    cdef bint marker = False
    if picture != NULL:
        descriptor = sent_descriptor(packet, picture)
        marker = picture.marker
    if out == NULL:
        drop_of_slot(plane, slot, DROP_SEND_BUFFER_FULL)
        return False
    extension_size = write_block(
        out + 12,
        &slot.transport.send_ids,
        &slot.mid,
        &packet.passed_on if picture != NULL else NULL,
        &descriptor if picture != NULL else NULL,
        next_transport_number(slot.transport),
        now,
    )
    write_rtp(out, extension_size > 0, marker, slot.payload_type, <uint32_t>number, timestamp, slot.ssrc)
    if size:
        memcpy(out + 12 + extension_size, packet.payload + start, size)
        if packet.codec == RED and start == 0 and slot.formats[<int>OPUS].known:
            rename_red(out + 12 + extension_size, slot.formats[<int>OPUS].payload_type)
        rewrite_payload(out + 12 + extension_size, packet, picture)
    datagram_size = 12 + extension_size + size
    refusal = send_rtp(plane, slot.transport, &slot.spent, number, out, &datagram_size, now, 0)
    if refusal != NOT_DROPPED:
        drop_of_slot(plane, slot, refusal)
        return False
    slot.packets += 1
    slot.octets += size
    return True


cdef inline bint is_stripped(const Slot *slot, const Packet *packet) noexcept nogil:
    return packet.codec == RED and not slot.formats[<int>RED].known


cdef inline const SlotFormat *format_of(const Slot *slot, const Packet *packet) noexcept nogil:
    """As what it is sent."""
    return &slot.formats[<int>OPUS if is_stripped(slot, packet) else packet.codec]
