import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtp, vp9
from sfu.wire.vp9 import PatternPicture, ScalabilityStructure, Vp9Descriptor
from tests.sfu.wire.captured import capture
from tests.support.layering import vp9_descriptor

FRAME = "82 4983"


def described(payload: str) -> Vp9Descriptor:
    descriptor = vp9.parse(bytes.fromhex(payload))
    assert descriptor is not None
    return descriptor


def test_a_descriptor_may_say_almost_nothing() -> None:
    assert described("0c" + FRAME) == Vp9Descriptor(
        None, 0, False, False, True, True, False, None, False, None, False, None, (), None, 1
    )


def test_reads_every_field_of_a_non_flexible_picture() -> None:
    descriptor = described("e9 9234 55 07" + FRAME)
    assert (descriptor.picture_id, descriptor.picture_id_bits, descriptor.length) == (0x1234, 15, 5)
    assert (descriptor.temporal_id, descriptor.spatial_id, descriptor.tl0_picture_index) == (2, 2, 7)
    assert (descriptor.switching_up, descriptor.inter_layer) == (True, True)
    assert (descriptor.inter_picture, descriptor.start_of_frame, descriptor.end_of_frame) == (True, True, False)
    assert descriptor.not_for_upper_layers and not descriptor.flexible


def test_reads_references_of_a_flexible_picture() -> None:
    descriptor = described("fc 11 20 03 09 0c" + FRAME)
    assert (descriptor.picture_id, descriptor.picture_id_bits, descriptor.flexible) == (0x11, 7, True)
    assert (descriptor.temporal_id, descriptor.tl0_picture_index) == (1, None)
    assert (descriptor.differences, descriptor.length) == ((1, 4, 6), 6)


def test_reads_a_scalability_structure() -> None:
    structure = described("ae 11 00 07 38 00a0 005a 0140 00b4 02 04 04 54 01" + FRAME).structure
    assert structure == ScalabilityStructure(
        2, ((160, 90), (320, 180)), (PatternPicture(0, False, (4,)), PatternPicture(2, True, (1,)))
    )


@pytest.mark.parametrize(
    ("payload", "key_frame"),
    [
        ("8c 11", True),
        ("ac 11 00 07", True),
        ("ac 11 04 07", False),  # its upper spatial layers are no beginning
        ("a4 11 00 07", False),  # nor is its second packet
        ("cc 11", False),
    ],
)
def test_knows_where_a_decoder_can_begin(payload: str, key_frame: bool) -> None:
    assert described(payload + FRAME).key_frame is key_frame


@pytest.mark.parametrize(
    "payload",
    [
        "", "0c", "8c", "8c 11", "8c 92", "8c 9234", "ac 11 00", "ac 11 00 07", "dc 11 03", "dc 11 02",
        "dc 11 03 03 03 02" + FRAME,  # a fourth reference
        "0e", "0e 18", "0e 18 00a0 005a", "0e 08 01", "0e 08 01 08 01", "0e 08 ff" + FRAME,
    ],
)  # fmt: skip
def test_gives_nothing_for_a_payload_cut_short_or_against_the_rules(payload: str) -> None:
    assert vp9.parse(bytes.fromhex(payload)) is None


@pytest.mark.parametrize(
    ("payload", "rewritten"),
    [
        ("ac 9234 00 07", "ac fabc 00 de"),
        ("ac 11 00 07", "ac 3c 00 de"),  # seven bits stay seven
        ("ac 8001 00 07", "ac fabc 00 de"),  # fifteen stay fifteen
        ("bc 11 00", "bc 3c 00"),  # flexible: no index
        ("2c 00 07", "2c 00 de"),
        ("0c", "0c"),
    ],
)
def test_rewrites_counters_in_their_own_form(payload: str, rewritten: str) -> None:
    original = bytes.fromhex(payload + FRAME)
    # 0x17abc and 0x1de are reduced to 15 (or 7) and 8 bits
    assert vp9.rewrite(original, described(payload + FRAME), 0x1FABC, 0x1DE) == bytes.fromhex(rewritten + FRAME)


patterns = st.lists(
    st.builds(
        PatternPicture,
        st.integers(0, 7),
        st.booleans(),
        st.lists(st.integers(0, 255), max_size=3).map(tuple),
    ),
    max_size=255,
).map(tuple)


@st.composite
def structures(draw: st.DrawFn) -> ScalabilityStructure:
    spatial_layers = draw(st.integers(1, 8))
    size = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
    sizes = draw(st.just(()) | st.lists(size, min_size=spatial_layers, max_size=spatial_layers).map(tuple))
    return ScalabilityStructure(spatial_layers, sizes, draw(patterns))


