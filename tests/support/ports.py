"""Ports for what a test starts in a process of its own, which is told its port before it binds it.

The kernel gives ports from its own range to every socket that asks for any, thousands of times in a run of all tests:
one that was free a moment ago may be a browser's when the process comes to bind it, a second later. These are from
below that range, where nothing is given away.
"""

from __future__ import annotations

import random
import socket

# Clear of 20 000 and on, to which tests of the plane send what nobody is to hear.
FIRST, LAST = 10_000, 19_999
ATTEMPTS = 1000  # of ten thousand ports, of which next to none are in use

_random = random.SystemRandom()  # each process of a run draws others, whatever the tests' seed


def free_port(kind: socket.SocketKind, host: str = "127.0.0.1") -> int:
    """A port that nobody has. Raises OSError if there is none."""
    for _ in range(ATTEMPTS):
        port = _random.randint(FIRST, LAST)
        if is_free(kind, host, port):
            return port
    raise OSError(f"no port of {FIRST} to {LAST} is free on {host}")


def two_free_ports(kind: socket.SocketKind) -> int:
    """The first of two that follow each other."""
    while True:
        port = free_port(kind)
        if is_free(kind, "127.0.0.1", port + 1):
            return port


def is_free(kind: socket.SocketKind, host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
