"""The engine on real sockets of loopback: between two connections of its own, or towards a peer written in Python."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from loadtest.traffic.compiled._engine import Engine
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import open_sessions
from sfu.wire.demux import Kind, classify
from signaling.client.srtp import SrtpContext

PROFILE = "SRTP_AEAD_AES_128_GCM"
KEY_BYTES = 16 + 12
PATIENCE_S = 60.0


@contextlib.contextmanager
def running_engine(*, sample_every: int = 1, feedback: bool = True) -> Iterator[Engine]:
    engine = Engine(0.001, sample_every, feedback, 4711)
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        yield engine
    finally:
        engine.stop()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """What the engine's thread does, nobody is told of."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def bound_socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # What the engine sends while this process waits for a core must still be there afterwards: seconds of it.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    opened.bind(("127.0.0.1", 0))
    return opened


def keys() -> tuple[SrtpKeys, SrtpKeys]:
    """Both sides'."""
    one, other = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
    return SrtpKeys(PROFILE, one, other), SrtpKeys(PROFILE, other, one)


@dataclass
class Peer:
    """The other end of connection 0: reads and writes plain packets."""

    engine: Engine
    ours: socket.socket
    theirs: socket.socket
    srtp: SrtpContext
    rtp: list[bytes] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)

    def send_rtp(self, packet: bytes) -> None:
        self.ours.sendto(self.srtp.protect_rtp(packet), self.theirs.getsockname())

    def send_rtcp(self, compound: bytes) -> None:
        self.ours.sendto(self.srtp.protect_rtcp(compound), self.theirs.getsockname())

    def read(self) -> None:
        """One datagram, into `rtp` or `rtcp`."""
        datagram = self.ours.recv(2048)
        if classify(datagram) is Kind.RTP:
            packet = self.srtp.unprotect_rtp(datagram)
            assert packet is not None
            self.rtp.append(packet)
        else:
            compound = self.srtp.unprotect_rtcp(datagram)
            assert compound is not None
            self.rtcp.append(compound)


@contextlib.contextmanager
def peer_of(engine: Engine) -> Iterator[Peer]:
    with bound_socket() as ours, bound_socket() as theirs:
        ours.settimeout(PATIENCE_S)
        theirs.setblocking(False)
        mine, its = keys()
        engine.attach(0, theirs.fileno(), ours.getsockname(), open_sessions(its, 1024))
        yield Peer(engine, ours, theirs, SrtpContext(mine))
        engine.detach(0)


Treatment = Callable[[int, bytes], list[bytes]]


@contextlib.contextmanager
def through_relay(engine: Engine, treat: Treatment) -> Iterator[None]:
    """Connection 0 sends, connection 1 receives; in between `treat` gets the index and bytes of each RTP datagram,
    and says what goes on in its place."""
    with bound_socket() as sender, bound_socket() as receiver, bound_socket() as relay:
        for one in (sender, receiver):
            one.setblocking(False)
        mine, its = keys()
        engine.attach(0, sender.fileno(), relay.getsockname(), open_sessions(mine, 1024))
        engine.attach(1, receiver.fileno(), relay.getsockname(), open_sessions(its, 1024))
        over = threading.Event()
        relay.settimeout(0.05)

        def run() -> None:
            index = 0
            while not over.is_set():
                try:
                    datagram, source = relay.recvfrom(2048)
                except TimeoutError:
                    continue
                if source == sender.getsockname() and classify(datagram) is Kind.RTP:
                    for one in treat(index, datagram):
                        relay.sendto(one, receiver.getsockname())
                    index += 1

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            engine.detach(0)
            engine.detach(1)
            over.set()
            thread.join()
