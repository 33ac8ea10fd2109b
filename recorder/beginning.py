"""How the recorder's processes begin: with the link that signaling hands over, and a log of their own."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys


def begin(name: str) -> socket.socket:
    """`name`: what its lines in the log begin with. Returns the link, whose number is the first argument."""
    # Ctrl-C reaches the whole foreground group, and is signaling's to act upon.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        level=os.environ.get("SFU_RECORDER_LOG_LEVEL", "INFO"),
        format=f"%(asctime)s %(levelname)-7s {name} %(name)s: %(message)s",
        stream=sys.stderr,
    )
    return socket.socket(fileno=int(sys.argv[1]))
