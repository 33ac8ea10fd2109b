# What is known of one Transport, Track or Slot, for people: the same keys as the twin's. Included by _plane.pyx.
#
# Structures are copied under the mutex and read after. What only Python changes is read where it is.


cdef class Describing(Tapping):
    def describe_transport(self, transport):
        cdef Transport *of = self.transport(transport)
        cdef int index, source_count, heard_count, transport_number
        cdef int room = self.plane.limits.ssrcs_per_transport
        cdef Source *sources = <Source *>calloc(room + 1, sizeof(Source))
        cdef int *layers = <int *>calloc(room + 1, sizeof(int))
        if sources == NULL or layers == NULL:
            free(sources)
            free(layers)
            raise MemoryError
        lock(&self.plane)
        source_count, heard_count = of.source_count, of.heard_count
        transport_number, in_flight_bytes = next_transport_number(of), of.flight.in_flight_bytes
        for index in range(source_count):
            sources[index] = of.sources[index]
            layers[index] = -1 if sources[index].layer == NULL else sources[index].layer.index
        unlock(&self.plane)
        known = [
            {
                "ssrc": sources[index].ssrc,
                "rtx": bool(sources[index].rtx),
                "track": sources[index].track.id,
                "layer": None if layers[index] < 0 else layers[index],
            }
            for index in range(source_count)
        ]
        free(sources)
        free(layers)
        return {
            "transport": of.id,
            "paths": [described_path(&of.paths[index]) for index in range(of.path_count)],
            "selected": described_path(&of.selected) if of.has_selected else None,
            "has_keys": of.inbound != NULL,
            "receive_extensions": read_extensions(of),
            "send_extensions": written_extensions(&of.send_ids),
            "tracks": sorted([(<Track *>of.tracks.items[index]).id for index in range(of.tracks.count)]),
            "slots": sorted([(<Slot *>of.slots.items[index]).id for index in range(of.slots.count)]),
            "sources": sorted(known, key=lambda source: source["ssrc"]),
            "heard_ssrcs": heard_count,
            "next_transport_number": transport_number,
            "in_flight_bytes": in_flight_bytes,
        }

    def describe_track(self, track):
        cdef Track *of = self.track(track)
        cdef int index, layer
        return {
            "track": of.id,
            "transport": of.transport.id,
            "mid": text_of(&of.mid),
            "kind": "video" if of.is_video else "audio",
            "rids": [text_of(&of.rids[index]) for index in range(of.rid_count)],
            "formats": [
                {
                    "payload_type": index,
                    "codec": _CODEC_NAMES[of.formats[index].codec],
                    "repairs": None if of.formats[index].repairs < 0 else of.formats[index].repairs,
                }
                for index in range(128)
                if of.formats[index].codec != NO_CODEC
            ],
            "slots": [(<Slot *>of.slots.items[index]).id for index in range(of.slots.count)],
            "taps": [
                {
                    "sink": of.taps[index].sink.id,
                    "layers": [layer for layer in range(of.layer_count) if of.taps[index].layers >> layer & 1],
                }
                for index in range(of.tap_count)
            ],
            "layers": [self.described_layer(of, index) for index in range(of.layer_count)],
        }

    cdef described_layer(self, Track *track, int index):
        cdef Layer copy
        cdef SourceClock clock
        cdef int held = 0
        lock(&self.plane)
        copy = track.layers[index][0]
        clock = copy.clock[0]
        if track.is_video:
            held = history_held(&copy.history)
        unlock(&self.plane)
        history = None
        if track.is_video:
            history = {"newest": copy.history.newest if copy.history.begun else None, "held": held}
        return {
            "layer": index,
            "ssrc": copy.ssrc if copy.has_ssrc else None,
            "rtx_ssrc": copy.rtx_ssrc if copy.has_rtx_ssrc else None,
            "packets": copy.reception.packets,
            "bytes": copy.reception.bytes,
            "highest_sequence_number": copy.reception.highest if copy.reception.begun else None,
            "jitter": copy.reception.jitter,
            "last_at_s": copy.reception.last_at,
            "history": history,
            "clock": {"timestamp": clock.timestamp, "at_s": clock.at_s} if clock.reported else None,
            "dropped": reasons_of(copy.dropped),
        }

    def describe_slot(self, slot):
        cdef Slot *of = self.slot(slot)
        cdef Slot copy
        cdef LinePoint point
        cdef int layer, index, held = 0
        lock(&self.plane)
        copy = of[0]
        point = line_pair(&of.line)
        layer = -1 if of.layer == NULL else of.layer.index
        if of.sent != NULL:
            for index in range(self.plane.limits.sent_packets):
                held += of.sent[index].layer != NULL
        unlock(&self.plane)
        return {
            "slot": copy.id,
            "transport": copy.transport.id,
            "mid": text_of(&copy.mid),
            "ssrc": copy.ssrc,
            "rtx_ssrc": copy.rtx_ssrc if copy.has_rtx else None,
            "track": None if copy.track == NULL else copy.track.id,
            "wanted_layer": None if copy.wanted < 0 else copy.wanted,
            "layer": None if layer < 0 else layer,
            "switched_at_s": copy.switched_at if copy.has_switched else None,
            "payload_type": copy.payload_type,
            "sequence_numbers": described_numbers(&copy.numbers) | {"next_rtx": copy.next_rtx_number},
            "timestamps": {
                "offset": copy.line.offset,
                "ahead": copy.line.ahead,
                "pair": {"timestamp": point.timestamp, "at_s": point.at_s} if point.known else None,
            },
            "pictures": {
                "temporal_limit": copy.pictures.layers.temporal_limit,
                "spatial_limit": copy.pictures.layers.spatial_limit,
                "temporal": copy.pictures.layers.temporal,
                "spatial": copy.pictures.layers.spatial,
                "last_tl0": copy.pictures.last_tl0,
            } | described_numbers(&copy.pictures.frames),
            "history": {"newest": copy.newest_sent, "held": held},
            "packets": copy.packets,
            "octets": copy.octets,
            "retransmitted": copy.retransmitted,
            "dropped": reasons_of(copy.dropped),
        }


cdef described_path(const Endpoint *endpoint):
    path = path_of(endpoint)
    return {"local": path.local, "host": shortened(path.host), "port": path.port}


cdef described_numbers(const NumberMap *numbers):
    return {"first": numbers.first, "newest": numbers.newest, "last_sent": numbers.last}


cdef text_of(const Text *text):
    return PyBytes_FromStringAndSize(<const char *>text.bytes, text.size).decode()


cdef reasons_of(const uint64_t *dropped):
    cdef int reason
    return {_REASONS[reason].value: dropped[reason] for reason in range(DROPS) if dropped[reason]}


cdef read_extensions(const Transport *transport):
    cdef int role, number
    return {
        _ROLES[role]: number
        for role in range(ROLES)
        for number in range(256)
        if transport.roles[number] >> role & 1
    }


cdef written_extensions(const SendIds *ids):
    cdef int index
    named = {
        "mid": ids.mid,
        "abs_send_time": ids.abs_send_time,
        "transport_cc": ids.transport_cc,
        "dependency_descriptor": ids.descriptor,
    }
    for index in range(PASSED_ON):
        named[_PASSED_ON[index]] = ids.passed_on[index]
    return {name: number for name, number in named.items() if number}
