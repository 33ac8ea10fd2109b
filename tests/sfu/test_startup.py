"""What passes before any Command: it survives the way, and nothing but MalformedFrame comes out of bad frames."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

from sfu import startup
from sfu.config import WorkerConfig
from sfu.control import MalformedFrame
from sfu.plane.interface import PlaneConfig
from sfu.startup import Hello, NotStarted, Start

START = Start(
    config=replace(
        WorkerConfig(worker_index=3, udp_port=7885, addresses=("127.0.0.1", "::1"), announce=("203.0.113.7:7882",)),
        plane=PlaneConfig(history_packets=7),
        budget_bps=1,
    ),
    log_level="DEBUG",
)
HELLO = Hello(pid=1, udp_port=7885, addresses=("127.0.0.1",), plane="compiled")


def test_everything_that_is_said_arrives_with_all_its_limits() -> None:
    assert startup.decode(startup.encode(START), Start) == START
    for answer in (HELLO, NotStarted(reason="taken")):
        assert startup.decode(startup.encode(answer), startup.Answer) == answer


def test_whatever_comes_is_what_it_should_be_or_malformed(seed: int) -> None:
    source = random.Random(seed)
    for frame, expected in ((startup.encode(START), Start), (startup.encode(HELLO), startup.Answer)):
        for _ in range(500):
            mutant = bytearray(frame)
            for _ in range(source.randint(1, 4)):
                mutant[source.randrange(len(mutant))] = source.randrange(256)
            with suppress(MalformedFrame):
                startup.decode(bytes(mutant[: source.randint(0, 2 * len(mutant))]), expected)
