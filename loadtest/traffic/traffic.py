"""The generator: connections, what is sent and received on them, and counts. A compiled thread does it; this directs.

    traffic = Traffic(feedback=False)                     # on the event loop
    traffic.start(core=1)
    connection = traffic.new_connection(srtp="gcm")       # its ice, fingerprint, candidate → your description
    await connection.connect(remote)                      # ICE, DTLS; from here on it receives and counts
    traffic.add_publisher(connection, [video(ssrc, 96), audio(ssrc, 111)], extensions)
    traffic.add_subscriber(other, [IncomingStream(ssrc, "video")], extensions)
    counts = await traffic.run(5.0)                       # of these five seconds
    await traffic.close()

Knows nothing of any signaling. A connection may send and receive. `extensions` are the ids that were negotiated; with
a transport-cc id for what arrives, feedback is sent every 100 ms, as by a browser.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from random import Random, SystemRandom

from loadtest.traffic.connection import Connection, SrtpChoice
from loadtest.traffic.counts import Counts, Histogram, StreamCounts
from loadtest.traffic.streams import IncomingStream, OutgoingStream
from sfu.net.certificate import Certificate
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import open_sessions
from sfu.wire.extensions import ExtensionIds
from signaling.client.ice import Address

# Arrivals do not wake the generator: whoever is woken makes the sender pay for it. Packets wait for the next turn in
# the kernel, which has stamped them with the time.
POLL_S = 0.001
CONTROL_POLL_S = 0.02  # STUN and DTLS after the handshake: nothing of it is urgent
SRTP_WINDOW = 1024


class Unavailable(RuntimeError):
    """The compiled engine is not there."""


class Traffic:
    """Make it on the event loop. One thread for all connections."""

    def __init__(
        self,
        *,
        poll_s: float = POLL_S,
        sample_every: int = 8,
        feedback: bool = True,
        random: Random | None = None,
    ) -> None:
        """`sample_every`: one received packet in so many, at random, is decrypted, checked and its latency measured.
        `feedback` false: no transport-cc. Reports and consent checks are always sent. Raises Unavailable."""
        try:
            from loadtest.traffic.compiled._engine import Engine
        except ImportError as error:
            raise Unavailable("the load generator is not compiled: python setup.py build_ext --inplace") from error
        self._random = random or SystemRandom()
        self._engine = Engine(poll_s, sample_every, feedback, self._random.getrandbits(63) | 1)
        self._loop = asyncio.get_running_loop()
        self._certificate = Certificate.generate()  # one for all: a key each costs 5 ms
        self._attached: dict[int, Connection] = {}
        self._numbers: dict[Connection, int] = {}
        self._remotes: dict[int, Address] = {}
        self._next = 0
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, core: int | None = None) -> None:
        """`core`: where the thread runs, and only it; pin the whole process to keep Python off the server's too."""
        self._thread = threading.Thread(target=self._run_pinned, args=(core,), name="loadtest-traffic", daemon=True)
        self._thread.start()
        self._poll_control()

    async def close(self) -> None:
        """Ends the thread and all connections. Idempotent."""
        connections = list(self._attached.values())
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.wait_closed()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._engine.stop()
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def new_connection(
        self,
        *,
        host: str = "127.0.0.1",
        srtp: SrtpChoice | None = None,
        certificate: Certificate | None = None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> Connection:
        """A bound socket that knows its credentials; not connected yet."""
        return Connection(
            self,
            host=host,
            srtp=srtp,
            certificate=certificate or self._certificate,
            random=self._random,
            on_lost=on_lost,
        )

    # --- what flows

    def add_publisher(
        self, connection: Connection, streams: Sequence[OutgoingStream], extensions: ExtensionIds
    ) -> None:
        """Begin to send. `extensions`: as negotiated for what we send. Raises KeyError before it is connected."""
        number = self._numbers[connection]
        self._engine.set_send_extensions(number, extensions)
        for stream in streams:
            self._engine.add_outgoing(number, stream, self._random.random())

    def remove_outgoing(self, connection: Connection, ssrc: int) -> None:
        """Stop sending it (unpublished, or muted); for good, as its numbers are forgotten."""
        self._engine.remove_outgoing(self._numbers[connection], ssrc)

    def set_level(self, connection: Connection, ssrc: int, level_dbov: int, voice: bool) -> None:
        """Audio level of an Opus stream (RFC 6464): 0 is loudest, 127 silence. Streams begin at 127."""
        self._engine.set_level(self._numbers[connection], ssrc, level_dbov, voice)

    def set_rate(self, connection: Connection, ssrc: int, frames_per_s: float) -> None:
        """From the next frame on."""
        self._engine.set_rate(self._numbers[connection], ssrc, frames_per_s)

    def add_subscriber(
        self, connection: Connection, expected: Sequence[IncomingStream], extensions: ExtensionIds
    ) -> None:
        """Say what arrives: names SSRCs, and with `extensions.transport_cc` turns feedback on. May be repeated. What
        arrived before was counted already. Raises KeyError before it is connected."""
        number = self._numbers[connection]
        self._engine.set_receive_extensions(number, extensions)
        for stream in expected:
            self._engine.add_incoming(number, stream)

    # --- what was counted

    def counts(self) -> Counts:
        """Since the start."""
        sums, latency, lateness, streams = self._engine.counts()
        return Counts(
            at_s=time.monotonic(),
            latency=Histogram(latency),
            lateness=Histogram(lateness),
            streams=tuple(StreamCounts(*stream) for stream in streams),
            **sums,
        )

    def counts_of(self, connection: Connection) -> tuple[StreamCounts, ...]:
        """What arrived on this one so far; nothing once it is closed."""
        number = self._numbers.get(connection)
        return () if number is None else tuple(StreamCounts(*stream) for stream in self._engine.counts_of(number))

    def remotes(self) -> list[Address]:
        """Where all that is connected sends to, each address once."""
        return sorted(set(self._remotes.values()))

    async def run(self, duration_s: float) -> Counts:
        """Let it flow for so long; what happened meanwhile."""
        before = self.counts()
        await asyncio.sleep(duration_s)
        return self.counts().since(before)

    # --- MediaEngine, for Connection

    def attach(self, connection: Connection, keys: SrtpKeys, remote: Address) -> None:
        number = self._next
        self._next += 1
        self._engine.attach(number, connection.fileno(), remote, open_sessions(keys, SRTP_WINDOW))
        self._attached[number] = connection
        self._numbers[connection] = number
        self._remotes[number] = remote

    def detach(self, connection: Connection) -> None:
        number = self._numbers.pop(connection)
        del self._attached[number], self._remotes[number]
        self._engine.detach(number)

    # --- the thread

    def _run_pinned(self, core: int | None) -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})  # of this thread
        self._engine.run()

    def _poll_control(self) -> None:
        for number, datagram, source in self._engine.take_control():
            if connection := self._attached.get(number):
                connection.on_control(datagram, source)
        self._timer = self._loop.call_later(CONTROL_POLL_S, self._poll_control)
