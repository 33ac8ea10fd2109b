"""A send buffer that is full, which loopback never is."""

from __future__ import annotations

from typing import Any

from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.sockets import Sockets
from sfu.plane.interface import Counters, Datagram, Path, PlaneConfig


class FullSocket:
    def sendto(self, payload: bytes, address: tuple[str, int]) -> int:
        raise BlockingIOError


def test_what_finds_no_room_is_dropped_and_counted_and_the_rest_goes_on() -> None:
    outbox = Outbox(Counters(), 10)
    sockets = Sockets(["127.0.0.1", "127.0.0.2"], 0, PlaneConfig(), outbox)
    real: list[Any] = sockets._sockets
    for endpoint in real:
        endpoint.close()
    real[0] = FullSocket()
    sockets.send([Datagram(b"x", Path(0, "127.0.0.1", 9)), Datagram(b"y", Path(1, "127.0.0.1", 9))])
    assert outbox.counters.dropped == {"send_buffer_full": 1, "send_error": 1}
