"""NTP timestamps as sender reports carry them (RFC 3550 §4): 32 bits of seconds since 1900, 32 of fraction."""

_UNIX_EPOCH_S = 2_208_988_800  # 1970-01-01 in seconds since 1900-01-01


def ntp_from_unix(seconds: float) -> int:
    """64 bits; wraps in 2036, as the format does."""
    return round((seconds + _UNIX_EPOCH_S) * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF


def ntp_middle32(ntp: int) -> int:
    """The 32 bits a report block echoes as LSR: 16 of seconds, 16 of fraction."""
    return ntp >> 16 & 0xFFFF_FFFF
