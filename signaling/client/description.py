"""The client's side of SDP: its publish offer and the answer to it, the server's subscribe offer and our answer.

Writes only what this client does (one codec per m-line, rids or SSRCs, BUNDLE of all), and reads of the server's
descriptions what it needs. Parsing is the server's (sdp*.py); ProtocolError means a description that is not SDP.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfu.control import Candidate, Fingerprint, IceParameters, SsrcGroup, TransportOpened
from sfu.core.types import Codec, Kind
from sfu.wire.extensions import URIS, ExtensionIds
from signaling import sdp, sdp_extensions, sdp_formats, sdp_streams, sdp_transport
from signaling.client.endpoint import RemoteEndpoint
from signaling.sdp_extensions import Extension, Numbering
from signaling.sdp_formats import AcceptedFormat

# Unlike the server's own numbers on purpose: what a subscriber gets must never depend on what a publisher chose.
PAYLOAD_TYPES: dict[Kind, dict[Codec, tuple[int, int | None]]] = {
    "audio": {Codec.OPUS: (109, None)},
    "video": {Codec.VP8: (120, 124), Codec.H264: (126, 127)},
}
EXTENSIONS = ExtensionIds(
    mid=7, rid=10, repaired_rid=11, abs_send_time=8, transport_cc=9, audio_level=1, video_orientation=12
)
# What is sent to us that we can read.
_UNDERSTOOD: dict[Kind, tuple[str, ...]] = {
    kind: tuple(name for name in names if name != "dependency_descriptor")
    for kind, names in sdp_extensions.SENT.items()
}


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """What our descriptions say of one connection. `session_id` is the number in `o=`."""

    ice: IceParameters
    fingerprint: Fingerprint
    session_id: int


@dataclass(frozen=True, slots=True)
class SentLine:
    """One m-line of the publish offer. `ssrc` and `rtx_ssrc` are written only without `rids`; `active` false:
    the track was unpublished, but its m-line stays."""

    mid: str
    kind: Kind
    codec: Codec
    rids: tuple[str, ...]
    ssrc: int
    rtx_ssrc: int
    active: bool = True


@dataclass(frozen=True, slots=True)
class DataLine:
    """The m-line of the data channels."""

    mid: str


@dataclass(frozen=True, slots=True)
class AnsweredLine:
    """`format` is `None` when the server takes nothing of this m-line."""

    format: AcceptedFormat | None
    rids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    remote: RemoteEndpoint
    extensions: ExtensionIds
    lines: dict[str, AnsweredLine]
    sctp_port: int | None  # None: no data channels


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """One m-line of the server's offer. `sends` is false while its Slot is free."""

    mid: str
    kind: Kind
    sends: bool
    formats: tuple[AcceptedFormat, ...]
    extensions: tuple[Extension, ...]
    ssrcs: SsrcGroup | None


@dataclass(frozen=True, slots=True)
class ReadOffer:
    remote: RemoteEndpoint
    extensions: ExtensionIds
    lines: tuple[ReceivedLine, ...]


def write_offer(local: LocalEndpoint, version: int, lines: Sequence[SentLine | DataLine]) -> str:
    """The whole current offer of the publish connection; `version` grows by one each time."""
    out = _session(local, version, [line.mid for line in lines])
    for line in lines:
        if isinstance(line, DataLine):
            out += _data(line, local)
            continue
        formats = _own_formats(line)
        out += _media(line.mid, line.kind, formats, local, "actpass")
        out.append("a=sendonly" if line.active else "a=inactive")
        numbers = {URIS[name]: getattr(EXTENSIONS, name) for name in sdp_extensions.RECEIVED[line.kind]}
        out += [f"a=extmap:{number} {uri}" for uri, number in numbers.items() if number]
        out += sdp_formats.write_formats(formats)
        out += _sources(line) if line.active else []
    return sdp.write(out)


def read_answer(text: str) -> ReadAnswer:
    description = sdp.parse(text)
    numbering = Numbering(two_byte_allowed=True)
    lines: dict[str, AnsweredLine] = {}
    extensions: list[Extension] = []
    sctp_port = None
    for media in description.media:
        mid, kind = sdp_streams.read_mid(media), _kind(media)
        if media.kind == "application" and sdp_transport.is_live(media):
            sctp_port = sdp_transport.read_sctp_port(media)
        if mid is None or kind is None:
            continue
        extensions += numbering.take(media, description.session, sdp_extensions.RECEIVED[kind])
        direction = sdp_streams.read_direction(media, description.session)
        formats = sdp_formats.accept_formats(kind, sdp_formats.read_formats(media))
        taken = sdp_transport.is_live(media) and direction.receives and formats
        lines[mid] = AnsweredLine(formats[0] if taken else None, _received_rids(media))
    return ReadAnswer(_remote(description), sdp_extensions.to_ids(extensions), lines, sctp_port)


