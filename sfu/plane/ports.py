"""Opening the sockets of a plane: one for each local address, all on the same port.

One per address, not one wildcard socket: a reply then leaves from the address its request came to, which ICE insists
on, without a control message for each datagram.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

_ATTEMPTS = 20  # to find a port that is free on all addresses


def open_sockets(addresses: Sequence[str], port: int, buffer_bytes: int) -> list[socket.socket]:
    """Non-blocking; port 0 chooses one. Raises OSError when an address is not ours or the port is taken."""
    for attempt in range(_ATTEMPTS):
        opened: list[socket.socket] = []
        try:
            for address in addresses:
                chosen = port or (opened[0].getsockname()[1] if opened else 0)
                opened.append(_bind(address, chosen, buffer_bytes))
            return opened
        except OSError as error:
            for endpoint in opened:
                endpoint.close()
            # A port the system chose on the first address may be taken on another.
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _bind(address: str, port: int, buffer_bytes: int) -> socket.socket:
    # Numeric only; this resolves nothing, but knows the scope of a link-local address.
    ((family, kind, protocol, _, where), *_) = socket.getaddrinfo(
        address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )
    endpoint = socket.socket(family, kind, protocol)
    try:
        endpoint.setblocking(False)
        if family == socket.AF_INET6:
            endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            endpoint.setsockopt(socket.SOL_SOCKET, buffer, buffer_bytes)
        endpoint.bind(where)
    except OSError:
        endpoint.close()
        raise
    return endpoint
