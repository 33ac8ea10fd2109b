"""Who is asking: this machine or not, whatever the headers claim; and how many at once."""

from __future__ import annotations

import pytest

from signaling.limits import ConnectionLimits
from signaling.visitors import Doorway, may_connect, why_not_this_machine

HOST = {"Host": "127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:8080"}),
        ("127.0.0.1", {"Host": "localhost:9000", "Origin": "http://localhost:3000"}),
        ("127.3.2.1", {"Host": "localhost"}),
        ("::1", {"Host": "[::1]:8080", "Origin": "http://[::1]:8080", "Sec-Fetch-Site": "same-origin"}),
        ("::ffff:127.0.0.1", HOST),
    ],
)
def test_somebody_on_this_machine(peer: str, headers: dict[str, str]) -> None:
    assert why_not_this_machine(peer, headers) is None


@pytest.mark.parametrize(
    ("peer", "headers", "said"),
    [
        ("192.0.2.1", HOST, "another machine"),
        ("2001:db8::1", HOST, "another machine"),
        ("fe80::1%eth0", HOST, "another machine"),
        ("", HOST, "another machine"),
        ("127.0.0.1", {}, "Host"),
        ("127.0.0.1", {"Host": "rebound.example:8080"}, "Host"),
        ("127.0.0.1", {"Host": "localhost.example"}, "Host"),
        ("127.0.0.1", {"Host": "127.0.0.1.example"}, "Host"),
        ("127.0.0.1", {"Host": "[::1"}, "Host"),
        ("127.0.0.1", {"Host": "evil.example@127.0.0.1.evil.example"}, "Host"),
        ("127.0.0.1", HOST | {"Origin": "https://example.com"}, "Origin"),
        ("127.0.0.1", HOST | {"Origin": "null"}, "Origin"),
        ("127.0.0.1", HOST | {"Origin": "http://localhost.example"}, "Origin"),
        ("127.0.0.1", HOST | {"Sec-Fetch-Site": "cross-site"}, "elsewhere"),
        ("127.0.0.1", HOST | {"X-Forwarded-For": "127.0.0.1"}, "proxy"),
        ("127.0.0.1", HOST | {"Forwarded": "for=127.0.0.1"}, "proxy"),
        ("127.0.0.1", HOST | {"Via": "1.1 proxy"}, "proxy"),
    ],
)
def test_somebody_who_may_be_elsewhere(peer: str, headers: dict[str, str], said: str) -> None:
    assert said in (why_not_this_machine(peer, headers) or "")


@pytest.mark.parametrize(
    ("origins", "headers", "expected"),
    [
        ((), {"Origin": "https://anywhere.example"}, True),
        (("https://a.example",), {}, True),
        (("https://a.example",), {"Origin": "https://A.example"}, True),
        (("https://a.example",), {"Origin": "https://b.example", "Host": "sfu.example"}, False),
        (("https://a.example",), {"Origin": "http://a.example", "Host": "sfu.example"}, False),
        (("https://a.example",), {"Origin": "https://sfu.example", "Host": "sfu.example"}, True),
        (("https://a.example",), {"Origin": "null", "Host": "sfu.example"}, False),
    ],
)
def test_origins(origins: tuple[str, ...], headers: dict[str, str], expected: bool) -> None:
    assert may_connect(origins, headers) == expected


def test_connections_that_have_not_joined_are_limited_per_address() -> None:
    doorway = Doorway(ConnectionLimits(max_joining_per_address=2))
    first, _ = doorway.enter("192.0.2.1"), doorway.enter("192.0.2.1")
    assert doorway.why_not("192.0.2.1") is not None
    assert doorway.why_not("192.0.2.2") is None
    first.join()
    assert doorway.why_not("192.0.2.1") is None
    doorway.enter("192.0.2.1")
    first.leave()
    assert doorway.why_not("192.0.2.1") is not None, "who had joined does not count twice"


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    doorway = Doorway(ConnectionLimits(max_joining_per_address=1))
    doorway.enter("2001:db8::1")
    assert doorway.why_not("2001:db8::2") is not None
    assert doorway.why_not("2001:db8:0:1::1") is None


def test_loopback_may_be_a_proxy_for_many() -> None:
    doorway = Doorway(ConnectionLimits(max_joining_per_address=1))
    doorway.enter("127.0.0.1")
    assert doorway.why_not("127.0.0.1") is None


def test_connections_are_limited() -> None:
    doorway = Doorway(ConnectionLimits(max_connections=1))
    visit = doorway.enter("127.0.0.1")
    visit.join()
    assert "1 connections" in (doorway.why_not("192.0.2.1") or "")
    visit.leave()
    assert doorway.why_not("192.0.2.1") is None
