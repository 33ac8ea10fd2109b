"""A process of ours on another end of a socket pair: how it is executed, and how we learn that it is gone.

Executed, never forked: this process has threads. What it is told passes over the socket, and nothing by arguments or
environment but where our code is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys


def execute(module: str) -> tuple[subprocess.Popen[bytes], int, socket.socket]:
    """`python -m MODULE FD`. The process, a descriptor that tells of its exit, and our end of the link. Raises OSError,
    and leaves nothing."""
    # The same code as ours: what our interpreter finds, in the order in which it looks, and not what happens to lie
    # in the working directory (-P).
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if os.path.isdir(entry or os.curdir))
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # logs go to stderr, which is ours
                env={**os.environ, "PYTHONPATH": path},
            )
    except OSError:
        ours.close()
        raise
    try:
        return process, os.pidfd_open(process.pid), ours
    except OSError:
        ours.close()
        process.kill()
        process.wait()
        raise


async def exit_of(process: subprocess.Popen[bytes], pidfd: int) -> str:
    """Until it is gone; how, in words."""
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pidfd, _settle, gone)
    try:
        await gone
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    status = process.wait()
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _settle(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)
