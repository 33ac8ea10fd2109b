"""IP addresses of remotes: as what they are compared, and how much of them is written down.

A remote's address is personal data: logs and dumps name its network only.
"""

from __future__ import annotations

import ipaddress


def plain(host: str) -> str:
    """Without the scope of a link-local address, and as IPv4 when a dual-stack socket shows it as IPv6. What is no
    address stays as it is."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def shortened(host: str) -> str:
    """The network, not the person: `203.0.113.x`, `2001:db8:1::x`; `-` for what is no address."""
    try:
        address = ipaddress.ip_address(plain(host))
    except ValueError:
        return "-"
    if address.version == 4:
        return str(address).rpartition(".")[0] + ".x"
    return str(ipaddress.ip_network((address, 48), strict=False).network_address) + "x"
