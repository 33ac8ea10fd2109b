"""One media packet of a publisher, as the plane keeps it: decrypted, parsed once, not yet anybody's."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from sfu.plane.compiled.extensions cimport PassedOn
from sfu.plane.compiled.red cimport Redundancy
from sfu.plane.compiled.vp8 cimport Vp8Descriptor
from sfu.plane.compiled.vp9 cimport Vp9Descriptor

# Indices into `_CODECS` of _plane.pyx.
cdef enum Codec:
    NO_CODEC  # has a sequence number and nothing to forward, such as padding
    OPUS
    VP8
    H264
    VP9
    AV1
    RED
    CODECS


cdef struct Layering:
    # Where a packet's frame stands among the layers: fallback/packets.py explains each.
    bint known
    bint has_picture
    int64_t picture
    int spatial_id
    int temporal_id
    bint begins
    bint ends
    bint key
    bint inter_picture
    int switches_to
    bint joins


cdef struct Packet:
    int64_t number  # unwrapped
    int64_t picture_number  # unwrapped, if has_picture_number: picture id, or frame number of the dependency descriptor
    double arrived_at
    uint32_t timestamp
    int codec
    bint marker
    bint starts_key_frame  # the first packet of one
    bint has_vp8
    bint has_vp9
    bint has_picture_number
    Layering layering
    Vp8Descriptor vp8
    Vp9Descriptor vp9
    Redundancy red  # of RED
    PassedOn passed_on
    uint8_t *payload
    int size
    uint8_t *descriptor  # the dependency descriptor; NULL: none
    int descriptor_size
    bint described  # by it
