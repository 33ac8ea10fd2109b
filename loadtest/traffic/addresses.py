"""Socket addresses as the kernel takes them (`struct sockaddr_in`, `struct sockaddr_in6`), without host names."""

from __future__ import annotations

import socket
import struct

from signaling.client.ice import Address

_FAMILY = struct.Struct("=H")
_IPV4 = struct.Struct("!H4s8x")
_IPV6 = struct.Struct("!HI16sI")


def pack(address: Address) -> bytes:
    """Raises OSError when the host is not a numeric address. Without IPv6 zones: tests stay on loopback."""
    host, port = address
    if ":" in host:
        return _FAMILY.pack(socket.AF_INET6) + _IPV6.pack(port, 0, socket.inet_pton(socket.AF_INET6, host), 0)
    return _FAMILY.pack(socket.AF_INET) + _IPV4.pack(port, socket.inet_aton(host))


def unpack(packed: bytes) -> Address:
    (family,) = _FAMILY.unpack_from(packed)
    if family == socket.AF_INET:
        port, host = _IPV4.unpack_from(packed, 2)
        return socket.inet_ntoa(host), port
    port, _, host, _ = _IPV6.unpack_from(packed, 2)
    return socket.inet_ntop(socket.AF_INET6, host), port
