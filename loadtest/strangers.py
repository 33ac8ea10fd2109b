"""A flood: datagrams from addresses that nobody knows to the media port, beside the traffic that is measured."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from loadtest.traffic import addresses
from signaling.client.ice import Address

ADDRESSES: Final = 16
PERIOD_S: Final = 0.001
SLICE_S: Final = 0.1  # until it looks whether it is to end
RTP_BYTES: Final = 100
# A binding request without any attribute (RFC 8489 §6): 20 bytes that every server must look at.
STUN: Final = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)


class Strangers:
    """`pps`: datagrams a second of all together. `sent` grows while it runs. Raises ValueError below one a turn."""

    def __init__(self, to: Sequence[Address], pps: float, *, stun: bool = False) -> None:
        from loadtest.traffic.compiled._engine import Bursts

        payload = STUN if stun else b"\x80\x60" + os.urandom(RTP_BYTES - 2)
        per_turn = max(1, round(pps * PERIOD_S))  # as one run each, which costs the generator least
        turns_s = per_turn / pps
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ADDRESSES)]
        packed = [addresses.pack(each) for each in to]
        self._bursts = Bursts(
            [
                (each.fileno(), [packed[index % len(packed)]], payload, count, turns_s, index / ADDRESSES)
                for index, each in enumerate(self._sockets)
                if (count := per_turn * (index + 1) // ADDRESSES - per_turn * index // ADDRESSES)
            ]
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="strangers", daemon=True)

    @property
    def sent(self) -> int:
        return self._bursts.sent

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
            for each in self._sockets:
                each.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._bursts.run(SLICE_S)
            time.sleep(0)
