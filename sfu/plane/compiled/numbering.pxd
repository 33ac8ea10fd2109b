"""Numbers that run on without a gap although packets are left out. As `fallback/numbering.py`, explained there."""

from libc.stdint cimport INT64_MIN, int64_t

from sfu.plane.compiled.arena cimport Arena, arena_give, arena_take
from sfu.plane.compiled.numbers cimport floor_mod

cdef enum:
    LEFT_OUT = -1


cdef struct NumberPlace:
    int64_t number  # INT64_MIN: nothing is known here
    int64_t out


cdef struct NumberMap:
    int size
    int64_t longest_gap
    int64_t last  # the highest number given out
    int64_t offset
    int64_t first  # what comes before it is not of this stretch
    int64_t newest  # the highest in-number seen in this stretch
    bint begun
    NumberPlace *places


cdef inline bint numbers_open(
    NumberMap *numbers, Arena *arena, int piece, int size, int64_t next_out, int64_t longest_gap
) noexcept nogil:
    """False without memory."""
    numbers.size = size
    numbers.longest_gap = longest_gap
    numbers.last = next_out - 1
    numbers.offset = numbers.first = 0
    numbers.newest = -1
    numbers.begun = False
    numbers.places = <NumberPlace *>arena_take(arena, piece, size * sizeof(NumberPlace))
    if numbers.places == NULL:
        return False
    forget_places(numbers)
    return True


cdef inline void numbers_close(NumberMap *numbers, Arena *arena, int piece) noexcept nogil:
    arena_give(arena, piece, numbers.places, numbers.size * sizeof(NumberPlace))


cdef inline void numbers_begin(NumberMap *numbers, int64_t number) noexcept nogil:
    """A new stretch: `number` will get the number after the last one given out."""
    numbers.begun = True
    numbers.first = number
    numbers.newest = number - 1
    numbers.offset = number - (numbers.last + 1)
    forget_places(numbers)


cdef inline bint numbers_place(NumberMap *numbers, int64_t number, int64_t *out) noexcept nogil:
    """False if `number` was left out, is of before, or is too old to know."""
    cdef NumberPlace *place
    if number <= numbers.newest:
        place = &numbers.places[floor_mod(number, numbers.size)]
        if place.number != number or place.out == LEFT_OUT:
            return False
        out[0] = place.out
        # It may be the highest so far, when all that followed was left out.
        numbers.last = max(numbers.last, place.out)
        return True
    reserve(numbers, number)
    out[0] = number - numbers.offset
    note(numbers, number, out[0])
    numbers.newest = number
    numbers.last = out[0]
    return True


cdef inline void numbers_leave_out(NumberMap *numbers, int64_t number) noexcept nogil:
    """No out-number for `number`. Of a late one the place stays empty: what follows is sent already."""
    cdef NumberPlace *place
    if number > numbers.newest:
        reserve(numbers, number)
        numbers.offset += 1
        numbers.newest = number
        note(numbers, number, LEFT_OUT)
        return
    place = &numbers.places[floor_mod(number, numbers.size)]
    if place.number == number:
        place.out = LEFT_OUT


cdef inline void reserve(NumberMap *numbers, int64_t number) noexcept nogil:
    """Places for what is missing between the newest and `number`."""
    cdef int64_t excess = number - numbers.offset - numbers.last - 1 - numbers.longest_gap
    cdef int64_t missing
    if excess > 0:
        numbers.offset += excess
        numbers.first = number
        forget_places(numbers)
        return
    for missing in range(numbers.newest + 1, number):
        note(numbers, missing, missing - numbers.offset)


cdef inline void note(NumberMap *numbers, int64_t number, int64_t out) noexcept nogil:
    cdef NumberPlace *place = &numbers.places[floor_mod(number, numbers.size)]
    place.number = number
    place.out = out


cdef inline void forget_places(NumberMap *numbers) noexcept nogil:
    cdef int index
    for index in range(numbers.size):
        numbers.places[index].number = INT64_MIN