@given(
    picture_id_bits=st.sampled_from((0, 7, 15)),
    picture_id=st.integers(0, 0x7FFF),
    flags=st.tuples(*[st.booleans()] * 5),
    layers=st.none() | st.tuples(st.integers(0, 7), st.integers(0, 7)),
    layer_flags=st.tuples(st.booleans(), st.booleans()),
    tl0_picture_index=st.integers(0, 255),
    differences=st.lists(st.integers(0, 127), min_size=1, max_size=3).map(tuple),
    structure=st.none() | structures(),
)
def test_what_is_built_is_read_and_rewriting_changes_only_the_counters(
    picture_id_bits: int,
    picture_id: int,
    flags: tuple[bool, ...],
    layers: tuple[int, int] | None,
    layer_flags: tuple[bool, bool],
    tl0_picture_index: int,
    differences: tuple[int, ...],
    structure: ScalabilityStructure | None,
) -> None:
    inter_picture, flexible, start, end, not_for_upper_layers = flags
    switching_up, inter_layer = (flag and layers is not None for flag in layer_flags)
    picture_id &= (1 << picture_id_bits) - 1
    header = vp9_descriptor(
        picture_id if picture_id_bits else None,
        picture_id_bits=picture_id_bits,
        inter_picture=inter_picture,
        flexible=flexible,
        start=start,
        end=end,
        not_for_upper_layers=not_for_upper_layers,
        layers=layers,
        switching_up=switching_up,
        inter_layer=inter_layer,
        tl0_picture_index=tl0_picture_index,
        differences=differences if flexible and inter_picture else (),
        structure=structure,
    )
    expected = Vp9Descriptor(
        picture_id if picture_id_bits else None,
        picture_id_bits,
        inter_picture,
        flexible,
        start,
        end,
        not_for_upper_layers,
        None if layers is None else layers[1],
        switching_up,
        None if layers is None else layers[0],
        inter_layer,
        None if flexible or layers is None else tl0_picture_index,
        differences if flexible and inter_picture else (),
        structure,
        len(header),
    )
    parsed = vp9.parse(header + b"frame")
    assert parsed == expected
    assert vp9.parse(header) is None
    rewritten = vp9.rewrite(header + b"frame", parsed, 0x1234, 0x56)
    expected.picture_id = None if not picture_id_bits else 0x1234 & (1 << picture_id_bits) - 1
    expected.tl0_picture_index = None if expected.tl0_picture_index is None else 0x56
    assert vp9.parse(rewritten) == expected
    assert rewritten[len(header) :] == b"frame"


def video(name: str) -> list[tuple[rtp.RtpHeader, bytes, Vp9Descriptor]]:
    source = capture(name)
    packets = []
    for packet in source.of_kind("rtp"):
        header = rtp.parse(packet)
        payload = packet[header.payload_offset : header.payload_end]
        if header.payload_type == source.payload_types["VP9"] and payload:
            descriptor = vp9.parse(payload)
            assert descriptor is not None
            packets.append((header, payload, descriptor))
    return packets


def test_reads_three_simulcast_layers_of_chromium() -> None:
    layers = capture("chromium-vp9-simulcast")
    packets = video("chromium-vp9-simulcast")
    sizes = {layers.rids[h.ssrc]: d.structure.sizes for h, _, d in packets if d.key_frame and d.structure}
    assert sizes == {"q": ((160, 90),), "h": ((320, 180),), "f": ((640, 360),)}
    assert {(d.spatial_id, d.temporal_id) for _, _, d in packets} == {(0, 0), (0, 1), (0, 2)}


def test_reads_three_spatial_layers_of_chromium() -> None:
    packets = video("chromium-vp9-l3t3-key")
    assert {(d.spatial_id, d.temporal_id) for _, _, d in packets} == {(s, t) for s in range(3) for t in range(3)}
    for header, _, descriptor in packets:
        # Flexible mode: references are differences of picture ids. Only key pictures depend on the layer below.
        assert descriptor.flexible and descriptor.tl0_picture_index is None
        assert (descriptor.differences == ()) is not descriptor.inter_picture
        assert descriptor.inter_layer is (not descriptor.inter_picture and descriptor.spatial_id != 0)
        assert header.marker <= descriptor.end_of_frame


@pytest.mark.parametrize("name", ["chromium-vp9-simulcast", "chromium-vp9-l3t3-key"])
def test_rewriting_with_its_own_counters_changes_nothing(name: str) -> None:
    for _, payload, descriptor in video(name):
        same = vp9.rewrite(payload, descriptor, descriptor.picture_id or 0, descriptor.tl0_picture_index or 0)
        assert same == payload
