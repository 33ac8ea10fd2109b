from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import av1, dependency_descriptor, h264, rtp, vp8
from sfu.wire.dependency_descriptor import DependencyDescriptor, Dti, Structure, Template
from tests.sfu.wire.captured import capture
from tests.support.layering import Bits, put_structure, structure_of, template
from tests.support.layering import dependency_descriptor as built

# The specification's L1T3 and L2T1 (appendix A.11), with the numbering of templates moved on.
L1T3 = structure_of(
    template(0, 0, "SSS", (), (0,)),
    template(0, 0, "SSS", (4,), (4,)),
    template(0, 1, "-DS", (2,), (2,)),
    template(0, 2, "--D", (1,), (1,)),
    template(0, 2, "--D", (1,), (3,)),
    template_id_offset=60,
    chain_count=1,
)
L2T1 = structure_of(
    template(0, 0, "SS"),
    template(0, 0, "SR", (2,)),
    template(1, 0, "-S", (1,)),
    template(1, 0, "-R", (1, 2)),
)


def parsed(value: bytes, structure: Structure | None = None) -> DependencyDescriptor:
    descriptor = dependency_descriptor.parse(value, structure)
    assert descriptor is not None
    return descriptor


def test_a_key_frame_brings_the_structure() -> None:
    descriptor = parsed(built(7, 60, attached=L1T3))
    assert descriptor.structure == L1T3
    assert descriptor.structure.targets == ((0, 0), (0, 1), (0, 2))
    assert descriptor.frame == L1T3.templates[0]
    assert (descriptor.frame_number, descriptor.active_targets) == (7, 0b111)
    assert descriptor.key_frame and descriptor.switches_to == 2


def test_three_bytes_name_a_template_of_it() -> None:
    descriptor = parsed(built(8, 63, end=False), L1T3)
    assert descriptor.frame == L1T3.templates[3]
    assert (descriptor.start_of_frame, descriptor.end_of_frame, descriptor.active_targets) == (True, False, None)
    assert not descriptor.key_frame


def test_numbers_of_templates_wrap() -> None:
    assert parsed(built(8, 64), L1T3).frame == L1T3.templates[4]


@pytest.mark.parametrize(
    ("structure", "index", "switches_to", "inter_picture"),
    [
        (L1T3, 1, 2, True),
        (L1T3, 2, 2, True),  # whoever has the middle layer can have the upper one from here on
        (L1T3, 3, -1, True),
        (L2T1, 0, 0, False),
        (L2T1, 1, 0, True),
        (L2T1, 2, 0, False),  # the layer below is in the same picture
        (L2T1, 3, -1, True),
    ],
)
def test_says_where_one_may_switch(structure: Structure, index: int, switches_to: int, inter_picture: bool) -> None:
    descriptor = parsed(built(1, structure.template_id_offset + index), structure)
    assert (descriptor.switches_to, descriptor.frame.inter_picture) == (switches_to, inter_picture)


def test_a_structure_on_a_frame_that_refers_to_others_makes_no_key_frame() -> None:
    assert not parsed(built(7, 61, attached=L1T3)).key_frame
    assert not parsed(built(7, 60, attached=L1T3, start=False)).key_frame


def test_only_the_frame_number_is_rewritten() -> None:
    value = built(0xFFFE, 60, attached=L1T3)
    rewritten = dependency_descriptor.rewrite(value, 0x10002)
    assert rewritten == built(2, 60, attached=L1T3)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"\xc0", b"\xc0\x00",
        built(1, 62),  # without a structure
    ],
)  # fmt: skip
def test_gives_nothing_without_what_it_needs(value: bytes) -> None:
    assert dependency_descriptor.parse(value, None) is None


def test_gives_nothing_for_a_template_that_is_not_there() -> None:
    assert dependency_descriptor.parse(built(1, 59), L1T3) is None


def test_gives_nothing_for_a_structure_cut_short() -> None:
    value = built(7, 60, attached=L1T3)
    for length in range(3, len(value)):
        assert dependency_descriptor.parse(value[:length], None) is None


@pytest.mark.parametrize("step", [0, 1, 2])
def test_layers_have_an_end(step: int) -> None:
    bits = Bits()
    for value, count in ((0xC00001, 24), (0b10000, 5), (0, 6), (0, 5)):
        bits.put(value, count)
    for _ in range(64):
        bits.put(step, 2)
    assert dependency_descriptor.parse(bits.to_bytes() + bytes(180), None) is None


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    target_count = draw(st.integers(1, 32))
    chain_count = draw(st.integers(0, target_count))
    layers = [(0, 0)]
    for step in draw(st.lists(st.integers(0, 2), max_size=20)):
        spatial_id, temporal_id = layers[-1]
        if step == 1 and temporal_id < 7:
            temporal_id += 1
        elif step == 2 and spatial_id < 3:
            spatial_id, temporal_id = spatial_id + 1, 0
        layers.append((spatial_id, temporal_id))
    templates = [
        Template(
            *layer,
            tuple(draw(st.lists(st.sampled_from(Dti), min_size=target_count, max_size=target_count))),
            tuple(draw(st.lists(st.integers(1, 16), max_size=4))),
            tuple(draw(st.lists(st.integers(0, 15), min_size=chain_count, max_size=chain_count))),
        )
        for layer in layers
    ]
    chains = st.lists(st.integers(0, max(0, chain_count - 1)), min_size=target_count, max_size=target_count)
    sizes = st.tuples(st.integers(1, 0x10000), st.integers(1, 0x10000))
    return Structure(
        draw(st.integers(0, 63)),
        tuple(templates),
        structure_of(*templates).targets,
        chain_count,
        tuple(draw(chains)) if chain_count else (),
        draw(st.just(()) | st.lists(sizes, min_size=layers[-1][0] + 1, max_size=layers[-1][0] + 1).map(tuple)),
    )


