# When to send more than there is to send? As `probing.py`, explained there; what an answer means is not asked so often.


cdef class ProbingLoop:
    cdef double *goal_bps
    cdef double *due_at
    cdef double *wait_s
    cdef double *factor
    cdef double *packet_bytes
    cdef double *doubted_bps
    cdef int64_t *cluster
    cdef double *began_at
    cdef double *settled_at
    cdef double *fell_at
    cdef double *held_until
    cdef double first_wait_s, bold, careful, never_answered_s, padding_bytes

    def __init__(self, columns, constants):
        self.goal_bps, self.due_at = floats(columns["goal_bps"]), floats(columns["due_at"])
        self.wait_s, self.factor = floats(columns["wait_s"]), floats(columns["factor"])
        self.packet_bytes, self.cluster = floats(columns["packet_bytes"]), counts(columns["cluster"])
        self.settled_at, self.fell_at = floats(columns["settled_at"]), floats(columns["fell_at"])
        self.held_until, self.doubted_bps = floats(columns["held_until"]), floats(columns["doubted_bps"])
        self.began_at = floats(columns["began_at"])
        self.first_wait_s, self.never_answered_s = constants["first_wait_s"], constants["never_answered_s"]
        self.bold, self.careful = constants["bold"], constants["careful"]
        self.padding_bytes = constants["padding_bytes"]

    cdef void reset(self, int64_t row) noexcept:
        self.goal_bps[row], self.cluster[row], self.doubted_bps[row] = 0, 0, 0
        self.due_at[row] = self.fell_at[row] = self.held_until[row] = -INFINITY
        self.began_at[row] = self.settled_at[row] = -INFINITY
        self.wait_s[row], self.factor[row] = self.first_wait_s, self.bold
        self.packet_bytes[row] = self.padding_bytes

    cdef bint is_under_way(self, int64_t row, double sent_at, double at) noexcept:
        return self.began_at[row] <= sent_at and at < self.settled_at[row]

    cdef void on_fall(self, int64_t row, double now) noexcept:
        self.fell_at[row], self.due_at[row] = now, now + self.first_wait_s
        self.wait_s[row], self.factor[row] = self.first_wait_s, self.careful
        self.doubted_bps[row], self.cluster[row] = 0, 0

    cdef bint is_due(self, int64_t row, double rate_bps, bint stands, double now) noexcept:
        if self.cluster[row] > 0 and now > self.settled_at[row] + self.never_answered_s:
            self.cluster[row] = 0
        if stands or self.cluster[row] != 0:
            return False
        return self.goal_bps[row] > rate_bps and self.due_at[row] <= now and self.held_until[row] <= now
