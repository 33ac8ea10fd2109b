"""Pictures as one subscriber sees them: which layers, and counters that run on. As `fallback/pictures.py`."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from sfu.plane.compiled.drops cimport DROP_TEMPORAL_LAYER, DROP_TOO_OLD, NOT_DROPPED
from sfu.plane.compiled.extensions cimport SentDescriptor
from sfu.plane.compiled.filtering cimport LayerFilter, filter_begin, filter_judge
from sfu.plane.compiled.numbering cimport NumberMap, numbers_begin, numbers_leave_out, numbers_place
from sfu.plane.compiled.packets cimport AV1, Packet
from sfu.plane.compiled.vp8 cimport rewrite_vp8
from sfu.plane.compiled.vp9 cimport rewrite_vp9

cdef enum:
    FRAMES = 128  # of which late packets still find the right picture id: 4 s at 30 fps


cdef struct PictureFields:
    # What a packet gets in the place of the publisher's.
    int64_t number
    int tl0
    bint marker


cdef struct Pictures:
    NumberMap frames  # VP8
    bint has_newest_number  # VP9 and AV1, as they came and as they went out
    int64_t newest_number
    int64_t last_number
    int64_t number_offset
    int last_tl0
    int tl0_offset
    LayerFilter layers  # last, for its table is long


cdef inline void pictures_begin(Pictures *pictures, const Packet *packet) noexcept nogil:
    """A switch: `packet` starts a key frame of another source."""
    filter_begin(&pictures.layers)
    pictures.has_newest_number = False
    if packet.has_picture_number:
        continue_from(pictures, packet)


cdef inline int pictures_place(
    Pictures *pictures, const Packet *packet, bint in_order, PictureFields *out
) noexcept nogil:
    """What to write into the packet; or why its frame is left out."""
    cdef bint is_last = False
    cdef int refusal, index
    out.number = out.tl0 = 0
    out.marker = packet.marker
    if not packet.layering.known:
        # From before the layers changed, when it has a descriptor: which was it?
        return NOT_DROPPED if packet.descriptor == NULL else DROP_TOO_OLD
    refusal = filter_judge(&pictures.layers, &packet.layering, in_order, &is_last)
    if packet.has_picture_number and in_order and starts_anew(pictures, packet):
        continue_from(pictures, packet)
    if refusal != NOT_DROPPED:
        if packet.has_vp8 and packet.has_picture_number:
            numbers_leave_out(&pictures.frames, packet.picture_number)
        return refusal
    out.marker = packet.marker or (is_last and packet.layering.ends)
    if not packet.has_picture_number:
        return NOT_DROPPED
    if packet.has_vp8:
        if not numbers_place(&pictures.frames, packet.picture_number, &out.number):
            return DROP_TEMPORAL_LAYER
    else:
        out.number = packet.picture_number + pictures.number_offset
        pictures.last_number = max(pictures.last_number, out.number)
        if in_order:
            pictures.has_newest_number = True
            pictures.newest_number = packet.picture_number
    index = tl0_picture_index(packet)
    if index >= 0:
        out.tl0 = (index + pictures.tl0_offset) & 0xFF
        if in_order:
            pictures.last_tl0 = out.tl0
    return NOT_DROPPED


cdef inline bint starts_anew(const Pictures *pictures, const Packet *packet) noexcept nogil:
    if packet.has_vp8:
        return not pictures.frames.begun or packet.picture_number < pictures.frames.newest
    return not pictures.has_newest_number or packet.picture_number < pictures.newest_number


cdef inline void continue_from(Pictures *pictures, const Packet *packet) noexcept nogil:
    cdef int index = tl0_picture_index(packet)
    if packet.has_vp8:
        numbers_begin(&pictures.frames, packet.picture_number)
    else:
        pictures.has_newest_number = True
        pictures.newest_number = packet.picture_number
        pictures.number_offset = pictures.last_number + 1 - packet.picture_number
    if index >= 0:
        pictures.tl0_offset = pictures.last_tl0 + 1 - index


cdef inline void rewrite_payload(uint8_t *payload, const Packet *packet, const PictureFields *fields) noexcept nogil:
    if not packet.has_picture_number:
        return
    if packet.has_vp8:
        rewrite_vp8(payload, &packet.vp8, fields.number, fields.tl0)
    elif packet.has_vp9:
        rewrite_vp9(payload, &packet.vp9, fields.number, fields.tl0)


cdef inline SentDescriptor sent_descriptor(const Packet *packet, const PictureFields *fields) noexcept nogil:
    """The dependency descriptor, of packets that are sent with it."""
    cdef const uint8_t *value = packet.descriptor if packet.codec == AV1 else NULL
    return SentDescriptor(value, packet.descriptor_size, <uint32_t>fields.number)


cdef inline int tl0_picture_index(const Packet *packet) noexcept nogil:
    """-1: none."""
    if packet.has_vp8:
        return packet.vp8.tl0_picture_index
    return packet.vp9.tl0_picture_index if packet.has_vp9 else -1
