"""Values that the rings share: codecs, layers, ids and the reasons for which a packet is dropped.

Ids between signaling and the Worker are strings chosen by signaling (`TR_…` and the like, opaque). The plane
works with small integers that the Worker hands out, so that its tables can be arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

Kind = Literal["audio", "video"]


class Codec(StrEnum):
    """A payload format this server forwards. The value is its name in SDP (`a=rtpmap`)."""

    OPUS = "opus"
    VP8 = "VP8"
    H264 = "H264"  # constrained baseline, packetization-mode 1 only: what every browser with H.264 has
    VP9 = "VP9"  # profile 0: 8 bit, 4:2:0
    AV1 = "AV1"  # main profile: 8 or 10 bit, 4:2:0
    RED = "red"  # Opus, each packet with the one before it (RFC 2198): for who takes only Opus it is stripped


SOUND_CODECS = frozenset((Codec.OPUS, Codec.RED))


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """What one RTP payload type means on one m-line.

    `repairs` is the payload type whose packets are retransmitted under this one (RFC 4588), `None` for media.
    """

    payload_type: int
    codec: Codec
    clock_rate: int
    repairs: int | None = None


class DropReason(StrEnum):
    """Why a packet ended here. A drop is never an exception: it is counted under one of these names."""

    # Before we know whose it is
    UNKNOWN_KIND = "unknown_kind"  # first byte fits nothing of RFC 7983
    UNKNOWN_ADDRESS = "unknown_address"  # media or DTLS from an address no Transport has validated
    STRANGER_LIMIT = "stranger_limit"  # more datagrams from strangers in one batch than go up
    EVENTS_FULL = "events_full"  # STUN, DTLS or RTCP while too many events wait to be taken
    NO_KEYS = "no_keys"  # media before DTLS finished
    # Receiving from a publisher
    SRTP_AUTHENTICATION = "srtp_authentication"
    SRTP_REPLAY = "srtp_replay"
    MALFORMED = "malformed"
    MALFORMED_FEEDBACK = "malformed_feedback"  # transport-cc, one packet of a compound
    UNKNOWN_SSRC = "unknown_ssrc"
    SSRC_LIMIT = "ssrc_limit"  # a publisher announces more SSRCs than a Transport may have
    UNKNOWN_PAYLOAD_TYPE = "unknown_payload_type"
    PADDING = "padding"  # bandwidth probes: counted for transport-cc, carry nothing
    DUPLICATE = "duplicate"
    TOO_OLD = "too_old"  # behind the history: no Route could place it any more
    # Forwarding to a subscriber, counted per Slot
    PAUSED = "paused"  # the Route has no layer to send
    OTHER_LAYER = "other_layer"
    AWAITING_KEY_FRAME = "awaiting_key_frame"
    TEMPORAL_LAYER = "temporal_layer"
    SPATIAL_LAYER = "spatial_layer"
    BEFORE_SWITCH = "before_switch"  # older than the key frame the Route switched at
    NO_PAYLOAD_TYPE = "no_payload_type"  # the subscriber did not negotiate this codec
    NOT_CONNECTED = "not_connected"  # no keys or no selected path towards the subscriber
    SRTP_PROTECT = "srtp_protect"
    # Retransmission
    NOT_IN_HISTORY = "not_in_history"
    RTX_REPEATED = "rtx_repeated"  # asked again before the last answer can have arrived, or while it waits
    RTX_LIMIT = "rtx_limit"  # more is asked for than may wait for the recovery rate
    RTX_LATE = "rtx_late"  # of no use any more: it waited too long, or a lower layer goes on since
    # Sending
    SEND_BUFFER_FULL = "send_buffer_full"
    SEND_ERROR = "send_error"
    # Local sinks, counted in frames
    SINK_FULL = "sink_full"  # the reader does not keep up
    SINK_GONE = "sink_gone"


class MessageChannel(StrEnum):
    """The two data channels of a participant's messages. The value is the channel's label."""

    RELIABLE = "reliable"  # ordered, every message arrives
    LOSSY = "lossy"  # unordered, nothing is sent twice


class TransportState(Enum):
    """Liveness of a Transport as others see it. ICE-lite: judged by the remote's consent checks (RFC 7675)."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  # silent for about ten seconds
    GONE = "gone"  # silent for about thirty, closed by the remote, or never connected
