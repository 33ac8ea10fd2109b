"""From a datagram to the Slots that carry its packet.

datagram ─► whose address? ─► first byte (RFC 7983) ─┬ STUN, DTLS, RTCP ─► events   (transport-cc stays here)
                │ nobody's                           └ RTP ─► decrypt ─► transport-cc ─► SSRC known?
                └ STUN goes up, a few; SRTP, fewer;                         learn ◄─ no ──┤ yes
                  all else ends                                                           │
                                                                                          ▼
                                              layer ─► MediaPacket ─► audio level, local sinks ─► Slots of its Track
"""

from __future__ import annotations

import math

from sfu.core.types import DropReason
from sfu.plane.fallback import feedback
from sfu.plane.fallback.learning import Learning
from sfu.plane.fallback.levels import Levels
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.packets import LONGEST_PASSED_ON
from sfu.plane.fallback.sinks import Sinks
from sfu.plane.fallback.srtp import SrtpRefused
from sfu.plane.fallback.transport import Transport
from sfu.plane.interface import (
    ConsentRenewed,
    Datagram,
    DtlsReceived,
    Path,
    PlaneConfig,
    RtcpReceived,
    StrayReceived,
    StunReceived,
)
from sfu.wire import rtp
from sfu.wire.demux import Kind, classify
from sfu.wire.errors import MalformedRtp


