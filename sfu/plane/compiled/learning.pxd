"""Whose is an SSRC? Learned from header extensions, kept for as long as the Track lives. As `fallback/learning.py`."""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memset

from sfu.plane.compiled.drops cimport DROP_SSRC_LIMIT, DROP_UNKNOWN_PAYLOAD_TYPE, DROP_UNKNOWN_SSRC
from sfu.plane.compiled.events cimport EVENT_LEARNED, Event
from sfu.plane.compiled.extensions cimport ROLE_MID, ROLE_REPAIRED_RID, ROLE_RID, Elements, Text
from sfu.plane.compiled.layers cimport layer_new, layer_release
from sfu.plane.compiled.outbox cimport drop, tell
from sfu.plane.compiled.packets cimport NO_CODEC
from sfu.plane.compiled.rtp cimport RtpHeader
from sfu.plane.compiled.tables cimport Format, Layer, Plane, Source, Track, Transport
from sfu.plane.compiled.transport cimport find_source


cdef inline Source *learn(Plane *plane, Transport *transport, const RtpHeader *header, double now) noexcept nogil:
    """From the first packet of an SSRC; NULL, and counted, when it does not say enough."""
    cdef Track *track = track_of(transport, &header.elements)
    cdef Format *form
    cdef bint rtx
    cdef int layer = 0
    if track == NULL:
        drop(plane, DROP_UNKNOWN_SSRC)
        return NULL
    form = &track.formats[header.payload_type]
    if form.codec == NO_CODEC:
        drop(plane, DROP_UNKNOWN_PAYLOAD_TYPE)
        return NULL
    rtx = form.repairs >= 0
    if track.rid_count:
        layer = layer_named(track, &header.elements, ROLE_REPAIRED_RID if rtx else ROLE_RID)
        if layer < 0:
            drop(plane, DROP_UNKNOWN_SSRC)
            return NULL
    return learn_as(plane, track, layer, header.ssrc, rtx, True, now)


cdef inline Source *learn_as(
    Plane *plane, Track *track, int index, uint32_t ssrc, bint rtx, bint by_packet, double now
) noexcept nogil:
    """Gives the SSRC to the layer, unless it has an owner. NULL, and counted, at the limit. Not `by_packet`:
    signaling announces it."""
    cdef Transport *transport = track.transport
    cdef Source *source = find_source(transport, ssrc)
    cdef Layer *layer
    cdef Event event
    if source != NULL:
        return source
    if transport.source_count >= plane.limits.ssrcs_per_transport:
        drop(plane, DROP_SSRC_LIMIT)
        return NULL
    layer = track.layers[index]
    if rtx:
        if layer.has_rtx_ssrc:
            retire(transport, layer.rtx_ssrc)
        layer.has_rtx_ssrc = True
        layer.rtx_ssrc = ssrc
        layer.rtx_learned_at = now if by_packet else layer.reception.last_at
    elif not layer.has_ssrc:
        layer.has_ssrc = True
        layer.ssrc = ssrc
    else:
        layer = take_over(plane, track, index, ssrc)
        if layer == NULL:
            drop(plane, DROP_SSRC_LIMIT)  # out of memory
            return NULL
    source = &transport.sources[transport.source_count]
    transport.source_count += 1
    source[0] = Source(ssrc, rtx, track, layer)
    memset(&event, 0, sizeof(Event))
    event.kind = EVENT_LEARNED
    event.track = track.id
    event.layer = index
    event.value = ssrc
    event.rtx = rtx
    tell(plane, &event, NULL)
    return source


cdef inline Layer *take_over(Plane *plane, Track *track, int index, uint32_t ssrc) noexcept nogil:
    """A fresh layer in the place of the old one; NULL without memory."""
    cdef Transport *transport = track.transport
    cdef Layer *old = track.layers[index]
    cdef Layer *layer = layer_new(plane, track, index)
    if layer == NULL:
        return NULL
    track.layers[index] = layer
    retire(transport, old.ssrc)
    layer.has_ssrc = True
    layer.ssrc = ssrc
    # The new sender's RTX may have come first, as a probe; then it stays. An RTX SSRC from before belongs to the old
    # sender, whose sequence numbers mean nothing here.
    if old.has_rtx_ssrc and old.rtx_learned_at >= old.reception.last_at:
        layer.has_rtx_ssrc = True
        layer.rtx_ssrc = old.rtx_ssrc
        layer.rtx_learned_at = old.rtx_learned_at
        find_source(transport, old.rtx_ssrc).layer = layer
    elif old.has_rtx_ssrc:
        retire(transport, old.rtx_ssrc)
    layer_release(old)
    return layer


cdef inline void retire(Transport *transport, uint32_t ssrc) noexcept nogil:
    cdef Source *source = find_source(transport, ssrc)
    if source != NULL:
        source.layer = NULL


cdef inline Track *track_of(const Transport *transport, const Elements *elements) noexcept nogil:
    cdef int index
    for index in range(transport.tracks.count):
        if says(elements, ROLE_MID, &(<Track *>transport.tracks.items[index]).mid):
            return <Track *>transport.tracks.items[index]
    return NULL


cdef inline int layer_named(const Track *track, const Elements *elements, int role) noexcept nogil:
    """-1: no such layer."""
    cdef int index
    for index in range(track.rid_count):
        if says(elements, role, &track.rids[index]):
            return index
    return -1


cdef inline bint says(const Elements *elements, int role, const Text *text) noexcept nogil:
    """An element that is missing says the empty text."""
    cdef int size = elements.size[role]
    return size == text.size and (size == 0 or memcmp(elements.value[role], text.bytes, size) == 0)
