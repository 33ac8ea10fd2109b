"""A network of the comparison's own, in which every server and the generator find one address.

Janus does not gather on loopback interfaces. On the address of any other interface the kernel delivers what a machine
sends to itself by loopback all the same, so one end of a pair of virtual interfaces serves: nothing leaves the machine,
no firewall rule is passed, nobody else's traffic is seen. Needs root, of the machine or of a user namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from typing import Final

from loadtest.compare.servers import CannotCompare, need_programs

ADDRESS: Final = "192.0.2.1"  # of a documentation network (RFC 5737), so it cannot be anybody's
CLONE_NEWNET: Final = 0x40000000  # Python has os.unshare and os.setns from 3.12 on
COMMANDS: Final = (
    "link set lo up",
    "link add media type veth peer name media-far",
    f"address add {ADDRESS}/24 dev media",
    "link set media up",
    "link set media-far up",  # without it the other end counts as not running
)


@contextlib.contextmanager
def own_network() -> Iterator[str]:
    """This thread, and what it starts, are in the new network until the block ends. Yields the address."""
    need_programs({"ip": "iproute2"})
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            raise CannotCompare(
                f"a network namespace needs root ({os.strerror(ctypes.get_errno())}). Without being root:\n"
                "  unshare --map-root-user --net sfu loadtest compare …"
            )
        for command in COMMANDS:
            _ip(command)
        yield ADDRESS
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(before)


def _ip(command: str) -> None:
    ran = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise CannotCompare(f"ip {command}: {ran.stderr.strip()}")
