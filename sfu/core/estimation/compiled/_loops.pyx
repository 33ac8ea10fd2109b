"""`Trend.on_groups` and `Delivery.pace` row by row: the same arithmetic on the same columns as in `trend.py` and
`delivery.py`, which explain it. NumPy pays a microsecond or more per operation, whatever the number of rows, and there
are forty operations per group.

The columns are NumPy's, made by the classes that own them, and stay where they are; here are their addresses.
"""

from libc.math cimport INFINITY, fabs, isfinite
from libc.stdint cimport int64_t, uint8_t, uintptr_t


cdef double *floats(array) except NULL:
    return <double *><uintptr_t>array.ctypes.data


cdef int64_t *counts(array) except NULL:
    return <int64_t *><uintptr_t>array.ctypes.data


cdef class TrendLoop:
    cdef object _kept  # so that the columns outlive this
    cdef int64_t *usage
    cdef int64_t *count
    cdef int64_t *over_count
    cdef double *sum_ms
    cdef double *smoothed_ms
    cdef double *arrivals_ms
    cdef double *delays_ms
    cdef double *slope
    cdef double *threshold_ms
    cdef double *over_ms
    cdef int window
    cdef double smoothing, gain, most_counted, lowest_ms, highest_ms, rise, fall
    cdef double outlier_ms, most_elapsed_ms, over_for_ms
    cdef int under, normal, over
    cdef int arrived_at, sent_delta, arrived_delta, group_bytes  # in a group, in bytes

    def __init__(self, columns, constants, usages, group):
        """`columns`, `constants` by their names in `trend.py`, in small letters; `group`: the dtype."""
        self._kept = columns
        self.usage, self.count = counts(columns["usage"]), counts(columns["count"])
        self.over_count = counts(columns["over_count"])
        self.sum_ms, self.smoothed_ms = floats(columns["sum_ms"]), floats(columns["smoothed_ms"])
        self.arrivals_ms, self.delays_ms = floats(columns["arrivals_ms"]), floats(columns["delays_ms"])
        self.slope, self.threshold_ms = floats(columns["slope"]), floats(columns["threshold_ms"])
        self.over_ms = floats(columns["over_ms"])
        self.window, self.smoothing, self.gain = constants["window"], constants["smoothing"], constants["gain"]
        self.most_counted = constants["most_counted"]
        self.lowest_ms, self.highest_ms = constants["lowest_ms"], constants["highest_ms"]
        self.rise, self.fall, self.outlier_ms = constants["rise"], constants["fall"], constants["outlier_ms"]
        self.most_elapsed_ms, self.over_for_ms = constants["most_elapsed_ms"], constants["over_for_ms"]
        self.under, self.normal, self.over = usages
        self.arrived_at = group.fields["arrived_at_s"][1]
        self.sent_delta, self.arrived_delta = group.fields["sent_delta_s"][1], group.fields["arrived_delta_s"][1]
        self.group_bytes = group.itemsize

    def run(self, rows, groups):
        """`groups[i]` is of `rows[i]`; both without gaps in memory."""
        cdef int64_t *row = counts(rows)
        cdef const uint8_t *at = <const uint8_t *><uintptr_t>groups.ctypes.data
        cdef int64_t index
        cdef int64_t length = len(rows)
        for index in range(length):
            self.take(
                row[index],
                (<double *>(at + self.arrived_at))[0] * 1000,
                (<double *>(at + self.sent_delta))[0] * 1000,
                (<double *>(at + self.arrived_delta))[0] * 1000,
            )
            at += self.group_bytes

    cdef void take(self, int64_t row, double at_ms, double sent_ms, double arrived_ms) noexcept:
        cdef double slope
        cdef int64_t place = row * self.window + self.count[row] % self.window
        self.sum_ms[row] += arrived_ms - sent_ms
        self.smoothed_ms[row] = self.smoothing * self.smoothed_ms[row] + (1 - self.smoothing) * self.sum_ms[row]
        self.arrivals_ms[place] = at_ms
        self.delays_ms[place] = self.smoothed_ms[row]
        self.count[row] += 1
        slope = self.fit(row)
        self.judge(row, slope, sent_ms, arrived_ms)
        self.slope[row] = slope

    cdef double fit(self, int64_t row) noexcept:
        cdef double *arrivals = &self.arrivals_ms[row * self.window]
        cdef double *delays = &self.delays_ms[row * self.window]
        cdef double mean_arrival = 0, mean_delay = 0, spread = 0, product = 0
        cdef int index
        if self.count[row] < self.window:
            return self.slope[row]
        for index in range(self.window):
            mean_arrival += arrivals[index]
            mean_delay += delays[index]
        mean_arrival /= self.window
        mean_delay /= self.window
        for index in range(self.window):
            spread += (arrivals[index] - mean_arrival) * (arrivals[index] - mean_arrival)
            product += (arrivals[index] - mean_arrival) * (delays[index] - mean_delay)
        return product / spread if spread > 0 else self.slope[row]

    cdef void judge(self, int64_t row, double slope, double sent_ms, double arrived_ms) noexcept:
        cdef double trend_ms = min(<double>self.count[row], self.most_counted) * slope * self.gain
        cdef double threshold_ms = self.threshold_ms[row]
        cdef bint above = trend_ms > threshold_ms
        cdef double size_ms = fabs(trend_ms), over_ms, moved_ms
        if above:
            over_ms = sent_ms / 2 if self.over_ms[row] < 0 else self.over_ms[row] + sent_ms
            self.over_count[row] += 1
            if over_ms > self.over_for_ms and self.over_count[row] > 1 and slope >= self.slope[row]:
                self.usage[row] = self.over
                over_ms = 0
                self.over_count[row] = 0
            self.over_ms[row] = over_ms
        else:
            self.usage[row] = self.under if trend_ms < -threshold_ms else self.normal
            self.over_ms[row] = -1
            self.over_count[row] = 0
        if size_ms <= threshold_ms + self.outlier_ms:
            moved_ms = self.fall if size_ms < threshold_ms else self.rise
            moved_ms = moved_ms * (size_ms - threshold_ms) * min(max(arrived_ms, 0), self.most_elapsed_ms)
            self.threshold_ms[row] = min(max(threshold_ms + moved_ms, self.lowest_ms), self.highest_ms)


