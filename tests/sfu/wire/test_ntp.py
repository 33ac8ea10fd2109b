import pytest

from sfu.wire.ntp import ntp_from_unix, ntp_middle32


@pytest.mark.parametrize(
    ("unix_s", "ntp"),
    [
        (0.0, 2_208_988_800 << 32),
        (0.5, (2_208_988_800 << 32) + (1 << 31)),
        (-2_208_988_800.0, 0),
        (2_085_978_496.0, 0),  # the wrap of February 2036
        (2_085_978_496.25, 1 << 30),
    ],
)
def test_counts_from_1900_with_32_bits_of_fraction(unix_s: float, ntp: int) -> None:
    assert ntp_from_unix(unix_s) == ntp


def test_middle_bits_are_16_of_seconds_and_16_of_fraction() -> None:
    assert ntp_middle32(0x1234_5678_9ABC_DEF0) == 0x5678_9ABC
