"""Acknowledged packets, gathered into groups that were sent together. As `fallback/groups.py`, explained there."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport realloc

cdef extern from *:
    """
    #define GROUP_SPAN_S 0.005
    #define BURST_GAP_S 0.005
    #define LONGEST_BURST_S 0.1
    #define LONGEST_ARRIVAL_S 0.05
    #define CLOCK_JUMP_S 3.0
    """
    const double GROUP_SPAN_S, BURST_GAP_S, LONGEST_BURST_S, LONGEST_ARRIVAL_S, CLOCK_JUMP_S

cdef enum:
    FIRST_GROUPS = 16


cdef struct Group:
    double first_sent_at
    double sent_at
    double first_arrived_at
    double arrived_at
    double longest_gap
    double reported_at
    int64_t bytes


cdef struct GroupRow:
    # transport_feedback.GROUP
    double sent_at
    double arrived_at
    double sent_delta
    double arrived_delta
    double longest_gap
    int64_t bytes


cdef struct Groups:
    bint has_current
    bint has_before
    Group current
    Group before
    int count
    int start  # of the oldest; 0 until there are as many as may wait
    int room
    GroupRow *rows


cdef inline void groups_on_packet(
    Groups *groups, int limit, uint64_t *forgotten, double sent_at, double arrived_at, int size, double now
) noexcept nogil:
    cdef Group *group = &groups.current
    if not groups.has_current:
        groups.has_current = True
        group[0] = Group(sent_at, sent_at, arrived_at, arrived_at, 0, now, 0)
    elif sent_at < group.first_sent_at:
        return
    elif not group_includes(group, sent_at, arrived_at):
        if sent_at < group.sent_at:
            return  # sent in the midst of what arrived in a burst, but not of it
        group_end(groups, limit, forgotten)
        group[0] = Group(sent_at, sent_at, arrived_at, arrived_at, max(0.0, arrived_at - group.arrived_at), now, 0)
    group.sent_at = max(group.sent_at, sent_at)
    group.longest_gap = max(group.longest_gap, arrived_at - group.arrived_at)
    group.arrived_at = max(group.arrived_at, arrived_at)
    group.reported_at = now
    group.bytes += size


cdef inline bint group_includes(const Group *group, double sent_at, double arrived_at) noexcept nogil:
    """A packet that was not sent before the group."""
    cdef double gap = arrived_at - group.arrived_at
    if sent_at - group.first_sent_at <= GROUP_SPAN_S or sent_at == group.sent_at:
        return arrived_at - group.first_arrived_at <= LONGEST_ARRIVAL_S
    if gap < 0 or gap > BURST_GAP_S:
        return False
    return arrived_at - group.first_arrived_at < min(sent_at - group.first_sent_at, LONGEST_BURST_S)


cdef inline void group_end(Groups *groups, int limit, uint64_t *forgotten) noexcept nogil:
    cdef Group *group = &groups.current
    cdef bint comparable = groups.has_before
    cdef double sent_delta = group.sent_at - groups.before.sent_at
    cdef double arrived_delta = group.arrived_at - groups.before.arrived_at
    cdef double reported_delta = group.reported_at - groups.before.reported_at
    groups.before = group[0]
    groups.has_before = True
    if not comparable or arrived_delta - reported_delta >= CLOCK_JUMP_S or arrived_delta <= -CLOCK_JUMP_S:
        return
    groups_add(
        groups,
        limit,
        forgotten,
        GroupRow(group.sent_at, group.arrived_at, sent_delta, arrived_delta, group.longest_gap, group.bytes),
    )


cdef inline void groups_add(Groups *groups, int limit, uint64_t *forgotten, GroupRow row) noexcept nogil:
    cdef GroupRow *rows
    cdef int room
    if groups.count == limit:
        forgotten[0] += 1
        groups.rows[groups.start] = row
        groups.start = (groups.start + 1) % limit
        return
    if groups.count == groups.room:
        room = min(limit, max(<int>FIRST_GROUPS, 2 * groups.room))
        rows = <GroupRow *>realloc(groups.rows, room * sizeof(GroupRow))
        if rows == NULL:
            forgotten[0] += 1
            return
        groups.rows = rows
        groups.room = room
    groups.rows[groups.count] = row
    groups.count += 1


cdef inline void groups_take(Groups *groups, GroupRow *into) noexcept nogil:
    """Those completed since the last call, the oldest first: `count` of them."""
    cdef int index
    for index in range(groups.count):
        into[index] = groups.rows[(groups.start + index) % groups.count]
    groups.count = groups.start = 0
