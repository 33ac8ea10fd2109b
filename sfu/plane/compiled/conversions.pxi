# Values of interface.py ↔ C structures. Included by _plane.pyx, so that neither file grows too long.


cdef Endpoint endpoint_of(path) except *:
    cdef Endpoint endpoint
    packed = addresses.pack(path)
    memcpy(&endpoint, PyBytes_AsString(packed), sizeof(Endpoint))
    return endpoint


cdef path_of(const Endpoint *endpoint):
    return addresses.unpack(PyBytes_FromStringAndSize(<const char *>endpoint, sizeof(Endpoint)))


cdef event_of(const Event *event):
    cdef const char *behind = <const char *>event + sizeof(Event)
    if event.kind == EVENT_STUN:
        transport = None if event.subject == NOBODY else event.subject
        return StunReceived(PyBytes_FromStringAndSize(behind, event.size), path_of(&event.endpoint), transport)
    if event.kind == EVENT_CONSENT:
        return ConsentRenewed(path_of(&event.endpoint), event.subject, event.at_s)
    if event.kind == EVENT_STRAY:
        return StrayReceived(PyBytes_FromStringAndSize(behind, event.size), path_of(&event.endpoint))
    if event.kind == EVENT_DTLS:
        return DtlsReceived(PyBytes_FromStringAndSize(behind, event.size), event.subject)
    if event.kind == EVENT_RTCP:
        return RtcpReceived(PyBytes_FromStringAndSize(behind, event.size), event.subject, event.at_s)
    if event.kind == EVENT_LEARNED:
        return SsrcLearned(event.track, event.layer, event.value, bool(event.rtx))
    if event.kind == EVENT_KEY_FRAME:
        return KeyFrameReceived(event.track, event.layer)
    if event.kind == EVENT_GAP:
        return GapSeen(event.track, event.layer, event.first, event.last)
    if event.kind == EVENT_SINK_GONE:
        return SinkGone(event.subject)
    return Switched(event.subject, event.track, event.layer, event.value)


cdef bytes_of(const Rows *rows, size_t size):
    return PyBytes_FromStringAndSize(<const char *>rows.rows, rows.count * size)


cdef report_of(int index, const Layer *layer):
    return LayerReception(
        layer=index,
        ssrc=layer.ssrc,
        rtx_ssrc=layer.rtx_ssrc if layer.has_rtx_ssrc else None,
        packets=layer.reception.packets,
        bytes=layer.reception.bytes,
        first_sequence_number=layer.reception.first,
        highest_sequence_number=layer.reception.highest,
        jitter=layer.reception.jitter,
        last_at_s=layer.reception.last_at,
        layer_bytes=layer_bytes(&layer.reception),
        codec=None if layer.reception.codec == NO_CODEC else Codec(_CODEC_NAMES[layer.reception.codec]),
        frames=layer.reception.frames,
        freezes=layer.reception.freezes,
        frozen_s=layer.reception.frozen_s,
        restored=layer.reception.restored,
        temporal_frames=temporal_frames(&layer.reception),
    )


cdef layer_bytes(const Reception *seen):
    cdef int spatial_id, temporal_id
    rows = []
    for spatial_id in range(COUNTED_SPATIAL_LAYERS):
        row = []
        for temporal_id in range(COUNTED_TEMPORAL_LAYERS):
            row.append(seen.by_layer[spatial_id][temporal_id])
        rows.append(tuple(row))
    return tuple(rows)


cdef temporal_frames(const Reception *seen):
    cdef int temporal_id
    row = []
    for temporal_id in range(COUNTED_TEMPORAL_LAYERS):
        row.append(seen.by_temporal_id[temporal_id])
    return tuple(row)


cdef Track *track_of_spec(int64_t id, spec) except NULL:
    """Not yet in the tables."""
    cdef Track *track = track_new(max(1, len(spec.rids)))
    cdef int index
    if track == NULL:
        raise MemoryError
    try:
        track.id = id
        set_text(&track.mid, spec.mid)
        track.is_video = spec.kind == "video"
        track.clock_rate = spec.formats[0].clock_rate
        track.rid_count = len(spec.rids)
        for index in range(track.rid_count):
            set_text(&track.rids[index], spec.rids[index])
        for index in range(128):
            track.formats[index].repairs = -1
        track.opus_payload_type = -1
        for form in spec.formats:
            if form.codec == "opus" and track.opus_payload_type < 0:
                track.opus_payload_type = form.payload_type
            if 0 <= form.payload_type < 128:
                index = form.payload_type
                track.formats[index].codec = _CODECS[form.codec]
                track.formats[index].repairs = -1 if form.repairs is None else form.repairs
    except BaseException:
        track_free(track)
        raise
    return track


