"""Feedback and reports of all Transports, gathered into the rows that `poll_feedback` and `poll_reports` hand out.

The mutex is held for one Transport's rows at a time, and copying them is all that happens under it.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, qsort, realloc

from sfu.plane.compiled.blocks cimport BlockRow
from sfu.plane.compiled.clusters cimport KEPT, ClusterRow, clusters_take
from sfu.plane.compiled.feedback cimport note_reporting, take_report
from sfu.plane.compiled.groups cimport GroupRow, groups_take
from sfu.plane.compiled.pointers cimport Pointers, pointers_add
from sfu.plane.compiled.reporting cimport take_blocks
from sfu.plane.compiled.tables cimport Plane, ReportRow, Transport


cdef struct Rows:
    # Memory that is used again for each poll.
    int count
    int room
    void *rows


cdef struct Polled:
    Rows reports
    Rows groups
    Rows clusters
    Rows blocks


cdef inline Pointers polling_begin(Plane *plane) noexcept nogil:
    """The Transports to be looked at; they may enter their names again from now on."""
    cdef Pointers reporting = plane.reporting
    cdef int index
    plane.reporting = Pointers(0, 0, NULL)
    for index in range(reporting.count):
        (<Transport *>reporting.items[index]).is_reporting = False
    return reporting


cdef inline Pointers blocks_begin(Plane *plane) noexcept nogil:
    """The same, of those whose Slots were reported on."""
    cdef Pointers reported_on = plane.reported_on
    plane.reported_on = Pointers(0, 0, NULL)
    return reported_on


cdef inline void polling_sort(Pointers *reporting) noexcept nogil:
    """By Transport ascending."""
    if reporting.count > 1:
        qsort(reporting.items, reporting.count, sizeof(void *), by_id)


cdef inline int by_id(const void *one, const void *other) noexcept nogil:
    cdef int64_t first = (<Transport **>one)[0].id, second = (<Transport **>other)[0].id
    return (first > second) - (first < second)


cdef inline bint poll_transport(Plane *plane, Transport *transport, double now, Polled *polled) noexcept nogil:
    """False without memory: nothing is taken then."""
    cdef Rows *reports = &polled.reports
    cdef Rows *groups = &polled.groups
    cdef Rows *clusters = &polled.clusters
    cdef int completed = transport.feedback.groups.count
    if not (
        rows_room(reports, 1, sizeof(ReportRow))
        and rows_room(groups, completed, sizeof(GroupRow))
        and rows_room(clusters, KEPT, sizeof(ClusterRow))
    ):
        note_reporting(plane, transport)
        return False
    if transport.feedback.has_report:
        take_report(transport, &(<ReportRow *>reports.rows)[reports.count])
        groups_take(&transport.feedback.groups, &(<GroupRow *>groups.rows)[groups.count])
        reports.count += 1
        groups.count += completed
    clusters.count += clusters_take(
        &transport.feedback.clusters, transport.id, now, &(<ClusterRow *>clusters.rows)[clusters.count]
    )
    if transport.feedback.clusters.count:
        note_reporting(plane, transport)
    return True


cdef inline bint poll_blocks(Plane *plane, Transport *transport, Polled *polled) noexcept nogil:
    """False without memory: what is not polled is told with the next."""
    cdef Rows *blocks = &polled.blocks
    if not rows_room(blocks, transport.slots.count, sizeof(BlockRow)):
        transport.is_reported_on = pointers_add(&plane.reported_on, transport)
        return False
    blocks.count += take_blocks(transport, &(<BlockRow *>blocks.rows)[blocks.count])
    return True


cdef inline bint rows_room(Rows *rows, int more, size_t size) noexcept nogil:
    cdef void *grown
    cdef int room
    if rows.count + more <= rows.room:
        return True
    room = max(64, 2 * (rows.count + more))
    grown = realloc(rows.rows, room * size)
    if grown == NULL:
        return False
    rows.rows = grown
    rows.room = room
    return True


cdef inline void polled_close(Polled *polled) noexcept nogil:
    free(polled.reports.rows)
    free(polled.groups.rows)
    free(polled.clusters.rows)
    free(polled.blocks.rows)
