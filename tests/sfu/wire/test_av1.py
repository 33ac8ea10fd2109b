import pytest

from sfu.wire import av1


@pytest.mark.parametrize(
    ("payload", "key_frame"),
    [
        ("18 0a0b", True),  # one unit, new sequence
        ("08 020a0b", True),  # lengths in front of every unit
        ("58 0a0b", True),  # the last unit goes on in the next packet
        ("98 0a0b", False),  # begins with the rest of one
        ("10 320b", False),
        ("18", False),  # nothing behind it
        ("", False),
    ],
)
def test_knows_where_a_decoder_can_begin(payload: str, key_frame: bool) -> None:
    assert av1.is_key_frame(bytes.fromhex(payload)) is key_frame
