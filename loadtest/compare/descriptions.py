"""SDP towards servers that are not ours: the publisher's offer, the server's offer to a subscriber, and the answers.

Written as plainly as the servers allow: Opus and VP8, streams told apart by SSRC and mid, no RTX, no NACK, no header
extensions. What is not negotiated costs no server anything, so all of them do the same work. Parsing is the server's
(`signaling/sdp*.py`); ProtocolError means a description that is not SDP.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sfu.control import Candidate, Fingerprint, IceParameters
from sfu.core.types import Kind
from signaling import sdp, sdp_streams, sdp_transport
from signaling.client.endpoint import RemoteEndpoint

# What Janus and Pion give them without being asked, so that a publisher's numbers are the subscriber's.
PAYLOAD_TYPES: Final[dict[Kind, int]] = {"audio": 111, "video": 96}
_FORMATS: Final[dict[Kind, str]] = {"audio": "opus/48000/2", "video": "VP8/90000"}


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """What our descriptions say of one connection."""

    ice: IceParameters
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class OfferedStream:
    """One m-line of the server's offer. `ssrc` is `None` when the server does not say it."""

    mid: str
    kind: Kind
    payload_type: int
    ssrc: int | None


@dataclass(frozen=True, slots=True)
class ReadOffer:
    remote: RemoteEndpoint
    streams: tuple[OfferedStream, ...]


def write_offer(local: LocalTransport, ssrcs: dict[Kind, int]) -> str:
    """One sendonly m-line for each kind, in this order."""
    mids = [str(index) for index in range(len(ssrcs))]
    lines = _session(mids)
    for mid, (kind, ssrc) in zip(mids, ssrcs.items(), strict=True):
        lines += _media(local, mid, kind, PAYLOAD_TYPES[kind], "actpass", "sendonly")
        lines += [f"a=msid:loadtest {kind}", f"a=ssrc:{ssrc} cname:loadtest", f"a=ssrc:{ssrc} msid:loadtest {kind}"]
    return sdp.write(lines)


def read_answer(text: str) -> RemoteEndpoint:
    return _remote(sdp.parse(text))


def read_offer(text: str) -> ReadOffer:
    """Where we may choose, the server opens DTLS: Janus loses a handshake that begins before it has seen the end
    of ICE, and a second passes until it is repeated."""
    description = sdp.parse(text)
    return ReadOffer(_remote(description), tuple(_offered(description.media)))


def write_answer(local: LocalTransport, offer: ReadOffer) -> str:
    lines = _session([stream.mid for stream in offer.streams])
    setup: sdp_transport.Setup = "active" if offer.remote.dtls_client else "passive"
    for stream in offer.streams:
        lines += _media(local, stream.mid, stream.kind, stream.payload_type, setup, "recvonly")
    return sdp.write(lines)


def _session(mids: Sequence[str]) -> list[str]:
    return [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=msid-semantic: WMS *",
    ]


def _media(
    local: LocalTransport, mid: str, kind: Kind, payload_type: int, setup: sdp_transport.Setup, direction: str
) -> list[str]:
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        f"a=ice-ufrag:{local.ice.username_fragment}",
        f"a=ice-pwd:{local.ice.password}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
        f"a=setup:{setup}",
        f"a=rtpmap:{payload_type} {_FORMATS[kind]}",
    ]


def _offered(media: Iterable[sdp.Media]) -> Iterator[OfferedStream]:
    for line in media:
        mid = sdp_streams.read_mid(line)
        kind: Kind = "audio" if line.kind == "audio" else "video"
        payload_type = _payload_type(line, _FORMATS[kind])
        if mid is None or payload_type is None:
            raise sdp.unsupported(line.line, f"an m-line without mid, or without {_FORMATS[kind]}")
        ssrc = next((int(attribute.value.split()[0]) for attribute in line.every("ssrc")), None)
        yield OfferedStream(mid, kind, payload_type, ssrc)


def _payload_type(line: sdp.Media, wanted: str) -> int | None:
    for attribute in line.every("rtpmap"):
        number, _, encoding = attribute.value.partition(" ")
        if encoding.lower() == wanted.lower():
            return int(number)
    return None


def _remote(description: sdp.Description) -> RemoteEndpoint:
    first = description.media[0]
    transport = sdp_transport.read_transport(first, description.session)
    return RemoteEndpoint(
        transport.ice,
        tuple(_candidates(first)),
        tuple(transport.fingerprints),
        dtls_client=transport.setup == "passive",
    )


def _candidates(media: sdp.Media) -> Iterator[Candidate]:
    for attribute in media.every("candidate"):
        _, component, protocol, priority, host, port, *_ = attribute.value.split()
        if component == "1" and protocol.lower() == "udp" and ipaddress.ip_address(host).version == 4:
            yield Candidate(host, int(port), int(priority))
