"""A started plane with real sockets around it: one publisher, and subscribers that may take runs of packets whole."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from types import TracebackType

from sfu.plane.interface import Datagram, Event, Path, Plane, PlaneConfig
from tests.support.planes import PLANES
from tests.support.rtp import GCM, PUBLISHER_IDS, SUBSCRIBER_IDS, VIDEO, Received, Remote, VideoSource, video_slot

HOST = "127.0.0.1"
UDP_GRO = 104
TIMEOUT_S = 60


class Stage:
    """Transport 1 publishes Track 1. The event loop does not run: nothing here needs Python's side of the plane."""

    def __init__(self, config: PlaneConfig | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.plane: Plane = PLANES["compiled"]([HOST], 0, config or PlaneConfig())
        self.events: list[Event] = []
        self.plane.start(self.loop, self.events.extend)
        self.sockets: list[socket.socket] = []
        self.publisher = self.open_socket()
        self.remote = self.connect(1, self.publisher)
        self.plane.add_track(1, 1, VIDEO)
        self.source = VideoSource(ssrc=3)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.plane.close()
        self.loop.close()
        for each in self.sockets:
            each.close()

    def open_socket(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((HOST, 0))
        self.sockets.append(made)
        return made

    def connect(self, transport: int, where: socket.socket) -> Remote:
        remote = Remote(Path(0, *where.getsockname()), GCM)
        self.plane.add_transport(transport)
        self.plane.bind(transport, remote.path)
        self.plane.select(transport, remote.path)
        self.plane.set_extensions(transport, PUBLISHER_IDS, SUBSCRIBER_IDS)
        self.plane.set_keys(transport, remote.keys)
        return remote

    def subscribe(self, number: int) -> Subscriber:
        where = self.open_socket()
        subscriber = Subscriber(where, self.connect(number, where))
        self.plane.add_slot(number, number, video_slot())
        self.plane.set_route(number, 1)
        self.plane.set_layer(number, 0)
        return subscriber

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.publisher.sendto(self.remote.protect(packet).payload, (HOST, self.plane.port))


class Subscriber:
    """Once `takes_runs` is called, the kernel hands over what was sent as one run as one."""

    def __init__(self, where: socket.socket, remote: Remote) -> None:
        self.socket = where
        self.remote = remote

    def takes_runs(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)

    def receive(self) -> list[bytes]:
        """One read: the datagrams of a run, or a single one."""
        assert select.select([self.socket], [], [], TIMEOUT_S)[0], "nothing came"
        payload, control, _, _ = self.socket.recvmsg(1 << 16, 64)
        size = len(payload)
        for _, kind, value in control:
            if kind == UDP_GRO:
                (size,) = struct.unpack("i", value[:4])
        return [payload[start : start + size] for start in range(0, len(payload), size)]

    def open(self, payload: bytes) -> Received:
        return self.remote.open(Datagram(payload, self.remote.path))

    def take(self, count: int) -> list[Received]:
        taken: list[Received] = []
        while len(taken) < count:
            taken += map(self.open, self.receive())
        return taken
