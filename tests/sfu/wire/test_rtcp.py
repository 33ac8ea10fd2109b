import struct

import pytest
from aiortc import rtp as theirs
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtcp
from sfu.wire.rtcp import (
    FullIntraRequest,
    Goodbye,
    Nack,
    ParsedCompound,
    PictureLossIndication,
    ReceiverEstimate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
)
from tests.sfu.wire.captured import Capture, capture, captures

BLOCK = ReportBlock(
    ssrc=0x11111111,
    fraction_lost=0x40,
    packets_lost=-2,
    highest_sequence=0x0001_0005,
    jitter=7,
    lsr=0x5678_9ABC,
    dlsr=0x0001_0000,
)
BLOCK_HEX = "11111111 40fffffe 00010005 00000007 56789abc 00010000"
SENDER = SenderReport(0xAAAAAAAA, 0x1234_5678_9ABC_DEF0, 90000, 3, 400)

# (value, packed)
PACKETS: list[tuple[RtcpPacket, str]] = [
    (SENDER, "80c80006 aaaaaaaa 123456789abcdef0 00015f90 00000003 00000190"),
    (
        SenderReport(0xAAAAAAAA, 0, 0, 0, 0, (BLOCK,)),
        "81c8000c aaaaaaaa 0000000000000000 00000000 00000000 00000000" + BLOCK_HEX,
    ),
    (ReceiverReport(1), "80c90001 00000001"),
    (ReceiverReport(1, (BLOCK, BLOCK)), "82c9000d 00000001" + BLOCK_HEX * 2),
    # Names of 1, 2 and 0 bytes: always at least one zero behind, and up to the next word
    (SourceDescription(1, "a"), "81ca0002 00000001 01016100"),
    (SourceDescription(1, "ab"), "81ca0003 00000001 01026162 00000000"),
    (SourceDescription(1, ""), "81ca0002 00000001 01000000"),
    (Goodbye((1, 2)), "82cb0002 00000001 00000002"),
    (Goodbye(()), "80cb0000"),
    (Nack(1, 2, (5, 6, 21)), "81cd0003 00000001 00000002 00058001"),
    (PictureLossIndication(1, 2), "81ce0002 00000001 00000002"),
    (FullIntraRequest(1, ((2, 7), (3, 255))), "84ce0006 00000001 00000000 00000002 07000000 00000003 ff000000"),
    (ReceiverEstimate(1, 1_000_000, (2, 3)), "8fce0006 00000001 00000000 52454d42 020bd090 00000002 00000003"),
    (
        TransportFeedback(1, 2, 3, 4, 0, ((3, 250),)),
        "afcd0005 00000001 00000002 0003 0001 000000 04 a000 01 01",  # one byte of padding, marked
    ),
]


@pytest.mark.parametrize(("packet", "packed"), PACKETS, ids=lambda value: type(value).__name__)
def test_packs_and_parses(packet: RtcpPacket, packed: str) -> None:
    assert packet.pack().hex() == packed.replace(" ", "")
    assert rtcp.parse(bytes.fromhex(packed)) == ParsedCompound((packet,), 0)


def test_a_compound_is_one_after_the_other() -> None:
    packets = [packet for packet, _ in PACKETS]
    compound = rtcp.pack_compound(packets)
    assert compound.hex() == "".join(packed for _, packed in PACKETS).replace(" ", "")
    assert rtcp.parse(compound) == ParsedCompound(tuple(packets), 0)


def test_nothing_is_an_empty_compound() -> None:
    assert rtcp.parse(b"") == ParsedCompound((), 0)
    assert rtcp.pack_compound([]) == b""


PLI = "81ce0002 00000001 00000002"


@pytest.mark.parametrize(
    "block",
    [
        "80cf0001 00000001",  # XR
        "80cc0002 00000001 41424344",  # APP
        "8bcd0002 00000001 00000002",  # congestion control feedback, RFC 8888
        "83cd0003 00000001 00000002 00000000",  # TMMBR
        "82ce0002 00000001 00000002",  # SLI
        "8fce0003 00000001 00000000 41424344",  # some other application layer feedback
        "8fce0002 00000001 00000000",
        "80ff0000",
    ],
)
def test_skips_types_it_does_not_know(block: str) -> None:
    assert rtcp.parse(bytes.fromhex(block + PLI)) == ParsedCompound((PictureLossIndication(1, 2),), 0)


