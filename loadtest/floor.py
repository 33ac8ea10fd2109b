"""What this machine's kernel takes for sending alone, beside which a server's cost can be read.

    plan ─► the same frames to as many sockets at the same pace, by a thread on the server's core that does nothing else

`sendmmsg`, with one run per destination (GSO) as our server does it; waking up for each frame is in it, encrypting,
reading and Python are not. The sockets are read by a thread on the generator's core, each millisecond as the generator
does. For a `Task` with an SRTP profile, receiving, decrypting and encrypting are in it, too (`cipher_floor.py`).
A process of its own: `python -m loadtest.floor` takes a `Task` as JSON on standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import sfu
from loadtest.plans import Plan, Rates
from loadtest.traffic import addresses
from loadtest.traffic.traffic import POLL_S

WINDOW_S: Final = 3.0
WARM_UP_S: Final = 0.5
HEADER_BYTES: Final = 12 + 16 + 16  # RTP, our header extensions, the longer of the SRTP tags
RECEIVE_BUFFER_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Frames:
    """What one track sends to each of its receivers, who are numbered."""

    packets: int
    bytes: int
    per_s: float
    receivers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Task:
    cores: tuple[int, int]  # of sender and reader
    duration_s: float
    receivers: int
    frames: tuple[Frames, ...]
    profile: str = ""  # empty: sending alone


class NoFloor(RuntimeError):
    """It could not be measured."""


async def measure_floor(
    plan: Plan, rates: Rates, cores: tuple[int, int], duration_s: float = WINDOW_S, profile: str = ""
) -> tuple[float, int]:
    """CPU time per packet in µs, and how many packets that was: of sending alone, or of SRTP under `profile`. For plans
    without simulcast. Raises NoFloor."""
    task = Task(cores, duration_s, len(plan.seats), tuple(_frames(plan, rates)), profile)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.floor"),
        env={**os.environ, "PYTHONPATH": str(Path(sfu.__file__).parents[1])},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(json.dumps(asdict(task)).encode()), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise NoFloor(errors.decode(errors="replace")[-2000:])
    result = json.loads(out)
    return 1e6 * result["cpu_s"] / max(1, result["sent"]), result["sent"]


def _frames(plan: Plan, rates: Rates) -> list[Frames]:
    seats = {(seat.room, seat.name): number for number, seat in enumerate(plan.seats)}
    frames = []
    for sender in plan.seats:
        to = tuple(
            number
            for (room, name), number in seats.items()
            if room == sender.room and sender.name in plan.heard_by(plan.seats[number]) and name != sender.name
        )
        if sender.sends_video:
            per_s = rates.video_packets_per_s / rates.video_packets_per_frame
            frames.append(Frames(rates.video_packets_per_frame, HEADER_BYTES + rates.video_bytes, per_s, to))
        if sender.sends_audio:
            frames.append(Frames(1, HEADER_BYTES + rates.audio_bytes, rates.audio_packets_per_s, to))
    return [each for each in frames if each.receivers]


def _send(task: Task) -> dict[str, float]:
    """In the process of its own."""
    from loadtest.traffic.compiled._engine import Bursts, drain

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        receivers = [_receiver() for _ in range(task.receivers)]
        packed = [addresses.pack(each.getsockname()) for each in receivers]
        bursts = Bursts([_burst(sender, one, packed, index, task) for index, one in enumerate(task.frames)])

        def read() -> None:
            os.sched_setaffinity(0, {task.cores[1]})  # of this thread
            drain([each.fileno() for each in receivers], task.duration_s + WARM_UP_S, POLL_S)

        reader = threading.Thread(target=read)
        reader.start()
        os.sched_setaffinity(0, {task.cores[0]})
        bursts.run(WARM_UP_S)
        before = bursts.sent
        cpu_s = bursts.run(task.duration_s)
        sent = bursts.sent - before
        reader.join()
        for each in receivers:
            each.close()
    return {"cpu_s": cpu_s, "sent": sent}


def _burst(
    sender: socket.socket, frames: Frames, packed: Sequence[bytes], index: int, task: Task
) -> tuple[int, Sequence[bytes], bytes, int, float, float]:
    to = [packed[number] for number in frames.receivers]
    # Spread, as publishers are.
    return sender.fileno(), to, os.urandom(frames.bytes), frames.packets, 1 / frames.per_s, index / len(task.frames)


def _receiver() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    receiver.bind(("127.0.0.1", 0))
    return receiver


def _read_task(text: str) -> Task:
    raw = json.loads(text)
    frames = tuple(Frames(**{**one, "receivers": tuple(one["receivers"])}) for one in raw["frames"])
    return Task(tuple(raw["cores"]), raw["duration_s"], raw["receivers"], frames, raw["profile"])


def _measure(task: Task) -> dict[str, float]:
    if not task.profile:
        return _send(task)
    from loadtest.cipher_floor import relay

    return relay(task)


if __name__ == "__main__":
    json.dump(_measure(_read_task(sys.stdin.read())), sys.stdout)
