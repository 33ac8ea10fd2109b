# How fast do packets arrive? As `delivery.py`, explained there.


cdef struct Pace:
    double arrived_bps
    double sent_bps
    double later_s
    double under_way_s
    double sent_at_s


cdef class DeliveryLoop:
    cdef int64_t *count
    cdef double *sent_s
    cdef double *arrived_s
    cdef double *gap_s
    cdef double *bytes
    cdef int kept
    cdef double pause_s, shortest_s

    def __init__(self, columns, constants):
        self.count = counts(columns["count"])
        self.sent_s, self.arrived_s = floats(columns["sent_s"]), floats(columns["arrived_s"])
        self.gap_s, self.bytes = floats(columns["gap_s"]), floats(columns["bytes"])
        self.kept, self.pause_s = constants["kept"], constants["pause_s"]
        self.shortest_s = constants["shortest_s"]

    cdef void on_group(self, int64_t row, const Group *group) noexcept:
        cdef int64_t place = row * self.kept + self.count[row] % self.kept
        self.sent_s[place], self.arrived_s[place] = group.sent_at_s, group.arrived_at_s
        self.gap_s[place], self.bytes[place] = group.longest_gap_s, <double>group.bytes
        self.count[row] += 1

    cdef Pace pace(self, int64_t row, double window_s) noexcept:
        cdef double *arrived = &self.arrived_s[row * self.kept]
        cdef double *sent = &self.sent_s[row * self.kept]
        cdef double *gaps = &self.gap_s[row * self.kept]
        cdef double *sizes = &self.bytes[row * self.kept]
        cdef double newest = -INFINITY, newest_sent = -INFINITY, began = -INFINITY, began_sent = -INFINITY
        cdef double first = -INFINITY, first_sent = -INFINITY, before = -INFINITY, before_gap = 0
        cdef double size = 0, since, arrived_for, sent_for
        cdef int index, others = 0, counted = 0
        cdef Pace pace
        pace.arrived_bps, pace.sent_bps, pace.later_s, pace.under_way_s = 0, 0, 0, INFINITY
        for index in range(self.kept):
            newest, newest_sent = max(newest, arrived[index]), max(newest_sent, sent[index])
        pace.sent_at_s = newest_sent
        since = newest - window_s
        for index in range(self.kept):
            if arrived[index] > since:
                pace.under_way_s = min(pace.under_way_s, arrived[index] - sent[index])
                if gaps[index] > self.pause_s:
                    first = max(first, arrived[index])
            else:
                began, began_sent = max(began, arrived[index]), max(began_sent, sent[index])
        if isfinite(began) and isfinite(first):
            for index in range(self.kept):
                if arrived[index] < first:
                    before = max(before, arrived[index])
                if arrived[index] == first:
                    first_sent = max(first_sent, sent[index])
                others += arrived[index] > first
            for index in range(self.kept):
                if arrived[index] == before:
                    before_gap = max(before_gap, gaps[index])
            if others > 0 or before_gap <= self.pause_s:
                began, began_sent, since = first, first_sent, first
        for index in range(self.kept):
            if arrived[index] > since:
                counted += 1
                size += sizes[index]
        if counted and isfinite(began):
            arrived_for = max(newest - began, self.shortest_s)
            sent_for = max(newest_sent - began_sent, self.shortest_s)
            pace.arrived_bps, pace.sent_bps = 8 * size / arrived_for, 8 * size / sent_for
            pace.later_s = arrived_for - sent_for
        return pace
