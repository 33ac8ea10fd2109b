# The control methods of interface.Plane. Included by _plane.pyx.


cdef enum:
    REPORTERS_AT_ONCE = 16  # some 100 µs of the mutex. Lower: more system calls; higher: media waits longer


cdef class Control:
    """The tables: what is in them, and what Python says to it. All of `interface.Plane` but the drivers."""

    cdef Plane plane
    # Ids → addresses of what they name
    cdef dict transports, tracks, slots
    # Transport id → what lives as long as it does: both SRTP sessions, and the outgoing SSRCs it ever had
    cdef dict sessions, ssrcs
    cdef int srtp_window

    def __cinit__(self, *_, **__):
        if not plane_open(&self.plane):
            raise MemoryError
        self.transports, self.tracks, self.slots, self.sessions, self.ssrcs = {}, {}, {}, {}, {}

    def __dealloc__(self):
        plane_close(&self.plane)

    # --- transports ---------------------------------------------------------------------------------------------------

    def add_transport(self, int64_t transport):
        cdef Transport *added
        require_new(transport, self.transports)
        self.reserve(room_of(sizeof(Transport)))
        lock(&self.plane)
        added = transport_add(&self.plane, transport)
        unlock(&self.plane)
        if added == NULL:
            raise MemoryError
        self.transports[transport] = <uintptr_t>added
        self.ssrcs[transport] = set()
        self.set_reporter(transport, 0, "")

    def bind(self, transport, path):
        cdef Transport *owner = self.transport(transport)
        cdef Endpoint endpoint = endpoint_of(path)
        cdef bint bound
        lock(&self.plane)
        bound = transport_bind(&self.plane, owner, &endpoint, <Transport *>path_owner(&self.plane.paths, &endpoint))
        unlock(&self.plane)
        if not bound:
            raise MemoryError

    def select(self, transport, path):
        cdef Transport *owner = self.transport(transport)
        cdef Endpoint endpoint = endpoint_of(path)
        if find_path(owner, &endpoint) < 0:
            raise KeyError(f"transport {transport} has not validated {path}")
        lock(&self.plane)
        owner.has_selected = True
        owner.selected = endpoint
        unlock(&self.plane)

    def set_credentials(self, transport, username_fragment, password):
        cdef Transport *owner = self.transport(transport)
        cdef bytes username = f"{username_fragment}:".encode(), secret = password.encode()
        cdef Consent consent
        if not 1 < len(username) <= LONGEST_FRAGMENT + 1 or len(secret) > BLOCK:
            raise ValueError("credentials are not as our ICE makes them")
        consent.username_size = len(username)
        memcpy(consent.username, PyBytes_AsString(username), consent.username_size)
        hmac_key(&consent.key, <const uint8_t *>PyBytes_AsString(secret), len(secret))
        lock(&self.plane)
        owner.consent = consent
        unlock(&self.plane)

    def has_moved(self, transport, bytes stray, double now):
        cdef Transport *owner = self.transport(transport)
        cdef uint8_t plain[LONGEST_PACKET + TRAILER]
        cdef int size = len(stray)
        cdef bint moved
        if size > LONGEST_PACKET:
            return False
        memcpy(plain, PyBytes_AsString(stray), size)
        lock(&self.plane)
        moved = has_moved(&self.plane, owner, plain, size, now)
        unlock(&self.plane)
        return moved

    def set_keys(self, transport, keys):
        cdef Transport *owner = self.transport(transport)
        inbound, outbound = sessions = open_sessions(keys, self.srtp_window)
        cdef uintptr_t inbound_context = context_address(inbound), outbound_context = context_address(outbound)
        cdef RtpKeys rtp_keys = rtp_keys_of(&self.plane.openssl, keys)
        lock(&self.plane)
        owner.inbound, owner.outbound = <void *>inbound_context, <void *>outbound_context
        owner.rtp_keys = rtp_keys
        unlock(&self.plane)
        self.sessions[transport] = sessions  # those before go now that nobody uses them

    def set_extensions(self, transport, receive, send):
        cdef Transport *owner = self.transport(transport)
        cdef uint8_t roles[256]
        cdef SendIds ids
        cdef int index
        memset(roles, 0, sizeof(roles))
        note_role(roles, receive.mid, ROLE_MID)
        note_role(roles, receive.rid, ROLE_RID)
        note_role(roles, receive.repaired_rid, ROLE_REPAIRED_RID)
        note_role(roles, receive.transport_cc, ROLE_TRANSPORT_CC)
        note_role(roles, receive.dependency_descriptor, ROLE_DESCRIPTOR)
        ids.mid, ids.abs_send_time, ids.transport_cc = send.mid, send.abs_send_time, send.transport_cc
        ids.descriptor = send.dependency_descriptor
        for index in range(PASSED_ON):
            note_role(roles, getattr(receive, _PASSED_ON[index]), ROLE_PASSED_ON + index)
            ids.passed_on[index] = getattr(send, _PASSED_ON[index])
        lock(&self.plane)
        memcpy(owner.roles, roles, sizeof(roles))
        owner.send_ids = ids
        unlock(&self.plane)

    def remove_transport(self, transport):
        cdef Transport *gone
        cdef int index
        if transport not in self.transports:
            return
        gone = self.transport(transport)
        for index in range(gone.slots.count):
            del self.slots[(<Slot *>gone.slots.items[index]).id]
        for index in range(gone.tracks.count):
            del self.tracks[(<Track *>gone.tracks.items[index]).id]
        lock(&self.plane)
        transport_remove(&self.plane, gone)
        unlock(&self.plane)
        del self.transports[transport], self.ssrcs[transport]
        self.sessions.pop(transport, None)

    def send(self, path, bytes payload):
        cdef Endpoint to = endpoint_of(path)
        cdef int size = len(payload)
        cdef const uint8_t *datagram = <const uint8_t *>PyBytes_AsString(payload)
        lock(&self.plane)
        send_as_is(&self.plane, NULL, &to, datagram, size)
        unlock(&self.plane)

    def send_dtls(self, transport, bytes payload):
        cdef Transport *to = self.transport(transport)
        cdef int size = len(payload)
        cdef const uint8_t *datagram = <const uint8_t *>PyBytes_AsString(payload)
        lock(&self.plane)
        if to.has_selected:
            send_as_is(&self.plane, to, &to.selected, datagram, size)
        else:
            drop(&self.plane, DROP_NOT_CONNECTED)
        unlock(&self.plane)

    def send_rtcp(self, transport, bytes compound, double now):
        cdef Transport *to = self.transport(transport)
        cdef int refusal = NOT_DROPPED, size = len(compound)
        cdef const uint8_t *plain = <const uint8_t *>PyBytes_AsString(compound)
        cdef uint8_t *out
        lock(&self.plane)
        if is_connected(to):
            out = outbox_room(&self.plane, size + TRAILER)
            if out != NULL:
                memcpy(out, plain, size)
                refusal = protect_rtcp(&self.plane, to, out, &size)
                if refusal == NOT_DROPPED:
                    outbox_add(&self.plane, to, &to.selected, size)
        else:
            refusal = DROP_NOT_CONNECTED
        if refusal != NOT_DROPPED:
            drop(&self.plane, refusal)
        unlock(&self.plane)

    def set_reporter(self, transport, uint32_t ssrc, cname):
        cdef Transport *of = self.transport(transport)
        cdef bytes description = SourceDescription(0, cname).pack()
        cdef Reporter reporter
        if len(cname.encode()) > LONGEST_CNAME_BYTES or len(description) > LONGEST_DESCRIPTION:
            raise ValueError(f"a CNAME of more than {LONGEST_CNAME_BYTES} bytes")
        reporter.ssrc, reporter.description_size = ssrc, len(description)
        memcpy(reporter.description, PyBytes_AsString(description), reporter.description_size)
        lock(&self.plane)
        of.reporter = reporter
        unlock(&self.plane)

    def set_feedback_interval(self, transport, interval_s, double now):
        cdef Transport *of = self.transport(transport)
        cdef double interval = 0 if interval_s is None else interval_s
        lock(&self.plane)
        of.arrivals.interval_s, of.arrivals.due_at = interval, INFINITY
        arrivals_await(of, now)
        note_later(&self.plane, of)
        unlock(&self.plane)

    def send_reports(self, transports, uint64_t ntp_time, double now):
        """Some of them leave together, in one system call; between, the thread has its turn."""
        cdef Pointers reporters
        cdef int index = 0, end
        memset(&reporters, 0, sizeof(reporters))
        try:
            for transport in transports:
                if not pointers_add(&reporters, self.transport(transport)):
                    raise MemoryError
            while index < reporters.count:
                end = min(reporters.count, index + REPORTERS_AT_ONCE)
                lock(&self.plane)
                while index < end:
                    send_reports(&self.plane, <Transport *>reporters.items[index], ntp_time, now)
                    index += 1
                unlock(&self.plane)
        finally:
            pointers_close(&reporters)

    # --- after packets have left --------------------------------------------------------------------------------------

    def set_recovery_rate(self, transport, rate_bps):
        cdef Transport *of
        require_positive(rate_bps)
        of = self.transport(transport)
        lock(&self.plane)
        of.recovery.bucket.rate_bps = rate_bps
        unlock(&self.plane)

    def probe(self, transport, rate_bps, packets, int64_t cluster, double now):
        cdef Transport *to
        cdef double rate = rate_bps
        cdef int count = packets
        cdef bint started
        require_positive(rate_bps)
        require_positive(packets)
        to = self.transport(transport)
        lock(&self.plane)
        started = probing_start(&self.plane, to, rate, count, cluster, now)
        if started:
            transport_send_due(&self.plane, to, now)
        unlock(&self.plane)
        return started

    # --- publishing ---------------------------------------------------------------------------------------------------

    def add_track(self, int64_t track, transport, spec):
        cdef Transport *owner = self.transport(transport)
        cdef Track *added
        cdef Text mid
        cdef bint has_memory
        require_new(track, self.tracks)
        set_text(&mid, spec.mid)
        for index in range(owner.tracks.count):
            if same_text(&(<Track *>owner.tracks.items[<int>index]).mid, &mid):
                raise ValueError(f"transport {transport} has a track with mid {spec.mid} already")
        added = track_of_spec(track, spec)
        lock(&self.plane)
        has_memory = track_add(&self.plane, owner, added)
        unlock(&self.plane)
        if not has_memory:
            track_free(added)
            raise MemoryError
        self.tracks[track] = <uintptr_t>added

    def announce_ssrc(self, track, layer, uint32_t ssrc, bint rtx):
        cdef Track *of = self.track(track)
        cdef int index = layer_index(of, layer)
        lock(&self.plane)
        learn_as(&self.plane, of, index, ssrc, rtx, False, 0.0)
        unlock(&self.plane)

    def set_clock(self, track, layer, uint32_t rtp_timestamp, double at_s):
        cdef Track *of = self.track(track)
        cdef int index = layer_index(of, layer)
        lock(&self.plane)
        of.layers[index].clock.reported = True
        of.layers[index].clock.timestamp = rtp_timestamp
        of.layers[index].clock.at_s = at_s
        unlock(&self.plane)

    def remove_track(self, track):
        cdef Track *gone
        if track not in self.tracks:
            return
        gone = self.track(track)
        lock(&self.plane)
        track_remove(&self.plane, gone)
        unlock(&self.plane)
        del self.tracks[track]

    def reception(self, track):
        cdef Track *of = self.track(track)
        cdef Layer copy
        cdef int index
        reports = []
        for index in range(of.layer_count):
            lock(&self.plane)
            copy = of.layers[index][0]
            unlock(&self.plane)
            if copy.has_ssrc and copy.reception.begun:
                reports.append(report_of(index, &copy))
        return reports

    def missing(self, track, layer, sequence_numbers):
        cdef Track *of = self.track(track)
        cdef int index = layer_index(of, layer), at, count = len(sequence_numbers)
        cdef int64_t *numbers = numbers_of(sequence_numbers, -1)
        lock(&self.plane)
        for at in range(count):
            if not (of.is_video and history_lacks(&of.layers[index].history, numbers[at])):
                numbers[at] = -(<int64_t>1 << 62)
        unlock(&self.plane)
        lacking = [numbers[at] for at in range(count) if numbers[at] != -(<int64_t>1 << 62)]
        free(numbers)
        return lacking

    # --- subscribing --------------------------------------------------------------------------------------------------

    def add_slot(self, int64_t slot, transport, spec):
        cdef Transport *owner = self.transport(transport)
        cdef Slot *added
        cdef bint has_memory
        require_new(slot, self.slots)
        if not 0 <= spec.first_sequence_number < 1 << 15:
            # Were the first packets lost, a receiver could not tell whether it wrapped (RFC 3711 §3.3.1).
            raise ValueError(f"the first sequence number {spec.first_sequence_number} is not below 32768")
        reserve_ssrc(self.ssrcs[transport], spec.ssrc, transport)
        if spec.rtx_ssrc is not None:
            reserve_ssrc(self.ssrcs[transport], spec.rtx_ssrc, transport)
        self.reserve(room_of_slot(&self.plane))
        added = slot_of_spec(&self.plane, slot, spec)
        lock(&self.plane)
        has_memory = slot_add(&self.plane, owner, added)
        unlock(&self.plane)
        if not has_memory:
            slot_free(&self.plane, added)
            raise MemoryError
        self.slots[slot] = <uintptr_t>added

    def set_payload_types(self, slot, payload_types):
        cdef Slot *of = self.slot(slot)
        cdef SlotFormat formats[CODECS]
        set_slot_formats(formats, payload_types)
        lock(&self.plane)
        memcpy(of.formats, formats, sizeof(formats))
        unlock(&self.plane)

    def set_route(self, slot, track):
        cdef Slot *of = self.slot(slot)
        cdef Track *to = NULL if track is None else self.track(track)
        cdef bint has_memory
        self.reserve(room_of(self.plane.limits.sent_packets * sizeof(Sent)))
        lock(&self.plane)
        has_memory = slot_route(&self.plane, of, to)
        unlock(&self.plane)
        if not has_memory:
            raise MemoryError

    def set_layer(self, slot, layer, max_temporal_id=None, max_spatial_id=None, *, look_back=None):
        cdef Slot *of = self.slot(slot)
        cdef int index = -1
        cdef int temporal_limit = ALL_TEMPORAL_LAYERS if max_temporal_id is None else max_temporal_id
        cdef int spatial_limit = ALL_SPATIAL_LAYERS if max_spatial_id is None else max_spatial_id
        cdef double since = 0, now = 0
        cdef bint looks_back = look_back is not None
        if looks_back:
            since, now = look_back
        if layer is not None:
            if of.track == NULL:
                raise KeyError(f"slot {slot} carries no track")
            index = layer_index(of.track, layer)
        lock(&self.plane)
        if index < 0:
            slot_send_layer(of, NULL)
            forget_sent(&self.plane, of)
        of.wanted = index
        filter_limit(&of.pictures.layers, temporal_limit, spatial_limit)
        if looks_back:
            slot_look_back(&self.plane, of, since, now)
        unlock(&self.plane)

    def remove_slot(self, slot):
        cdef Slot *gone
        if slot not in self.slots:
            return
        gone = self.slot(slot)
        lock(&self.plane)
        slot_remove(&self.plane, gone)
        unlock(&self.plane)
        del self.slots[slot]

    def retransmit(self, slot, sequence_numbers, double now):
        cdef Slot *of = self.slot(slot)
        cdef int at, count = len(sequence_numbers), taken = 0
        cdef int64_t *numbers = numbers_of(sequence_numbers, 0xFFFF)
        lock(&self.plane)
        recovery_send_due(&self.plane, &of.transport.recovery, now)
        for at in range(count):
            taken += ask(&self.plane, of, <uint32_t>numbers[at], now)
        note_later(&self.plane, of.transport)
        unlock(&self.plane)
        free(numbers)
        return taken

    def transmission(self, slot):
        cdef Slot *of = self.slot(slot)
        cdef int layer
        cdef uint64_t packets, octets, retransmitted
        cdef LinePoint point
        lock(&self.plane)
        layer = -1 if of.layer == NULL else of.layer.index
        packets, octets, retransmitted = of.packets, of.octets, of.retransmitted
        point = line_pair(&of.line)
        unlock(&self.plane)
        return SlotTransmission(
            track=None if of.track == NULL else of.track.id,
            layer=None if layer < 0 else layer,
            packets=packets,
            octets=octets,
            retransmitted=retransmitted,
            timestamp_at_s=(point.timestamp, point.at_s) if point.known else None,
        )

    # --- memory -------------------------------------------------------------------------------------------------------

    cdef reserve(self, size_t bytes):
        """For what is made under the mutex next: media does not wait while the kernel finds memory."""
        if not arena_reserve(&self.plane.arena, bytes):
            raise MemoryError

    # --- lookup -------------------------------------------------------------------------------------------------------

    cdef Transport *transport(self, transport) except NULL:
        return <Transport *><uintptr_t>self.transports[transport]

    cdef Track *track(self, track) except NULL:
        return <Track *><uintptr_t>self.tracks[track]

    cdef Slot *slot(self, slot) except NULL:
        return <Slot *><uintptr_t>self.slots[slot]
