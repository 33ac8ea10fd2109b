"""Layers come and go with their SSRC: made for a Track, renewed by `learning.pxd`, freed by the last who holds them."""

from libc.stdlib cimport calloc, free

from sfu.plane.compiled.history cimport history_close, history_open
from sfu.plane.compiled.tables cimport Layer, Plane, Track
from sfu.plane.compiled.timeline cimport clock_new, clock_release


cdef inline Layer *layer_new(const Plane *plane, Track *track, int index) noexcept nogil:
    """NULL without memory."""
    cdef Layer *layer = <Layer *>calloc(1, sizeof(Layer))
    cdef int kept
    if layer == NULL:
        return NULL
    layer.holders = 1
    layer.track = track
    layer.index = index
    layer.clock = clock_new()
    kept = plane.limits.history_packets if track.is_video else plane.limits.audio_kept_packets
    if layer.clock == NULL or not history_open(&layer.history, kept):
        layer_release(layer)
        return NULL
    return layer


cdef inline void layer_hold(Layer *layer) noexcept nogil:
    layer.holders += 1


cdef inline void layer_release(Layer *layer) noexcept nogil:
    if layer == NULL:
        return
    layer.holders -= 1
    if layer.holders == 0:
        history_close(&layer.history)
        clock_release(layer.clock)
        free(layer)
