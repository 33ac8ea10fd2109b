"""How much the load generator can take: `python -m loadtest.bench_generator`, on a machine with two cores.

    Fan, a bare thread on one core ─► fifty subscribers' sockets of the generator, on the other
    a hundred publishers of the generator, 20 000 packets/s ─► a socket of its own

The rate is raised step by step. Of each step: what was sent and received, what was lost at the generator's sockets,
how much of its core the generator's thread took, and what rate would fill that core. The sending thread does nothing
but `sendmmsg`, in runs (GSO) as a server does; on loopback that is most of the kernel's receiving, too, so it may be
full first.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loadtest.machine import pinned
from loadtest.traffic import addresses
from loadtest.traffic.compiled._engine import Engine, Fan
from loadtest.traffic.connection import bound_socket
from loadtest.traffic.streams import audio, video
from loadtest.traffic.traffic import POLL_S, SRTP_WINDOW
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import open_sessions

SUBSCRIBERS: Final = 50
PUBLISHERS: Final = 100  # of 150 video and 50 audio packets a second
RATES: Final = (100_000, 200_000, 400_000, 600_000, 800_000, 1_000_000)
SAMPLES_PER_S: Final = 4000  # as `sfu loadtest` decrypts
FAN_SSRC: Final = 1
RUN_PACKETS: Final = 16  # to each subscriber at once: what a millisecond brings at 800 000/s. Runs of 5 fill the sender
PROFILE: Final = "SRTP_AEAD_AES_128_GCM"


@dataclass(frozen=True, slots=True)
class Step:
    sent_pps: float
    received_pps: float  # of the fan's packets
    own_pps: float  # that the generator sent, and received again
    lost: int  # full sockets, and what the kernel refused of its own
    undecryptable: int
    cpu: float  # of a core: the generator's thread

    @property
    def full_at_pps(self) -> float:
        return (self.received_pps + self.own_pps) / self.cpu


class Setting:
    """The generator with everybody it stands for, and who sends to it. Use as a context manager."""

    def __init__(self, core: int, sample_every: int) -> None:
        self._core = core
        self._engine = Engine(POLL_S, sample_every, False, 4711)
        self._sockets = [bound_socket("127.0.0.1") for _ in range(SUBSCRIBERS + PUBLISHERS + 2)]
        self._thread = threading.Thread(target=self._run, name="loadtest-traffic")
        sender, own, *others = self._sockets
        key = os.urandom(28)
        keys = SrtpKeys(PROFILE, key, key)
        subscribers, publishers = others[:SUBSCRIBERS], others[SUBSCRIBERS:]
        self._engine.attach(0, own.fileno(), sender.getsockname(), open_sessions(keys, SRTP_WINDOW))
        for number, one in enumerate(subscribers, 1):
            self._engine.attach(number, one.fileno(), sender.getsockname(), open_sessions(keys, SRTP_WINDOW))
        for number, one in enumerate(publishers, 1 + SUBSCRIBERS):
            self._engine.attach(number, one.fileno(), own.getsockname(), open_sessions(keys, SRTP_WINDOW))
            self._engine.add_outgoing(number, video(10 * number, 96), number * 0.37 % 1)
            self._engine.add_outgoing(number, audio(10 * number + 1, 111), number * 0.59 % 1)
        _, self._session = open_sessions(keys, SRTP_WINDOW)
        stream = video(FAN_SSRC, 96, packets_per_frame=RUN_PACKETS)
        packed = [addresses.pack(one.getsockname()) for one in subscribers]
        self._fan = Fan(sender.fileno(), packed, self._session, stream)

    def __enter__(self) -> Setting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.stop()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def step(self, packets_per_s: float, duration_s: float) -> Step:
        """On the calling thread."""
        before, sent, cpu_s, at_s = self._counts(), self._fan.sent, self._cpu_s(), time.monotonic()
        self._fan.run(duration_s, packets_per_s)
        time.sleep(5 * POLL_S)  # for what is still in the sockets
        at_s, cpu_s = time.monotonic() - at_s, self._cpu_s() - cpu_s
        since = {name: count - before[name] for name, count in self._counts().items()}
        return Step(
            sent_pps=(self._fan.sent - sent) / at_s,
            received_pps=(since["received"] - since["own"]) / at_s,
            own_pps=since["own"] / at_s,
            lost=since["kernel_dropped"] + since["send_refused"],
            undecryptable=since["undecryptable"] + since["unmarked"],
            cpu=cpu_s / at_s,
        )

    def _counts(self) -> dict[str, int]:
        sums, _, _, streams = self._engine.counts()
        return sums | {"own": sum(stream[3] for stream in streams if stream[0] == 0)}

    def _cpu_s(self) -> float:
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident or 0))

    def _run(self) -> None:
        os.sched_setaffinity(0, {self._core})  # of this thread
        self._engine.run()


def main() -> None:
    parser = argparse.ArgumentParser(description="how many packets a second the load generator can receive")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, metavar="PACKETS/S")
    parser.add_argument("--duration", type=float, default=3.0, metavar="S", help="of each step (default 3)")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    report: Callable[[str], object] = print
    report(f"{'wanted':>9}{'sent/s':>10}{'received/s':>12}{'own/s':>8}{'lost':>8}{'CPU %':>8}{'full at/s':>11}")
    for rate in options.rates:
        with Setting(cores[-1], max(1, round(rate / SAMPLES_PER_S))) as setting, pinned(cores[0]):
            setting.step(rate, 0.5)
            step = setting.step(rate, options.duration)
        report(
            f"{rate:>9.0f}{step.sent_pps:>10.0f}{step.received_pps:>12.0f}{step.own_pps:>8.0f}{step.lost:>8}"
            f"{100 * step.cpu:>8.1f}{step.full_at_pps:>11.0f}"
            + (f"  {step.undecryptable} were not what was sent" if step.undecryptable else "")
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
