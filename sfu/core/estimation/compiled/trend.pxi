# Is a queue growing? As `trend.py`, explained there.


cdef class TrendLoop:
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

    def __init__(self, columns, constants, usage):
        """`usage`: the values of `Usage` by their names."""
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
        self.under, self.normal, self.over = usage["under"], usage["normal"], usage["over"]

    cdef void on_group(self, int64_t row, const Group *group) noexcept:
        cdef double slope, sent_ms = group.sent_delta_s * 1000, arrived_ms = group.arrived_delta_s * 1000
        cdef int64_t place = row * self.window + self.count[row] % self.window
        self.sum_ms[row] += arrived_ms - sent_ms
        self.smoothed_ms[row] = self.smoothing * self.smoothed_ms[row] + (1 - self.smoothing) * self.sum_ms[row]
        self.arrivals_ms[place] = group.arrived_at_s * 1000
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
