"""Which addresses are offered, and in which order."""

from __future__ import annotations

import ipaddress

import pytest

from sfu.net.addresses import Announced, candidates, local_addresses, parse_announced, usable_addresses

FOUND: list[str | tuple[str, int, int]] = [
    "127.0.0.1",
    ("::1", 0, 0),
    "192.0.2.10",
    "192.0.2.10",  # on two interfaces
    "10.0.0.2",
    "169.254.7.7",
    ("fe80::1", 0, 2),
    ("2001:db8::5", 0, 0),
    "0.0.0.0",
    ("::", 0, 0),
    ("ff02::1", 0, 0),
]


@pytest.mark.parametrize(
    ("loopback", "expected"),
    [
        (False, ["2001:db8::5", "10.0.0.2", "192.0.2.10"]),
        (True, ["2001:db8::5", "10.0.0.2", "192.0.2.10", "::1", "127.0.0.1"]),
    ],
)
def test_offers_what_others_can_send_to(loopback: bool, expected: list[str]) -> None:
    assert usable_addresses(FOUND, loopback=loopback) == expected


def test_reads_the_interfaces_of_this_machine() -> None:
    assert "127.0.0.1" in local_addresses(loopback=True)
    assert not any(ipaddress.ip_address(address).is_loopback for address in local_addresses(loopback=False))


def test_announced_addresses_come_first_and_priorities_fall() -> None:
    offered = candidates(
        ["2001:db8::5", "192.0.2.10"], 7882, [Announced("203.0.113.1", None), Announced("203.0.113.1", 443)]
    )
    assert [(entry.host, entry.port) for entry in offered] == [
        ("203.0.113.1", 7882),
        ("203.0.113.1", 443),
        ("2001:db8::5", 7882),
        ("192.0.2.10", 7882),
    ]
    priorities = [entry.priority for entry in offered]
    assert priorities == sorted(priorities, reverse=True)
    assert priorities[0] == 2130706431  # RFC 8445's formula for the best host candidate
    assert len(set(priorities)) == 4


def test_an_announced_address_that_is_also_local_is_offered_once() -> None:
    offered = candidates(["192.0.2.10"], 7882, [Announced("192.0.2.10", 7882)])
    assert [(entry.host, entry.port) for entry in offered] == [("192.0.2.10", 7882)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.1", Announced("203.0.113.1", None)),
        (" 203.0.113.1:443 ", Announced("203.0.113.1", 443)),
        ("2001:db8::1", Announced("2001:db8::1", None)),
        ("[2001:db8::1]", Announced("2001:db8::1", None)),
        ("[2001:DB8:0::1]:443", Announced("2001:db8::1", 443)),
    ],
)
def test_reads_announced_addresses(text: str, expected: Announced) -> None:
    assert parse_announced(text) == expected


def test_announced_ports_of_workers_follow_each_other() -> None:
    assert parse_announced("203.0.113.1:65534").of_worker(1) == Announced("203.0.113.1", 65535)
    assert parse_announced("203.0.113.1").of_worker(1) == Announced("203.0.113.1", None)
    with pytest.raises(ValueError, match="65536"):
        parse_announced("203.0.113.1:65534").of_worker(2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "example.org:443",
        "203.0.113.1:0",
        "203.0.113.1:65536",
        "203.0.113.1:",
        "203.0.113.1:²",
        "[2001:db8::1",
        "[2001:db8::1]443",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "fe80::1%eth0",
    ],
)
def test_refuses_what_cannot_be_announced(text: str) -> None:
    with pytest.raises(ValueError, match=r"not|followed"):
        parse_announced(text)
