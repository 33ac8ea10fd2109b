import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire import rtcp
from sfu.wire.feedback import Nack, ReceiverEstimate
from sfu.wire.serial import forward_distance


def pairs(nack: Nack) -> list[str]:
    packed = nack.pack()[12:].hex()
    return [packed[i : i + 8] for i in range(0, len(packed), 8)]


@pytest.mark.parametrize(
    ("sequence_numbers", "packed"),
    [
        ([7], ["00070000"]),
        ([7, 8], ["00070001"]),
        ([7, 23], ["00078000"]),
        ([7, 24], ["00070000", "00180000"]),
        ([8, 7, 8], ["00070001"]),  # sorted, without repeats
        (list(range(100, 117)), ["0064ffff"]),
        (list(range(100, 118)), ["0064ffff", "00750000"]),
        ([0, 65535], ["ffff0001"]),  # in order across the wrap
        ([65534, 1, 65535, 0], ["fffe0007"]),
        ([65520, 0], ["fff08000"]),
        ([65536 + 3, 2], ["00020001"]),  # unwrapped numbers will do
        ([-1, 0], ["ffff0001"]),
    ],
)
def test_packs_nacks_into_few_pairs(sequence_numbers: list[int], packed: list[str]) -> None:
    assert pairs(Nack(1, 2, tuple(sequence_numbers))) == packed


@given(st.sets(st.integers(0, 0xFFFF), min_size=1, max_size=100))
def test_a_nack_asks_for_exactly_its_numbers(sequence_numbers: set[int]) -> None:
    (parsed,) = rtcp.parse(Nack(1, 2, tuple(sequence_numbers)).pack()).packets
    assert isinstance(parsed, Nack)
    assert set(parsed.sequence_numbers) == sequence_numbers
    assert len(parsed.sequence_numbers) == len(sequence_numbers)


@given(st.integers(0, 0xFFFF), st.lists(st.integers(0, 0x7FFF), min_size=1, max_size=100, unique=True))
def test_a_nack_is_in_serial_order_wherever_it_starts(start: int, offsets: list[int]) -> None:
    numbers = tuple((start + offset) & 0xFFFF for offset in offsets)
    (parsed,) = rtcp.parse(Nack(1, 2, numbers).pack()).packets
    assert isinstance(parsed, Nack)
    assert [forward_distance(start, number) for number in parsed.sequence_numbers] == sorted(offsets)


@given(st.integers(0, (1 << 64) - 1))
def test_estimates_keep_18_significant_bits(bitrate_bps: int) -> None:
    (parsed,) = rtcp.parse(ReceiverEstimate(1, bitrate_bps, ()).pack()).packets
    assert isinstance(parsed, ReceiverEstimate)
    assert parsed.bitrate_bps <= bitrate_bps
    assert bitrate_bps - parsed.bitrate_bps <= bitrate_bps >> 17