cdef class PaceLoop:
    cdef object _kept
    cdef double *sent_s
    cdef double *arrived_s
    cdef double *gap_s
    cdef double *bytes
    cdef int kept
    cdef double pause_s, shortest_s

    def __init__(self, columns, constants):
        """As for `TrendLoop`, of `delivery.py`."""
        self._kept = columns
        self.sent_s, self.arrived_s = floats(columns["sent_s"]), floats(columns["arrived_s"])
        self.gap_s, self.bytes = floats(columns["gap_s"]), floats(columns["bytes"])
        self.kept, self.pause_s = constants["kept"], constants["pause_s"]
        self.shortest_s = constants["shortest_s"]

    def run(self, rows, double window_s, pace):
        """`pace`: one float per row in each of its columns, to be written."""
        cdef int64_t *row = counts(rows)
        cdef double *arrived_bps = floats(pace[0])
        cdef double *sent_bps = floats(pace[1])
        cdef double *later_s = floats(pace[2])
        cdef double *under_way_s = floats(pace[3])
        cdef int64_t index
        cdef int64_t length = len(rows)
        for index in range(length):
            self.of_row(
                row[index], window_s, &arrived_bps[index], &sent_bps[index], &later_s[index], &under_way_s[index]
            )

    cdef void of_row(
        self, int64_t row, double window_s, double *arrived_bps, double *sent_bps, double *later_s, double *under_way_s
    ) noexcept:
        cdef double *arrived = &self.arrived_s[row * self.kept]
        cdef double *sent = &self.sent_s[row * self.kept]
        cdef double *gaps = &self.gap_s[row * self.kept]
        cdef double *sizes = &self.bytes[row * self.kept]
        cdef double newest = -INFINITY, newest_sent = -INFINITY, began = -INFINITY, began_sent = -INFINITY
        cdef double first = INFINITY, first_sent = -INFINITY, began_gap = 0, first_gap = 0
        cdef double size = 0, since, arrived_for, sent_for
        cdef int index, others = 0, counted = 0
        cdef bint paused
        under_way_s[0] = INFINITY
        for index in range(self.kept):
            newest, newest_sent = max(newest, arrived[index]), max(newest_sent, sent[index])
        since = newest - window_s
        for index in range(self.kept):
            if arrived[index] > since:
                first = min(first, arrived[index])
                under_way_s[0] = min(under_way_s[0], arrived[index] - sent[index])
            else:
                began, began_sent = max(began, arrived[index]), max(began_sent, sent[index])
        for index in range(self.kept):
            if arrived[index] == began:
                began_gap = max(began_gap, gaps[index])
            if arrived[index] == first:
                first_sent, first_gap = max(first_sent, sent[index]), max(first_gap, gaps[index])
            others += arrived[index] > since and arrived[index] > first
        paused = isfinite(began) and first_gap > self.pause_s
        if paused and not (others == 0 and began_gap > self.pause_s):
            began, began_sent, since = first, first_sent, first
        for index in range(self.kept):
            if arrived[index] > since:
                counted += 1
                size += sizes[index]
        arrived_for = sent_for = INFINITY
        later_s[0] = 0
        if counted and isfinite(began):
            arrived_for = max(newest - began, self.shortest_s)
            sent_for = max(newest_sent - began_sent, self.shortest_s)
            later_s[0] = arrived_for - sent_for
        arrived_bps[0], sent_bps[0] = 8 * size / arrived_for, 8 * size / sent_for