def read_offer(text: str) -> ReadOffer:
    description = sdp.parse(text)
    numbering = Numbering(two_byte_allowed=description.session.has("extmap-allow-mixed"))
    lines = []
    for media in description.media:
        mid, kind = sdp_streams.read_mid(media), _kind(media)
        if mid is None or kind is None:
            raise sdp.unsupported(media.line, "an m-line without mid, or neither audio nor video")
        lines.append(
            ReceivedLine(
                mid,
                kind,
                sdp_streams.read_direction(media, description.session).sends,
                _known_formats(kind, media),
                numbering.take(media, description.session, _UNDERSTOOD[kind]),
                next(iter(sdp_streams.read_ssrcs(media)), None),
            )
        )
    extensions = sdp_extensions.to_ids(one for line in lines for one in line.extensions)
    return ReadOffer(_remote(description), extensions, tuple(lines))


def write_answer(local: LocalEndpoint, version: int, offer: ReadOffer) -> str:
    """Takes all that was offered and that we know. We open the DTLS handshake when we may choose, as browsers do."""
    setup: sdp_transport.Setup = "active" if offer.remote.dtls_client else "passive"
    out = _session(local, version, [line.mid for line in offer.lines])
    for line in offer.lines:
        out += _media(line.mid, line.kind, line.formats, local, setup)
        out.append("a=recvonly" if line.sends else "a=inactive")
        out += sdp_extensions.write_answered(line.extensions)
        out += sdp_formats.write_formats(line.formats)
    return sdp.write(out)


def _session(local: LocalEndpoint, version: int, mids: list[str]) -> list[str]:
    return [
        "v=0",
        f"o=- {local.session_id} {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
    ]


def _media(
    mid: str, kind: Kind, formats: Iterable[AcceptedFormat], local: LocalEndpoint, setup: sdp_transport.Setup
) -> list[str]:
    """Port 9 and no address: the server is ICE-lite and needs no candidates of ours."""
    numbers = " ".join(sdp_formats.listed_payload_types(formats))
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {numbers}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *_transport(local, setup),
    ]


def _data(line: DataLine, local: LocalEndpoint) -> list[str]:
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{line.mid}",
        f"a=sctp-port:{sdp_transport.SCTP_PORT}",
        f"a=max-message-size:{sdp_transport.MAX_DATA_MESSAGE_BYTES}",
        *_transport(local, "actpass"),
    ]


def _transport(local: LocalEndpoint, setup: sdp_transport.Setup) -> list[str]:
    opened = TransportOpened(call=0, ice=local.ice, fingerprints=[local.fingerprint], candidates=[])
    return sdp_transport.write_transport(opened, setup)


def _known_formats(kind: Kind, media: sdp.Media) -> tuple[AcceptedFormat, ...]:
    """In codecs of which we can put frames together."""
    accepted = sdp_formats.accept_formats(kind, sdp_formats.read_formats(media))
    return tuple(one for one in accepted if one.codec in PAYLOAD_TYPES[kind])


def _own_formats(line: SentLine) -> tuple[AcceptedFormat, ...]:
    every = sdp_formats.own_formats(line.kind, PAYLOAD_TYPES[line.kind])
    return tuple(one for one in every if one.codec is line.codec)


def _sources(line: SentLine) -> list[str]:
    if line.rids:
        return [*(f"a=rid:{rid} send" for rid in line.rids), f"a=simulcast:send {';'.join(line.rids)}"]
    if line.kind == "audio":
        return [f"a=ssrc:{line.ssrc} cname:sfu-python"]
    return [
        f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}",
        f"a=ssrc:{line.ssrc} cname:sfu-python",
        f"a=ssrc:{line.rtx_ssrc} cname:sfu-python",
    ]


def _received_rids(media: sdp.Media) -> tuple[str, ...]:
    """The rids that an answer takes; a rid that it leaves out is not to be sent (RFC 8853 §5.3.2)."""
    words = (attribute.value.split() for attribute in media.every("rid"))
    return tuple(name for name, direction, *_ in words if direction == "recv")


def _remote(description: sdp.Description) -> RemoteEndpoint:
    media = next((media for media in description.media if sdp_transport.is_live(media)), description.media[0])
    transport = sdp_transport.read_transport(media, description.session)
    return RemoteEndpoint(
        transport.ice,
        tuple(_candidates(media)),
        tuple(transport.fingerprints),
        dtls_client=transport.setup != "active",
    )


def _candidates(media: sdp.Media) -> Iterable[Candidate]:
    """UDP candidates with an IP address; others (TCP, names) are not for us."""
    for attribute in media.every("candidate"):
        words = attribute.value.split()
        if len(words) < 6 or words[2].lower() != "udp":
            continue
        try:
            ipaddress.ip_address(words[4])
        except ValueError:
            continue
        port = sdp.number(words[5], attribute.line, 65535)
        yield Candidate(words[4], port, sdp.number(words[3], attribute.line, (1 << 32) - 1))


def _kind(media: sdp.Media) -> Kind | None:
    if media.kind == "audio":
        return "audio"
    return "video" if media.kind == "video" else None
