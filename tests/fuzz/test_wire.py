"""No bytes from the network make a parser do anything but return a value or raise the error it documents."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from sfu.wire import av1, demux, dependency_descriptor, extensions, h264, red, rtcp, rtp, rtx, tap, twcc, vp8, vp9
from sfu.wire.errors import MalformedRtcp, MalformedRtp, MalformedTapFrame
from sfu.wire.rtcp import SourceDescription
from tests.sfu.wire.captured import LAYERED_NAMES, capture, captures

SEED = 20
ROUNDS = 4000


def _rtp(datagram: bytes) -> None:
    header = rtp.parse(datagram)
    assert 12 <= header.payload_offset <= header.payload_end <= len(datagram)
    assert all(1 <= number <= 255 for number in header.extensions)


def _extensions(datagram: bytes) -> None:
    for profile in (0xBEDE, 0x1000, 0x100F, 0x2000):
        elements = extensions.parse(profile, datagram)
        assert sum(map(len, elements.values())) <= len(datagram)


def _rtcp(datagram: bytes) -> None:
    parsed = rtcp.parse(datagram)
    assert parsed.malformed <= len(datagram) // 4 + 1
    for packet in parsed.packets:
        try:
            packed = packet.pack()
        except ValueError:
            assert isinstance(packet, SourceDescription)  # bytes replaced by U+FFFD, three bytes each, no longer fit
            continue
        assert rtcp.parse(packed).malformed == 0


def _transport_feedback(datagram: bytes) -> None:
    feedback = twcc.parse(datagram)
    assert 0 < len(feedback.packets) <= twcc.MAX_STATUSES


def _vp8(datagram: bytes) -> None:
    descriptor = vp8.parse(datagram)
    if descriptor is not None:
        assert 0 < descriptor.length < len(datagram)
        assert len(vp8.rewrite(datagram, descriptor, 0x1234, 0x56)) == len(datagram)


def _tap(datagram: bytes) -> None:
    frame = tap.parse(b"\x01" + datagram)
    assert tap.HEADER_BYTES + len(frame.body) == len(datagram) + 1
    tap.parse_clock(frame.body)


def _vp9(datagram: bytes) -> None:
    descriptor = vp9.parse(datagram)
    if descriptor is not None:
        assert 0 < descriptor.length < len(datagram)
        assert len(vp9.rewrite(datagram, descriptor, 0x1234, 0x56)) == len(datagram)


def _red(datagram: bytes) -> None:
    payload_type = datagram[0] & 0x7F if datagram else 0
    found = red.read(datagram, payload_type)
    if found is not None:
        assert 0 < found.primary_at <= len(datagram)
        assert red.rename(datagram, payload_type) == datagram


def _dependency_descriptor(datagram: bytes) -> None:
    structure = None
    for value in (datagram[:60], datagram[60:90], datagram[1:40]):
        descriptor = dependency_descriptor.parse(value, structure)
        if descriptor is not None:
            structure = descriptor.structure
            assert len(structure.templates) <= dependency_descriptor.MOST_TEMPLATES
            assert descriptor.frame.spatial_id < dependency_descriptor.MOST_SPATIAL_LAYERS
            assert descriptor.switches_to < dependency_descriptor.MOST_TEMPORAL_LAYERS
            assert len(dependency_descriptor.rewrite(value, 1 << 20)) == len(value)


PARSERS: dict[str, tuple[Callable[[bytes], object], tuple[type[Exception], ...]]] = {
    "demux": (demux.classify, ()),
    "rtp": (_rtp, (MalformedRtp,)),
    "extensions": (_extensions, (MalformedRtp,)),
    "audio level": (extensions.parse_audio_level, (MalformedRtp,)),
    "capture time": (extensions.parse_capture_time, (MalformedRtp,)),
    "orientation": (extensions.parse_orientation, (MalformedRtp,)),
    "rtx": (rtx.unwrap, (MalformedRtp,)),
    "red": (_red, ()),
    "rtcp": (_rtcp, ()),
    "transport feedback": (_transport_feedback, (MalformedRtcp,)),
    "vp8": (_vp8, ()),
    "tap": (_tap, (MalformedTapFrame,)),
    "vp9": (_vp9, ()),
    "h264": (h264.is_key_frame, ()),
    "av1": (av1.is_key_frame, ()),
    "dependency descriptor": (_dependency_descriptor, ()),
}


def mutated(datagram: bytes, random: Random) -> bytes:
    """Cut, lengthened, or with some bytes and bits changed: mostly near the front, where the lengths are."""
    out = bytearray(datagram)
    for _ in range(random.randint(1, 4)):
        position = random.randrange(min(len(out), random.choice((4, 32, 2000)))) if out else 0
        match random.randrange(5):
            case 0:
                del out[position:]
            case 1:
                out += random.randbytes(random.randrange(9))
            case 2 if out:
                out[position] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 3 if out:
                out[position] ^= 1 << random.randrange(8)
            case _:
                out[position:position] = random.randbytes(random.randrange(5))
    return bytes(out)


@pytest.mark.parametrize("name", PARSERS)
def test_random_bytes_do_no_harm(name: str) -> None:
    parse, documented = PARSERS[name]
    random = Random(SEED)
    for _ in range(ROUNDS):
        datagram = random.randbytes(random.choice((0, 1, 2, 3, 4, 8, 12, 20, 40, 100)))
        try:
            parse(datagram)
        except documented:
            pass
        except Exception as error:
            error.add_note(f"with {datagram.hex()}")
            raise


@pytest.mark.parametrize("name", PARSERS)
def test_spoilt_captures_do_no_harm(name: str) -> None:
    parse, documented = PARSERS[name]
    random = Random(SEED)
    sources = [*captures(), *map(capture, LAYERED_NAMES)]
    packets = [captured.packet for source in sources for captured in source.packets]
    payloads = [packet[20:] for packet in packets]
    descriptor_ids = {source.extension_ids.dependency_descriptor for source in sources} - {0}
    payloads += [
        value
        for packet in packets
        if packet[0] >> 6 == 2 and not 192 <= packet[1] <= 223
        for number, value in rtp.parse(packet).extensions.items()
        if number in descriptor_ids and len(value) > 3
    ]
    for _ in range(ROUNDS):
        datagram = mutated(random.choice(random.choice((packets, payloads))), random)
        try:
            parse(datagram)
        except documented:
            pass
        except Exception as error:
            error.add_note(f"with {datagram.hex()}")
            raise
