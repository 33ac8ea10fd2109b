"""RTP header extensions (RFC 8285): which elements are looked for, and the fresh block for a subscriber.

A remote's ids are turned into a table from id to roles once, so that reading is one walk over the block.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from sfu.plane.compiled.numbers cimport write16

cdef enum:
    ONE_BYTE_PROFILE = 0xBEDE
    TWO_BYTE_PROFILE = 0x1000
    PASSED_ON = 3  # audio level, video orientation, playout delay: as in fallback/packets.py
    LONGEST_PASSED_ON = 16  # the one-byte form holds no longer values
    LONGEST_MID = 255
    LONGEST_DESCRIPTOR = 255
    LONGEST_BLOCK = 4 + 2 + LONGEST_MID + 5 + 4 + PASSED_ON * (2 + LONGEST_PASSED_ON) + 2 + LONGEST_DESCRIPTOR + 3

cdef enum:
    ROLE_MID
    ROLE_RID
    ROLE_REPAIRED_RID
    ROLE_TRANSPORT_CC
    ROLE_DESCRIPTOR
    ROLE_PASSED_ON  # the first of PASSED_ON
    ROLES = ROLE_PASSED_ON + PASSED_ON


cdef struct Text:
    int size
    uint8_t bytes[LONGEST_MID]


cdef struct Elements:
    # By role; NULL: the packet has none. Points into the packet.
    const uint8_t *value[ROLES]
    int size[ROLES]


cdef struct PassedOn:
    # Size 0: none; values of no bytes are not passed on.
    uint8_t size[PASSED_ON]
    uint8_t value[PASSED_ON][LONGEST_PASSED_ON]


cdef struct SentDescriptor:
    # A dependency descriptor with another frame number. NULL: none.
    const uint8_t *value
    int size
    uint32_t frame_number


cdef struct SendIds:
    uint8_t mid
    uint8_t abs_send_time
    uint8_t transport_cc
    uint8_t descriptor
    uint8_t passed_on[PASSED_ON]


cdef inline bint read_elements(
    uint32_t profile, const uint8_t *block, int size, const uint8_t *roles, Elements *found
) noexcept nogil:
    """False when an element runs past the end. `roles` has a bit mask for each of 256 ids."""
    if profile == ONE_BYTE_PROFILE:
        return read_one_byte(block, size, roles, found)
    if profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return read_two_byte(block, size, roles, found)
    return True


cdef inline bint read_one_byte(const uint8_t *block, int size, const uint8_t *roles, Elements *found) noexcept nogil:
    cdef int position = 0, length
    cdef uint8_t head
    while position < size:
        head = block[position]
        position += 1
        if head == 0:  # padding
            continue
        if head >= 0xF0 or head < 0x10:
            # Id 15 is reserved, and id 0 may not have a length: both end the block (RFC 8285 §4.2).
            break
        length = (head & 0x0F) + 1
        if position + length > size:
            return False
        note_element(roles[head >> 4], block + position, length, found)
        position += length
    return True


cdef inline bint read_two_byte(const uint8_t *block, int size, const uint8_t *roles, Elements *found) noexcept nogil:
    cdef int position = 0, length
    cdef uint8_t number
    while position < size:
        number = block[position]
        if number == 0:  # padding, a single byte
            position += 1
            continue
        if position + 1 >= size:
            return False
        length = block[position + 1]
        position += 2
        if position + length > size:
            return False
        note_element(roles[number], block + position, length, found)
        position += length
    return True


cdef inline void note_element(uint8_t mask, const uint8_t *value, int size, Elements *found) noexcept nogil:
    cdef int role = 0
    while mask:
        if mask & 1:
            found.value[role] = value
            found.size[role] = size
        mask >>= 1
        role += 1


cdef inline void take_passed_on(const Elements *found, PassedOn *passed_on) noexcept nogil:
    """Copies what a subscriber may have too."""
    cdef int index, size
    for index in range(PASSED_ON):
        size = found.size[ROLE_PASSED_ON + index]
        if found.value[ROLE_PASSED_ON + index] == NULL or size > LONGEST_PASSED_ON:
            size = 0
        passed_on.size[index] = <uint8_t>size
        if size:
            memcpy(passed_on.value[index], found.value[ROLE_PASSED_ON + index], size)


cdef inline int write_block(
    uint8_t *out,
    const SendIds *ids,
    const Text *mid,
    const PassedOn *passed_on,
    const SentDescriptor *descriptor,
    uint16_t transport_number,
    double now,
) noexcept nogil:
    """The whole extension with its header; returns its size, 0 for no elements. `passed_on` and `descriptor` may be
    NULL."""
    cdef uint8_t time[3]
    cdef uint8_t number[2]
    cdef uint64_t ticks = <uint64_t>(now * 262144.0)  # 6.18 fixed point, and wraps every 64 s
    cdef bint described = descriptor != NULL and descriptor.value != NULL and ids.descriptor
    cdef bint long_form = needs_two_bytes(ids, mid, passed_on, descriptor.size if described else 0)
    cdef int index
    cdef uint8_t *at = out + 4
    if ids.mid:
        at = write_element(at, ids.mid, mid.bytes, mid.size, long_form)
    if ids.abs_send_time:
        time[0] = <uint8_t>(ticks >> 16)
        time[1] = <uint8_t>(ticks >> 8)
        time[2] = <uint8_t>ticks
        at = write_element(at, ids.abs_send_time, time, 3, long_form)
    if ids.transport_cc:
        write16(number, transport_number)
        at = write_element(at, ids.transport_cc, number, 2, long_form)
    if passed_on != NULL:
        for index in range(PASSED_ON):
            if passed_on.size[index] and ids.passed_on[index]:
                at = write_element(
                    at, ids.passed_on[index], passed_on.value[index], passed_on.size[index], long_form
                )
    if described:
        at = write_element(at, ids.descriptor, descriptor.value, descriptor.size, long_form)
        write16(at - descriptor.size + 1, descriptor.frame_number)  # behind a byte of flags
    if at == out + 4:
        return 0
    while (at - out) & 3:
        at[0] = 0
        at += 1
    write16(out, TWO_BYTE_PROFILE if long_form else ONE_BYTE_PROFILE)
    write16(out + 2, <uint32_t>((at - out) // 4 - 1))
    return <int>(at - out)


cdef inline bint needs_two_bytes(
    const SendIds *ids, const Text *mid, const PassedOn *passed_on, int descriptor_size
) noexcept nogil:
    """The one-byte form holds ids up to 14 and values of 1 … 16 bytes. No size: there is no descriptor."""
    cdef int index
    if ids.mid and (ids.mid > 14 or not 1 <= mid.size <= 16):
        return True
    if ids.abs_send_time > 14 or ids.transport_cc > 14:
        return True
    if descriptor_size > 16 or (descriptor_size and ids.descriptor > 14):
        return True
    if passed_on != NULL:
        for index in range(PASSED_ON):
            if passed_on.size[index] and ids.passed_on[index] > 14:
                return True
    return False


cdef inline uint8_t *write_element(
    uint8_t *at, uint8_t number, const uint8_t *value, int size, bint long_form
) noexcept nogil:
    if long_form:
        at[0] = number
        at[1] = <uint8_t>size
        at += 2
    else:
        at[0] = <uint8_t>(number << 4 | (size - 1))
        at += 1
    memcpy(at, value, size)
    return at + size
