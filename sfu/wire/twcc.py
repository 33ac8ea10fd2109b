"""Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

Which transport-cc sequence numbers arrived, and when, in steps of 250 µs:

    sender SSRC · media SSRC · base sequence · status count · reference time (24 bit, 64 ms) · feedback count (8 bit)
    status chunks (16 bit each): one symbol per packet, as runs or as vectors
    one delta per arrived packet: one byte (0 … 63.75 ms), or two (± 8.19 s)

Says nothing about how often to send one, nor what the arrivals mean.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sfu.wire import framing
from sfu.wire.errors import MalformedRtcp

FORMAT = 15

# Packets one feedback may speak of. Twenty bytes of runs can claim 65535, which takes milliseconds to spell out;
# what is real is the packets of some 100 ms, or of an outage. Lower: an outage at a high rate is a refused feedback.
MAX_STATUSES = 4096

_HEADER = struct.Struct("!IIHHI")
_TICKS_PER_S = 4000
_TICK_US = 250
_TICKS_PER_REFERENCE = 256  # 64 ms

_LOST, _SMALL, _LARGE = 0, 1, 2  # symbols; 3 is reserved
_LONGEST_RUN = 0x1FFF
_ONE_BIT_VECTOR = 14
_TWO_BIT_VECTOR = 7


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """`packets` holds (16 bit sequence number, arrival in µs or `None`) for each number from `base_sequence` on.

    Arrivals count from the remote's own zero, in which `reference_time` (64 ms steps, 24 bits) wraps every
    12.4 days; they need not grow, for packets overtake each other. `feedback_count` (8 bits) shows lost feedbacks.
    """

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    feedback_count: int
    reference_time: int
    packets: tuple[tuple[int, int | None], ...]

    def pack(self) -> bytes:
        """Raises ValueError like `build`; the numbers in `packets` are taken to be consecutive."""
        zero = self.reference_time * _TICKS_PER_REFERENCE
        ticks = [None if at_us is None else at_us // _TICK_US - zero for _, at_us in self.packets]
        return _pack(
            self.sender_ssrc, self.media_ssrc, self.base_sequence, self.feedback_count, self.reference_time, ticks
        )


def build(
    sender_ssrc: int,
    media_ssrc: int,
    feedback_count: int,
    arrivals: Sequence[tuple[int, float]],
    first: int | None = None,
) -> bytes:
    """One feedback packet. `arrivals` are (unwrapped sequence number, arrival in seconds), sorted by number and
    without repeats; numbers between them are reported as not arrived, and so are those from `first` on, which is
    where the last feedback ended: senders count only losses that a feedback names.

    `media_ssrc` must be one that the remote sends with: libwebrtc ignores a feedback about any other, 0 included.
    Raises ValueError when there is nothing to report, more than MAX_STATUSES numbers are spanned, or two
    neighbours arrived more than 8.19 s apart. The caller splits.
    """
    if not arrivals:
        raise ValueError("a feedback about nothing")
    base = arrivals[0][0] if first is None else first
    span = arrivals[-1][0] - base + 1
    if arrivals[0][0] < base or span > MAX_STATUSES:
        raise ValueError(f"a feedback cannot span {span} packets")
    reference_time = round(arrivals[0][1] * _TICKS_PER_S) // _TICKS_PER_REFERENCE
    zero = reference_time * _TICKS_PER_REFERENCE
    ticks: list[int | None] = [None] * span
    for number, at_s in arrivals:
        ticks[number - base] = round(at_s * _TICKS_PER_S) - zero
    return _pack(sender_ssrc, media_ssrc, base, feedback_count, reference_time, ticks)


def parse(body: bytes) -> TransportFeedback:
    """From a packet's body (after the common header, without padding). Raises MalformedRtcp."""
    if len(body) < _HEADER.size:
        raise MalformedRtcp("transport feedback cut short")
    sender_ssrc, media_ssrc, base_sequence, count, reference = _HEADER.unpack_from(body)
    if not 0 < count <= MAX_STATUSES:
        raise MalformedRtcp("transport feedback about no packets, or about too many")
    symbols, position = _parse_chunks(body, count)
    reference_time = reference >> 8
    packets = _parse_deltas(body, position, symbols, base_sequence, reference_time * _TICKS_PER_REFERENCE * _TICK_US)
    return TransportFeedback(sender_ssrc, media_ssrc, base_sequence, reference & 0xFF, reference_time, packets)


