"""The way to a local sink's reader: a connected Unix datagram socket that is never waited for."""

from __future__ import annotations

import contextlib
import socket

_SO_SNDBUFFORCE = 32  # asm-generic/socket.h; beyond net.core.wmem_max, for root


def connect_to_reader(address: str, buffer_bytes: int) -> socket.socket:
    """`address` is a path, or an abstract name after an `@`. Raises OSError when nobody is there.

    The socket has a name of its own, so that the reader can connect back. The kernel lets only `max_dgram_qlen`
    datagrams (10) wait at a socket that is not connected to their sender, whatever the buffers hold.
    """
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        endpoint.setblocking(False)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        with contextlib.suppress(PermissionError):
            endpoint.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, buffer_bytes)
        endpoint.bind("")
        endpoint.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        endpoint.close()
        raise
    return endpoint
