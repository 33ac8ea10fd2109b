"""Remotes for tests of the plane: they encrypt what they send, decrypt what they get, and make up media.

A `Remote` is the far end of one Transport. A `VideoSource` writes VP8 as a browser would: frames of several packets
with picture ids, TL0PICIDX and temporal layers. Nothing here uses the plane's own code, `wire` apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from pylibsrtp import Policy, Session

from sfu.core.types import Codec, PayloadFormat
from sfu.plane.interface import Datagram, Path, SlotSpec, SrtpKeys, TrackSpec
from sfu.wire import extensions, rtp, rtx
from sfu.wire.extensions import ExtensionIds

PROFILES = {
    "SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "SRTP_AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}
GCM = "SRTP_AEAD_AES_128_GCM"

# Different on purpose: what is copied instead of translated shows.
PUBLISHER_IDS = ExtensionIds(
    mid=1, rid=2, repaired_rid=3, abs_send_time=4, transport_cc=5, audio_level=6, video_orientation=7,
    playout_delay=8, dependency_descriptor=9,
)  # fmt: skip
SUBSCRIBER_IDS = ExtensionIds(
    mid=9, abs_send_time=3, transport_cc=2, audio_level=11, video_orientation=12, playout_delay=13,
    dependency_descriptor=14,
)  # fmt: skip

VP8 = PayloadFormat(96, Codec.VP8, 90000)
VP8_RTX = PayloadFormat(97, Codec.VP8, 90000, repairs=96)
H264 = PayloadFormat(102, Codec.H264, 90000)
H264_RTX = PayloadFormat(103, Codec.H264, 90000, repairs=102)
VP9 = PayloadFormat(98, Codec.VP9, 90000)
VP9_RTX = PayloadFormat(99, Codec.VP9, 90000, repairs=98)
AV1 = PayloadFormat(45, Codec.AV1, 90000)
AV1_RTX = PayloadFormat(46, Codec.AV1, 90000, repairs=45)
OPUS = PayloadFormat(111, Codec.OPUS, 48000)
RED = PayloadFormat(63, Codec.RED, 48000)

VIDEO = TrackSpec("0", "video", (VP8, VP8_RTX, H264, H264_RTX))
SIMULCAST = TrackSpec("0", "video", (VP8, VP8_RTX, H264, H264_RTX), rids=("q", "h", "f"))
ANY_VIDEO = TrackSpec("0", "video", (VP8, VP8_RTX, H264, H264_RTX, VP9, VP9_RTX, AV1, AV1_RTX))
AUDIO = TrackSpec("1", "audio", (OPUS,))
REDUNDANT_AUDIO = TrackSpec("1", "audio", (RED, OPUS))


def video_slot(ssrc: int = 7000, mid: str = "v0", *, rtx: bool = True, first_sequence_number: int = 100) -> SlotSpec:
    codecs = (Codec.VP8, Codec.H264, Codec.VP9, Codec.AV1)
    payload_types = {codec: (120 + 2 * at, 121 + 2 * at if rtx else None) for at, codec in enumerate(codecs)}
    return SlotSpec(
        mid, "video", 90000, ssrc, ssrc + 1 if rtx else None, payload_types, first_sequence_number, first_timestamp=5000
    )


def audio_slot(ssrc: int = 8000, mid: str = "a0", *, red: int | None = None) -> SlotSpec:
    """`red`: its payload type of RED."""
    payload_types: dict[Codec, tuple[int, int | None]] = {Codec.OPUS: (109, None)}
    if red is not None:
        payload_types[Codec.RED] = red, None
    return SlotSpec(mid, "audio", 48000, ssrc, None, payload_types, 200, first_timestamp=9000)


@dataclass
class Received:
    """An RTP packet as a subscriber sees it: decrypted, its extensions by the names of SUBSCRIBER_IDS."""

    header: rtp.RtpHeader
    payload: bytes
    path: Path

    @property
    def number(self) -> int:
        return self.header.sequence_number

    @property
    def timestamp(self) -> int:
        return self.header.timestamp

    def element(self, name: str) -> bytes | None:
        return self.header.extensions.get(getattr(SUBSCRIBER_IDS, name))


class Remote:
    """The far end of a Transport: its address, and both SRTP directions."""

    def __init__(self, path: Path, profile: str = GCM, seed: int = 1) -> None:
        self.path = path
        policy, key_length = PROFILES[profile]
        draw = random.Random(seed * 7919 + path.port)
        self._to_plane, self._from_plane = draw.randbytes(key_length), draw.randbytes(key_length)
        self.keys = SrtpKeys(profile, receive_key=self._to_plane, send_key=self._from_plane)
        self._outbound = _session(policy, self._to_plane, Policy.SSRC_ANY_OUTBOUND)
        self._inbound = _session(policy, self._from_plane, Policy.SSRC_ANY_INBOUND)

    def protect(self, packet: bytes) -> Datagram:
        return Datagram(self._outbound.protect(packet), self.path)

    def protect_rtcp(self, compound: bytes) -> Datagram:
        return Datagram(self._outbound.protect_rtcp(compound), self.path)

    def open(self, datagram: Datagram) -> Received:
        """Raises pylibsrtp.Error when it is not for this remote, or a repeat."""
        packet = self._inbound.unprotect(datagram.payload)
        header = rtp.parse(packet)
        return Received(header, packet[header.payload_offset : header.payload_end], datagram.path)

    def open_all(self, datagrams: list[Datagram]) -> list[Received]:
        return [self.open(datagram) for datagram in datagrams if datagram.path == self.path]

    def open_rtcp(self, datagram: Datagram) -> bytes:
        compound: bytes = self._inbound.unprotect_rtcp(datagram.payload)
        return compound


def _session(profile: int, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile)
    policy.window_size = 2048
    return Session(policy)


def vp8_payload(
    picture_id: int,
    tl0: int,
    *,
    temporal_id: int = 0,
    sync: bool = False,
    key: bool = False,
    start: bool = True,
    size: int = 30,
    bits: int = 15,
) -> bytes:
    """A VP8 payload with all descriptor fields, `size` bytes of bitstream behind it, the id as its filling."""
    first = 0x90 if start else 0x80
    ids = bytes((0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF)) if bits == 15 else bytes((picture_id & 0x7F,))
    descriptor = bytes((first, 0xE0)) + ids + bytes((tl0 & 0xFF, temporal_id << 6 | sync << 5))
    frame_tag = 0x10 if key or not start else 0x11
    return descriptor + bytes((frame_tag,)) + bytes((picture_id & 0xFF,)) * (size - 1)


def media_packet(
    form: PayloadFormat,
    number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    *,
    marker: bool = False,
    transport_number: int | None = None,
    mid: str | None = None,
    rid: str | None = None,
    repaired_rid: str | None = None,
    more: tuple[tuple[int, bytes], ...] = (),
    padding: int = 0,
) -> bytes:
    """An RTP packet with the publisher's extensions; `more` are further elements by PUBLISHER_IDS."""
    ids = PUBLISHER_IDS
    elements = list(more)
    if transport_number is not None:
        elements.append((ids.transport_cc, (transport_number & 0xFFFF).to_bytes(2, "big")))
    for extension_id, text in ((ids.mid, mid), (ids.rid, rid), (ids.repaired_rid, repaired_rid)):
        if text is not None:
            elements.append((extension_id, text.encode()))
    return rtp.build(
        payload_type=form.payload_type,
        sequence_number=number & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        ssrc=ssrc,
        payload=payload,
        marker=marker,
        extension=extensions.pack(elements),
        padding=padding,
    )


