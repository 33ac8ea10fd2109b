"""The RTP packet: fixed header, extension elements, padding (RFC 3550 §5.1). As `sfu/wire/rtp.py`."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from sfu.plane.compiled.extensions cimport Elements, read_elements
from sfu.plane.compiled.numbers cimport read16, read32, write16, write32

cdef enum Kind:
    KIND_UNKNOWN
    KIND_STUN
    KIND_DTLS
    KIND_RTP
    KIND_RTCP


cdef struct RtpHeader:
    uint8_t payload_type
    bint marker
    uint32_t sequence_number
    uint32_t timestamp
    uint32_t ssrc
    Elements elements
    const uint8_t *payload  # without padding
    int payload_size


cdef inline Kind classify(const uint8_t *datagram, int size) noexcept nogil:
    """By the first bytes (RFC 7983, and RFC 5761 for RTP against RTCP)."""
    cdef uint8_t first
    if size < 2:
        return KIND_UNKNOWN
    first = datagram[0]
    if 128 <= first <= 191:
        return KIND_RTCP if 192 <= datagram[1] <= 223 else KIND_RTP
    if first <= 3:
        return KIND_STUN
    if 20 <= first <= 63:
        return KIND_DTLS
    return KIND_UNKNOWN


cdef inline bint read_rtp(const uint8_t *packet, int size, const uint8_t *roles, RtpHeader *header) noexcept nogil:
    """False when it is no RTP version 2 or any of its lengths runs past its end."""
    cdef int end = size, offset, start, offset_end
    if size < 12 or packet[0] & 0xC0 != 0x80:
        return False
    memset(&header.elements, 0, sizeof(Elements))
    offset = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        start = offset + 4
        if start > size:
            return False
        offset_end = start + 4 * <int>read16(packet + offset + 2)
        if offset_end > size:
            return False
        if not read_elements(read16(packet + offset), packet + start, offset_end - start, roles, &header.elements):
            return False
        offset = offset_end
    if packet[0] & 0x20:
        if packet[size - 1] == 0:
            return False
        end -= packet[size - 1]
    if offset > end:
        return False
    header.payload_type = packet[1] & 0x7F
    header.marker = packet[1] >= 0x80
    header.sequence_number = read16(packet + 2)
    header.timestamp = read32(packet + 4)
    header.ssrc = read32(packet + 8)
    header.payload = packet + offset
    header.payload_size = end - offset
    return True


cdef inline void write_rtp(
    uint8_t *out, bint extended, bint marker, int payload_type, uint32_t number, uint32_t timestamp, uint32_t ssrc
) noexcept nogil:
    """The fixed header; twelve bytes."""
    out[0] = 0x90 if extended else 0x80
    out[1] = <uint8_t>(payload_type | 0x80 if marker else payload_type)
    write16(out + 2, number)
    write32(out + 4, timestamp)
    write32(out + 8, ssrc)
