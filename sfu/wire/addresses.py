"""IP addresses of remotes: as what they are compared, and how much of them is written down.

A remote's address is personal data: logs and dumps name its network only.

The last answers are remembered: who asks once asks again, and reading an address takes longer than all else that is
looked at of him.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

# As many as ask within minutes.
REMEMBERED: Final = 4096


@lru_cache(REMEMBERED)
def plain(host: str) -> str:
    """Without the scope of a link-local address, and as IPv4 when a dual-stack socket shows it as IPv6. What is no
    address stays as it is."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@lru_cache(REMEMBERED)
def shortened(host: str) -> str:
    """The network, not the person: `203.0.113.x`, `2001:db8:1::x`; `-` for what is no address."""
    try:
        address = ipaddress.ip_address(plain(host))
    except ValueError:
        return "-"
    if address.version == 4:
        return str(address).rpartition(".")[0] + ".x"
    return str(ipaddress.ip_network((address, 48), strict=False).network_address) + "x"
