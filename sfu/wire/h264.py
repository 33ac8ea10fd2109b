"""Key frames in H.264 payloads (RFC 6184 §5): single NAL units, STAP-A and FU-A, all that mode 1 uses.

A sequence parameter set counts as well as an IDR slice: senders put it in front of one, in a packet of its own
or together with it, and a decoder must begin there.
"""

_IDR_SLICE = 5
_SEQUENCE_PARAMETER_SET = 7
_STAP_A = 24
_FU_A = 28
_STARTS = frozenset({_IDR_SLICE, _SEQUENCE_PARAMETER_SET})


def is_key_frame(payload: bytes) -> bool:
    """Whether a decoder can begin with this packet. A payload cut short holds only what can be read of it."""
    if not payload:
        return False
    unit_type = payload[0] & 0x1F
    if unit_type == _FU_A:
        return len(payload) > 1 and payload[1] >= 0x80 and payload[1] & 0x1F in _STARTS  # only a unit's first piece
    if unit_type == _STAP_A:
        return _aggregate_starts(payload)
    return unit_type in _STARTS


def _aggregate_starts(payload: bytes) -> bool:
    position, end = 1, len(payload)
    while position + 2 < end:
        size = payload[position] << 8 | payload[position + 1]
        if size and payload[position + 2] & 0x1F in _STARTS:
            return True
        position += 2 + size
    return False
