"""The AV1 aggregation header (RTP Payload Format For AV1, §4.4), as far as forwarding needs it: where one can begin.

    |Z|Y| W |N|-|-|-|   Z: begins with the rest of a unit; N: first packet of a coded video sequence

Layers are in the dependency descriptor, not here.
"""

_CONTINUES = 0x80
_NEW_SEQUENCE = 0x08


def is_key_frame(payload: bytes) -> bool:
    """Whether a decoder can begin with this packet: a key frame, its sequence header in front of it."""
    return len(payload) > 1 and payload[0] & (_CONTINUES | _NEW_SEQUENCE) == _NEW_SEQUENCE
