"""A growing list of pointers that keeps its order."""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef struct Pointers:
    int count
    int room
    void **items


cdef inline bint pointers_add(Pointers *list, void *item) noexcept nogil:
    """False without memory."""
    cdef void **items
    cdef int room
    if list.count == list.room:
        room = max(8, 2 * list.room)
        items = <void **>realloc(list.items, room * sizeof(void *))
        if items == NULL:
            return False
        list.items = items
        list.room = room
    list.items[list.count] = item
    list.count += 1
    return True


cdef inline void pointers_remove(Pointers *list, void *item) noexcept nogil:
    cdef int index
    for index in range(list.count):
        if list.items[index] == item:
            list.count -= 1
            memmove(&list.items[index], &list.items[index + 1], (list.count - index) * sizeof(void *))
            return


cdef inline void pointers_close(Pointers *list) noexcept nogil:
    free(list.items)
