"""Whose is an SSRC? Learned once from header extensions, kept for as long as the Track lives.

Browsers send MID and RID only until a receiver report names the SSRC, and RTX probes before the first media packet
of a layer; so both kinds are learned from whatever comes first, and what is known is not questioned: a packet of a
known SSRC with another mid changes nothing. Only a new SSRC may take over a layer (a sender made anew), and then
the old one is out for good.
"""

from __future__ import annotations

from sfu.core.types import DropReason
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.publishing import Track, TrackLayer
from sfu.plane.fallback.transport import Source, Transport
from sfu.plane.interface import PlaneConfig, SsrcLearned
from sfu.wire.rtp import RtpHeader


class Learning:
    def __init__(self, config: PlaneConfig, outbox: Outbox) -> None:
        self._ssrcs_per_transport = config.ssrcs_per_transport
        self._outbox = outbox

    def learn(self, transport: Transport, header: RtpHeader, now: float) -> Source | None:
        """From the first packet of an SSRC; `None`, and counted, when it does not say enough."""
        ids = transport.receive_ids
        track = transport.tracks.get(_text(header, ids.mid))
        if track is None:
            self._outbox.drop(DropReason.UNKNOWN_SSRC)
            return None
        form = track.formats.get(header.payload_type)
        if form is None:
            self._outbox.drop(DropReason.UNKNOWN_PAYLOAD_TYPE)
            return None
        rtx = form.repairs is not None
        index = 0
        if track.spec.rids:
            rid = _text(header, ids.repaired_rid if rtx else ids.rid)
            if rid not in track.spec.rids:
                self._outbox.drop(DropReason.UNKNOWN_SSRC)
                return None
            index = track.spec.rids.index(rid)
        return self.bind(track, index, header.ssrc, rtx, now)

    def bind(self, track: Track, index: int, ssrc: int, rtx: bool, now: float | None) -> Source | None:
        """Gives the SSRC to the layer, unless it has an owner. `None`, and counted, at the limit. `now` is `None`
        when signaling announces it."""
        transport = track.transport
        known = transport.sources.get(ssrc)
        if known is not None:
            return known
        if len(transport.sources) >= self._ssrcs_per_transport:
            self._outbox.drop(DropReason.SSRC_LIMIT)
            return None
        layer = track.layer(index)
        if rtx:
            _retire(transport, layer.rtx_ssrc)
            layer.rtx_ssrc = ssrc
            layer.rtx_learned_at = layer.reception.last_at if now is None else now
        elif layer.ssrc is None:
            layer.ssrc = ssrc
        else:
            layer = self._take_over(track, index, ssrc)
        source = transport.sources[ssrc] = Source(track, layer, rtx)
        self._outbox.tell(SsrcLearned(track.id, index, ssrc, rtx))
        return source

    def _take_over(self, track: Track, index: int, ssrc: int) -> TrackLayer:
        transport = track.transport
        old, layer = track.layer(index), track.renew_layer(index)
        _retire(transport, old.ssrc)
        layer.ssrc = ssrc
        # The new sender's RTX may have come first, as a probe; then it stays. An RTX SSRC from before belongs to the
        # old sender, whose sequence numbers mean nothing here.
        if old.rtx_ssrc is not None and old.rtx_learned_at >= old.reception.last_at:
            layer.rtx_ssrc, layer.rtx_learned_at = old.rtx_ssrc, old.rtx_learned_at
            transport.sources[old.rtx_ssrc].layer = layer
        else:
            _retire(transport, old.rtx_ssrc)
        return layer


def _retire(transport: Transport, ssrc: int | None) -> None:
    if ssrc is not None:
        transport.sources[ssrc].layer = None


def _text(header: RtpHeader, extension_id: int) -> str:
    """A mid or rid; empty when there is none (RFC 8852: ASCII, but what it is is the sender's affair)."""
    return header.extensions.get(extension_id, b"").decode("ascii", "replace")