@given(data=st.data(), structure=structures(), frame_number=st.integers(0, 0xFFFF))
def test_what_is_built_is_read(data: st.DataObject, structure: Structure, frame_number: int) -> None:
    targets, chains = len(structure.targets), structure.chain_count
    index = data.draw(st.integers(0, len(structure.templates) - 1))
    attached = data.draw(st.booleans())
    active = data.draw(st.none() | st.integers(0, (1 << targets) - 1))
    dtis = data.draw(st.none() | st.lists(st.sampled_from(Dti), min_size=targets, max_size=targets).map(tuple))
    fdiffs = data.draw(st.none() | st.lists(st.integers(1, 4096), max_size=10).map(tuple))
    chain_fdiffs = data.draw(st.none() | st.lists(st.integers(0, 255), min_size=chains, max_size=chains).map(tuple))
    value = built(
        frame_number,
        structure.template_id_offset + index,
        attached=structure if attached else None,
        active_targets=active,
        dtis=dtis,
        fdiffs=fdiffs,
        chain_fdiffs=chain_fdiffs,
        target_count=targets,
    )
    template = structure.templates[index]
    expected = DependencyDescriptor(
        True,
        True,
        frame_number,
        Template(
            template.spatial_id,
            template.temporal_id,
            template.dtis if dtis is None else dtis,
            template.fdiffs if fdiffs is None else fdiffs,
            template.chain_fdiffs if chain_fdiffs is None else chain_fdiffs,
        ),
        structure,
        attached,
        (1 << targets) - 1 if attached and active is None else active,
    )
    assert (
        parsed(value + data.draw(st.sampled_from((b"", b"\0", b"\0\0"))), None if attached else structure) == expected
    )
    for length in range(len(value)):
        cut = dependency_descriptor.parse(value[:length], structure)
        assert cut is None or len(value) > length >= 3


def test_the_builder_writes_what_the_specification_prints() -> None:
    bits = Bits()
    put_structure(bits, L2T1)
    written = (
        "000000 00001"  # offset, targets
        "00 10 00 11"  # layers: the same, the next spatial one, the same, no more
        "1010 1011 0010 0011"  # SS SR -S -R
        "0 100010 100000 10000100010"  # none, 2, 1, 1 and 2
        "0 0"  # no chains, no sizes
    ).replace(" ", "")
    assert bits.to_bytes() == int(written + "0" * (-len(written) % 8), 2).to_bytes((len(written) + 7) // 8, "big")


def described(name: str) -> list[tuple[rtp.RtpHeader, DependencyDescriptor, bytes]]:
    """Of every packet that has one, in the order of arrival."""
    source = capture(name)
    read = []
    structures: dict[int, Structure] = {}
    for packet in source.of_kind("rtp"):
        header = rtp.parse(packet)
        value = header.extensions.get(source.extension_ids.dependency_descriptor)
        if value is not None and header.payload_type != source.payload_types["rtx"]:
            descriptor = dependency_descriptor.parse(value, structures.get(header.ssrc))
            assert descriptor is not None
            structures[header.ssrc] = descriptor.structure
            read.append((header, descriptor, packet[header.payload_offset : header.payload_end]))
    return read


def test_reads_three_spatial_layers_of_chromium() -> None:
    packets = described("chromium-av1-l3t3")
    last = packets[-1][1].structure
    assert last.sizes == ((320, 180), (640, 360), (1280, 720))
    assert last.targets == tuple((spatial_id, temporal_id) for spatial_id in range(3) for temporal_id in range(3))
    assert {(d.frame.spatial_id, d.frame.temporal_id) for _, d, _ in packets} == set(last.targets)
    for header, descriptor, payload in packets:
        assert descriptor.key_frame == av1.is_key_frame(payload)
        assert header.marker <= descriptor.end_of_frame
        if descriptor.frame.temporal_id == 0 and descriptor.frame.spatial_id == 0:
            assert descriptor.switches_to == 2
        elif descriptor.frame.temporal_id == 2:
            assert descriptor.switches_to == -1


@pytest.mark.parametrize(
    ("name", "temporal_layers"),
    [("chromium-vp8-dependency-descriptor", 3), ("chromium-h264", 1), ("chromium-av1-l1t2", 2)],
)
def test_reads_temporal_layers_of_any_codec(name: str, temporal_layers: int) -> None:
    packets = described(name)
    assert {d.frame.temporal_id for _, d, _ in packets} == set(range(temporal_layers))
    assert {d.frame.spatial_id for _, d, _ in packets} == {0}
    keys = [(payload, d) for _, d, payload in packets if d.key_frame]
    assert keys and all(descriptor.structure_attached for _, descriptor in keys)
    assert {"vp8": is_vp8_key, "h264": h264.is_key_frame, "av1": av1.is_key_frame}[name.split("-")[1]](keys[0][0])


def is_vp8_key(payload: bytes) -> bool:
    parsed = vp8.parse(payload)
    return parsed is not None and parsed.key_frame
