"""SRTP and SRTCP of one connection (RFC 3711, RFC 7714), by libsrtp in pylibsrtp, from keys that DTLS exported.

A packet that does not authenticate, or that was seen before, is `None`: dropped and counted, never an error.
"""

from __future__ import annotations

from typing import Final

import pylibsrtp
from pylibsrtp import Policy, Session

from sfu.plane.interface import SrtpKeys

# Reordering beyond this is loss; the default of 128 is less than a key frame's burst and its retransmissions.
REPLAY_WINDOW_PACKETS = 1024

_PROFILES: Final = {
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


class SrtpContext:
    """Both directions. `refused` counts incoming packets that were not genuine or not new."""

    def __init__(self, keys: SrtpKeys) -> None:
        profile = _PROFILES[keys.profile]
        self._incoming = Session(_policy(keys.receive_key, Policy.SSRC_ANY_INBOUND, profile))
        self._outgoing = Session(_policy(keys.send_key, Policy.SSRC_ANY_OUTBOUND, profile))
        self.refused = 0

    def protect_rtp(self, packet: bytes) -> bytes:
        protected: bytes = self._outgoing.protect(packet)
        return protected

    def protect_rtcp(self, compound: bytes) -> bytes:
        protected: bytes = self._outgoing.protect_rtcp(compound)
        return protected

    def unprotect_rtp(self, packet: bytes) -> bytes | None:
        try:
            plain: bytes = self._incoming.unprotect(packet)
        except (pylibsrtp.Error, ValueError):  # the latter: longer than any packet
            self.refused += 1
            return None
        return plain

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        try:
            plain: bytes = self._incoming.unprotect_rtcp(packet)
        except (pylibsrtp.Error, ValueError):
            self.refused += 1
            return None
        return plain


def _policy(key: bytes, direction: int, profile: int) -> Policy:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile)
    policy.window_size = REPLAY_WINDOW_PACKETS
    policy.allow_repeat_tx = False  # repeating an index under AES-GCM gives the key away
    return policy
