# Does a queue stand? As `queueing.py`, explained there.


cdef class QueueingLoop:
    cdef double *waited_s
    cdef double *rose_s
    cdef double *least_s
    cdef double *before_s
    cdef double *renewed_at
    cdef double floor_s, longest_s

    def __init__(self, columns, constants):
        self.waited_s, self.rose_s = floats(columns["waited_s"]), floats(columns["rose_s"])
        self.least_s, self.before_s = floats(columns["least_s"]), floats(columns["before_s"])
        self.renewed_at = floats(columns["renewed_at"])
        self.floor_s, self.longest_s = constants["floor_s"], constants["longest_s"]

    cdef void on_moment(self, int64_t row, double under_way_s, double now) noexcept:
        cdef double floor_s = min(self.least_s[row], self.before_s[row]), waited_s
        cdef bint ages = now - self.renewed_at[row] >= self.floor_s
        cdef bint jumped = isfinite(floor_s) and fabs(under_way_s - floor_s) > self.longest_s
        if not isfinite(under_way_s):
            return
        if jumped:
            self.before_s[row] = INFINITY
        elif ages:
            self.before_s[row] = self.least_s[row]
        self.least_s[row] = under_way_s if ages or jumped else min(self.least_s[row], under_way_s)
        if ages:
            self.renewed_at[row] = now
        waited_s = under_way_s - min(self.least_s[row], self.before_s[row])
        self.rose_s[row] = waited_s - self.waited_s[row]
        self.waited_s[row] = waited_s
