"""`Paths` row by row: the same arithmetic on the same columns as in `paths.py` and what it is made of, which explain
it. NumPy pays a microsecond or more per operation, whatever the number of rows, and there are forty operations per
group and two hundred per report.

The columns are NumPy's, made by the classes that own them, and stay where they are; here are their addresses.
"""

from libc.math cimport INFINITY, NAN, exp, expm1, fabs, isfinite, isnan, pow
from libc.stdint cimport int64_t, uint8_t, uintptr_t


cdef struct Group:
    # As dtype GROUP
    double sent_at_s
    double arrived_at_s
    double sent_delta_s
    double arrived_delta_s
    double longest_gap_s
    int64_t bytes


cdef struct Report:
    # As dtype REPORT
    int64_t transport
    double at_s
    double rtt_s
    int64_t acked_packets
    int64_t acked_bytes
    int64_t lost_packets
    int64_t reordered_packets
    int64_t in_flight_bytes
    int64_t groups


cdef double *floats(array) except NULL:
    return <double *><uintptr_t>array.ctypes.data


cdef int64_t *counts(array) except NULL:
    return <int64_t *><uintptr_t>array.ctypes.data


cdef uint8_t *flags(array) except NULL:
    return <uint8_t *><uintptr_t>array.ctypes.data


include "trend.pxi"
include "delivery.pxi"
include "queueing.pxi"
include "loss.pxi"
include "rates.pxi"
include "probing.pxi"


