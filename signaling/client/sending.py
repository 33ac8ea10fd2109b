"""One encoding that we send: an SSRC, the SSRC of its retransmissions, and what is still there to be sent again.

Writes what the session decided; decides only how packets introduce themselves: with MID and RID until the receiver
has reported on their SSRC, as browsers do (RFC 8852 §3.3 asks for them until the receiver can know). A report on
the media says nothing of the retransmissions, whose first packet may come much later.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from random import Random

from sfu.core.types import Kind
from sfu.wire import extensions, rtp, rtx
from sfu.wire.extensions import AudioLevel, ExtensionIds, Orientation
from sfu.wire.rtcp import ReportBlock, SenderReport, ntp_from_unix, ntp_middle32

# Some 2 s of 2 Mbit/s: a receiver that asks later than that has given up on the frame.
HISTORY_PACKETS = 512


@dataclass(frozen=True, slots=True)
class SentPayload:
    """What is needed to send a packet again (RFC 4588): the rest is new in each copy."""

    payload: bytes
    timestamp: int
    marker: bool
    orientation: Orientation | None


class SentStream:
    """Packets of one encoding. `rid` is empty without simulcast; no RTX when `rtx_payload_type` is `None`.

    The counters only grow. `fraction_lost` and `round_trip_s` are what the last report block said.
    """

    def __init__(
        self,
        *,
        mid: str,
        kind: Kind,
        payload_type: int,
        rtx_payload_type: int | None,
        clock_rate: int,
        ssrc: int,
        rtx_ssrc: int,
        random: Random,
        rid: str = "",
    ) -> None:
        self.mid = mid
        self.rid = rid
        self.kind = kind
        self.clock_rate = clock_rate
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.payload_type = payload_type
        self.rtx_payload_type = rtx_payload_type
        self.packets = 0
        self.octets = 0
        self.retransmitted = 0
        self.key_frame_requests = 0
        self.fraction_lost = 0.0
        self.round_trip_s: float | None = None
        self.reported = False
        self.rtx_reported = False
        # Below 32768: libsrtp guesses the rollover counter from the first packet that arrives (RFC 3711 §3.3.1).
        self._sequence_number = random.randrange(1 << 15)
        self._rtx_sequence_number = random.randrange(1 << 15)
        self._first_timestamp = random.randrange(1 << 32)
        self._history: OrderedDict[int, SentPayload] = OrderedDict()
        self._last_capture: tuple[int, float] | None = None

    def timestamp(self, media_s: float) -> int:
        """The RTP timestamp of a moment on the source's own clock, which may begin anywhere."""
        return (self._first_timestamp + round(media_s * self.clock_rate)) & 0xFFFF_FFFF

    def media(
        self,
        payload: bytes,
        timestamp: int,
        *,
        marker: bool,
        ids: ExtensionIds,
        transport_sequence: int,
        now: float,
        level: AudioLevel | None = None,
        orientation: Orientation | None = None,
    ) -> bytes:
        """The next packet, and a place in the history."""
        number = self._sequence_number
        self._sequence_number = (number + 1) & 0xFFFF
        self._history[number] = SentPayload(payload, timestamp, marker, orientation)
        if len(self._history) > HISTORY_PACKETS:
            self._history.popitem(last=False)
        self._last_capture = (timestamp, now)
        self.packets += 1
        self.octets += len(payload)
        elements = self._elements(ids, transport_sequence, now, orientation)
        if not self.reported:
            elements += self._introduction(ids, ids.rid)
        if level is not None and ids.audio_level:
            elements.append((ids.audio_level, extensions.pack_audio_level(level)))
        return rtp.build(
            payload_type=self.payload_type,
            sequence_number=number,
            timestamp=timestamp,
            ssrc=self.ssrc,
            payload=payload,
            marker=marker,
            extension=extensions.pack(elements),
        )

    def retransmission(
        self, sequence_number: int, *, ids: ExtensionIds, transport_sequence: int, now: float
    ) -> bytes | None:
        """The packet with this number once more, under the RTX SSRC; `None` when it is gone or there is no RTX."""
        sent = self._history.get(sequence_number)
        if sent is None or self.rtx_payload_type is None:
            return None
        number = self._rtx_sequence_number
        self._rtx_sequence_number = (number + 1) & 0xFFFF
        self.retransmitted += 1
        elements = self._elements(ids, transport_sequence, now, sent.orientation)
        if not self.rtx_reported:
            elements += self._introduction(ids, ids.repaired_rid)
        return rtp.build(
            payload_type=self.rtx_payload_type,
            sequence_number=number,
            timestamp=sent.timestamp,
            ssrc=self.rtx_ssrc,
            payload=rtx.wrap(sent.payload, sequence_number),
            marker=sent.marker,
            extension=extensions.pack(elements),
        )

    def report(self, now: float, unix_s: float) -> SenderReport | None:
        """Which RTP timestamp this moment has (RFC 3550 §6.4.1); `None` before the first packet."""
        if self._last_capture is None:
            return None
        timestamp, captured_s = self._last_capture
        elapsed = round((now - captured_s) * self.clock_rate)
        return SenderReport(
            self.ssrc, ntp_from_unix(unix_s), (timestamp + elapsed) & 0xFFFF_FFFF, self.packets, self.octets
        )

    def on_report_block(self, block: ReportBlock, unix_s: float) -> None:
        """A block about either of our SSRCs."""
        if block.ssrc == self.rtx_ssrc:
            self.rtx_reported = True
            return
        self.reported = True
        self.fraction_lost = block.fraction_lost / 256
        if block.lsr:
            elapsed = (ntp_middle32(ntp_from_unix(unix_s)) - block.lsr - block.dlsr) & 0xFFFF_FFFF
            if elapsed < 1 << 31:  # a remote may round its delay up past the truth
                self.round_trip_s = elapsed / 65536

    def _elements(
        self, ids: ExtensionIds, transport_sequence: int, now: float, orientation: Orientation | None
    ) -> list[tuple[int, bytes]]:
        elements: list[tuple[int, bytes]] = []
        if ids.transport_cc:
            elements.append((ids.transport_cc, (transport_sequence & 0xFFFF).to_bytes(2, "big")))
        if ids.abs_send_time:
            elements.append((ids.abs_send_time, extensions.abs_send_time(now)))
        if orientation is not None and ids.video_orientation:
            elements.append((ids.video_orientation, extensions.pack_orientation(orientation)))
        return elements

    def _introduction(self, ids: ExtensionIds, rid_extension: int) -> list[tuple[int, bytes]]:
        """Whose packet this is; `rid_extension` is that of the media, or that of repairs."""
        elements = [(ids.mid, self.mid.encode())] if ids.mid else []
        if self.rid and rid_extension:
            elements.append((rid_extension, self.rid.encode()))
        return elements
