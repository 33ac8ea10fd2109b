"""When what subscribers ask for again may leave. As `fallback/recovery.py`, explained there."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport malloc

from sfu.plane.compiled.drops cimport DROP_NOT_IN_HISTORY, DROP_RTX_LATE, DROP_RTX_LIMIT, NOT_DROPPED
from sfu.plane.compiled.outbox cimport drop_of_slot
from sfu.plane.compiled.retransmission cimport claim, repeat, set_waiting
from sfu.plane.compiled.tables cimport Bucket, Plane, Recovery, Slot, Transport, Waiting


cdef inline double bucket_ready_at(const Bucket *bucket) noexcept nogil:
    if bucket.level >= 0:
        return -INFINITY
    return bucket.at_s - bucket.level * 8 / bucket.rate_bps


cdef inline void bucket_spend(Bucket *bucket, double burst_s, int size, double now) noexcept nogil:
    cdef double elapsed = max(0.0, now - bucket.at_s)
    cdef double full = bucket.rate_bps * burst_s / 8
    bucket.level = min(full, bucket.level + elapsed * bucket.rate_bps / 8) - size
    bucket.at_s = max(bucket.at_s, now)


cdef inline void recovery_open(Plane *plane, Recovery *recovery) noexcept nogil:
    recovery.bucket.level = INFINITY  # bytes; full to begin with
    recovery.bucket.rate_bps = plane.limits.recovery_bps


cdef inline double recovery_timeout(const Recovery *recovery) noexcept nogil:
    """Infinite: nothing waits."""
    return bucket_ready_at(&recovery.bucket) if recovery.count else INFINITY


cdef inline bint ask(Plane *plane, Slot *slot, uint32_t sequence_number, double now) noexcept nogil:
    """What a NACK names, sent now if nothing waits before it. False, and counted, if it is not taken."""
    cdef Recovery *recovery = &slot.transport.recovery
    cdef int64_t number = 0
    cdef int refusal = claim(plane, slot, sequence_number, now, &number)
    if refusal != NOT_DROPPED:
        drop_of_slot(plane, slot, refusal)
        return False
    if recovery.count == 0 and now >= bucket_ready_at(&recovery.bucket):
        return recover(plane, slot, number, now)
    if recovery.count >= plane.limits.rtx_waiting or not has_waiting_room(plane, recovery):
        drop_of_slot(plane, slot, DROP_RTX_LIMIT)
        return False
    recovery.waiting[(recovery.start + recovery.count) % plane.limits.rtx_waiting] = Waiting(slot, number, now)
    recovery.count += 1
    set_waiting(plane, slot, number, True)
    return True


cdef inline bint has_waiting_room(const Plane *plane, Recovery *recovery) noexcept nogil:
    if recovery.waiting == NULL:
        recovery.waiting = <Waiting *>malloc(plane.limits.rtx_waiting * sizeof(Waiting))
    return recovery.waiting != NULL


cdef inline void recovery_send_due(Plane *plane, Recovery *recovery, double now) noexcept nogil:
    cdef Waiting waiting
    while recovery.count and now >= bucket_ready_at(&recovery.bucket):
        waiting = recovery.waiting[recovery.start]
        recovery.start = (recovery.start + 1) % plane.limits.rtx_waiting
        recovery.count -= 1
        set_waiting(plane, waiting.slot, waiting.number, False)
        if now - waiting.since > plane.limits.rtx_wait_s:
            drop_of_slot(plane, waiting.slot, DROP_RTX_LATE)
        else:
            recover(plane, waiting.slot, waiting.number, now)


cdef inline void recovery_forget(Plane *plane, Recovery *recovery, const Slot *slot) noexcept nogil:
    """It is gone."""
    cdef int index, kept = 0, room = plane.limits.rtx_waiting
    cdef Waiting *waiting
    for index in range(recovery.count):
        waiting = &recovery.waiting[(recovery.start + index) % room]
        if waiting.slot == slot:
            drop_of_slot(plane, waiting.slot, DROP_NOT_IN_HISTORY)
        else:
            recovery.waiting[(recovery.start + kept) % room] = waiting[0]
            kept += 1
    recovery.count = kept


cdef inline bint recover(Plane *plane, Slot *slot, int64_t number, double now) noexcept nogil:
    cdef int size = 0
    cdef int refusal = repeat(plane, slot, number, now, 0, &size)
    if refusal != NOT_DROPPED:
        drop_of_slot(plane, slot, refusal)
        return False
    bucket_spend(&slot.transport.recovery.bucket, plane.limits.recovery_burst_s, size, now)
    return True
