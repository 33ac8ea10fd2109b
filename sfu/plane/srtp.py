"""SRTP sessions as every plane opens them, and libsrtp's functions inside the pylibsrtp wheel (RFC 3711, RFC 7714).

Two sessions for a remote, one for each direction, under our own policies: a number that was sent once is refused for
ever (under GCM a repeat with other bytes would give the key away), and so is a number received twice.

pylibsrtp's names with an underscore are private: the signature check here and tests/sfu/net/test_canary.py guard them.
"""

from __future__ import annotations

from typing import Final

from pylibsrtp import ERRORS, Policy, Session
from pylibsrtp._binding import ffi, lib

from sfu.plane.interface import SrtpKeys

PROFILES: Final = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
# The binding exports no other status than "ok"; these are libsrtp's numbers, in the order of pylibsrtp's ERRORS.
REPLAYS: Final = (ERRORS.index("replay check failed (bad index)"), ERRORS.index("replay check failed (index too old)"))
FUNCTIONS: Final = ("srtp_protect", "srtp_protect_rtcp", "srtp_unprotect", "srtp_unprotect_rtcp")
_SIGNATURE: Final = "srtp_err_status_t(*)(struct srtp_ctx_t_ *, void *, int *)"

for _function in FUNCTIONS:
    if ffi.typeof(ffi.addressof(lib, _function)).cname != _SIGNATURE:
        raise ImportError("this pylibsrtp binds another libsrtp: the call would corrupt memory")


def open_sessions(keys: SrtpKeys, window: int) -> tuple[Session, Session]:
    """(inbound, outbound). `window`: how far behind the newest a number may be. Raises ValueError for an unknown
    profile."""
    if keys.profile not in PROFILES:
        raise ValueError(f"unknown SRTP profile {keys.profile}")
    profile = PROFILES[keys.profile]
    return (
        _open(profile, keys.receive_key, Policy.SSRC_ANY_INBOUND, window),
        _open(profile, keys.send_key, Policy.SSRC_ANY_OUTBOUND, window),
    )


def function_address(name: str) -> int:
    """Of one of FUNCTIONS, for code that calls it without Python."""
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))


def context_address(session: Session) -> int:
    """libsrtp's context of the session, valid for as long as the session lives."""
    return int(ffi.cast("uintptr_t", session._srtp[0]))


def _open(profile: int, key: bytes, direction: int, window: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile)
    policy.window_size = window
    policy.allow_repeat_tx = False
    return Session(policy)