@dataclass
class VideoSource:
    """One VP8 layer: `frame()` gives the packets of the next picture, in order."""

    ssrc: int
    mid: str = "0"
    rid: str | None = None
    next_number: int = 1000
    next_timestamp: int = 50_000
    next_picture_id: int = 300
    tl0: int = 20
    ticks_per_frame: int = 3000
    bits: int = 15
    packets: dict[int, bytes] = field(default_factory=dict)  # plain, by sequence number

    def frame(self, packets: int = 1, *, key: bool = False, temporal_id: int = 0, sync: bool = False) -> list[bytes]:
        if temporal_id == 0:
            self.tl0 += 1
        made = []
        for index in range(packets):
            payload = vp8_payload(
                self.next_picture_id,
                self.tl0,
                temporal_id=temporal_id,
                sync=sync,
                key=key,
                start=index == 0,
                bits=self.bits,
            )
            made.append(self._packet(payload, marker=index == packets - 1))
        self.next_picture_id += 1
        self.next_timestamp += self.ticks_per_frame
        return made

    def padding(self) -> bytes:
        """A packet on the media SSRC that carries nothing but a number."""
        return self._packet(b"", padding=100)

    def repair(
        self,
        number: int,
        rtx_number: int,
        rtx_ssrc: int,
        payload_type: PayloadFormat = VP8_RTX,
        more: tuple[tuple[int, bytes], ...] = (),
    ) -> bytes:
        """The packet with this number once more, by RTX; `more`: further elements."""
        header = rtp.parse(self.packets[number])
        payload = rtx.wrap(self.packets[number][header.payload_offset : header.payload_end], number & 0xFFFF)
        return media_packet(
            payload_type, rtx_number, header.timestamp, rtx_ssrc, payload,
            marker=header.marker, mid=self.mid, repaired_rid=self.rid, more=more,
        )  # fmt: skip

    def _packet(self, payload: bytes, *, marker: bool = False, padding: int = 0) -> bytes:
        number = self.next_number
        self.next_number += 1
        packet = media_packet(
            VP8, number, self.next_timestamp, self.ssrc, payload,
            marker=marker, mid=self.mid, rid=self.rid, padding=padding,
        )  # fmt: skip
        self.packets[number] = packet
        return packet


def opus_packet(number: int, timestamp: int, ssrc: int = 400, level: int = 30, mid: str = "1") -> bytes:
    return media_packet(
        OPUS,
        number,
        timestamp,
        ssrc,
        b"\x78" + bytes(60),
        mid=mid,
        more=((PUBLISHER_IDS.audio_level, bytes((level,))),),
    )
