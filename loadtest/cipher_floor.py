"""The second floor: the least that whoever forwards SRTP has to do, measured in floor.py's process.

    the generator's thread ─► frames at the plan's pace ─► Relay, on the server's core ─► the generator's thread

Receiving, decrypting once, and for each receiver a copy that is encrypted with that receiver's key, by the OpenSSL that
the server uses; runs leave by GSO. Nothing is parsed, filtered, numbered, kept or reported. Keys are as cold as the
pauses between frames leave them. Samples are decrypted, so that it is known to be SRTP that arrives.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from loadtest.floor import WARM_UP_S, NoFloor, Task
from loadtest.machine import pinned
from loadtest.traffic import OutgoingStream, addresses
from loadtest.traffic.compiled._engine import Engine, Relay
from loadtest.traffic.connection import bound_socket
from loadtest.traffic.traffic import POLL_S, SRTP_WINDOW
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import open_sessions

HOST: Final = "127.0.0.1"
SAMPLES_PER_S: Final = 1000  # decrypted on the generator's core
SEED: Final = 4711
KEY_BYTES: Final = {"SRTP_AEAD_AES_128_GCM": 28, "SRTP_AEAD_AES_256_GCM": 44, "SRTP_AES128_CM_SHA1_80": 30}  # and salt
RTP_AND_TAG_BYTES: Final = 12 + 16  # of Frames.bytes; the rest stands for payload and header extensions


def relay(task: Task) -> dict[str, float]:
    """CPU time in s, and packets. Raises NoFloor if what arrived was not what should have been sent."""
    per_s = sum(each.per_s * each.packets * len(each.receivers) for each in task.frames)
    with ExitStack() as sockets:

        def open_socket() -> socket.socket:
            return sockets.enter_context(bound_socket(HOST))

        engine = Engine(POLL_S, max(1, round(per_s / SAMPLES_PER_S)), False, SEED)
        inner, nobody = open_socket(), open_socket()
        destinations, sources = [], []
        for number in range(task.receivers):
            keys, receiver = _keys(task.profile), open_socket()
            destinations.append((addresses.pack(receiver.getsockname()), keys))
            engine.attach(number, receiver.fileno(), nobody.getsockname(), open_sessions(keys, SRTP_WINDOW))
        for index, frames in enumerate(task.frames):
            number, keys, sender = task.receivers + index, _keys(task.profile), open_socket()
            engine.attach(number, sender.fileno(), inner.getsockname(), open_sessions(keys, SRTP_WINDOW))
            size = frames.bytes - RTP_AND_TAG_BYTES
            stream = OutgoingStream(1 + index, 96, "video", frames.per_s, frames.packets, size)
            engine.add_outgoing(number, stream, index / len(task.frames))
            sources.append((stream.ssrc, open_sessions(keys, SRTP_WINDOW)[0], frames.receivers))
        forwarder = Relay(inner.fileno(), destinations, sources)
        with _running(engine, task.cores[1]), pinned(task.cores[0]):
            forwarder.run(WARM_UP_S)
            sent = forwarder.sent
            cpu_s = forwarder.run(task.duration_s)
            sent = forwarder.sent - sent
        sums = engine.counts()[0]
    if forwarder.refused or sums["undecryptable"] or sums["unmarked"] or not sums["sampled"]:
        raise NoFloor(f"{forwarder.refused} refused, of the samples {sums}")
    return {"cpu_s": cpu_s, "sent": sent}


def _keys(profile: str) -> SrtpKeys:
    """Of one remote; both directions have the same, and differ in their SSRCs."""
    key = os.urandom(KEY_BYTES[profile])
    return SrtpKeys(profile, key, key)


@contextmanager
def _running(engine: Engine, core: int) -> Iterator[None]:
    def run() -> None:
        os.sched_setaffinity(0, {core})  # of this thread
        engine.run()

    thread = threading.Thread(target=run, name="loadtest-traffic")
    thread.start()
    try:
        yield
    finally:
        engine.stop()
        thread.join()
