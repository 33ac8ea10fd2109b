"""Which temporal and spatial layers of a source one subscriber gets. As `fallback/filtering.py`, explained there."""

from libc.stdint cimport INT64_MIN, int64_t

from sfu.plane.compiled.drops cimport DROP_SPATIAL_LAYER, DROP_TEMPORAL_LAYER, NOT_DROPPED
from sfu.plane.compiled.layering cimport HIGHEST_TEMPORAL_LAYER
from sfu.plane.compiled.numbers cimport floor_mod
from sfu.plane.compiled.packets cimport Layering

cdef enum:
    ALL_TEMPORAL_LAYERS = HIGHEST_TEMPORAL_LAYER
    ALL_SPATIAL_LAYERS = 7
    PICTURES = 256  # of which late packets still meet the same answer: 4 s at 60 fps
    NO_LAYER = -1


cdef struct Decided:
    int64_t picture  # INT64_MIN: none
    int highest


cdef struct LayerFilter:
    int temporal_limit
    int spatial_limit
    int temporal  # let through now; never above the limit
    int spatial
    bint begun
    int64_t newest
    Decided decided[PICTURES]


cdef inline void filter_open(LayerFilter *layers) noexcept nogil:
    layers.temporal_limit = layers.temporal = ALL_TEMPORAL_LAYERS
    layers.spatial_limit = layers.spatial = ALL_SPATIAL_LAYERS
    filter_forget(layers)


cdef inline void filter_limit(LayerFilter *layers, int max_temporal_id, int max_spatial_id) noexcept nogil:
    layers.temporal_limit = max_temporal_id
    layers.temporal = min(layers.temporal, max_temporal_id)
    layers.spatial_limit = max_spatial_id
    layers.spatial = min(layers.spatial, max_spatial_id)


cdef inline void filter_begin(LayerFilter *layers) noexcept nogil:
    """A switch: a key frame of another source is next."""
    layers.temporal = layers.temporal_limit
    layers.spatial = layers.spatial_limit
    filter_forget(layers)


cdef inline int filter_judge(
    LayerFilter *layers, const Layering *layering, bint in_order, bint *is_last
) noexcept nogil:
    """Why the packet is left out, if so; and whether its frame is the last that is sent of its picture."""
    cdef int highest = highest_sent(layers, layering, in_order)
    is_last[0] = layering.spatial_id == highest
    if layering.spatial_id > highest:
        return DROP_TEMPORAL_LAYER if highest == NO_LAYER else DROP_SPATIAL_LAYER
    return NOT_DROPPED


cdef inline int highest_sent(LayerFilter *layers, const Layering *layering, bint in_order) noexcept nogil:
    """The highest spatial layer of its picture that is sent; NO_LAYER: none."""
    cdef Decided *decided
    if not layering.has_picture:
        raise_at(layers, layering)
        return decide(layers, layering)
    if in_order and layers.begun and layering.picture < layers.newest:
        filter_forget(layers)  # the source has started its numbers anew
    if layers.begun and layering.picture <= layers.newest - PICTURES:
        return decide(layers, layering)
    decided = &layers.decided[floor_mod(layering.picture, PICTURES)]
    if decided.picture != layering.picture:
        if not layers.begun or layering.picture > layers.newest:
            layers.begun = True
            layers.newest = layering.picture
            raise_at(layers, layering)
        decided.picture = layering.picture
        decided.highest = decide(layers, layering)
    if joins_above(layers, layering, decided.highest):
        layers.spatial = decided.highest = layering.spatial_id
    return decided.highest


cdef inline int decide(const LayerFilter *layers, const Layering *layering) noexcept nogil:
    return layers.spatial if layering.temporal_id <= layers.temporal else NO_LAYER


cdef inline bint joins_above(const LayerFilter *layers, const Layering *layering, int highest) noexcept nogil:
    """The layer above those that are sent may begin with a frame that needs nothing but them."""
    return (
        layering.begins
        and not layering.inter_picture
        and highest == layers.spatial
        and layering.spatial_id == highest + 1
        and layering.spatial_id <= layers.spatial_limit
    )


cdef inline void raise_at(LayerFilter *layers, const Layering *layering) noexcept nogil:
    """At the first packet of a picture. Higher spatial layers follow the lowest one's temporal pattern."""
    if layering.key:
        layers.temporal = layers.temporal_limit
        layers.spatial = layers.spatial_limit
    elif layering.begins and layering.spatial_id == 0:
        if layering.joins and layering.temporal_id == layers.temporal + 1:
            # One layer at a time: what follows may depend on the layer between, of which nothing was sent.
            layers.temporal = min(layers.temporal_limit, layering.temporal_id)
        if layering.temporal_id <= layers.temporal < layering.switches_to:
            layers.temporal = min(layers.temporal_limit, layering.switches_to)


cdef inline void filter_forget(LayerFilter *layers) noexcept nogil:
    cdef int index
    layers.begun = False
    for index in range(PICTURES):
        layers.decided[index].picture = INT64_MIN
