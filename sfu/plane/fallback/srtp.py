"""SRTP and SRTCP with one remote, in both directions.

libsrtp is called through pylibsrtp's binding instead of `Session.protect`, for two reasons: that refuses packets
over 1356 bytes, which senders with an MTU of 1400 produce, and it allocates for each packet.
"""

from __future__ import annotations

from typing import Any

from pylibsrtp import ERRORS, Session
from pylibsrtp._binding import ffi, lib

from sfu.core.types import DropReason
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import REPLAYS, open_sessions

_BUFFER_BYTES = 4096  # larger than any datagram the shell reads
_TRAILER_BYTES = 4 + 16 + 128  # SRTCP index, tag and MKI: what libsrtp may write behind a packet
_OK = lib.srtp_err_status_ok


class SrtpRefused(Exception):
    """libsrtp did not take a packet; `reason` is what to count."""

    def __init__(self, reason: DropReason, status: int) -> None:
        super().__init__(f"{reason}: {ERRORS[status]}")
        self.reason = reason


class SrtpSession:
    """Both directions with one remote. All four methods raise SrtpRefused."""

    def __init__(self, keys: SrtpKeys, window: int) -> None:
        """`window`: how far behind the newest a number may be. Raises ValueError for an unknown profile."""
        self._inbound, self._outbound = open_sessions(keys, window)
        self._memory = ffi.new("char[]", _BUFFER_BYTES + _TRAILER_BYTES)
        self._buffer = ffi.buffer(self._memory)
        self._length = ffi.new("int *")

    def protect(self, packet: bytes) -> bytes:
        """Refused when this SSRC and sequence number were sent before, or are behind the window."""
        return self._call(lib.srtp_protect, self._outbound, packet, DropReason.SRTP_PROTECT)

    def protect_rtcp(self, compound: bytes) -> bytes:
        return self._call(lib.srtp_protect_rtcp, self._outbound, compound, DropReason.SRTP_PROTECT)

    def unprotect(self, packet: bytes) -> bytes:
        return self._call(lib.srtp_unprotect, self._inbound, packet, DropReason.SRTP_AUTHENTICATION)

    def unprotect_rtcp(self, compound: bytes) -> bytes:
        return self._call(lib.srtp_unprotect_rtcp, self._inbound, compound, DropReason.SRTP_AUTHENTICATION)

    def _call(self, function: Any, session: Session, packet: bytes, refusal: DropReason) -> bytes:
        size = len(packet)
        if size > _BUFFER_BYTES:
            raise SrtpRefused(refusal, 1)
        self._buffer[0:size] = packet
        self._length[0] = size
        status = function(session._srtp[0], self._memory, self._length)
        if status != _OK:
            replayed = refusal is DropReason.SRTP_AUTHENTICATION and status in REPLAYS
            raise SrtpRefused(DropReason.SRTP_REPLAY if replayed else refusal, status)
        result: bytes = self._buffer[0 : self._length[0]]
        return result
