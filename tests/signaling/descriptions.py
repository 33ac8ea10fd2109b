"""What the tests of negotiation share: captured descriptions, a small one to vary, and our side of a Transport."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sfu.control import Candidate, Fingerprint, IceParameters, TransportOpened
from signaling.negotiation import SlotLine

OFFERS = Path(__file__).with_name("offers")

LOCAL = TransportOpened(
    call=1,
    ice=IceParameters("0abcdefgh", "0123456789abcdefghijklmn"),
    fingerprints=[Fingerprint("sha-256", ":".join(["AB"] * 32))],
    # Browsers in these tests do send checks to it: port 9 of this machine discards them.
    candidates=[Candidate("127.0.0.1", 9, 2130706431), Candidate("::1", 9, 2130706175)],
)

# What the captured answers answer.
LINES = (
    SlotLine("0", "audio", 1000, None, "bob-camera", "TR_1"),
    SlotLine("1", "video", 1002, 1003, "bob-camera", "TR_2"),
    SlotLine("2", "video", 1004, 1005, None, None),
)

FINGERPRINT = "sha-256 " + ":".join(["0F"] * 32)
TRANSPORT = ("a=ice-ufrag:remote", "a=ice-pwd:remoteremoteremoteremote", f"a=fingerprint:{FINGERPRINT}")
OPUS = ("a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1")
VP8 = ("a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96")


def captured(name: str) -> str:
    return (OFFERS / f"{name}.sdp").read_bytes().decode()


def captured_names() -> list[str]:
    return sorted(path.stem for path in OFFERS.glob("*.sdp"))


def section(m_line: str, mid: str | None, *attributes: str, transport: Sequence[str] = TRANSPORT) -> list[str]:
    """One m-line with what every one has; `m_line` as in `video 9 UDP/TLS/RTP/SAVPF 96`."""
    return [
        f"m={m_line}",
        "c=IN IP4 0.0.0.0",
        *transport,
        *([] if mid is None else [f"a=mid:{mid}"]),
        "a=rtcp-mux",
        *attributes,
    ]


def audio(mid: str, *attributes: str, port: int = 9) -> list[str]:
    return section(f"audio {port} UDP/TLS/RTP/SAVPF 111", mid, *OPUS, *(attributes or ("a=sendonly",)))


def video(mid: str, *attributes: str, port: int = 9) -> list[str]:
    return section(f"video {port} UDP/TLS/RTP/SAVPF 96 97", mid, *VP8, *(attributes or ("a=sendonly",)))


def data(mid: str) -> list[str]:
    return section("application 9 UDP/DTLS/SCTP webrtc-datachannel", mid, "a=sctp-port:5000")


def described(*sections: Sequence[str], bundle: str | None = None, session: Sequence[str] = ()) -> str:
    """A whole description; all mids in one group unless `bundle` says otherwise (empty: no group)."""
    lines = [line for one in sections for line in one]
    if bundle is None:
        bundle = " ".join(line.removeprefix("a=mid:") for line in lines if line.startswith("a=mid:"))
    group = [f"a=group:BUNDLE {bundle}"] if bundle else []
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", *group, *session, *lines, ""])


def sections_of(description: str) -> list[list[str]]:
    """The lines of the session, then of each m-line."""
    sections: list[list[str]] = [[]]
    for line in description.removesuffix("\r\n").split("\r\n"):
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    return sections