def _pack(
    sender_ssrc: int,
    media_ssrc: int,
    base_sequence: int,
    feedback_count: int,
    reference_time: int,
    ticks: Sequence[int | None],
) -> bytes:
    """`ticks` are arrivals in 250 µs steps since the reference time, one per sequence number."""
    if not 0 < len(ticks) <= MAX_STATUSES:
        raise ValueError("a feedback about no packets, or about too many")
    symbols = bytearray()
    deltas = bytearray()
    last = 0
    for tick in ticks:
        if tick is None:
            symbols.append(_LOST)
            continue
        delta = tick - last  # of whole steps, so that rounding does not add up
        last = tick
        if 0 <= delta <= 0xFF:
            symbols.append(_SMALL)
            deltas.append(delta)
        elif -0x8000 <= delta <= 0x7FFF:
            symbols.append(_LARGE)
            deltas += (delta & 0xFFFF).to_bytes(2, "big")
        else:
            raise ValueError(f"arrivals {delta / _TICKS_PER_S:.1f} s apart do not fit one feedback")
    header = _HEADER.pack(
        sender_ssrc,
        media_ssrc,
        base_sequence & 0xFFFF,
        len(ticks),
        (reference_time & 0xFF_FFFF) << 8 | feedback_count & 0xFF,
    )
    return framing.frame(framing.TRANSPORT_FEEDBACK, FORMAT, header + _pack_chunks(bytes(symbols)) + deltas)


def _pack_chunks(symbols: bytes) -> bytes:
    """Each time the chunk that covers most symbols. A vector must be full, except at the end."""
    chunks = bytearray()
    position, end = 0, len(symbols)
    while position < end:
        run = _run_length(symbols, position)
        nearest = symbols[position : position + _ONE_BIT_VECTOR]
        if _LARGE not in nearest and run < _ONE_BIT_VECTOR:
            chunk, covered = 0x8000, _ONE_BIT_VECTOR
            for index, symbol in enumerate(nearest):
                chunk |= symbol << 13 - index
        elif run < _TWO_BIT_VECTOR:
            chunk, covered = 0xC000, _TWO_BIT_VECTOR
            for index, symbol in enumerate(nearest[:_TWO_BIT_VECTOR]):
                chunk |= symbol << 12 - 2 * index
        else:
            chunk, covered = symbols[position] << 13 | run, run
        chunks += chunk.to_bytes(2, "big")
        position += covered
    return bytes(chunks)


def _run_length(symbols: bytes, start: int) -> int:
    """How many equal symbols begin at `start`, as far as one chunk can say."""
    stop = min(len(symbols), start + _LONGEST_RUN)
    same = symbols[start : start + 1]
    rest = symbols[start:stop].lstrip(same)
    return stop - start - len(rest)


def _parse_chunks(body: bytes, count: int) -> tuple[list[int], int]:
    """(one symbol per packet, where the deltas begin)."""
    symbols: list[int] = []
    position, end = _HEADER.size, len(body)
    while (missing := count - len(symbols)) > 0:
        if position + 2 > end:
            raise MalformedRtcp("transport feedback ends in its status chunks")
        chunk = body[position] << 8 | body[position + 1]
        position += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13] * min(chunk & _LONGEST_RUN, missing)
        elif chunk & 0x4000:
            symbols += [chunk >> shift & 3 for shift in range(12, -2, -2)][:missing]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)][:missing]
    return symbols, position


def _parse_deltas(
    body: bytes, position: int, symbols: Sequence[int], base_sequence: int, reference_us: int
) -> tuple[tuple[int, int | None], ...]:
    packets: list[tuple[int, int | None]] = []
    at_us = reference_us
    try:
        for number, symbol in enumerate(symbols, base_sequence):
            if symbol == _LOST:
                packets.append((number & 0xFFFF, None))
                continue
            if symbol == _SMALL:
                delta = body[position]
                position += 1
            elif symbol == _LARGE:
                delta = body[position] << 8 | body[position + 1]
                if delta & 0x8000:
                    delta -= 0x10000
                position += 2
            else:
                raise MalformedRtcp("transport feedback with a reserved status")
            at_us += delta * _TICK_US
            packets.append((number & 0xFFFF, at_us))
    except IndexError:
        raise MalformedRtcp("transport feedback ends in its deltas") from None
    return tuple(packets)
