"""What an Opus packet's first byte says (RFC 6716 §3.1): how long it sounds. And packets of silence."""

from __future__ import annotations

from typing import Final

CLOCK_RATE: Final = 48_000
# An encoder looks ahead: a packet's sound begins with what was heard before its RTP time (RFC 7845 §4.2). 6.5 ms is
# what libopus takes, and all browsers have that.
LOOK_AHEAD_SAMPLES: Final = 312

_SILK_SAMPLES = (480, 960, 1920, 2880)
_HYBRID_SAMPLES = (480, 960)
_CELT_SAMPLES = (120, 240, 480, 960)
_LONGEST_SAMPLES = 5760  # 120 ms
_LARGEST_FRAME = 1275  # bytes

# CELT, full band, stereo, one frame whose first symbol says that it is silent.
_SILENCE: Final = {
    samples: bytes(((28 + index) << 3 | 0x04, 0xFF, 0xFE)) for index, samples in enumerate(_CELT_SAMPLES)
}
SILENCE_SAMPLES: Final = tuple(sorted(_SILENCE, reverse=True))


def duration_samples(packet: bytes) -> int | None:
    """At 48 kHz, whatever it was coded with; `None` for what is no Opus packet (§3.4)."""
    frames = _frames(packet)
    if frames is None:
        return None
    config = packet[0] >> 3
    if config < 12:
        samples = _SILK_SAMPLES[config & 3]
    elif config < 16:
        samples = _HYBRID_SAMPLES[config & 1]
    else:
        samples = _CELT_SAMPLES[config & 3]
    return samples * frames if 0 < samples * frames <= _LONGEST_SAMPLES else None


def silence(samples: int) -> bytes:
    """`samples` is one of SILENCE_SAMPLES."""
    return _SILENCE[samples]


def _frames(packet: bytes) -> int | None:
    """How many frames are in the packet, if their lengths add up. Decoders refuse what does not."""
    if not packet:
        return None
    code, rest = packet[0] & 3, len(packet) - 1
    if code == 0:
        return 1 if rest <= _LARGEST_FRAME else None
    if code == 1:
        return 2 if rest % 2 == 0 and rest // 2 <= _LARGEST_FRAME else None
    if code == 2:
        length, size = _length(packet, 1)
        return 2 if 0 <= length <= rest - size and rest - size - length <= _LARGEST_FRAME else None
    return _frames_of_many(packet)


def _frames_of_many(packet: bytes) -> int | None:
    """Code 3 (§3.2.5): a count, perhaps padding, and lengths unless all are alike."""
    if len(packet) < 2 or not packet[1] & 0x3F:
        return None
    count, position, end = packet[1] & 0x3F, 2, len(packet)
    if packet[1] & 0x40:
        padding, more = 0, 255
        while more == 255:
            if position >= end:
                return None
            more = packet[position]
            padding += 254 if more == 255 else more
            position += 1
        end -= padding
    if not packet[1] & 0x80:
        left = end - position
        return count if left >= 0 and left % count == 0 and left // count <= _LARGEST_FRAME else None
    total = 0
    for _ in range(count - 1):
        length, size = _length(packet, position)
        position += size
        total += length
        if length < 0 or position > end:
            return None
    return count if total <= end - position and end - position - total <= _LARGEST_FRAME else None


def _length(packet: bytes, position: int) -> tuple[int, int]:
    """(length of a frame, bytes that say so); a length of -1 when it is cut short (§3.2.1)."""
    if position >= len(packet):
        return -1, 1
    first = packet[position]
    if first < 252:
        return first, 1
    if position + 1 >= len(packet):
        return -1, 2
    return first + 4 * packet[position + 1], 2
