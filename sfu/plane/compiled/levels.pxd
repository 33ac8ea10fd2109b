"""Audio levels of all Tracks, for whoever finds out who is speaking (RFC 6464). As `fallback/levels.py`."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport realloc

from sfu.plane.compiled.packets cimport Packet
from sfu.plane.compiled.tables cimport Level, Levels, Plane, Track

cdef enum:
    AUDIO_LEVEL = 0  # index in PASSED_ON


cdef inline void note_level(Plane *plane, Track *track, const Packet *packet) noexcept nogil:
    """Of an audio packet that has not been there before, if it has one."""
    cdef Levels *levels = &plane.levels
    cdef uint8_t value = packet.passed_on.value[AUDIO_LEVEL][0]
    if packet.passed_on.size[AUDIO_LEVEL] == 0:
        return
    if track.level_turn != levels.turn:
        track.level_turn = levels.turn
        track.level_count = 0
    if track.level_count >= plane.limits.levels_per_track or not levels_room(levels):
        return
    track.level_count += 1
    levels.rows[levels.count] = Level(track.id, packet.arrived_at, value & 0x7F, value >> 7)
    levels.count += 1


cdef inline void forget_levels(Plane *plane, const Track *track) noexcept nogil:
    """The Track is gone."""
    cdef Levels *levels = &plane.levels
    cdef int index, kept = 0
    if track.level_turn != levels.turn:
        return
    for index in range(levels.count):
        if levels.rows[index].track != track.id:
            levels.rows[kept] = levels.rows[index]
            kept += 1
    levels.count = kept


cdef inline bint levels_room(Levels *levels) noexcept nogil:
    """False without memory."""
    cdef int room
    cdef Level *rows
    if levels.count < levels.room:
        return True
    room = max(64, 2 * levels.room)
    rows = <Level *>realloc(levels.rows, room * sizeof(Level))
    if rows == NULL:
        return False
    levels.rows = rows
    levels.room = room
    return True
