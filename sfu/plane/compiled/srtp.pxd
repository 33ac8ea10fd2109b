"""SRTP by libsrtp's own functions, called at the addresses that pylibsrtp's binding exports (see `sfu/plane/srtp.py`).

libsrtp's contexts are not made for two threads: every call happens under the plane's mutex.
"""

from libc.stdint cimport int64_t, uint8_t

from sfu.plane.compiled.drops cimport DROP_SRTP_AUTHENTICATION, DROP_SRTP_PROTECT, DROP_SRTP_REPLAY, NOT_DROPPED
from sfu.plane.compiled.protection cimport BY_LIBSRTP, protect_as
from sfu.plane.compiled.spent cimport SpentNumbers, spend
from sfu.plane.compiled.tables cimport Plane, Transport

cdef enum:
    LONGEST_PACKET = 4096  # larger than any datagram a socket reads
    TRAILER = 4 + 16 + 128  # SRTCP index, tag and MKI: what libsrtp may write behind a packet


cdef inline int protect_rtp(
    Plane *plane, Transport *transport, SpentNumbers *spent, int64_t number, uint8_t *packet, int *size
) noexcept nogil:
    """In place, with room for TRAILER behind it. `spent` is of the packet's SSRC, `number` the unwrapped one. Refused
    when they were sent before: by us, or by libsrtp, which knows no numbers of those SSRCs that we encrypt."""
    cdef bint done
    if size[0] > LONGEST_PACKET:
        return DROP_SRTP_PROTECT
    if transport.rtp_keys.protection != BY_LIBSRTP:
        done = spend(spent, number) and protect_as(&plane.openssl, &transport.rtp_keys, number, packet, size)
    else:
        done = plane.protect(transport.outbound, packet, size) == 0
    return NOT_DROPPED if done else DROP_SRTP_PROTECT


cdef inline int protect_rtcp(Plane *plane, Transport *transport, uint8_t *packet, int *size) noexcept nogil:
    if size[0] > LONGEST_PACKET or plane.protect_rtcp(transport.outbound, packet, size) != 0:
        return DROP_SRTP_PROTECT
    return NOT_DROPPED


cdef inline int unprotect(Plane *plane, Transport *transport, bint rtcp, uint8_t *packet, int *size) noexcept nogil:
    """In place."""
    cdef int status
    if size[0] > LONGEST_PACKET:
        return DROP_SRTP_AUTHENTICATION
    if rtcp:
        status = plane.unprotect_rtcp(transport.inbound, packet, size)
    else:
        status = plane.unprotect(transport.inbound, packet, size)
    if status == 0:
        return NOT_DROPPED
    if status == plane.replay_statuses[0] or status == plane.replay_statuses[1]:
        return DROP_SRTP_REPLAY
    return DROP_SRTP_AUTHENTICATION
