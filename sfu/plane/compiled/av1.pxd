"""The AV1 aggregation header, as far as forwarding needs it. As `sfu/wire/av1.py`."""

from libc.stdint cimport uint8_t


cdef inline bint is_av1_key_frame(const uint8_t *payload, int size) noexcept nogil:
    """Whether a decoder can begin with this packet: a new sequence (N), and no rest of a unit in front (Z)."""
    return size > 1 and payload[0] & 0x88 == 0x08
