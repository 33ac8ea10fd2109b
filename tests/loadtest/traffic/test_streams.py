"""Streams and addresses: what may be asked for."""

from __future__ import annotations

import pytest

from loadtest.traffic import addresses
from loadtest.traffic.streams import MARK_BYTES, SMALLEST_PAYLOAD_BYTES, audio, total_packets_per_s, video


def test_frames_and_packets_make_the_rate() -> None:
    picture, sound = video(1, 96), audio(2, 111)
    assert (picture.frames_per_s, picture.packets_per_s, sound.packets_per_s) == (30.0, 150.0, 50.0)
    assert total_packets_per_s([picture, sound]) == 200.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload_bytes": SMALLEST_PAYLOAD_BYTES - 1},
        {"payload_bytes": 1500},
        {"packets_per_s": 0.0},
        {"packets_per_frame": 65},
    ],
)
def test_what_cannot_be_sent_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"have|has"):
        video(1, 96, **wrong)  # type: ignore[arg-type]


def test_the_smallest_payload_holds_the_mark() -> None:
    assert SMALLEST_PAYLOAD_BYTES > MARK_BYTES


@pytest.mark.parametrize("address", [("127.0.0.1", 5000), ("::1", 65535), ("2001:db8::7", 1)])
def test_addresses_survive_the_kernels_form(address: tuple[str, int]) -> None:
    assert addresses.unpack(addresses.pack(address).ljust(28, b"\0")) == address
