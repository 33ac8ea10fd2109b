"""The remote offers, we answer: publishing from a browser, the same over HTTP (WHIP), and watching over HTTP (WHEP).

    offer ─► on_offer ─► ReadOffer (what it says)     the caller decides which m-lines to receive, and what to send
    answer ◄─ answer(local, receive, send)

Fates of an m-line: *received* (`recvonly`), *sent* (`sendonly`), or both; *inactive*, kept for later; or *rejected*
(port 0), when the remote stopped it, it is outside the BUNDLE group, or nothing on it can be forwarded. The tagged
m-line of the group carries the Transport and cannot be rejected alone (RFC 8843 §7.3.3), so it is inactive at worst. An
offer that is never answered leaves no trace: the next is compared with the last that was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sfu.control import RemoteParameters, SsrcGroup, TransportOpened
from sfu.core.types import Codec, Kind, PayloadFormat
from signaling import sdp, sdp_extensions, sdp_formats, sdp_streams, sdp_transport
from signaling.negotiation_offer import SlotLine, write_sent
from signaling.sdp_streams import Direction
from signaling.sdp_transport import RemoteTransport

# RFC 8829 §5.1.2: all of these mean the same in an offer, and the answer repeats the one it got.
RTP_PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP"})
DATA_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})
DATA_FORMAT = "webrtc-datachannel"


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One audio or video m-line that has a mid. `formats` is empty when the line was stopped or nothing on it can be
    forwarded. `rids` ascend in quality. `ssrcs` only without rids, and only if the remote sends and states them."""

    line: int  # where it stands in the offer, for errors
    mid: str
    kind: Kind
    sends: bool
    receives: bool
    formats: tuple[PayloadFormat, ...]
    rids: tuple[str, ...]
    ssrcs: tuple[SsrcGroup, ...]

    @property
    def payload_types(self) -> dict[Codec, tuple[int, int | None]]:
        """Codec → media and RTX, as the remote numbers them; its favourite first."""
        repairing = {one.repairs: one.payload_type for one in self.formats}
        return {
            one.codec: (one.payload_type, repairing.get(one.payload_type))
            for one in self.formats
            if one.repairs is None
        }


@dataclass(frozen=True, slots=True)
class ReadOffer:
    remote: RemoteParameters
    media: tuple[OfferedMedia, ...]  # in m-line order; no data channels
    rejected: tuple[int, ...]  # where m-lines stand that any answer will reject, although the remote did not stop them


@dataclass(frozen=True, slots=True)
class _Line:
    media: sdp.Media
    mid: str | None
    content: Literal["media", "data", "foreign"]
    live: bool  # not stopped by the remote, in the group, and of a content we know
    rejected: bool
    direction: Direction
    formats: tuple[sdp_formats.AcceptedFormat, ...]
    extensions: tuple[sdp_extensions.Extension, ...]

    @property
    def kind(self) -> Kind:
        assert self.content == "media"
        return cast(Kind, self.media.kind)


@dataclass(frozen=True, slots=True)
class _Offer:
    session: sdp.Section
    lines: tuple[_Line, ...]
    bundle: tuple[str, ...] | None
    dtls_client: bool


