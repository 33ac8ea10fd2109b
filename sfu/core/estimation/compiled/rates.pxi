# The estimates. As `rates.py`, explained there.


cdef struct Signals:
    int64_t usage
    double arriving_bps
    double carried_bps
    double later_s
    double waited_s
    double rose_s
    double rtt_s
    double lost_share
    bint is_losing
    bint may_grow
    bint is_excused
    bint is_settling


cdef class RatesLoop:
    cdef double *bps
    cdef double *fell_at
    cdef double *end_bps
    cdef double *judged_bps
    cdef double *most_bps
    cdef double *used_bps
    cdef int64_t normal, over
    cdef double least_sunk, most_sunk
    cdef double least_bps, back_off, limited, limited_back_off, hardly_sends, hardly_again
    cdef double slowed, used_for_s, growth_per_s
    cdef double packet_bits, feedback_delay_s, near, near_for_s, headroom, headroom_bps, flood_s, waited_s, rose_s
    cdef double standing_s, again_s, passes_s, standing_patience_s, least_patience_s, most_patience_s

    def __init__(self, columns, constants, usage):
        """`usage`: the values of `Usage` by their names."""
        self.bps, self.fell_at = floats(columns["bps"]), floats(columns["fell_at"])
        self.end_bps, self.most_bps = floats(columns["end_bps"]), floats(columns["most_bps"])
        self.used_bps, self.judged_bps = floats(columns["used_bps"]), floats(columns["judged_bps"])
        self.normal, self.over = usage["normal"], usage["over"]
        self.least_bps, self.back_off = constants["least_bps"], constants["back_off"]
        self.limited, self.limited_back_off = constants["limited"], constants["limited_back_off"]
        self.hardly_sends, self.hardly_again = constants["hardly_sends"], constants["hardly_again"]
        self.slowed = constants["slowed"]
        self.used_for_s, self.growth_per_s = constants["used_for_s"], constants["growth_per_s"]
        self.packet_bits, self.feedback_delay_s = constants["packet_bits"], constants["feedback_delay_s"]
        self.near, self.near_for_s = constants["near"], constants["near_for_s"]
        self.headroom, self.headroom_bps = constants["headroom"], constants["headroom_bps"]
        self.flood_s, self.waited_s, self.rose_s = constants["flood_s"], constants["waited_s"], constants["rose_s"]
        self.standing_s, (self.least_sunk, self.most_sunk) = constants["standing_s"], constants["sinks"]
        self.again_s, self.passes_s = constants["again_s"], constants["passes_s"]
        self.standing_patience_s = constants["standing_patience_s"]
        self.least_patience_s, self.most_patience_s = constants["patience_s"]

    cdef bint on_signals(self, int64_t row, const Signals *signals, double elapsed_s, double now) noexcept:
        """Whether it fell."""
        cdef double before = self.bps[row], after = before, lowest = 0, share, hardly
        cdef double used_bps = max(signals.arriving_bps, self.used_bps[row] * exp(-elapsed_s / self.used_for_s))
        cdef bint rests = self.rests(row, signals, now)
        cdef bint misjudged = rests and self.is_misjudged(row, signals)
        cdef bint overused = misjudged or (not rests and self.is_overused(row, signals, used_bps, now))
        cdef bint limited = signals.arriving_bps < self.limited * before
        cdef bint loses, fell
        overused = overused and signals.carried_bps > 0
        loses = signals.is_losing and not rests and not overused
        fell = loses or (overused and not misjudged)
        self.used_bps[row] = used_bps
        if signals.may_grow:
            after = self.grown(row, signals, elapsed_s, now)
        if overused:
            share = self.limited_back_off if limited else self.back_off
            hardly = self.hardly_again if now - self.fell_at[row] < self.again_s else self.hardly_sends
            if used_bps < hardly * before and signals.waited_s <= self.standing_s:
                lowest = self.back_off * before
            if limited and self.is_shared(row, signals, used_bps, now):
                lowest = self.limited_back_off * before
            after = min(before, max(share * signals.carried_bps, lowest))
            self.used_bps[row] = self.end_bps[row] = signals.carried_bps
            self.judged_bps[row] = 0 if misjudged else signals.carried_bps
        elif loses:
            after = min(before, max(before * (1 - 0.5 * signals.lost_share), signals.arriving_bps))
            self.judged_bps[row] = 0
        self.bps[row] = min(max(after, self.least_bps), self.most_bps[row])
        if fell:
            self.fell_at[row] = now
        return fell

    cdef bint rests(self, int64_t row, const Signals *signals, double now) noexcept:
        cdef double patience_s = signals.rtt_s + self.feedback_delay_s
        return now - self.fell_at[row] < min(max(patience_s, self.least_patience_s), self.most_patience_s)

    cdef bint is_misjudged(self, int64_t row, const Signals *signals) noexcept:
        if signals.later_s <= self.rose_s or signals.waited_s <= self.waited_s:
            return False
        cdef double sunk = signals.carried_bps / max(self.judged_bps[row], 1.0)
        return self.least_sunk < sunk < self.most_sunk

    cdef bint is_shared(self, int64_t row, const Signals *signals, double used_bps, double now) noexcept:
        if now - self.fell_at[row] >= self.again_s or signals.later_s >= self.passes_s:
            return False
        if self.floods(signals) or self.slows(signals, used_bps):
            return False
        return signals.waited_s <= self.standing_s

    cdef bint floods(self, const Signals *signals) noexcept:
        if signals.later_s > self.flood_s:
            return True
        return signals.waited_s > self.flood_s and signals.rose_s > self.rose_s

    cdef bint slows(self, const Signals *signals, double used_bps) noexcept:
        cdef bint later = signals.later_s > self.rose_s and signals.later_s * signals.carried_bps > self.packet_bits
        return (later or self.floods(signals)) and signals.carried_bps < self.slowed * used_bps

    cdef bint is_overused(self, int64_t row, const Signals *signals, double used_bps, double now) noexcept:
        """But for its having rested."""
        cdef bint grows = signals.usage == self.over and signals.later_s > 0 and signals.rose_s >= 0
        cdef bint stands = signals.waited_s > self.standing_s
        cdef bint floods = self.floods(signals)
        if signals.is_excused and not signals.is_losing:
            if not self.slows(signals, used_bps):
                return False
        grows = grows and signals.waited_s > self.waited_s and not signals.is_settling
        stands = stands and now - self.fell_at[row] >= self.standing_patience_s
        return grows or floods or stands or self.slows(signals, used_bps)

    cdef double grown(self, int64_t row, const Signals *signals, double elapsed_s, double now) noexcept:
        cdef double before = self.bps[row], end_bps = self.end_bps[row], grown, headroom_bps = 0
        if signals.usage != self.normal:
            return before
        if fabs(before - end_bps) <= self.near * end_bps and now - self.fell_at[row] < self.near_for_s:
            grown = before + self.packet_bits / (signals.rtt_s + self.feedback_delay_s) * elapsed_s
        else:
            grown = before * pow(self.growth_per_s, elapsed_s)
        if signals.waited_s <= self.waited_s:
            headroom_bps = (self.headroom - 1) * signals.arriving_bps + self.headroom_bps
        return min(grown, max(before, signals.arriving_bps + headroom_bps))