@pytest.mark.parametrize(
    "block",
    [
        "80c80005 aaaaaaaa 123456789abcdef0 00015f90 00000003",
        "81c80006 aaaaaaaa 123456789abcdef0 00015f90 00000003 00000190",  # one block announced, none there
        "80c90000",
        "81c90001 00000001",
        "81ca0000",
        "81ca0002 00000001 01ff6100",  # item past the end
        "81ca0002 00000001 01026161",  # no zero behind the items
        "82ca0002 00000001 01016100",  # second chunk missing
        "82cb0001 00000001",
        "81cd0002 00000001 00000002",  # NACK of nothing
        "81ce0001 00000001",
        "84ce0002 00000001 00000000",  # FIR for nobody
        "84ce0003 00000001 00000000 00000002",
        "8fce0003 00000001 00000000 52454d42",
        "8fce0004 00000001 00000000 52454d42 010bd090",  # SSRC missing
        "8fce0004 00000001 00000000 52454d42 00ffffff",  # more than 64 bits of bit/s
        "8fcd0002 00000001 00000002",
        "a1ce0002 00000001 00000000",  # padding of no bytes
        "a1ce0002 00000001 000000ff",  # more padding than packet
        "a0c90000",  # padding in an empty packet
    ],
)
def test_counts_a_bad_packet_and_reads_on(block: str) -> None:
    assert rtcp.parse(bytes.fromhex(block + PLI)) == ParsedCompound((PictureLossIndication(1, 2),), 1)


@pytest.mark.parametrize(
    "block",
    [
        "81",
        "81ce00",
        "81ce0003 00000001 00000002",  # longer than what is left
        "41ce0002 00000001 00000002",  # version 1
        "00000000",
    ],
)
def test_stops_at_a_header_that_cannot_be_believed(block: str) -> None:
    assert rtcp.parse(bytes.fromhex(PLI + block)) == ParsedCompound((PictureLossIndication(1, 2),), 1)


@pytest.mark.parametrize(
    ("block", "packet"),
    [
        ("a1ce0003 00000001 00000002 00000004", PictureLossIndication(1, 2)),
        ("a0c90002 00000001 00000004", ReceiverReport(1)),
        ("80c90002 00000001 01020304", ReceiverReport(1)),  # profile extension
        ("80c80007 aaaaaaaa 123456789abcdef0 00015f90 00000003 00000190 01020304", SENDER),
        ("81cb0003 00000001 03627965 00000000", Goodbye((1,))),  # with a reason
        ("81ca0004 00000001 06017801 01790000 00000000", SourceDescription(1, "y")),  # TOOL, then CNAME
        ("81ca0002 00000001 0101ff00", SourceDescription(1, "\N{REPLACEMENT CHARACTER}")),
    ],
)
def test_reads_around_padding_extensions_reasons_and_other_items(block: str, packet: RtcpPacket) -> None:
    assert rtcp.parse(bytes.fromhex(block)) == ParsedCompound((packet,), 0)


def test_reads_few_transport_feedbacks_of_one_compound() -> None:
    feedback = TransportFeedback(1, 2, 3, 4, 0, ((3, None),))
    parsed = rtcp.parse(feedback.pack() * 10 + bytes.fromhex(PLI))
    assert parsed.packets == (feedback,) * rtcp.MAX_TRANSPORT_FEEDBACKS + (PictureLossIndication(1, 2),)
    assert parsed.malformed == 10 - rtcp.MAX_TRANSPORT_FEEDBACKS


def test_reads_every_chunk_and_drops_those_without_a_name() -> None:
    block = "83ca0007 00000001 01016100 00000002 06017800 00000003 01036263 64000000"
    parsed = rtcp.parse(bytes.fromhex(block))
    assert parsed == ParsedCompound((SourceDescription(1, "a"), SourceDescription(3, "bcd")), 0)


def test_what_a_field_cannot_hold_is_saturated_or_wrapped() -> None:
    report = SenderReport(1, 0, 0, (1 << 32) + 5, 1 << 32, (ReportBlock(1, 0, 1 << 30, 0, 0, 0, 0),)).pack()
    (parsed,) = rtcp.parse(report).packets
    assert isinstance(parsed, SenderReport)
    assert (parsed.packet_count, parsed.octet_count) == (5, 0)
    assert parsed.blocks[0].packets_lost == 0x7FFFFF
    least = ReceiverReport(1, (ReportBlock(1, 0, -(1 << 30), 0, 0, 0, 0),))
    (parsed,) = rtcp.parse(least.pack()).packets
    assert isinstance(parsed, ReceiverReport)
    assert parsed.blocks[0].packets_lost == -0x800000


