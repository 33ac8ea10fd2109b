"""Who is asking over HTTP: from this machine or not, from which page, from where. And how many at once."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from sfu.wire.addresses import REMEMBERED, plain
from signaling.limits import ConnectionLimits
from signaling.values import is_loopback

# Any of these says that a proxy stands between: then the address we see is the proxy's.
_FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def why_not_this_machine(peer: str, headers: Mapping[str, str]) -> str | None:
    """None if somebody on this machine asks for himself; else the reason why that is not sure.

    The address is not enough: a page from anywhere, open in a browser on this machine, also comes from loopback. It is
    given away by its Origin, or, when its host name was rebound to 127.0.0.1, by the Host that the browser sends.
    """
    if not is_loopback(plain(peer)):
        return "asked from another machine"
    forwarding = next((name for name in _FORWARDING_HEADERS if name in headers), None)
    if forwarding is not None:
        return f"asked through a proxy ({forwarding})"
    if not is_loopback(_host_name("//" + headers.get("Host", ""))):
        return "Host is not a loopback name"
    origin = headers.get("Origin")
    if origin is not None and not is_loopback(_host_name(origin)):
        return "Origin is a page from elsewhere"
    if headers.get("Sec-Fetch-Site") == "cross-site":
        return "asked by a page from elsewhere"
    return None


def may_connect(origins: Collection[str], headers: Mapping[str, str]) -> bool:
    """Whether a page of this Origin may open a WebSocket. Programs send none, and may.

    Without a list any page may: there are no cookies, and a page without a token gets nowhere.
    """
    origin = headers.get("Origin")
    if not origins or origin is None:
        return True
    return origin.lower() in origins or urlsplit(origin).netloc.lower() == headers.get("Host", "").lower()


class Doorway:
    """Counts connections, and those of each address that have not joined yet."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._inside = 0
        self._joining: Counter[str] = Counter()

    def why_not(self, peer: str) -> str | None:
        """None: one more may come in."""
        if self._inside >= self._limits.max_connections:
            return f"the server has its {self._limits.max_connections} connections"
        # On loopback stands a proxy for many, or the owner.
        if not is_loopback(plain(peer)) and self._joining[household(peer)] >= self._limits.max_joining_per_address:
            return "too many connections of this address have not joined yet"
        return None

    def enter(self, peer: str) -> Visit:
        self._inside += 1
        self._joining[household(peer)] += 1
        return Visit(self, peer)

    def _settle(self, peer: str) -> None:
        name = household(peer)
        self._joining[name] -= 1
        if not self._joining[name]:
            del self._joining[name]

    def _leave(self) -> None:
        self._inside -= 1


class Visit:
    def __init__(self, doorway: Doorway, peer: str) -> None:
        self._doorway = doorway
        self._peer = peer
        self.joining = True

    def join(self) -> None:
        if self.joining:
            self.joining = False
            self._doorway._settle(self._peer)

    def leave(self) -> None:
        self.join()
        self._doorway._leave()


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


@lru_cache(REMEMBERED)
def household(peer: str) -> str:
    """Who can make up addresses for himself: in IPv6 everybody, within a /64."""
    try:
        address = ipaddress.ip_address(plain(peer))
    except ValueError:
        return peer
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
