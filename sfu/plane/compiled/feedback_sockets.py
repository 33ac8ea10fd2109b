"""A second socket beside each of the plane's, on the same address and port: for transport-cc feedback, which can wait.

all that arrives ─► socket           wakes the thread: somebody waits for it
       └─ feedback ─► feedback socket    read when the thread is awake anyway, or some milliseconds later

Fifty subscribers send 500 feedbacks a second, each alone. What one of them causes is looked at when Python polls, so
to be woken for each is for nothing. The kernel tells them by the first two bytes of SRTCP, which are in the clear: a
program of seven instructions on the group of sockets that share the port (SO_REUSEPORT).
"""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
from collections.abc import Sequence
from typing import Final

_ATTACH_PROGRAM: Final = 51  # SO_ATTACH_REUSEPORT_CBPF, asm-generic/socket.h; Linux 4.5
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06  # linux/bpf_common.h
# Version 2 and format 15, padded or not; payload type 205 (RFC 4585 §6.1, draft-holmer-rmcat-transport-wide-cc-
# extensions-01 §3.1). A compound that begins with anything else may hold what somebody waits for.
_PROGRAM: Final = (
    (_LOAD_BYTE, 0, 0, 0),
    (_AND, 0, 0, 0xDF),
    (_JUMP_IF_EQUAL, 0, 3, 0x8F),
    (_LOAD_BYTE, 0, 0, 1),
    (_JUMP_IF_EQUAL, 0, 1, 205),
    (_RETURN, 0, 0, 1),  # the group's second socket
    (_RETURN, 0, 0, 0),
)

logger = logging.getLogger(__name__)


def open_feedback_socket(beside: socket.socket, buffer_bytes: int) -> socket.socket | None:
    """`None` where the kernel cannot, and all goes to the one socket."""
    endpoint = socket.socket(beside.family, beside.type, beside.proto)
    try:
        endpoint.setblocking(False)
        if beside.family == socket.AF_INET6:
            endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        # Only now, so that whoever is to be first on this port has found out whether it was free.
        for each in (beside, endpoint):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        endpoint.bind(beside.getsockname())
        _attach(endpoint, _PROGRAM)
    except OSError as error:
        endpoint.close()
        logger.info("feedback is read with all else: %s", error)
        return None
    return endpoint


def _attach(endpoint: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    kept = ctypes.create_string_buffer(code, len(code))
    endpoint.setsockopt(socket.SOL_SOCKET, _ATTACH_PROGRAM, struct.pack("@HP", len(program), ctypes.addressof(kept)))
