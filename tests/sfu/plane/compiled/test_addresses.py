"""Addresses in their compiled form."""

from __future__ import annotations

import pytest

from sfu.plane.compiled import addresses
from sfu.plane.interface import Path


@pytest.mark.parametrize(
    "path",
    [
        Path(0, "127.0.0.1", 5000),
        Path(65535, "255.255.255.255", 65535),
        Path(1, "::1", 1),
        Path(2, "2001:db8::1:0:0:7", 40000),
        Path(0, "fe80::1%lo", 9),
        Path(0, "fe80::1%4000000000", 9),  # of an interface that is no more
    ],
)
def test_comes_back_as_it_was(path: Path) -> None:
    packed = addresses.pack(path)
    assert len(packed) == 32
    assert addresses.unpack(packed) == path


def test_names_are_not_addresses() -> None:
    for host in ("localhost", "1.2.3", "", "::g"):
        with pytest.raises(OSError):
            addresses.pack(Path(0, host, 1))
