"""The tables' door for Python: each method looks up what its integers name and says one thing to it under the mutex.

Between `lock` and `unlock` no Python object is touched (sharing.pxd says why): arguments are turned into C values
before, results into Python objects after. Looking things up needs no mutex: only Python adds and removes, one call at
a time. Unknown ids are KeyErrors.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

from sfu.plane.compiled.arena cimport arena_reserve, room_of
from sfu.plane.compiled.consent cimport LONGEST_FRAGMENT, Consent
from sfu.plane.compiled.drops cimport DROP_NOT_CONNECTED, DROPS, NOT_DROPPED
from sfu.plane.compiled.events cimport (
    EVENT_CONSENT, EVENT_DTLS, EVENT_GAP, EVENT_KEY_FRAME, EVENT_LEARNED, EVENT_RTCP, EVENT_SINK_GONE, EVENT_STRAY,
    EVENT_STUN, NOBODY, Event, EventQueue, event_count, event_span, take_in_order, take_known_first,
)
from sfu.plane.compiled.extensions cimport (
    LONGEST_MID, PASSED_ON, ROLE_DESCRIPTOR, ROLE_MID, ROLE_PASSED_ON, ROLE_REPAIRED_RID, ROLE_RID, ROLE_TRANSPORT_CC,
    ROLES, SendIds, Text,
)
from sfu.plane.compiled.arrivals cimport arrivals_await
from sfu.plane.compiled.blocks cimport BlockRow
from sfu.plane.compiled.clusters cimport ClusterRow
from sfu.plane.compiled.filtering cimport ALL_SPATIAL_LAYERS, ALL_TEMPORAL_LAYERS, filter_limit
from sfu.plane.compiled.groups cimport GroupRow
from sfu.plane.compiled.history cimport history_held, history_lacks
from sfu.plane.compiled.later cimport next_due, note_later, send_due, transport_send_due
from sfu.plane.compiled.learning cimport learn_as
from sfu.plane.compiled.lifetimes cimport (
    plane_close, plane_open, room_of_slot, slot_add, slot_free, slot_new, slot_remove, track_add, track_free,
    track_new, track_remove, transport_add, transport_bind, transport_remove,
)
from sfu.plane.compiled.numbering cimport NumberMap
from sfu.plane.compiled.openssl cimport FUNCTIONS as OPENSSL_FUNCTIONS, OpenSsl, openssl_open
from sfu.plane.compiled.outbox cimport drop, outbox_add, outbox_room, send_as_is
from sfu.plane.compiled.packets cimport CODECS, NO_CODEC
from sfu.plane.compiled.paths cimport Endpoint, path_owner
from sfu.plane.compiled.pointers cimport Pointers, pointers_add, pointers_close
from sfu.plane.compiled.polling cimport (
    Polled, Rows, blocks_begin, poll_blocks, poll_transport, polled_close, polling_begin, polling_sort,
)
from sfu.plane.compiled.probing cimport probing_start
from sfu.plane.compiled.protection cimport (
    AES_CM_SHA1_80, AES_GCM_128, AES_GCM_256, Protection, RtpKeys, set_hash_key,
)
from sfu.plane.compiled.receiving cimport has_moved, on_datagram
from sfu.plane.compiled.reception cimport COUNTED_SPATIAL_LAYERS, COUNTED_TEMPORAL_LAYERS, Reception
from sfu.plane.compiled.recovery cimport ask, recovery_send_due
from sfu.plane.compiled.reporting cimport send_reports
from sfu.plane.compiled.retransmission cimport forget_sent
from sfu.plane.compiled.sha1 cimport BLOCK, hmac_key
from sfu.plane.compiled.sharing cimport lock, unlock
from sfu.plane.compiled.sinks cimport sink_add, sink_remove
from sfu.plane.compiled.slot cimport slot_look_back, slot_route, slot_send_layer
from sfu.plane.compiled.srtp cimport LONGEST_PACKET, TRAILER, protect_rtcp
from sfu.plane.compiled.system cimport __ATOMIC_SEQ_CST, __atomic_store_n, read, write
from sfu.plane.compiled.tables cimport (
    LONGEST_DESCRIPTION, Counts, Layer, Level, Outgoing, Plane, Reporter, ReportRow, Sent, Sink, SinkFrame, Slot,
    SlotFormat, Source, SrtpCall, Track, Transport,
)
from sfu.plane.compiled.taps cimport MOST_LAYERS, tap_set
from sfu.plane.compiled.thread cimport run
from sfu.plane.compiled.timeline cimport LinePoint, SourceClock, line_pair
from sfu.plane.compiled.transport cimport find_path, is_connected, next_transport_number

from numpy import frombuffer

from sfu.core.audio_levels import LEVEL
from sfu.core.types import Codec, DropReason
from sfu.plane import interface, openssl
from sfu.plane.compiled import addresses
from sfu.plane.interface import (
    LONGEST_CNAME_BYTES, ConsentRenewed, Counters, Datagram, DtlsReceived, GapSeen, KeyFrameReceived, LayerReception,
    RtcpReceived, SinkGone, SlotTransmission, SsrcLearned, StrayReceived, StunReceived, Switched,
)
from sfu.plane.readers import connect_to_reader
from sfu.plane.session_keys import sending_keys
from sfu.plane.srtp import FUNCTIONS, REPLAYS, context_address, function_address, open_sessions
from sfu.wire.addresses import shortened
from sfu.wire.rtcp import SourceDescription

_CODECS = {codec: index for index, codec in enumerate((None, *Codec))}
_CODEC_NAMES = [None if codec is None else codec.value for codec in _CODECS]
_REASONS = tuple(DropReason)
_PASSED_ON = ("audio_level", "video_orientation", "playout_delay")
_ROLES = ("mid", "rid", "repaired_rid", "transport_cc", "dependency_descriptor", *_PASSED_ON)
if len(_REASONS) != DROPS or len(_CODECS) != CODECS or len(_ROLES) != ROLES:
    raise ImportError("the compiled plane was built from other sources than it runs with: build it again")


include "conversions.pxi"
include "control.pxi"
include "sinks.pxi"
include "describing.pxi"


cdef class Engine(Describing):
    """The tables with their limits, and the ways in and out. The thread is started in plane.py."""

    cdef EventQueue taken
    cdef Polled polled

    def __init__(self, config):
        names = (
            "history_packets", "sent_packets", "batch_datagrams", "srtp_window", "packets_in_flight", "groups_pending",
            "audio_kept_packets",
        )
        if any(getattr(config, name) < 1 for name in names):
            raise ValueError(f"none of these may be less than 1: {', '.join(names)}")
        self.plane.limits.history_packets = config.history_packets
        self.plane.limits.sent_packets = config.sent_packets
        self.plane.limits.batch_datagrams = config.batch_datagrams
        self.plane.limits.strangers_per_batch = config.strangers_per_batch
        self.plane.limits.stray_interval_s = config.stray_interval_s
        self.plane.limits.moved_silent_s = config.moved_silent_s
        self.plane.next_stray_at = -INFINITY
        self.plane.limits.paths_per_transport = config.paths_per_transport
        self.plane.limits.ssrcs_per_transport = config.ssrcs_per_transport
        self.plane.limits.arrivals_per_transport = config.arrivals_per_transport
        self.plane.limits.pending_events = config.pending_events
        self.plane.limits.audio_kept_packets = config.audio_kept_packets
        self.plane.limits.levels_per_track = config.levels_per_track
        self.plane.limits.clock_tolerance_s = config.clock_tolerance_s
        self.plane.limits.rtx_repeat_after_s = config.rtx_repeat_after_s
        self.sink_buffer_bytes = config.sink_buffer_bytes
        self.plane.limits.recovery_bps = config.recovery_bps
        self.plane.limits.recovery_burst_s = config.recovery_burst_s
        self.plane.limits.report_patience_s = config.report_patience_s
        self.plane.limits.rtx_waiting = config.rtx_waiting
        self.plane.limits.rtx_wait_s = config.rtx_wait_s
        self.plane.limits.packets_in_flight = config.packets_in_flight
        self.plane.limits.groups_pending = config.groups_pending
        self.srtp_window = config.srtp_window
        functions = [function_address(name) for name in FUNCTIONS]
        self.plane.protect = <SrtpCall><uintptr_t>functions[0]
        self.plane.protect_rtcp = <SrtpCall><uintptr_t>functions[1]
        self.plane.unprotect = <SrtpCall><uintptr_t>functions[2]
        self.plane.unprotect_rtcp = <SrtpCall><uintptr_t>functions[3]
        open_openssl(&self.plane.openssl)
        self.plane.replay_statuses[0], self.plane.replay_statuses[1] = REPLAYS

    def __dealloc__(self):
        free(self.taken.bytes)
        polled_close(&self.polled)

    @property
    def counters(self):
        cdef Counts *counts = &self.plane.counts
        return Counters(
            received_datagrams=counts.received_datagrams,
            received_rtp=counts.received_rtp,
            received_rtcp=counts.received_rtcp,
            received_stun=counts.received_stun,
            received_dtls=counts.received_dtls,
            recovered=counts.recovered,
            forwarded=counts.forwarded,
            retransmitted=counts.retransmitted,
            probes=counts.probes,
            feedback_forgotten=counts.feedback_forgotten,
            transport_feedback_sent=counts.transport_feedback_sent,
            sent_datagrams=counts.sent_datagrams,
            sent_bytes=counts.sent_bytes,
            sink_frames=counts.sink_frames,
            dropped=self.dropped(),
        )

    cdef dict dropped(self):
        cdef int reason
        counts = {}
        for reason in range(DROPS):
            if self.plane.counts.dropped[reason]:
                counts[_REASONS[reason]] = self.plane.counts.dropped[reason]
        return counts

    # --- drivers ------------------------------------------------------------------------------------------------------

    def begin(self, sockets, feedback_sockets, offload, int wake_fd, int events_fd):
        """What is caused from now on leaves through these sockets. `feedback_sockets`: where feedback comes in instead,
        or `None`. `offload`: for each, whether it knows UDP GSO. The thread is woken by `wake_fd`, the event loop by
        `events_fd`."""
        cdef int index, count = len(sockets)
        cdef int *fds = <int *>calloc(count + 1, sizeof(int))
        cdef int *feedback_fds = <int *>calloc(count + 1, sizeof(int))
        cdef uint8_t *able = <uint8_t *>calloc(count + 1, 1)
        if fds == NULL or feedback_fds == NULL or able == NULL:
            free(fds)
            free(feedback_fds)
            free(able)
            raise MemoryError
        for index in range(count):
            fds[index] = sockets[index].fileno()
            feedback_fds[index] = -1 if feedback_sockets[index] is None else feedback_sockets[index].fileno()
            able[index] = bool(offload[index])
        free(self.plane.sockets)
        free(self.plane.feedback_sockets)
        free(self.plane.offload)
        lock(&self.plane)
        self.plane.sockets, self.plane.offload, self.plane.socket_count = fds, able, count
        self.plane.feedback_sockets = feedback_fds
        self.plane.wake_fd, self.plane.events_fd, self.plane.stop, self.plane.signalled = wake_fd, events_fd, 0, False
        self.plane.wakes_at = INFINITY
        self.plane.live = True
        unlock(&self.plane)

    def set_realtime(self):
        """The thread now comes before Python's, also on the same core."""
        lock(&self.plane)
        self.plane.realtime = True
        unlock(&self.plane)

    def run(self):
        """The thread's whole life; it holds the GIL at either end only."""
        cdef bint had_memory
        with nogil:
            had_memory = run(&self.plane)
        if not had_memory:
            raise MemoryError

    def end(self):
        """Tells the thread to stop; the sockets are not used again."""
        cdef uint64_t one = 1
        lock(&self.plane)
        self.plane.live = False
        unlock(&self.plane)
        __atomic_store_n(&self.plane.stop, 1, __ATOMIC_SEQ_CST)  # before it wakes, for it sleeps again if it may run
        write(self.plane.wake_fd, &one, sizeof(one))

    def on_datagrams(self, batch, double now):
        cdef Endpoint source
        cdef uint8_t *datagram
        cdef int size, before = self.plane.outbox.count
        self.plane.strangers = 0
        self.plane.outbox.flush += 1  # what waits to be taken is not chained to what is returned here
        for payload, path in batch:
            source = endpoint_of(path)
            size = len(payload)
            datagram = <uint8_t *>PyBytes_AsString(payload)
            lock(&self.plane)
            if size <= LONGEST_PACKET:  # a longer one is never decrypted, and so not written to
                memcpy(self.plane.buffer, datagram, size)
                datagram = self.plane.buffer
            on_datagram(&self.plane, datagram, size, &source, now)
            unlock(&self.plane)
        return self.taken_from_outbox(before)

    def next_timeout(self):
        cdef double due
        lock(&self.plane)
        due = next_due(&self.plane)
        unlock(&self.plane)
        return None if due == INFINITY else due

    def on_timeout(self, double now):
        cdef int before = self.plane.outbox.count
        lock(&self.plane)
        self.plane.outbox.flush += 1
        send_due(&self.plane, now)
        unlock(&self.plane)
        return self.taken_from_outbox(before)

    def poll_rows(self, double now):
        """The three columns of a FeedbackBatch as bytes."""
        cdef Pointers reporting
        cdef bint has_memory = True
        cdef int index
        self.polled.reports.count = self.polled.groups.count = self.polled.clusters.count = 0
        lock(&self.plane)
        reporting = polling_begin(&self.plane)
        unlock(&self.plane)
        # They cannot go meanwhile: only Python removes them, one call at a time.
        polling_sort(&reporting)
        for index in range(reporting.count):
            lock(&self.plane)
            has_memory &= poll_transport(&self.plane, <Transport *>reporting.items[index], now, &self.polled)
            unlock(&self.plane)
        pointers_close(&reporting)
        if not has_memory:
            raise MemoryError
        return (
            bytes_of(&self.polled.reports, sizeof(ReportRow)),
            bytes_of(&self.polled.groups, sizeof(GroupRow)),
            bytes_of(&self.polled.clusters, sizeof(ClusterRow)),
        )

    def poll_blocks(self):
        """The rows of `poll_reports` as bytes."""
        cdef Pointers reported_on
        cdef bint has_memory = True
        cdef int index
        self.polled.blocks.count = 0
        lock(&self.plane)
        reported_on = blocks_begin(&self.plane)
        unlock(&self.plane)
        polling_sort(&reported_on)
        for index in range(reported_on.count):
            lock(&self.plane)
            has_memory &= poll_blocks(&self.plane, <Transport *>reported_on.items[index], &self.polled)
            unlock(&self.plane)
        pointers_close(&reported_on)
        if not has_memory:
            raise MemoryError
        return bytes_of(&self.polled.blocks, sizeof(BlockRow))

    def take_output(self):
        return self.taken_from_outbox(0)

    def take_events(self):
        lock(&self.plane)
        take_in_order(&self.plane.events, &self.taken)
        unlock(&self.plane)
        return self.taken_events()

    def take_pending(self, double by):
        """`events_fd` stays readable until all is taken."""
        cdef uint64_t count
        lock(&self.plane)
        if event_count(&self.plane.events) and self.plane.events.tell_by <= by:
            take_known_first(
                &self.plane.events,
                &self.taken,
                self.plane.limits.batch_datagrams,
                self.plane.limits.strangers_per_batch,
            )
        if self.plane.signalled and event_count(&self.plane.events) == 0:
            read(self.plane.events_fd, &count, sizeof(count))
            self.plane.signalled = False
        unlock(&self.plane)
        return self.taken_events()

    cdef list taken_events(self):
        cdef Event *event
        cdef size_t at = 0
        events = []
        while at < self.taken.end:
            event = <Event *>(self.taken.bytes + at)
            events.append(event_of(event))
            at += event_span(event)
        self.taken.end = self.taken.count = 0
        return events

    cdef list taken_from_outbox(self, int first):
        """Only logic alone comes here, so there is nobody to share with."""
        cdef Outgoing *datagram
        cdef int index
        output = []
        for index in range(first, self.plane.outbox.count):
            datagram = &self.plane.outbox.datagrams[index]
            payload = PyBytes_FromStringAndSize(<char *>self.plane.outbox.bytes + datagram.offset, datagram.size)
            output.append(Datagram(payload, path_of(&datagram.to)))
            self.plane.counts.sent_datagrams += 1
            self.plane.counts.sent_bytes += datagram.size
        if output:
            self.plane.outbox.used = self.plane.outbox.datagrams[first].offset
            self.plane.outbox.count = first
            self.plane.outbox.flush += 1
        return output