cdef class Loops:
    cdef object kept  # so that the columns outlive this
    cdef TrendLoop trend
    cdef DeliveryLoop delivery
    cdef QueueingLoop queueing
    cdef LossLoop loss
    cdef RatesLoop rates
    cdef ProbingLoop probing
    cdef uint8_t *is_silent
    cdef double *sending_bps
    cdef double *rtt_s
    cdef double *reported_at
    cdef double *told_bps
    cdef double *burst_since
    cdef double *burst_until
    cdef double *silent_at
    cdef double arriving_s, carried_s, sharp_s, sharply_s, known_for_s, rtt_share, longest_elapsed_s, told_down, told_up

    def __init__(self, columns, constants, report, group):
        """By the modules' names, and in them by their own, in small letters; `report`, `group`: the dtypes."""
        if report.itemsize != sizeof(Report) or group.itemsize != sizeof(Group):
            raise ValueError("rows are not what was compiled")
        self.kept = columns
        self.trend = TrendLoop(columns["trend"], constants["trend"], constants["usage"])
        self.delivery = DeliveryLoop(columns["delivery"], constants["delivery"])
        self.queueing = QueueingLoop(columns["queueing"], constants["queueing"])
        self.loss = LossLoop(columns["loss"], constants["loss"])
        self.rates = RatesLoop(columns["rates"], constants["rates"], constants["usage"])
        self.probing = ProbingLoop(columns["probing"], constants["probing"])
        ours, values = columns["paths"], constants["paths"]
        self.is_silent, self.sending_bps = flags(ours["is_silent"]), floats(ours["sending_bps"])
        self.rtt_s, self.reported_at = floats(ours["rtt_s"]), floats(ours["reported_at"])
        self.told_bps, self.burst_until = floats(ours["told_bps"]), floats(ours["burst_until"])
        self.silent_at, self.burst_since = floats(ours["silent_at"]), floats(ours["burst_since"])
        self.arriving_s, self.carried_s = values["arriving_s"], values["carried_s"]
        self.sharp_s, self.sharply_s = values["sharp_s"], values["sharply_s"]
        self.known_for_s, self.rtt_share = values["known_for_s"], values["rtt_share"]
        self.longest_elapsed_s = values["longest_elapsed_s"]
        self.told_down, self.told_up = values["told_down"], values["told_up"]

    def on_reports(self, rows, reports, groups, double now):
        """All without gaps in memory; there are as many groups as the reports say."""
        cdef int64_t *row = counts(rows)
        cdef const Report *report = <const Report *><uintptr_t>reports.ctypes.data
        cdef const Group *group = <const Group *><uintptr_t>groups.ctypes.data
        cdef int64_t index, turn, length = len(rows)
        for index in range(length):
            if row[index] >= 0:
                for turn in range(report[index].groups):
                    self.trend.on_group(row[index], &group[turn])
                    self.delivery.on_group(row[index], &group[turn])
                self.on_report(row[index], &report[index], now)
            group += report[index].groups

    def take_changed(self, int64_t bound, double now):
        cdef int64_t row
        cdef bint fell_silent
        cdef double rate
        changed = []
        for row in range(bound):
            rate, fell_silent = self.rates.bps[row], self.silent_at[row] <= now
            if fell_silent:
                self.is_silent[row], self.silent_at[row] = True, NAN
                self.probing.reset(row)
            if fell_silent or rate < self.told_down * self.told_bps[row] or rate > self.told_up * self.told_bps[row]:
                self.told_bps[row] = rate
                changed.append(row)
        return changed

    def probes_due(self, int64_t bound, double now):
        cdef int64_t row
        cdef bint stands
        due = []
        for row in range(bound):
            stands = self.queueing.waited_s[row] > self.rates.standing_s
            stands = stands and now - self.reported_at[row] < self.known_for_s
            if self.probing.is_due(row, self.rates.bps[row], stands, now):
                due.append(row)
        return due

    cdef void on_report(self, int64_t row, const Report *report, double now) noexcept:
        cdef double elapsed_s = min(max(report.at_s - self.reported_at[row], 0.0), self.longest_elapsed_s)
        cdef double sample_s = self.rtt_s[row] if isnan(report.rtt_s) else report.rtt_s
        cdef double lost = <double>(report.lost_packets - report.reordered_packets)
        cdef Pace longer = self.delivery.pace(row, self.arriving_s), pace = self.delivery.pace(row, self.carried_s)
        cdef Pace sharp = self.delivery.pace(row, self.sharp_s)
        cdef double arriving_bps = min(longer.arrived_bps, longer.sent_bps)
        cdef bint stands
        cdef Signals signals
        self.note(row, report, sample_s, arriving_bps)
        self.queueing.on_moment(row, pace.under_way_s, now)
        stands = self.queueing.waited_s[row] > self.rates.standing_s
        self.loss.on_report(row, lost, <double>report.acked_packets, stands, elapsed_s, now)
        signals.usage = self.trend.usage[row]
        signals.arriving_bps = arriving_bps
        signals.carried_bps, signals.later_s = pace.arrived_bps, pace.later_s
        if sharp.later_s > self.sharply_s and 0 < sharp.arrived_bps < pace.arrived_bps:
            signals.carried_bps = sharp.arrived_bps
        signals.waited_s, signals.rose_s = self.queueing.waited_s[row], self.queueing.rose_s[row]
        signals.rtt_s = self.rtt_s[row]
        signals.lost_share = self.loss.share[row]
        signals.is_losing, signals.may_grow = self.loss.is_congestion(row), self.loss.allows_growth(row)
        signals.is_excused = self.burst_since[row] <= pace.sent_at_s and now < self.burst_until[row]
        signals.is_excused = signals.is_excused or self.probing.is_under_way(row, pace.sent_at_s, now)
        signals.is_settling = self.probing.is_under_way(row, pace.sent_at_s, pace.sent_at_s)
        if self.rates.on_signals(row, &signals, elapsed_s, now):
            self.probing.on_fall(row, now)
            self.loss.on_answered(row, self.rtt_s[row], now)

    cdef void note(self, int64_t row, const Report *report, double sample_s, double arriving_bps) noexcept:
        """That it has reported, the round trip, and what leaves."""
        cdef double span_s = max(self.arriving_s, sample_s)
        cdef double sending_bps = (8 * <double>report.in_flight_bytes + arriving_bps * (span_s - sample_s)) / span_s
        self.reported_at[row] = report.at_s
        self.silent_at[row] = NAN
        if self.is_silent[row]:
            self.told_bps[row] = 0  # it counts again
            self.is_silent[row] = False
        self.rtt_s[row] += self.rtt_share * (sample_s - self.rtt_s[row])
        self.sending_bps[row] = max(arriving_bps, sending_bps)