class Answerer:
    """One per connection on which the remote is the permanent offerer."""

    def __init__(self) -> None:
        self._offer: _Offer | None = None  # read, not answered yet
        self._answered: _Offer | None = None
        self._session_id = 0
        self._version = 0

    def on_offer(self, text: str, *, redundancy: bool = True) -> ReadOffer:
        """`redundancy`: sound may come as RED.

        Raises ProtocolError `sdp_malformed` or `sdp_unsupported`; the connection is then as before."""
        description = sdp.parse(text)
        bundle = sdp_transport.read_bundle(description)
        lines = _read_lines(description, bundle, redundancy)
        self._check_order(lines)
        tagged = _tagged(lines, bundle)
        transport = sdp_transport.read_transport(tagged.media, description.session)
        dtls_client = self._dtls_client(transport)
        read = ReadOffer(
            _remote_parameters(transport, lines, dtls_client),
            tuple(_offered_media(line) for line in lines if line.content == "media" and line.mid is not None),
            tuple(line.media.line for line in lines if line.rejected and sdp_transport.is_live(line.media)),
        )
        self._offer = _Offer(description.session, lines, bundle, dtls_client)
        return read

    def answer(self, local: TransportOpened, *, receive: Collection[str], send: Sequence[SlotLine] = ()) -> str:
        """The answer to the last offer. `receive` names mids on which the remote sends and has formats, `send` says
        what comes on those on which it receives; ValueError if it does not."""
        offer = self._offer
        if offer is None:
            raise ValueError("there is no offer to answer")
        sent = {line.mid: line for line in send}
        usable = [line for line in offer.lines if line.formats]
        if wrong := set(receive) - {line.mid for line in usable if line.direction.sends}:
            raise ValueError(f"cannot receive {wrong}")
        if wrong := set(sent) - {line.mid for line in usable if line.direction.receives}:
            raise ValueError(f"cannot send {wrong}")
        self._offer, self._answered = None, offer
        self._version += 1
        self._session_id = self._session_id or sdp_transport.session_id_of(local)
        return sdp.write(_write(offer, local, receive, sent, self._version, self._session_id))

    def _check_order(self, lines: Sequence[_Line]) -> None:
        """M-lines never vanish; only one that was rejected may become another (RFC 8829 §5.2.2)."""
        before = self._answered.lines if self._answered else ()
        if len(lines) < len(before):
            raise sdp.malformed(lines[-1].media.line, f"{len(before)} m-lines became {len(lines)}")
        for old, new in zip(before, lines, strict=False):
            stopped = new.mid is None and not new.live
            if not old.rejected and not stopped and (new.mid, new.media.kind) != (old.mid, old.media.kind):
                raise sdp.malformed(new.media.line, f"this m-line was {old.media.kind} with mid {old.mid} before")

    def _dtls_client(self, transport: RemoteTransport) -> bool:
        """`actpass` leaves the role to us: passive, so that our order of ciphers decides. Once chosen it stays."""
        offered = transport.setup or "active"  # RFC 4145 §4
        before = self._answered.dtls_client if self._answered else None
        if before is None or offered == "actpass":
            return before if before is not None else offered == "passive"
        if before != (offered == "passive"):
            raise sdp.unsupported(transport.line, "the DTLS roles of a connection do not change")
        return before


# --- reading ---------------------------------------------------------------------------------------------------


def _read_lines(description: sdp.Description, bundle: tuple[str, ...] | None, redundancy: bool) -> tuple[_Line, ...]:
    numbering = sdp_extensions.Numbering(sdp_extensions.allows_mixed(description))
    mids = [sdp_streams.read_mid(media) for media in description.media]
    for index, (media, mid) in enumerate(zip(description.media, mids, strict=True)):
        if mid is not None and mid in mids[:index]:
            raise sdp.malformed(media.line, f"mid {mid} comes twice")
        if mid is None and sdp_transport.is_live(media):
            raise sdp.malformed(media.line, "this m-line has no a=mid")
    if bundle is None:
        # Without a group every m-line would have a Transport of its own; we have one, for the first.
        group = {mid for media, mid in zip(description.media, mids, strict=True) if sdp_transport.is_live(media)}
        bundle = tuple(mid for mid in mids if mid in group and mid is not None)[:1]
    return tuple(
        _read_line(media, mid, description.session, bundle, numbering, redundancy)
        for media, mid in zip(description.media, mids, strict=True)
    )


def _read_line(
    media: sdp.Media,
    mid: str | None,
    session: sdp.Section,
    bundle: tuple[str, ...],
    numbering: sdp_extensions.Numbering,
    redundancy: bool,
) -> _Line:
    content = _content(media)
    live = content != "foreign" and sdp_transport.is_live(media) and mid in bundle
    if not live or content != "media":
        return _Line(media, mid, content, live, not live, Direction(False, False), (), ())
    if not media.has("rtcp-mux"):
        raise sdp.unsupported(media.line, "an m-line without a=rtcp-mux")
    kind = cast(Kind, media.kind)
    formats = sdp_formats.accept_formats(kind, sdp_formats.read_formats(media), redundancy=redundancy)
    direction = sdp_streams.read_direction(media, session)
    names = sdp_extensions.offered_names(kind, [one.codec for one in formats], direction)
    return _Line(
        media,
        mid,
        content,
        live,
        rejected=not formats and mid != bundle[0],
        direction=direction,
        formats=formats,
        extensions=numbering.take(media, session, names),
    )


def _content(media: sdp.Media) -> Literal["media", "data", "foreign"]:
    if media.kind in ("audio", "video") and media.protocol in RTP_PROTOCOLS:
        return "media"
    if media.kind == "application" and media.protocol in DATA_PROTOCOLS and DATA_FORMAT in media.formats:
        return "data"
    return "foreign"


def _tagged(lines: Sequence[_Line], bundle: tuple[str, ...] | None) -> _Line:
    """The m-line whose transport parameters count."""
    live = [line for line in lines if line.live]
    if bundle is not None:
        live = [line for line in live if line.mid == bundle[0]] if bundle else []
    if not live:
        raise sdp.unsupported(lines[0].media.line, "no m-line that could carry the connection")
    return live[0]


