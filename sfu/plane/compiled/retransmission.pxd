"""What one Slot has sent lately, and how it is sent again by RTX (RFC 4588), with padding where there is nothing.

As `fallback/retransmission.py`, and the retransmission of `fallback/slot.py`.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from sfu.plane.compiled.drops cimport (
    DROP_NOT_CONNECTED, DROP_NOT_IN_HISTORY, DROP_NO_PAYLOAD_TYPE, DROP_RTX_LATE, DROP_RTX_REPEATED,
    DROP_SEND_BUFFER_FULL, NOT_DROPPED,
)
from sfu.plane.compiled.extensions cimport LONGEST_BLOCK, PassedOn, SentDescriptor, write_block
from sfu.plane.compiled.history cimport history_get
from sfu.plane.compiled.layers cimport layer_hold, layer_release
from sfu.plane.compiled.numbers cimport floor_mod, write16
from sfu.plane.compiled.outbox cimport outbox_room
from sfu.plane.compiled.packets cimport CODECS, NO_CODEC, Packet
from sfu.plane.compiled.pictures cimport PictureFields, rewrite_payload, sent_descriptor
from sfu.plane.compiled.rtp cimport write_rtp
from sfu.plane.compiled.srtp cimport TRAILER
from sfu.plane.compiled.tables cimport Layer, Plane, Sent, Slot, Transport
from sfu.plane.compiled.timeline cimport line_newest
from sfu.plane.compiled.transport cimport is_connected, next_transport_number, send_rtp

cdef enum:
    PADDING_BYTES = 224  # of one padding packet: fallback/slot.py says why


cdef inline void note_sent(
    Plane *plane,
    Slot *slot,
    int64_t number,
    uint32_t timestamp,
    Layer *layer,
    int64_t source_number,
    PictureFields picture,
) noexcept nogil:
    cdef Sent *sent
    if slot.sent == NULL:
        return  # no memory for it
    sent = &slot.sent[floor_mod(number, plane.limits.sent_packets)]
    if sent.layer != layer:
        layer_hold(layer)
        layer_release(sent.layer)
    sent[0] = Sent(number, source_number, layer, picture, -INFINITY, timestamp, False)
    slot.newest_sent = max(slot.newest_sent, number)
    slot.first_sent = min(slot.first_sent, number) if slot.has_sent else number
    slot.has_sent = True


cdef inline void forget_sent(Plane *plane, Slot *slot) noexcept nogil:
    """What was sent cannot be repeated any more: lets go of the layers."""
    cdef int index
    slot.has_sent = False
    if slot.sent == NULL:
        return
    for index in range(plane.limits.sent_packets):
        layer_release(slot.sent[index].layer)
        slot.sent[index].layer = NULL


cdef inline Packet *find_sent(Plane *plane, Slot *slot, int64_t number, Sent **found) noexcept nogil:
    """What left under this number; NULL when it is too long ago."""
    cdef Sent *sent
    if slot.sent == NULL:
        return NULL
    sent = &slot.sent[floor_mod(number, plane.limits.sent_packets)]
    if sent.layer == NULL or sent.number != number:
        return NULL
    found[0] = sent
    return history_get(&sent.layer.history, sent.source_number)


cdef inline int rtx_payload_type(const Slot *slot, const Packet *packet) noexcept nogil:
    """-1: none."""
    if packet.codec == NO_CODEC or not slot.has_rtx or not slot.formats[packet.codec].known:
        return -1
    return slot.formats[packet.codec].rtx_payload_type


cdef inline int claim(
    Plane *plane, Slot *slot, uint32_t sequence_number, double now, int64_t *number
) noexcept nogil:
    """The unwrapped number of what a NACK asks for; returns why it is not to be sent again, if so."""
    cdef Sent *sent = NULL
    cdef Packet *packet
    if not slot.has_rtx:
        return DROP_NO_PAYLOAD_TYPE
    if not is_connected(slot.transport):
        return DROP_NOT_CONNECTED
    number[0] = slot.newest_sent - ((slot.newest_sent - sequence_number) & 0xFFFF)
    packet = find_sent(plane, slot, number[0], &sent)
    if packet == NULL:
        return DROP_NOT_IN_HISTORY
    if rtx_payload_type(slot, packet) < 0:
        return DROP_NO_PAYLOAD_TYPE
    if is_behind_switch(slot, sent):
        return DROP_RTX_LATE
    if sent.waiting or now - sent.repeated_at < plane.limits.rtx_repeat_after_s:
        return DROP_RTX_REPEATED
    return NOT_DROPPED


cdef inline bint is_behind_switch(const Slot *slot, const Sent *sent) noexcept nogil:
    return slot.layer != NULL and sent.layer.index > slot.layer.index


cdef inline void set_waiting(Plane *plane, Slot *slot, int64_t number, bint waiting) noexcept nogil:
    cdef Sent *sent = &slot.sent[floor_mod(number, plane.limits.sent_packets)]
    if sent.number == number:
        sent.waiting = waiting


cdef inline int repeat(
    Plane *plane, Slot *slot, int64_t number, double now, uint32_t cluster, int *size
) noexcept nogil:
    """Under the RTX SSRC and a number of its own. Returns why it is not sent, if so."""
    cdef Sent *sent = NULL
    cdef Packet *packet = find_sent(plane, slot, number, &sent)
    cdef int payload_type, refusal
    if packet == NULL:
        return DROP_NOT_IN_HISTORY
    payload_type = rtx_payload_type(slot, packet)
    if payload_type < 0:
        return DROP_NO_PAYLOAD_TYPE
    if not cluster and is_behind_switch(slot, sent):
        return DROP_RTX_LATE
    sent.repeated_at = now
    refusal = send_again(plane, slot, sent, packet, payload_type, now, cluster, size)
    if refusal == NOT_DROPPED and not cluster:
        slot.retransmitted += 1
        plane.counts.retransmitted += 1
    return refusal


cdef inline int send_again(
    Plane *plane,
    Slot *slot,
    const Sent *sent,
    const Packet *packet,
    int payload_type,
    double now,
    uint32_t cluster,
    int *size,
) noexcept nogil:
    cdef uint8_t *out = outbox_room(plane, 12 + LONGEST_BLOCK + 2 + packet.size + TRAILER)
    cdef uint8_t *payload
    cdef SentDescriptor descriptor = sent_descriptor(packet, &sent.picture)
    if out == NULL:
        return DROP_SEND_BUFFER_FULL
    payload = write_rtx(
        slot, out, &packet.passed_on, &descriptor, sent.picture.marker, payload_type, sent.timestamp, now
    )
    write16(payload, <uint32_t>sent.number)
    memcpy(payload + 2, packet.payload, packet.size)
    rewrite_payload(payload + 2, packet, &sent.picture)
    size[0] = <int>(payload - out) + 2 + packet.size
    return send_rtx(plane, slot, out, size, now, cluster)


cdef inline uint8_t *write_rtx(
    Slot *slot,
    uint8_t *out,
    const PassedOn *passed_on,
    const SentDescriptor *descriptor,
    bint marker,
    int payload_type,
    uint32_t timestamp,
    double now,
) noexcept nogil:
    """Everything in front of the payload; returns where that begins. `passed_on` and `descriptor` may be NULL."""
    cdef Transport *transport = slot.transport
    cdef int extension_size = write_block(
        out + 12, &transport.send_ids, &slot.mid, passed_on, descriptor, next_transport_number(transport), now
    )
    write_rtp(
        out, extension_size > 0, marker, payload_type, <uint32_t>slot.next_rtx_number, timestamp, slot.rtx_ssrc
    )
    return out + 12 + extension_size


cdef inline int send_rtx(
    Plane *plane, Slot *slot, uint8_t *out, int *size, double now, uint32_t cluster
) noexcept nogil:
    """What `write_rtx` has begun. The number is spent also when it cannot leave."""
    slot.next_rtx_number += 1
    return send_rtp(
        plane, slot.transport, &slot.spent_on_rtx, slot.next_rtx_number - 1, out, size, now, cluster
    )


# --- probes -----------------------------------------------------------------------------------------------------------


cdef inline bint find_for_probe(
    Plane *plane, Slot *slot, uint32_t cluster, int64_t *number, double *arrived_at
) noexcept nogil:
    """The newest packet that this cluster has not passed and that is worth more than padding."""
    cdef Sent *sent = NULL
    cdef Packet *packet
    if slot.probe != cluster:
        slot.probe = cluster
        slot.probe_next = slot.newest_sent
    while slot.has_sent and slot.probe_next >= max(
        slot.first_sent, slot.newest_sent - plane.limits.sent_packets + 1
    ):
        packet = find_sent(plane, slot, slot.probe_next, &sent)
        if packet != NULL and packet.size >= PADDING_BYTES and rtx_payload_type(slot, packet) >= 0:
            number[0] = slot.probe_next
            arrived_at[0] = packet.arrived_at
            return True
        pass_for_probe(slot)
    return False


cdef inline void pass_for_probe(Slot *slot) noexcept nogil:
    slot.probe_next -= 1


cdef inline int padding_payload_type(const Slot *slot) noexcept nogil:
    """-1: without RTX it cannot be padded, for padding on the media SSRC would take numbers of the media."""
    cdef int codec, found = -1
    for codec in range(<int>CODECS):
        if slot.has_rtx and slot.formats[codec].known and slot.formats[codec].rtx_payload_type >= 0:
            if found < 0 or slot.formats[codec].rtx_payload_type < found:
                found = slot.formats[codec].rtx_payload_type
    return found


cdef inline int send_padding(
    Plane *plane, Slot *slot, int payload_type, double now, uint32_t cluster, int *size
) noexcept nogil:
    """As `repeat`. An RTX packet without even an original sequence number: receivers count its arrival, and that is
    all."""
    cdef uint8_t *out = outbox_room(plane, 12 + LONGEST_BLOCK + PADDING_BYTES + TRAILER)
    cdef uint8_t *padding
    if out == NULL:
        return DROP_SEND_BUFFER_FULL
    padding = write_rtx(slot, out, NULL, NULL, False, payload_type, line_newest(&slot.line), now)
    out[0] |= 0x20
    memset(padding, 0, PADDING_BYTES - 1)
    padding[PADDING_BYTES - 1] = PADDING_BYTES
    size[0] = <int>(padding - out) + PADDING_BYTES
    return send_rtx(plane, slot, out, size, now, cluster)