class Receiving:
    def __init__(
        self,
        paths: dict[Path, Transport],
        learning: Learning,
        sinks: Sinks,
        levels: Levels,
        config: PlaneConfig,
        outbox: Outbox,
    ) -> None:
        """`paths` is the plane's table of validated addresses, read here."""
        self._paths = paths
        self._learning = learning
        self._sinks = sinks
        self._levels = levels
        self._strangers_per_batch = config.strangers_per_batch
        self._strangers = 0
        self._stray_interval_s = config.stray_interval_s
        self._moved_silent_s = config.moved_silent_s
        self._next_stray_at = -math.inf
        self._outbox = outbox

    def begin_batch(self) -> None:
        self._strangers = 0

    def on_datagram(self, datagram: Datagram, now: float) -> None:
        counters = self._outbox.counters
        counters.received_datagrams += 1
        payload, path = datagram
        kind = classify(payload)
        transport = self._paths.get(path)
        if transport is None:
            self._on_stranger(payload, path, kind, now)
        elif kind is Kind.RTP:
            counters.received_rtp += 1
            self._on_rtp(transport, payload, now)
        elif kind is Kind.RTCP:
            counters.received_rtcp += 1
            self._on_rtcp(transport, payload, now)
        elif kind is Kind.STUN:
            counters.received_stun += 1
            self._on_check(transport, payload, path, now)
        elif kind is Kind.DTLS:
            counters.received_dtls += 1
            self._outbox.tell_if_room(DtlsReceived(payload, transport.id))
        else:
            self._outbox.drop(DropReason.UNKNOWN_KIND)

    def _on_check(self, transport: Transport, payload: bytes, path: Path, now: float) -> None:
        answer = transport.answer_to_check(payload, path)
        if answer is None:
            self._outbox.tell_if_room(StunReceived(payload, path, transport.id))
        else:
            self._outbox.send(path, answer)
            self._outbox.tell_if_room(ConsentRenewed(path, transport.id, now))

    def _on_stranger(self, payload: bytes, path: Path, kind: Kind, now: float) -> None:
        """Only a connectivity check, or what a known remote has encrypted, can introduce an address; and there may be
        any number of strangers."""
        is_stray = kind in (Kind.RTP, Kind.RTCP) and now >= self._next_stray_at
        if kind is Kind.STUN:
            self._outbox.counters.received_stun += 1
        elif not is_stray:
            self._outbox.drop(DropReason.UNKNOWN_ADDRESS)
            return
        if self._strangers >= self._strangers_per_batch or not self._outbox.has_room_for_strangers():
            self._outbox.drop(DropReason.STRANGER_LIMIT)
            return
        self._strangers += 1
        if is_stray:
            self._next_stray_at = now + self._stray_interval_s
            self._outbox.tell(StrayReceived(payload, path))
        else:
            self._outbox.tell(StunReceived(payload, path, None))

    def has_moved(self, transport: Transport, stray: bytes, now: float) -> bool:
        rtcp = classify(stray) is Kind.RTCP
        ssrc = stray[4:8] if rtcp else stray[8:12]
        if transport.srtp is None or len(ssrc) < 4 or not transport.may_hear(ssrc):
            return False
        if now - transport.heard_at < self._moved_silent_s:
            return False
        try:
            _ = transport.srtp.unprotect_rtcp(stray) if rtcp else transport.srtp.unprotect(stray)
        except SrtpRefused:
            return False
        transport.hear(ssrc, now)
        return True

    def _on_rtcp(self, transport: Transport, payload: bytes, now: float) -> None:
        compound = self._decrypt(transport, payload, payload[4:8], now, rtcp=True)
        if compound is None:
            return
        self._sinks.on_rtcp(transport, compound, now)
        contents = feedback.read(compound)
        for report in contents.feedbacks:
            transport.feedback.on_feedback(report, now)
            self._outbox.reporting.setdefault(transport)
        for _ in range(contents.malformed):
            self._outbox.drop(DropReason.MALFORMED_FEEDBACK)
        about_slots = transport.reporting.on_reports(contents.reports, now)
        if about_slots:
            self._outbox.reported_on.setdefault(transport)
        if not contents.is_feedback and not (about_slots and contents.is_reception):
            self._outbox.tell_if_room(RtcpReceived(compound, transport.id, now))

    def _on_rtp(self, transport: Transport, payload: bytes, now: float) -> None:
        packet = self._decrypt(transport, payload, payload[8:12], now, rtcp=False)
        if packet is None:
            return
        try:
            header = rtp.parse(packet)
        except MalformedRtp:
            self._outbox.drop(DropReason.MALFORMED)
            return
        elements = header.extensions
        number = elements.get(transport.receive_ids.transport_cc)
        if number is not None:
            transport.note_arrival(number, now)
        source = transport.sources.get(header.ssrc) or self._learning.learn(transport, header, now)
        if source is None:
            return
        layer = source.layer
        if layer is None:
            self._outbox.drop(DropReason.UNKNOWN_SSRC)  # another has taken its place
            return
        passed_on = tuple(
            (index, elements[number])
            for index, number in transport.receive_passed_on
            if 0 < len(elements.get(number, b"")) <= LONGEST_PASSED_ON
        )
        receive = layer.on_repair if source.rtx else layer.on_media
        media = receive(header, packet[header.payload_offset : header.payload_end], passed_on, now)
        restored, layer.restored = layer.restored, None
        if restored is not None:
            self._sinks.on_restored(layer, restored, now)
            for slot in layer.track.slots:
                slot.on_packet(restored, layer, now)
        if media is not None:
            if not layer.is_video:
                self._levels.note(layer.track.id, media)
            if layer.track.taps:
                self._sinks.on_packet(layer, packet, header, media, source.rtx, now)
            for slot in layer.track.slots:
                slot.on_packet(media, layer, now)

    def _decrypt(self, transport: Transport, payload: bytes, ssrc: bytes, now: float, *, rtcp: bool) -> bytes | None:
        """`None`, and counted, if it is not the remote's, or too many SSRCs are in use already."""
        srtp = transport.srtp
        if srtp is None:
            self._outbox.drop(DropReason.NO_KEYS)
            return None
        if len(ssrc) < 4:
            self._outbox.drop(DropReason.MALFORMED)
            return None
        if not transport.may_hear(ssrc):
            self._outbox.drop(DropReason.SSRC_LIMIT)
            return None
        try:
            plain = srtp.unprotect_rtcp(payload) if rtcp else srtp.unprotect(payload)
        except SrtpRefused as refused:
            self._outbox.drop(refused.reason)
            return None
        transport.hear(ssrc, now)
        return plain
