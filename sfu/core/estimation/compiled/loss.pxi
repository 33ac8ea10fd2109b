# How many packets do not arrive? As `loss.py`, explained there.


cdef class LossLoop:
    cdef double *share
    cdef double *usual
    cdef double *lost
    cdef double *all
    cdef double *answered_until
    cdef uint8_t *is_queued
    cdef double memory_s, fewest_packets, accepted, congesting, above_usual, bursts, usual_rises_s, usual_falls_s
    cdef double answered_for_s, perhaps_usual, most_usual

    def __init__(self, columns, constants):
        self.share, self.usual = floats(columns["share"]), floats(columns["usual"])
        self.lost, self.all = floats(columns["lost"]), floats(columns["all"])
        self.answered_until, self.is_queued = floats(columns["answered_until"]), flags(columns["is_queued"])
        self.memory_s, self.fewest_packets = constants["memory_s"], constants["fewest_packets"]
        self.accepted, self.congesting = constants["accepted"], constants["congesting"]
        self.above_usual, self.most_usual = constants["above_usual"], constants["most_usual"]
        self.bursts = constants["bursts"]
        self.usual_rises_s, self.usual_falls_s = constants["usual_rises_s"], constants["usual_falls_s"]
        self.answered_for_s, self.perhaps_usual = constants["answered_for_s"], constants["perhaps_usual"]

    cdef void on_report(
        self, int64_t row, double lost, double acked, bint is_queued, double elapsed_s, double now
    ) noexcept:
        cdef double kept = exp(-elapsed_s / self.memory_s), share, usual = self.usual[row], towards_s
        self.is_queued[row] = is_queued
        if now < self.answered_until[row]:
            lost = acked = 0
        self.lost[row] = max(0.0, self.lost[row] * kept + lost)
        self.all[row] = self.all[row] * kept + max(0.0, lost + acked)
        if self.all[row] < self.fewest_packets:
            self.share[row] = 0
            return
        share = self.share[row] = min(1.0, self.lost[row] / max(self.all[row], 1.0))
        if share > usual:
            towards_s = INFINITY if is_queued else self.usual_rises_s
        else:
            towards_s = self.usual_falls_s
        self.usual[row] = min(self.most_usual, usual - (share - usual) * expm1(-elapsed_s / towards_s))

    cdef void on_answered(self, int64_t row, double rtt_s, double now) noexcept:
        if not self.is_queued[row]:
            self.usual[row] += self.perhaps_usual * max(0.0, self.share[row] - self.usual[row])
        self.usual[row] = min(self.most_usual, self.usual[row])
        self.lost[row] = self.all[row] = self.share[row] = 0
        self.answered_until[row] = now + max(rtt_s, self.answered_for_s)

    cdef bint is_congestion(self, int64_t row) noexcept:
        if self.is_queued[row]:
            return self.share[row] > self.congesting
        cdef double most = max(self.congesting, self.usual[row] + self.above_usual)
        return self.share[row] > most + self.bursts / max(self.all[row], 1.0)

    cdef bint allows_growth(self, int64_t row) noexcept:
        return self.share[row] <= max(self.accepted, self.usual[row] + self.accepted)
