"""From a datagram to the Slots that carry its packet. As `fallback/receiving.py`, explained there."""

from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from sfu.plane.compiled.consent cimport LONGEST_ANSWER, answer_to_check
from sfu.plane.compiled.drops cimport (
    DROP_EVENTS_FULL, DROP_MALFORMED, DROP_NO_KEYS, DROP_SSRC_LIMIT, DROP_STRANGER_LIMIT, DROP_UNKNOWN_ADDRESS,
    DROP_UNKNOWN_KIND, DROP_UNKNOWN_SSRC, NOT_DROPPED,
)
from sfu.plane.compiled.events cimport (
    EVENT_CONSENT, EVENT_DTLS, EVENT_RTCP, EVENT_STRAY, EVENT_STUN, NOBODY, Event, EventKind, event_put,
)
from sfu.plane.compiled.extensions cimport ROLE_TRANSPORT_CC
from sfu.plane.compiled.feedback cimport ANYTHING, ONLY_FEEDBACK, ONLY_RECEPTION, take_feedbacks
from sfu.plane.compiled.later cimport await_feedback
from sfu.plane.compiled.learning cimport learn
from sfu.plane.compiled.levels cimport note_level
from sfu.plane.compiled.numbers cimport read32
from sfu.plane.compiled.outbox cimport drop, has_room_for_strangers, send_as_is, tell_by_if_room
from sfu.plane.compiled.packets cimport Packet
from sfu.plane.compiled.paths cimport Endpoint, path_owner, same_endpoint
from sfu.plane.compiled.prefetch cimport fetch_slots_after
from sfu.plane.compiled.publishing cimport on_media, on_repair
from sfu.plane.compiled.rtp cimport KIND_DTLS, KIND_RTCP, KIND_RTP, KIND_STUN, Kind, RtpHeader, classify, read_rtp
from sfu.plane.compiled.slot cimport slot_on_packet
from sfu.plane.compiled.srtp cimport unprotect
from sfu.plane.compiled.tables cimport Layer, Plane, Slot, Source, Transport
from sfu.plane.compiled.taps cimport tap_packet, tap_reports, tap_restored
from sfu.plane.compiled.transport cimport find_source, hear, may_hear, note_arrival


cdef inline void on_datagram(
    Plane *plane, uint8_t *datagram, int size, const Endpoint *source, double now
) noexcept nogil:
    """Decrypts in place."""
    cdef Kind kind = classify(datagram, size)
    cdef Transport *transport = <Transport *>path_owner(&plane.paths, source)
    cdef double tell_by
    cdef int contents
    cdef bint about_slots = False
    plane.counts.received_datagrams += 1
    if transport == NULL:
        on_stranger(plane, datagram, size, source, kind, now)
    elif kind == KIND_RTP:
        plane.counts.received_rtp += 1
        on_rtp(plane, transport, datagram, size, now)
    elif kind == KIND_RTCP:
        plane.counts.received_rtcp += 1
        if decrypt(plane, transport, True, datagram, &size, now):
            tap_reports(plane, transport, datagram, size, now)
            contents = take_feedbacks(plane, transport, datagram, size, now, &about_slots)
            if contents != ONLY_FEEDBACK and not (about_slots and contents == ONLY_RECEPTION):
                tell_by = now + plane.limits.report_patience_s if contents != ANYTHING else -INFINITY
                tell_up(plane, EVENT_RTCP, transport, datagram, size, source, now, tell_by)
    elif kind == KIND_STUN:
        plane.counts.received_stun += 1
        on_check(plane, transport, datagram, size, source, now)
    elif kind == KIND_DTLS:
        plane.counts.received_dtls += 1
        tell_up(plane, EVENT_DTLS, transport, datagram, size, source, now, -INFINITY)
    else:
        drop(plane, DROP_UNKNOWN_KIND)


cdef inline void on_check(
    Plane *plane, Transport *transport, const uint8_t *datagram, int size, const Endpoint *source, double now
) noexcept nogil:
    cdef uint8_t answer[LONGEST_ANSWER]
    cdef int length = 0
    if transport.has_selected and same_endpoint(source, &transport.selected):
        length = answer_to_check(&transport.consent, datagram, size, source, answer)
    if length == 0:
        tell_up(plane, EVENT_STUN, transport, datagram, size, source, now, -INFINITY)
    else:
        send_as_is(plane, transport, source, answer, length)
        tell_up(plane, EVENT_CONSENT, transport, NULL, 0, source, now, now + plane.limits.report_patience_s)


cdef inline void tell_up(
    Plane *plane,
    EventKind kind,
    const Transport *transport,
    const uint8_t *datagram,
    int size,
    const Endpoint *source,
    double now,
    double tell_by,
) noexcept nogil:
    cdef Event event
    memset(&event, 0, sizeof(Event))
    event.kind = kind
    event.subject = transport.id
    event.size = size
    event.at_s = now
    event.endpoint = source[0]
    tell_by_if_room(plane, &event, datagram, tell_by)


