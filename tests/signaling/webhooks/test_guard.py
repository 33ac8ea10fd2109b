"""Which addresses a webhook may reach: nothing inside, however it is written."""

from __future__ import annotations

import ipaddress

import pytest

from signaling.webhooks.guard import may_send_to


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::0101:0101"])
def test_public_addresses(address: str) -> None:
    assert may_send_to(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.5.4", "192.168.1.1", "0.0.0.0", "255.255.255.255"),
        *("169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
        # IPv4 in disguise: mapped, compatible, 6to4, Teredo, NAT64.
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
        *("2001:0:4136:e378:8000:63bf:f5ff:fffe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"),
        *("localhost", "", "2130706433", "0x7f000001", "127.1"),
    ],
)
def test_all_others(address: str) -> None:
    assert not may_send_to(address)


def test_what_the_operator_allows() -> None:
    allowed = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    assert may_send_to("10.1.2.3", allowed) and may_send_to("fd12::1", allowed)
    assert may_send_to("::ffff:10.1.2.3", allowed), "which is the same machine"
    assert not may_send_to("10.2.0.1", allowed) and not may_send_to("fe80::1", allowed)
