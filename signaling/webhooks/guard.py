"""Which addresses webhooks may be sent to: public ones, and those the operator allows. Pure.

Whoever may create webhooks chooses where this server sends requests (SSRF): the cloud's metadata service, a database
next door, the router. So every socket's address is looked at just before it connects. A name that resolves to something
else the next time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 6052: an IPv4 address in its last four bytes, which a translator turns into just that.
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
# Shared with other customers (RFC 6598), deprecated (RFC 3879), and IPv4 in disguise (RFC 4291 §2.5.5.1).
_NEVER: Final[tuple[Network, ...]] = (
    ipaddress.IPv4Network("100.64.0.0/10"),
    ipaddress.IPv6Network("fec0::/10"),
    ipaddress.IPv6Network("::/96"),
)


def may_send_to(text: str, allowed: Iterable[Network] = ()) -> bool:
    """`text`: an IP address, as a socket is about to connect to it."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _embedded(address)
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if inner is not None:
        return may_send_to(str(inner), allowed)
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _embedded(address: Address) -> Address | None:
    """The IPv4 address that this one stands for, if it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(address.packed[-4:])
    return None
