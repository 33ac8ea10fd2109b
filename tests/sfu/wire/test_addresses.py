"""How much of an address is written down."""

from __future__ import annotations

import pytest

from sfu.wire.addresses import plain, shortened


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("203.0.113.77", "203.0.113.x"),
        ("::ffff:203.0.113.77", "203.0.113.x"),
        ("2001:db8:1:2::77", "2001:db8:1::x"),
        ("fe80::1%eth0", "fe80::x"),
        ("", "-"),
        ("nonsense", "-"),
    ],
)
def test_addresses_in_logs_name_the_network_only(peer: str, expected: str) -> None:
    assert shortened(peer) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::ffff:203.0.113.77", "203.0.113.77"), ("fe80::1%eth0", "fe80::1"), ("2001:DB8::1", "2001:db8::1"), ("x", "x")],
)
def test_one_address_is_written_in_one_way(host: str, expected: str) -> None:
    assert plain(host) == expected