@pytest.mark.parametrize(
    "packet",
    [
        ReceiverReport(1, (BLOCK,) * 32),
        SenderReport(1, 0, 0, 0, 0, (BLOCK,) * 32),
        Goodbye(tuple(range(32))),
        SourceDescription(1, "a" * 256),
        Nack(1, 2, ()),
        ReceiverEstimate(1, 1 << 64, ()),
        ReceiverEstimate(1, 1, tuple(range(256))),
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_refuses_to_pack_what_does_not_fit(packet: RtcpPacket) -> None:
    with pytest.raises(ValueError):
        packet.pack()


word = st.integers(0, 0xFFFF_FFFF)
report_blocks = st.lists(
    st.builds(ReportBlock, word, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), word, word, word, word),
    max_size=31,
).map(tuple)
rtcp_packets = st.one_of(
    st.builds(SenderReport, word, st.integers(0, 0xFFFF_FFFF_FFFF_FFFF), word, word, word, report_blocks),
    st.builds(ReceiverReport, word, report_blocks),
    st.builds(SourceDescription, word, st.text(max_size=60)),
    st.builds(Goodbye, st.lists(word, max_size=31).map(tuple)),
    st.builds(PictureLossIndication, word, word),
    st.builds(FullIntraRequest, word, st.lists(st.tuples(word, st.integers(0, 255)), min_size=1).map(tuple)),
    st.builds(ReceiverEstimate, word, st.integers(0, 0x3FFFF), st.lists(word, max_size=255).map(tuple)),
)


@given(st.lists(rtcp_packets, max_size=8))
def test_parses_any_compound_it_packed(packets: list[RtcpPacket]) -> None:
    assert rtcp.parse(rtcp.pack_compound(packets)) == ParsedCompound(tuple(packets), 0)


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_reads_and_writes_again_what_chromium_sends(capture: Capture) -> None:
    for compound in capture.of_kind("rtcp"):
        parsed = rtcp.parse(compound)
        assert parsed.packets and parsed.malformed == 0
        again = rtcp.pack_compound(parsed.packets)
        if isinstance(parsed.packets[0], TransportFeedback):
            assert rtcp.parse(again) == parsed  # there is more than one way to chunk
        else:
            assert again == compound


def test_knows_all_kinds_in_the_captures() -> None:
    kinds = {
        type(packet) for c in captures() for compound in c.of_kind("rtcp") for packet in rtcp.parse(compound).packets
    }
    assert kinds == {
        SenderReport,
        ReceiverReport,
        SourceDescription,
        Nack,
        PictureLossIndication,
        TransportFeedback,
    }


def test_reads_a_captured_sender_report() -> None:
    compound = next(c for c in capture("chromium-vp8").of_kind("rtcp") if c[1] == 200)
    report, description = rtcp.parse(compound).packets
    assert isinstance(report, SenderReport)
    assert isinstance(description, SourceDescription)
    ntp_time, rtp_timestamp = struct.unpack_from("!QI", compound, 8)
    assert (report.ntp_time, report.rtp_timestamp) == (ntp_time, rtp_timestamp)
    assert report.ssrc == description.ssrc
    assert report.ssrc in capture("chromium-vp8").rids
    assert report.blocks == ()
    assert description.cname == ""  # Chromium tells nobody its canonical name


def test_aiortc_reads_what_we_write() -> None:
    def read(packet: RtcpPacket) -> object:
        (parsed,) = theirs.RtcpPacket.parse(packet.pack())
        return parsed

    their_block = theirs.RtcpReceiverInfo(0x11111111, 0x40, -2, 0x10005, 7, 0x56789ABC, 0x10000)
    their_sender = theirs.RtcpSenderInfo(0x123456789ABCDEF0, 90000, 3, 400)
    assert read(SENDER) == theirs.RtcpSrPacket(0xAAAAAAAA, their_sender, [])
    assert read(ReceiverReport(1, (BLOCK,))) == theirs.RtcpRrPacket(1, [their_block])
    described = theirs.RtcpSourceInfo(ssrc=1, items=[(1, b"ab")])
    assert read(SourceDescription(1, "ab")) == theirs.RtcpSdesPacket([described])
    assert read(Goodbye((1, 2))) == theirs.RtcpByePacket([1, 2])
    # Not across the wrap: aiortc would read 65536 there.
    assert read(Nack(1, 2, (10, 11, 26, 27))) == theirs.RtcpRtpfbPacket(1, 1, 2, [10, 11, 26, 27])
    assert read(PictureLossIndication(1, 2)) == theirs.RtcpPsfbPacket(1, 1, 2)
    estimate = theirs.RtcpPsfbPacket(15, 1, 0, theirs.pack_remb_fci(1_000_000, [2, 3]))
    assert read(ReceiverEstimate(1, 1_000_000, (2, 3))) == estimate


def test_we_read_what_aiortc_writes() -> None:
    block = theirs.RtcpReceiverInfo(0x11111111, 0x40, -2, 0x10005, 7, 0x56789ABC, 0x10000)
    written: list[theirs.AnyRtcpPacket] = [
        theirs.RtcpSrPacket(1, theirs.RtcpSenderInfo(2, 3, 4, 5), [block]),
        theirs.RtcpRrPacket(1, [block, block]),
        theirs.RtcpSdesPacket([theirs.RtcpSourceInfo(1, [(1, b"abc")])]),  # of two chunks it would not pad the first
        theirs.RtcpByePacket([7]),
        theirs.RtcpRtpfbPacket(1, 1, 2, [10, 11, 26, 40]),
        theirs.RtcpPsfbPacket(1, 1, 2),
        theirs.RtcpPsfbPacket(15, 1, 0, theirs.pack_remb_fci(2_500_000, [9])),
    ]
    assert rtcp.parse(b"".join(bytes(packet) for packet in written)) == ParsedCompound(
        (
            SenderReport(1, 2, 3, 4, 5, (BLOCK,)),
            ReceiverReport(1, (BLOCK, BLOCK)),
            SourceDescription(1, "abc"),
            Goodbye((7,)),
            Nack(1, 2, (10, 11, 26, 40)),
            PictureLossIndication(1, 2),
            ReceiverEstimate(1, 2_500_000, (9,)),
        ),
        0,
    )