cdef inline void on_stranger(
    Plane *plane, const uint8_t *datagram, int size, const Endpoint *source, Kind kind, double now
) noexcept nogil:
    """Only a connectivity check, or what a known remote has encrypted, can introduce an address; and there may be any
    number of strangers."""
    cdef Event event
    cdef bint is_stray = (kind == KIND_RTP or kind == KIND_RTCP) and now >= plane.next_stray_at
    if kind == KIND_STUN:
        plane.counts.received_stun += 1
    elif not is_stray:
        drop(plane, DROP_UNKNOWN_ADDRESS)
        return
    if plane.strangers >= plane.limits.strangers_per_batch or not has_room_for_strangers(plane):
        drop(plane, DROP_STRANGER_LIMIT)
        return
    plane.strangers += 1
    memset(&event, 0, sizeof(Event))
    event.kind = EVENT_STRAY if is_stray else EVENT_STUN
    event.subject = NOBODY
    event.size = size
    event.endpoint = source[0]
    if is_stray:
        plane.next_stray_at = now + plane.limits.stray_interval_s
    if not event_put(&plane.events, True, &event, datagram, -INFINITY):
        drop(plane, DROP_EVENTS_FULL)


cdef inline void on_rtp(Plane *plane, Transport *transport, uint8_t *datagram, int size, double now) noexcept nogil:
    cdef RtpHeader header
    cdef Source *source
    cdef Layer *layer
    cdef Packet *packet
    cdef int index
    if not decrypt(plane, transport, False, datagram, &size, now):
        return
    if not read_rtp(datagram, size, transport.roles, &header):
        drop(plane, DROP_MALFORMED)
        return
    if header.elements.value[ROLE_TRANSPORT_CC] != NULL:
        note_arrival(
            plane,
            transport,
            header.elements.value[ROLE_TRANSPORT_CC],
            header.elements.size[ROLE_TRANSPORT_CC],
            now,
        )
        if transport.arrivals.due_at == INFINITY:
            await_feedback(plane, transport, now)
    source = find_source(transport, header.ssrc)
    if source == NULL:
        source = learn(plane, transport, &header, now)
        if source == NULL:
            return
    layer = source.layer
    if layer == NULL:
        drop(plane, DROP_UNKNOWN_SSRC)  # another has taken its place
        return
    packet = on_repair(plane, layer, &header, now) if source.rtx else on_media(plane, layer, &header, now)
    if layer.restored != NULL:
        pass_restored(plane, layer, now)
    if packet != NULL:
        if not layer.track.is_video:
            note_level(plane, layer.track, packet)
        if layer.track.tap_count:
            tap_packet(plane, layer, datagram, size, &header, packet, source.rtx, now)
        for index in range(layer.track.slots.count):
            fetch_slots_after(plane, &layer.track.slots, index, packet)
            slot_on_packet(plane, <Slot *>layer.track.slots.items[index], packet, layer, now)


cdef inline void pass_restored(Plane *plane, Layer *layer, double now) noexcept nogil:
    cdef Packet *packet = layer.restored
    cdef int index
    layer.restored = NULL
    tap_restored(plane, layer, packet, now)
    for index in range(layer.track.slots.count):
        slot_on_packet(plane, <Slot *>layer.track.slots.items[index], packet, layer, now)


cdef inline bint decrypt(
    Plane *plane, Transport *transport, bint rtcp, uint8_t *datagram, int *size, double now
) noexcept nogil:
    """False, and counted, if it is not the remote's, or too many SSRCs are in use already."""
    cdef int ssrc_at = 4 if rtcp else 8, refusal
    cdef uint32_t ssrc
    if transport.inbound == NULL:
        drop(plane, DROP_NO_KEYS)
        return False
    if size[0] < ssrc_at + 4:
        drop(plane, DROP_MALFORMED)
        return False
    ssrc = read32(datagram + ssrc_at)
    if not may_hear(plane, transport, ssrc):
        drop(plane, DROP_SSRC_LIMIT)
        return False
    refusal = unprotect(plane, transport, rtcp, datagram, size)
    if refusal != NOT_DROPPED:
        drop(plane, refusal)
        return False
    hear(transport, ssrc, now)
    return True


cdef inline bint has_moved(Plane *plane, Transport *transport, uint8_t *stray, int size, double now) noexcept nogil:
    """Decrypts in place."""
    cdef bint rtcp = classify(stray, size) == KIND_RTCP
    cdef int ssrc_at = 4 if rtcp else 8
    cdef uint32_t ssrc
    if transport.inbound == NULL or size < ssrc_at + 4 or now - transport.heard_at < plane.limits.moved_silent_s:
        return False
    ssrc = read32(stray + ssrc_at)
    if not may_hear(plane, transport, ssrc) or unprotect(plane, transport, rtcp, stray, &size) != NOT_DROPPED:
        return False
    hear(transport, ssrc, now)
    return True
