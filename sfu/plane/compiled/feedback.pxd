"""Transport-cc feedback of one remote, matched with what has left towards it. As `fallback/feedback.py`."""

from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free

from sfu.plane.compiled.clusters cimport Cluster, cluster_find, cluster_on_arrived
from sfu.plane.compiled.drops cimport DROP_MALFORMED_FEEDBACK
from sfu.plane.compiled.flight cimport (
    ARRIVED, MISSING, NOT_REPORTED, Departure, flight_get, flight_pass_over, flight_unwrap,
)
from sfu.plane.compiled.groups cimport groups_on_packet
from sfu.plane.compiled.numbers cimport read16, unwrap
from sfu.plane.compiled.outbox cimport drop
from sfu.plane.compiled.pointers cimport pointers_add
from sfu.plane.compiled.reporting cimport RECEIVER_REPORT, SENDER_REPORT, on_report
from sfu.plane.compiled.tables cimport Feedback, Plane, ReportRow, Transport
from sfu.plane.compiled.twcc cimport (
    REFERENCE_US, STATUS_MISSING, TWCC_FORMAT, TransportFeedback, read_delta, read_feedback,
)

cdef enum:
    TRANSPORT_FEEDBACK = 205  # RTPFB of RFC 4585
    SOURCE_DESCRIPTION = 202
    MAX_TRANSPORT_FEEDBACKS = 4  # of one compound, as in wire/rtcp.py
    REFERENCE_BITS = 24

cdef enum:
    # What a compound holds beside feedback.
    ONLY_FEEDBACK
    ONLY_RECEPTION  # receivers' reports, and who they are by
    ONLY_REPORTS  # to which nobody awaits an answer
    ANYTHING


cdef inline void feedback_open(Feedback *feedback) noexcept nogil:
    feedback.newest_acked = -1
    feedback.report.rtt_s = NAN


cdef inline void feedback_close(Feedback *feedback) noexcept nogil:
    free(feedback.groups.rows)
    free(feedback.clusters.kept)


cdef inline int take_feedbacks(
    Plane *plane, Transport *transport, const uint8_t *compound, int size, double now, bint *about_slots
) noexcept nogil:
    """Matches all feedback in a compound, and notes its reports; `about_slots` is set if there are any of them. Returns
    what else is in it: where the walk ends early, or a report cannot be read, anything."""
    cdef int position = 0, body, end, padding, count = 0, others = ONLY_FEEDBACK
    while position < size:
        if position + 4 > size or compound[position] & 0xC0 != 0x80:
            return ANYTHING
        body = position + 4
        end = body + 4 * <int>read16(compound + position + 2)
        if end > size:
            return ANYTHING
        padding = 0
        if compound[position] & 0x20:
            padding = compound[end - 1] if end > body else 0
            if not 0 < padding <= end - body:
                padding = end - body  # nothing is left of it
        if compound[position + 1] == TRANSPORT_FEEDBACK and compound[position] & 0x1F == TWCC_FORMAT:
            count += 1
            if count > MAX_TRANSPORT_FEEDBACKS or not read_feedback(
                compound + body, end - body - padding, &plane.feedback
            ):
                drop(plane, DROP_MALFORMED_FEEDBACK)
            else:
                on_feedback(plane, transport, &plane.feedback, now)
        elif compound[position + 1] == SENDER_REPORT or compound[position + 1] == RECEIVER_REPORT:
            if not on_report(plane, transport, compound + position, end - position - padding, now, about_slots):
                others = ANYTHING
            elif compound[position + 1] == SENDER_REPORT:
                others = max(others, <int>ONLY_REPORTS)
            else:
                others = max(others, <int>ONLY_RECEPTION)
        elif compound[position + 1] == SOURCE_DESCRIPTION:
            others = max(others, <int>ONLY_RECEPTION)
        else:
            others = ANYTHING
        position = end
    return others if size else ANYTHING


cdef inline void on_feedback(
    Plane *plane, Transport *transport, const TransportFeedback *told, double now
) noexcept nogil:
    cdef Feedback *feedback = &transport.feedback
    cdef int room = plane.limits.packets_in_flight, index
    cdef int64_t number = flight_unwrap(&transport.flight, told.base)
    cdef int64_t at_us = unwrap(&feedback.remote_clock, told.reference_time, REFERENCE_BITS) * REFERENCE_US
    cdef int64_t newest = -1, newest_acked = -1
    cdef const uint8_t *deltas = told.deltas
    cdef Departure *departure
    for index in range(told.count):
        if told.statuses[index] != STATUS_MISSING:
            at_us += read_delta(&deltas, told.statuses[index])
        departure = flight_get(&transport.flight, room, number + index)
        if departure == NULL:
            continue
        newest = number + index
        if told.statuses[index] == STATUS_MISSING:
            on_missing(feedback, departure)
        elif departure.fate != ARRIVED:
            on_arrived(plane, feedback, departure, <double>at_us / 1000000.0, now)
            newest_acked = newest
    flight_pass_over(&transport.flight, room, newest)
    if newest_acked > feedback.newest_acked:  # an older one may have been reported late (as RFC 9002 §5.1)
        feedback.newest_acked = newest_acked
        feedback.report.rtt_s = now - flight_get(&transport.flight, room, newest_acked).at_s
    feedback.has_report = True
    feedback.report.at_s = now
    note_reporting(plane, transport)


cdef inline void on_missing(Feedback *feedback, Departure *departure) noexcept nogil:
    cdef Cluster *cluster
    if departure.fate != NOT_REPORTED:
        return
    departure.fate = MISSING
    feedback.report.lost_packets += 1
    cluster = cluster_find(&feedback.clusters, departure.cluster)
    if cluster != NULL:
        cluster.reported_packets += 1


cdef inline void on_arrived(
    Plane *plane, Feedback *feedback, Departure *departure, double arrived_at, double now
) noexcept nogil:
    cdef Cluster *cluster = cluster_find(&feedback.clusters, departure.cluster)
    if cluster != NULL:
        if departure.fate == NOT_REPORTED:
            cluster.reported_packets += 1
        cluster_on_arrived(cluster, departure.size, arrived_at)
    if departure.fate == MISSING:
        feedback.report.reordered_packets += 1
    departure.fate = ARRIVED
    feedback.report.acked_packets += 1
    feedback.report.acked_bytes += departure.size
    groups_on_packet(
        &feedback.groups,
        plane.limits.groups_pending,
        &plane.counts.feedback_forgotten,
        departure.at_s,
        arrived_at,
        departure.size,
        now,
    )


cdef inline void note_reporting(Plane *plane, Transport *transport) noexcept nogil:
    """Looked at when feedback is polled."""
    if not transport.is_reporting:
        transport.is_reporting = pointers_add(&plane.reporting, transport)


cdef inline void take_report(Transport *transport, ReportRow *row) noexcept nogil:
    """What came since the last call, if anything has; its groups are still to be taken."""
    cdef Feedback *feedback = &transport.feedback
    row[0] = feedback.report
    row.transport = transport.id
    row.in_flight_bytes = transport.flight.in_flight_bytes
    row.groups = feedback.groups.count
    feedback.has_report = False
    feedback.report = ReportRow(0, 0.0, NAN, 0, 0, 0, 0, 0, 0)
