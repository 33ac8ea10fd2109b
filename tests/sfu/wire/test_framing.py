import pytest

from sfu.wire import framing
from sfu.wire.errors import MalformedRtcp
from sfu.wire.framing import Block


@pytest.mark.parametrize(
    ("body", "packed"),
    [
        ("", "81cd0000"),
        ("aabbccdd", "81cd0001 aabbccdd"),
        ("aabbcc", "a1cd0001 aabbcc 01"),
        ("aabb", "a1cd0001 aabb 0002"),
        ("aa", "a1cd0001 aa 000003"),
    ],
)
def test_pads_a_body_to_whole_words_and_says_so(body: str, packed: str) -> None:
    framed = framing.frame(205, 1, bytes.fromhex(body))
    assert framed == bytes.fromhex(packed)
    (block,) = framing.blocks(framed)
    assert (block.packet_type, block.count_or_format) == (205, 1)
    assert framing.unpadded(block) == bytes.fromhex(body)


def test_walks_a_compound_by_its_lengths() -> None:
    compound = bytes.fromhex("80c90001 00000001 a1ce0001 0000aa02 bfff0000")
    assert list(framing.blocks(compound)) == [
        Block(201, 0, False, bytes.fromhex("00000001")),
        Block(206, 1, True, bytes.fromhex("0000aa02")),
        Block(255, 31, True, b""),
    ]


@pytest.mark.parametrize("tail", ["80", "80c900", "80c90001", "80c90001 000000", "40c90000", "c0c90000"])
def test_gives_what_stands_before_a_bad_header(tail: str) -> None:
    walk = framing.blocks(bytes.fromhex("80c90001 00000001" + tail))
    assert next(walk).packet_type == 201
    with pytest.raises(MalformedRtcp):
        next(walk)


@pytest.mark.parametrize("body", ["", "00000000", "00000005"])
def test_refuses_padding_that_cannot_be(body: str) -> None:
    with pytest.raises(MalformedRtcp):
        framing.unpadded(Block(201, 0, True, bytes.fromhex(body)))
