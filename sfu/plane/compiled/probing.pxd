"""Sending more than there is to send, for a moment. As `fallback/probing.py`, explained there."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from sfu.plane.compiled.clusters cimport Cluster, cluster_find, cluster_on_sent, cluster_open
from sfu.plane.compiled.drops cimport DROP_NO_PAYLOAD_TYPE, NOT_DROPPED
from sfu.plane.compiled.feedback cimport note_reporting
from sfu.plane.compiled.outbox cimport drop
from sfu.plane.compiled.retransmission cimport (
    find_for_probe, padding_payload_type, pass_for_probe, repeat, send_padding,
)
from sfu.plane.compiled.tables cimport Plane, Probing, Slot, Transport
from sfu.plane.compiled.transport cimport is_connected, numbers_departures


cdef inline bint probing_start(
    Plane *plane, Transport *transport, double rate_bps, int packets, int64_t id, double now
) noexcept nogil:
    """Another takes the place of one still running. False if there is nothing to probe with."""
    cdef Probing *probing = &transport.probing
    cdef Cluster *cluster
    if not is_connected(transport) or not numbers_departures(transport) or padded_slot(transport) == NULL:
        return False
    probing_stop(transport)
    cluster = cluster_open(&transport.feedback.clusters, id, &plane.counts.feedback_forgotten)
    if cluster == NULL:
        return False
    probing.cluster = cluster.serial
    probing.rate_bps = rate_bps
    probing.packets = packets
    probing.next_at = now
    note_reporting(plane, transport)
    return True


cdef inline double probing_timeout(const Probing *probing) noexcept nogil:
    """Infinite: none runs."""
    return probing.next_at if probing.cluster else INFINITY


cdef inline void probing_send_due(Plane *plane, Transport *transport, double now) noexcept nogil:
    cdef Probing *probing = &transport.probing
    cdef int refusal, size = 0
    while probing.cluster and now >= probing.next_at:
        refusal = send_probe(plane, transport, now, &size)
        if refusal != NOT_DROPPED:
            drop(plane, refusal)
            probing_stop(transport)
            return
        cluster_on_sent(cluster_find(&transport.feedback.clusters, probing.cluster), size, now)
        plane.counts.probes += 1
        probing.next_at += <double>(size * 8) / probing.rate_bps
        probing.packets -= 1
        if probing.packets == 0:
            probing_stop(transport)


cdef inline void probing_stop(Transport *transport) noexcept nogil:
    if transport.probing.cluster:
        cluster_find(&transport.feedback.clusters, transport.probing.cluster).running = False
        transport.probing.cluster = 0


cdef inline int send_probe(Plane *plane, Transport *transport, double now, int *size) noexcept nogil:
    """Why it could not leave, if so."""
    cdef Slot *slot
    cdef Slot *newest = NULL
    cdef int64_t number = 0, newest_number = 0
    cdef double arrived_at = 0, newest_arrived_at = 0
    cdef int index
    for index in range(transport.slots.count):
        slot = <Slot *>transport.slots.items[index]
        if find_for_probe(plane, slot, transport.probing.cluster, &number, &arrived_at):
            if newest == NULL or arrived_at > newest_arrived_at:
                newest, newest_number, newest_arrived_at = slot, number, arrived_at
    if newest != NULL:
        pass_for_probe(newest)
        return repeat(plane, newest, newest_number, now, transport.probing.cluster, size)
    slot = padded_slot(transport)
    if slot == NULL:
        return DROP_NO_PAYLOAD_TYPE  # its Slots have gone meanwhile
    return send_padding(plane, slot, padding_payload_type(slot), now, transport.probing.cluster, size)


cdef inline Slot *padded_slot(const Transport *transport) noexcept nogil:
    """The first with RTX; NULL if there is none."""
    cdef Slot *slot
    cdef int index
    for index in range(transport.slots.count):
        slot = <Slot *>transport.slots.items[index]
        if padding_payload_type(slot) >= 0:
            return slot
    return NULL
