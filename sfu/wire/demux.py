"""What kind of packet a datagram is, by its first bytes (RFC 7983, and RFC 5761 for RTP against RTCP).

Says nothing about whether the packet is well formed. ZRTP, TURN channels and QUIC are not for us: UNKNOWN.
"""

from enum import Enum


class Kind(Enum):
    STUN = "stun"
    DTLS = "dtls"
    RTP = "rtp"
    RTCP = "rtcp"
    UNKNOWN = "unknown"


# Looked up once: reaching a member through its class costs more than the whole comparison.
_STUN, _DTLS, _RTP, _RTCP, _UNKNOWN = Kind.STUN, Kind.DTLS, Kind.RTP, Kind.RTCP, Kind.UNKNOWN


def classify(datagram: bytes | memoryview) -> Kind:
    if len(datagram) < 2:
        return _UNKNOWN
    first = datagram[0]
    if 128 <= first <= 191:
        # The second byte is marker and payload type, or an RTCP packet type; media avoids 64-95 (RFC 5761 §4).
        return _RTCP if 192 <= datagram[1] <= 223 else _RTP
    if first <= 3:
        return _STUN
    if 20 <= first <= 63:
        return _DTLS
    return _UNKNOWN
