import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire.serial import Unwrapper, forward_distance, is_newer


@pytest.mark.parametrize(
    ("values", "unwrapped"),
    [
        ([5], [5]),
        ([65534, 65535, 0, 1], [65534, 65535, 65536, 65537]),
        ([65535, 1, 0], [65535, 65537, 65536]),  # reordered across the wrap
        ([1, 65535], [1, -1]),  # late, from before the first
        ([0, 32767], [0, 32767]),
        ([0, 32768], [0, -32768]),  # exactly half: behind
        ([0, 32767, 65534, 65533], [0, 32767, 65534, 65533]),
        ([10, 10, 9, 11], [10, 10, 9, 11]),
    ],
)
def test_unwraps_relative_to_the_highest(values: list[int], unwrapped: list[int]) -> None:
    unwrapper = Unwrapper()
    assert [unwrapper.unwrap(value) for value in values] == unwrapped
    assert unwrapper.highest == max(unwrapped)


def test_has_no_highest_before_the_first() -> None:
    assert Unwrapper().highest is None


@given(st.sampled_from([7, 8, 15, 16, 24, 32]), st.integers(0, 1 << 40), st.lists(st.integers(0, 20), max_size=200))
def test_restores_any_stream_reordered_by_less_than_half_the_space(bits: int, start: int, delays: list[int]) -> None:
    # Number n is sent in slot n and arrives `delay` slots later; a delay of 20 is within half of even 7 bits.
    arrived = [number for _, number in sorted((n + delay, n) for n, delay in enumerate(delays, start))]
    unwrapper = Unwrapper(bits)
    space = 1 << bits
    unwrapped = [unwrapper.unwrap(number % space) for number in arrived]
    offset = arrived[0] - arrived[0] % space if arrived else 0
    assert unwrapped == [number - offset for number in arrived]


@pytest.mark.parametrize(
    ("a", "b", "bits", "distance", "newer"),
    [
        (1, 2, 16, 1, True),
        (2, 1, 16, 65535, False),
        (65535, 0, 16, 1, True),
        (7, 7, 16, 0, False),
        (0, 0x7FFF, 16, 0x7FFF, True),
        (0, 0x8000, 16, 0x8000, False),  # exactly half: neither is newer
        (0x8000, 0, 16, 0x8000, False),
        (0xFFFF_FFF0, 0x10, 32, 0x20, True),
        (0x7F, 0, 7, 1, True),
    ],
)
def test_orders_the_shorter_way_round(a: int, b: int, bits: int, distance: int, newer: bool) -> None:
    assert forward_distance(a, b, bits) == distance
    assert is_newer(b, a, bits) is newer


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_of_two_different_numbers_one_is_newer_unless_half_apart(a: int, b: int) -> None:
    if a != b and forward_distance(a, b) != 0x8000:
        assert is_newer(a, b) is not is_newer(b, a)
    else:
        assert not is_newer(a, b) and not is_newer(b, a)
