"""Paths as the compiled tables keep them: 32 bytes, equal when the paths are (`Endpoint` in paths.pxd)."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

from sfu.plane.interface import Path

_ENDPOINT = struct.Struct("=HHHHII16s")
# Packing happens for each answer to a check, on few paths again and again.
_CACHED = 4096


@lru_cache(_CACHED)
def pack(path: Path) -> bytes:
    """Raises OSError when the host is not a numeric address."""
    scope = 0
    if ":" not in path.host:
        family, address = socket.AF_INET, socket.inet_pton(socket.AF_INET, path.host)
    else:
        host, _, zone = path.host.partition("%")
        family, address = socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host)
        if zone:
            scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return _ENDPOINT.pack(path.local, family, path.port, 0, scope, 0, address)


@lru_cache(_CACHED)
def unpack(endpoint: bytes) -> Path:
    """With the host written as `socket.recvfrom` does."""
    local, family, port, _, scope, _, address = _ENDPOINT.unpack(endpoint)
    if family == socket.AF_INET:
        return Path(local, socket.inet_ntop(socket.AF_INET, address[:4]), port)
    host = socket.inet_ntop(socket.AF_INET6, address)
    return Path(local, f"{host}%{_zone(scope)}" if scope else host, port)


def _zone(scope: int) -> str:
    try:
        return socket.if_indextoname(scope)
    except OSError:  # the interface has gone since
        return str(scope)
