"""Shared by the tests of answering: one round of negotiation, and how its answer looks at a glance."""

from __future__ import annotations

from signaling.negotiation import Answerer, ReadOffer
from tests.signaling.descriptions import LOCAL, TRANSPORT, section, sections_of

H265 = section("video 9 UDP/TLS/RTP/SAVPF 98", "0", "a=rtpmap:98 H265/90000", "a=sendonly")
DATA = [
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    *TRANSPORT,
    "a=mid:d",
    "a=sctp-port:5001",
]


def receivable(offer: ReadOffer) -> list[str]:
    return [media.mid for media in offer.media if media.sends and media.formats]


def negotiate(answerer: Answerer, text: str, receive: list[str] | None = None) -> tuple[ReadOffer, list[list[str]]]:
    """The offer as read, and the sections of the answer that receives all it can, or just `receive`."""
    offer = answerer.on_offer(text)
    return offer, sections_of(answerer.answer(LOCAL, receive=receivable(offer) if receive is None else receive))


def summary(sections: list[list[str]]) -> list[str]:
    """Port, mid and direction of each m-line."""
    found = []
    for lines in sections[1:]:
        mid = next((line[6:] for line in lines if line.startswith("a=mid:")), "-")
        direction = next((line[2:] for line in lines if line in ("a=recvonly", "a=inactive")), "-")
        found.append(f"{lines[0].split()[1]} {mid} {direction}")
    return found
