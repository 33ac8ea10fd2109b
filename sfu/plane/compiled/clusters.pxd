"""How probe clusters fared. As `fallback/clusters.py`, explained there."""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memmove, memset

cdef enum:
    KEPT = 8  # of one Transport, when nobody polls

cdef extern from *:
    """
    #define CLUSTER_PATIENCE_S 1.0
    """
    const double CLUSTER_PATIENCE_S


cdef struct ClusterRow:
    # transport_feedback.CLUSTER
    int64_t transport
    int64_t id
    int64_t sent_packets
    int64_t sent_bytes
    double first_sent_at
    double last_sent_at
    int64_t acked_packets
    int64_t acked_bytes
    double first_arrived_at
    double last_arrived_at
    int64_t first_arrived_bytes
    int64_t last_sent_bytes


cdef struct Cluster:
    uint32_t serial
    bint running
    int64_t reported_packets
    ClusterRow row  # arrivals: infinite until there is one


cdef struct Clusters:
    int count
    uint32_t last_serial
    Cluster *kept  # the oldest first; NULL: there was none yet


cdef inline Cluster *cluster_open(Clusters *clusters, int64_t id, uint64_t *forgotten) noexcept nogil:
    """No other may be running. NULL without memory."""
    cdef Cluster *cluster
    if clusters.kept == NULL:
        clusters.kept = <Cluster *>calloc(KEPT, sizeof(Cluster))
        if clusters.kept == NULL:
            return NULL
    if clusters.count == KEPT:
        forgotten[0] += 1
        cluster_close(clusters, 0)
    cluster = &clusters.kept[clusters.count]
    memset(cluster, 0, sizeof(Cluster))
    clusters.count += 1
    clusters.last_serial += 1
    cluster.serial = clusters.last_serial
    cluster.running = True
    cluster.row.id = id
    cluster.row.first_sent_at = cluster.row.last_sent_at = NAN
    cluster.row.first_arrived_at = INFINITY
    cluster.row.last_arrived_at = -INFINITY
    return cluster


cdef inline void cluster_close(Clusters *clusters, int index) noexcept nogil:
    clusters.count -= 1
    memmove(&clusters.kept[index], &clusters.kept[index + 1], (clusters.count - index) * sizeof(Cluster))


cdef inline Cluster *cluster_find(const Clusters *clusters, uint32_t serial) noexcept nogil:
    """NULL for 0, and for one that was taken."""
    cdef int index
    if serial:
        for index in range(clusters.count):
            if clusters.kept[index].serial == serial:
                return &clusters.kept[index]
    return NULL


cdef inline void cluster_on_sent(Cluster *cluster, int size, double now) noexcept nogil:
    if cluster.row.sent_packets == 0:
        cluster.row.first_sent_at = now
    cluster.row.last_sent_at = now
    cluster.row.last_sent_bytes = size
    cluster.row.sent_packets += 1
    cluster.row.sent_bytes += size


cdef inline void cluster_on_arrived(Cluster *cluster, int size, double arrived_at) noexcept nogil:
    cluster.row.acked_packets += 1
    cluster.row.acked_bytes += size
    if arrived_at < cluster.row.first_arrived_at:
        cluster.row.first_arrived_at = arrived_at
        cluster.row.first_arrived_bytes = size
    cluster.row.last_arrived_at = max(cluster.row.last_arrived_at, arrived_at)


cdef inline bint cluster_is_over(const Cluster *cluster, double now) noexcept nogil:
    if cluster.running:
        return False
    if cluster.reported_packets == cluster.row.sent_packets:
        return True
    return now - cluster.row.last_sent_at >= CLUSTER_PATIENCE_S


cdef inline int clusters_take(Clusters *clusters, int64_t transport, double now, ClusterRow *into) noexcept nogil:
    """Those that are over; returns how many. There is room for KEPT."""
    cdef int index = 0, taken = 0
    while index < clusters.count:
        if cluster_is_over(&clusters.kept[index], now):
            into[taken] = clusters.kept[index].row
            into[taken].transport = transport
            if into[taken].acked_packets == 0:
                into[taken].first_arrived_at = into[taken].last_arrived_at = NAN
            taken += 1
            cluster_close(clusters, index)
        else:
            index += 1
    return taken
