"""Prepared payloads: noise with what a server looks at in front, and our mark at the end.

    VP8: descriptor with picture id and TL0PICIDX (RFC 7741 §4.2) · in a key frame's first packet its header · noise ·
    mark
    Opus: noise · mark
    mark: magic (4) · SSRC it was sent under (4) · number among that SSRC's packets (8) · time of sending, ns (8)

The mark is at the end because what is in front may be rewritten on the way.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from loadtest.traffic.compiled.tables cimport Outgoing
from sfu.plane.compiled.numbers cimport read32, write16, write32

cdef enum:
    MAGIC = 0x53465521
    MARK_BYTES = 24  # as streams.MARK_BYTES
    DESCRIPTOR_BYTES = 6


cdef struct Mark:
    uint32_t ssrc
    int64_t sent_at_ns


cdef inline void write_payload(
    const Outgoing *stream, bint key_frame, int index, int64_t now_ns, uint8_t *out
) noexcept nogil:
    """`index`: of the packet in its frame."""
    memcpy(out, stream.payload, stream.payload_size)
    if stream.video:
        out[0] = 0x90 if index == 0 else 0x80  # X; S in the first packet; partition 0
        out[1] = 0xE0  # I, L, T
        write16(out + 2, 0x8000 | stream.picture_id)
        out[4] = stream.tl0_picture_index
        out[5] = 0  # temporal layer 0
        if index == 0:
            write_frame_header(key_frame, out + DESCRIPTOR_BYTES)
    write_mark(stream, now_ns, out + stream.payload_size - MARK_BYTES)


cdef inline void write_frame_header(bint key_frame, uint8_t *out) noexcept nogil:
    """RFC 6386 §9.1: the lowest bit says that it is no key frame; then start code and size, here 1280 × 720."""
    out[0] = 0x10 if key_frame else 0x11
    if key_frame:
        out[3], out[4], out[5] = 0x9D, 0x01, 0x2A
        out[6], out[7], out[8], out[9] = 0x00, 0x05, 0xD0, 0x02


cdef inline void write_mark(const Outgoing *stream, int64_t now_ns, uint8_t *out) noexcept nogil:
    write32(out, MAGIC)
    write32(out + 4, stream.ssrc)
    write64(out + 8, stream.packets)
    write64(out + 16, now_ns)


cdef inline bint read_mark(const uint8_t *payload, int size, Mark *mark) noexcept nogil:
    """False when it is not ours."""
    cdef const uint8_t *at = payload + size - MARK_BYTES
    if size < MARK_BYTES or read32(at) != MAGIC:
        return False
    mark.ssrc = read32(at + 4)
    mark.sent_at_ns = <int64_t>(<uint64_t>read32(at + 16) << 32 | read32(at + 20))
    return True


cdef inline void write64(uint8_t *at, uint64_t value) noexcept nogil:
    write32(at, <uint32_t>(value >> 32))
    write32(at + 4, <uint32_t>value)
