"""Which addresses we offer as ICE candidates: the machine's own, and those it is told to announce.

All interface addresses are offered, IPv4 and IPv6. An announced one is what a router or a cloud maps to one of them:
remotes are told it, sockets know nothing of it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import ifaddr

from sfu.control import Candidate

_HOST_TYPE_PREFERENCE = 126  # RFC 8445 §5.1.2.2
_RTP_COMPONENT = 1  # RTCP is multiplexed onto it
_HIGHEST_PORT = 65535


class Announced(NamedTuple):
    host: str
    port: int | None  # None: the one we listen on

    def of_worker(self, index: int) -> Announced:
        """The ports of Workers follow each other, outside as well as here. Raises ValueError when there are no more."""
        if self.port is None:
            return self
        if self.port + index > _HIGHEST_PORT:
            raise ValueError(f"there is no port {self.port + index} to announce for Worker {index}")
        return Announced(self.host, self.port + index)


def parse_announced(text: str) -> Announced:
    """`ADDR` or `ADDR:PORT`, an IPv6 address with port in brackets. Raises ValueError with the reason."""
    host, port = _split_port(text.strip())
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address, or one with a port (names cannot be announced)") from None
    if address.is_unspecified or address.is_multicast or "%" in host:
        raise ValueError(f"{text!r} is not an address that a client could reach")
    return Announced(str(address), port)


def local_addresses(*, loopback: bool) -> list[str]:
    """The addresses of all interfaces that somebody else could send to; with `loopback` also 127.0.0.1 and ::1."""
    return usable_addresses((ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips), loopback=loopback)


def usable_addresses(found: Iterable[str | tuple[str, int, int]], *, loopback: bool) -> list[str]:
    """What of `found` (as ifaddr gives it: IPv6 as a tuple) can be offered; IPv6 first, loopback last."""
    addresses = {ipaddress.ip_address(entry if isinstance(entry, str) else entry[0]) for entry in found}
    usable = [
        address
        for address in addresses
        # Link-local needs a scope, which SDP has no place for.
        if not (address.is_unspecified or address.is_multicast or address.is_link_local)
        and (loopback or not address.is_loopback)
    ]
    usable.sort(key=lambda address: (address.is_loopback, -address.version, int(address)))
    return [str(address) for address in usable]


def candidates(addresses: Sequence[str], port: int, announced: Sequence[Announced] = ()) -> list[Candidate]:
    """The announced addresses first, then `addresses` in their order, each with a lower priority than the last."""
    ends = [(entry.host, entry.port or port) for entry in announced] + [(host, port) for host in addresses]
    return [
        Candidate(host=host, port=number, priority=_priority(65535 - position))
        for position, (host, number) in enumerate(dict.fromkeys(ends))
    ]


def _priority(local_preference: int) -> int:
    """RFC 8445 §5.1.2.1."""
    return (_HOST_TYPE_PREFERENCE << 24) + (local_preference << 8) + (256 - _RTP_COMPONENT)


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r}: a bracketed address is followed by nothing or by :PORT")
        return host, _port(rest[1:], text) if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, _port(port, text)
    return text, None


def _port(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) <= _HIGHEST_PORT):
        raise ValueError(f"{text!r}: {digits!r} is not a port")
    return int(digits)