cdef Slot *slot_of_spec(Plane *plane, int64_t id, spec) except NULL:
    """Not yet in the tables."""
    cdef Slot *slot = slot_new(plane, spec.first_sequence_number)
    if slot == NULL:
        raise MemoryError
    try:
        slot.id = id
        set_text(&slot.mid, spec.mid)
        slot.ssrc = spec.ssrc
        slot.has_rtx = spec.rtx_ssrc is not None
        slot.rtx_ssrc = spec.rtx_ssrc or 0
        set_slot_formats(slot.formats, spec.payload_types)
        slot.line.first = spec.first_timestamp & 0xFFFFFFFF
        slot.line.clock_rate = spec.clock_rate
        # What a switch moves the timestamp on by at least: fallback/slot.py says why.
        slot.line.least_advance = spec.clock_rate // (50 if spec.kind == "audio" else 1000)
        slot.line.tolerance = round(plane.limits.clock_tolerance_s * spec.clock_rate)
    except BaseException:
        slot_free(plane, slot)
        raise
    return slot


cdef int set_slot_formats(SlotFormat *formats, payload_types) except -1:
    """Of all codecs; those that are not named become unknown."""
    cdef int codec
    memset(formats, 0, CODECS * sizeof(SlotFormat))
    for name, (payload_type, rtx_payload_type) in payload_types.items():
        codec = _CODECS[name]
        formats[codec].known = True
        formats[codec].payload_type = payload_type
        formats[codec].rtx_payload_type = -1 if rtx_payload_type is None else rtx_payload_type
    return 0


cdef int set_text(Text *text, value) except -1:
    cdef bytes encoded = value.encode()
    if len(encoded) > LONGEST_MID:
        raise ValueError(f"a mid or rid of {len(encoded)} bytes does not fit into a header extension")
    text.size = len(encoded)
    memcpy(text.bytes, PyBytes_AsString(encoded), text.size)
    return 0


cdef bint same_text(const Text *one, const Text *other):
    return one.size == other.size and memcmp(one.bytes, other.bytes, one.size) == 0


cdef int note_role(uint8_t *roles, int extension_id, int role) except -1:
    """Id 0: not negotiated."""
    if not 0 <= extension_id <= 255:
        raise ValueError(f"header extension id {extension_id}")
    if extension_id:
        roles[extension_id] |= 1 << role
    return 0


cdef int64_t *numbers_of(sequence_numbers, int64_t mask) except NULL:
    """A C array, which the caller frees."""
    cdef int index, count = len(sequence_numbers)
    cdef int64_t *numbers = <int64_t *>malloc((count + 1) * sizeof(int64_t))
    if numbers == NULL:
        raise MemoryError
    try:
        for index in range(count):
            numbers[index] = <int64_t>sequence_numbers[index] & mask
    except BaseException:
        free(numbers)
        raise
    return numbers


cdef int layer_index(const Track *track, layer) except -1:
    if not 0 <= layer < track.layer_count:
        raise KeyError(f"track {track.id} has no layer {layer}")
    return layer


cdef int reserve_ssrc(set used, ssrc, transport) except -1:
    """An SSRC is given out once per Transport: its numbers begin anew, and the key has seen them all."""
    if ssrc in used:
        raise ValueError(f"SSRC {ssrc} was used on transport {transport} before")
    used.add(ssrc)
    return 0


cdef int require_positive(value) except -1:
    if not value > 0:
        raise ValueError(f"{value} is not positive")
    return 0


cdef int require_new(number, dict table) except -1:
    if number in table:
        raise ValueError(f"{number} is in use")
    return 0


# --- keys -------------------------------------------------------------------------------------------------------------


cdef int open_openssl(OpenSsl *opened) except -1:
    """Stays closed where pylibsrtp has no OpenSSL in it."""
    cdef uintptr_t functions[OPENSSL_FUNCTIONS]
    found = openssl.function_addresses()
    if found is None:
        return 0
    if len(found) != OPENSSL_FUNCTIONS or sizeof(opened.call) != sizeof(functions):
        raise ImportError("the compiled plane was built from other sources than it runs with: build it again")
    for index in range(OPENSSL_FUNCTIONS):
        functions[<int>index] = found[index]
    if not openssl_open(opened, functions):
        raise MemoryError
    return 0


cdef Protection protection_of(profile) except *:
    if profile == "SRTP_AEAD_AES_128_GCM":
        return AES_GCM_128
    return AES_GCM_256 if profile == "SRTP_AEAD_AES_256_GCM" else AES_CM_SHA1_80


cdef RtpKeys rtp_keys_of(const OpenSsl *opened, keys) except *:
    """Empty where libsrtp is to do it."""
    cdef RtpKeys of
    memset(&of, 0, sizeof(of))
    if opened.known:
        key, salt, authentication = sending_keys(keys)
        of.protection = protection_of(keys.profile)
        memcpy(of.key, PyBytes_AsString(key), len(key))
        memcpy(of.salt, PyBytes_AsString(salt), len(salt))
        set_hash_key(opened, &of, <const uint8_t *>PyBytes_AsString(authentication), <int>len(authentication))
    return of