def _remote_parameters(transport: RemoteTransport, lines: Sequence[_Line], dtls_client: bool) -> RemoteParameters:
    data = next((line for line in lines if line.content == "data" and line.live), None)
    return RemoteParameters(
        ice=transport.ice,
        fingerprints=transport.fingerprints,
        dtls_client=dtls_client,
        receive_extensions=sdp_extensions.to_ids(
            extension for line in lines for extension in line.extensions if extension.direction.sends
        ),
        send_extensions=sdp_extensions.to_ids(
            extension
            for line in lines
            for extension in line.extensions
            if line.direction.receives
            and extension.direction.receives
            and extension.name in sdp_extensions.SENT[line.kind]
        ),
        sctp_port=None if data is None else sdp_transport.read_sctp_port(data.media),
    )


def _offered_media(line: _Line) -> OfferedMedia:
    assert line.mid is not None
    if not line.formats:
        return OfferedMedia(line.media.line, line.mid, line.kind, *line.direction, (), (), ())
    rids = tuple(rid.name for rid in sdp_streams.read_rids(line.media))
    return OfferedMedia(
        line.media.line,
        line.mid,
        line.kind,
        *line.direction,
        sdp_formats.to_payload_formats(line.formats),
        rids,
        sdp_streams.read_ssrcs(line.media) if line.direction.sends and not rids else (),
    )


# --- writing ---------------------------------------------------------------------------------------------------


def _write(
    offer: _Offer,
    local: TransportOpened,
    receive: Collection[str],
    send: Mapping[str, SlotLine],
    version: int,
    session_id: int,
) -> list[str]:
    accepted = [line.mid for line in offer.lines if not line.rejected and line.mid is not None]
    group = [mid for mid in offer.bundle or () if mid in accepted]
    lines = sdp_transport.write_session(version, session_id, group)
    if offer.session.has("extmap-allow-mixed"):
        lines.append("a=extmap-allow-mixed")
    tagged = (group or accepted)[0]
    setup: sdp_transport.Setup = "active" if offer.dtls_client else "passive"
    for line in offer.lines:
        if line.rejected:
            lines += _write_rejected(line)
            continue
        assert line.mid is not None, "an m-line without a mid is rejected"
        if line.content == "data":
            lines += _write_data(line)
        else:
            lines += _write_media(line, line.mid in receive, send.get(line.mid))
        lines += sdp_transport.write_transport(local, setup)
        if line.mid == tagged:
            lines += sdp_transport.write_candidates(local.candidates)
    return lines


def _write_media(line: _Line, received: bool, sent: SlotLine | None) -> list[str]:
    media = line.media
    payload_types = sdp_formats.listed_payload_types(line.formats)
    formats = sdp_formats.write_formats(line.formats, sends=sent is not None)
    rids = sdp_streams.write_received_rids(media, payload_types) if line.formats else []
    extensions = sdp_extensions.write_answered(
        line.extensions, sdp_extensions.SENT[line.kind] if sent else (), received=received or sent is None
    )
    if not line.formats:  # the tagged m-line with nothing to forward: it needs some format to be well formed
        payload_types = [media.formats[0]]
        formats = [f"a=rtpmap:{one.value}" for one in media.every("rtpmap") if one.value.split()[0] in payload_types]
    return [
        f"m={media.kind} 9 {media.protocol} {' '.join(payload_types)}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{line.mid}",
        f"a={Direction(sends=sent is not None, receives=received)}",
        "a=rtcp-mux",
        *(["a=rtcp-mux-only"] if media.has("rtcp-mux-only") else []),
        *(["a=rtcp-rsize"] if media.has("rtcp-rsize") else []),
        *(["a=extmap-allow-mixed"] if media.has("extmap-allow-mixed") else []),
        *extensions,
        *formats,
        *rids,
        *(write_sent(sent) if sent else []),
    ]


def _write_data(line: _Line) -> list[str]:
    return [
        f"m=application 9 {line.media.protocol} {DATA_FORMAT}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{line.mid}",
        f"a=sctp-port:{sdp_transport.SCTP_PORT}",
        f"a=max-message-size:{sdp_transport.MAX_DATA_MESSAGE_BYTES}",
    ]


def _write_rejected(line: _Line) -> list[str]:
    return [
        f"m={line.media.kind} 0 {line.media.protocol} {line.media.formats[0]}",
        "c=IN IP4 0.0.0.0",
        *([] if line.mid is None else [f"a=mid:{line.mid}"]),
        "a=inactive",
    ]
