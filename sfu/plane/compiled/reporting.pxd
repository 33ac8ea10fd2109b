"""Reports of one Transport, both ways. As `fallback/reporting.py`, and `sfu/core/reports.py` for what fits where."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from sfu.plane.compiled.blocks cimport BLOCK_BYTES, MOST_BLOCKS, BlockRow, read_block, write_block
from sfu.plane.compiled.drops cimport DROP_NOT_CONNECTED, NOT_DROPPED
from sfu.plane.compiled.numbers cimport read32, write16, write32
from sfu.plane.compiled.outbox cimport drop, outbox_add, outbox_room
from sfu.plane.compiled.pointers cimport pointers_add
from sfu.plane.compiled.srtp cimport TRAILER, protect_rtcp
from sfu.plane.compiled.tables cimport Layer, Plane, Reporter, Slot, Source, Track, Transport
from sfu.plane.compiled.timeline cimport LinePoint, line_pair, ticks
from sfu.plane.compiled.transport cimport find_source, is_connected

cdef enum:
    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SENDER_BYTES = 28
    RECEIVER_BYTES = 8
    MAX_COMPOUND_BYTES = 1100  # as in core/reports.py


cdef struct Compound:
    # The one being written, where outbox_room said.
    uint8_t *out  # NULL: none
    int size


# --- ours -------------------------------------------------------------------------------------------------------------


cdef inline void send_reports(Plane *plane, Transport *transport, uint64_t ntp_time, double now) noexcept nogil:
    cdef Compound compound = Compound(NULL, 0)
    cdef int index, blocks, left = count_layers(transport), told = 0
    cdef Slot *slot
    cdef LinePoint point
    cdef uint8_t *out
    for index in range(transport.slots.count):
        slot = <Slot *>transport.slots.items[index]
        point = line_pair(&slot.line)
        if not is_sender(slot) or not point.known:
            continue
        blocks = min(left, <int>MOST_BLOCKS)
        out = begin(plane, transport, &compound, SENDER_REPORT, SENDER_BYTES, blocks, slot.ssrc)
        if out == NULL:
            return
        write32(out + 8, <uint32_t>(ntp_time >> 32))
        write32(out + 12, <uint32_t>ntp_time)
        write32(out + 16, <uint32_t>(point.timestamp + ticks((now - point.at_s) * slot.line.clock_rate)))
        write32(out + 20, <uint32_t>slot.packets)
        write32(out + 24, <uint32_t>slot.octets)
        write_blocks(transport, out + SENDER_BYTES, told, blocks, now)
        told += blocks
        left -= blocks
    while left > 0:
        blocks = min(left, <int>MOST_BLOCKS)
        out = begin(plane, transport, &compound, RECEIVER_REPORT, RECEIVER_BYTES, blocks, transport.reporter.ssrc)
        if out == NULL:
            return
        write_blocks(transport, out + RECEIVER_BYTES, told, blocks, now)
        told += blocks
        left -= blocks
    finish(plane, transport, &compound)


cdef inline bint is_sender(Slot *slot) noexcept nogil:
    """Not if nothing was sent since the last report but one."""
    cdef bint silent = slot.packets == slot.packets_reported[0]
    slot.packets_reported[0], slot.packets_reported[1] = slot.packets_reported[1], slot.packets
    return not silent


cdef inline uint8_t *begin(
    Plane *plane, Transport *transport, Compound *compound, int packet_type, int fixed, int blocks, uint32_t ssrc
) noexcept nogil:
    """Where to write a report behind its SSRC. Who it is by is written behind it. NULL without memory."""
    cdef Reporter *reporter = &transport.reporter
    cdef int size = fixed + BLOCK_BYTES * blocks
    cdef uint8_t *out
    if compound.size and compound.size + size + reporter.description_size > MAX_COMPOUND_BYTES:
        finish(plane, transport, compound)
    if compound.out == NULL:
        compound.out = outbox_room(plane, MAX_COMPOUND_BYTES + TRAILER)
        if compound.out == NULL:
            return NULL
    out = compound.out + compound.size
    out[0], out[1] = 0x80 | blocks, packet_type
    write16(out + 2, size // 4 - 1)
    write32(out + 4, ssrc)
    memcpy(out + size, reporter.description, reporter.description_size)
    write32(out + size + 4, ssrc)
    compound.size += size + reporter.description_size
    return out


cdef inline void finish(Plane *plane, Transport *transport, Compound *compound) noexcept nogil:
    cdef int refusal = DROP_NOT_CONNECTED
    if compound.out == NULL:
        return
    if is_connected(transport):
        refusal = protect_rtcp(plane, transport, compound.out, &compound.size)
    if refusal == NOT_DROPPED:
        outbox_add(plane, transport, &transport.selected, compound.size)
    else:
        drop(plane, refusal)
    compound.out, compound.size = NULL, 0


cdef inline int count_layers(const Transport *transport) noexcept nogil:
    """That have something to report."""
    cdef int at, index, count = 0
    cdef Track *track
    for at in range(transport.tracks.count):
        track = <Track *>transport.tracks.items[at]
        for index in range(track.layer_count):
            count += arrives(track.layers[index])
    return count


cdef inline bint arrives(const Layer *layer) noexcept nogil:
    return layer.has_ssrc and layer.reception.begun


cdef inline void write_blocks(
    const Transport *transport, uint8_t *out, int passed_over, int blocks, double now
) noexcept nogil:
    cdef int at, index, turn = 0
    cdef Track *track
    cdef Layer *layer
    for at in range(transport.tracks.count):
        track = <Track *>transport.tracks.items[at]
        for index in range(track.layer_count):
            layer = track.layers[index]
            if not arrives(layer):
                continue
            if passed_over <= turn < passed_over + blocks:
                write_block(out, layer.ssrc, &layer.reception, &layer.reported, now)
                out += BLOCK_BYTES
            turn += 1


# --- the remote's -----------------------------------------------------------------------------------------------------


cdef inline bint on_report(
    Plane *plane, Transport *transport, const uint8_t *packet, int size, double now, bint *about_slots
) noexcept nogil:
    """One packet without its padding. False when it is cut short: none of it counts then."""
    cdef int fixed = SENDER_BYTES if packet[1] == SENDER_REPORT else RECEIVER_BYTES
    cdef int index, count = packet[0] & 0x1F
    cdef Source *source
    if size < fixed + count * BLOCK_BYTES:
        return False
    if packet[1] == SENDER_REPORT:
        source = find_source(transport, read32(packet + 4))
        if source != NULL and source.layer != NULL and not source.rtx:
            source.layer.reported.has_sender_report = True
            source.layer.reported.lsr = read32(packet + 8) << 16 | read32(packet + 12) >> 16
            source.layer.reported.sender_reported_at = now
    for index in range(count):
        if note_block(plane, transport, packet + fixed + index * BLOCK_BYTES, now):
            about_slots[0] = True
    return True


cdef inline bint note_block(Plane *plane, Transport *transport, const uint8_t *block, double now) noexcept nogil:
    """Whether it is about a Slot; the newest is kept."""
    cdef uint32_t ssrc = read32(block)
    cdef Slot *slot
    cdef int index
    for index in range(transport.slots.count):
        slot = <Slot *>transport.slots.items[index]
        if slot.ssrc == ssrc:
            slot.has_block = True
            slot.block.transport, slot.block.slot, slot.block.at_s = transport.id, slot.id, now
            read_block(block, &slot.block)
            if not transport.is_reported_on:
                transport.is_reported_on = pointers_add(&plane.reported_on, transport)
            return True
    return False


cdef inline int take_blocks(Transport *transport, BlockRow *rows) noexcept nogil:
    """There is room for one of each Slot. Returns how many there were."""
    cdef int index, count = 0
    cdef Slot *slot
    transport.is_reported_on = False
    for index in range(transport.slots.count):
        slot = <Slot *>transport.slots.items[index]
        if slot.has_block:
            slot.has_block = False
            rows[count] = slot.block
            count += 1
    return count
