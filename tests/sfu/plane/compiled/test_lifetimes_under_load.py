"""Ten thousand remotes, with Tracks, Slots and sinks, come and go while media flows: no stall, no leak, no rest.

`script/asan` runs this under AddressSanitizer, where a stale pointer is an error and not a matter of luck.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath

from sfu.plane.interface import Path
from tests.support.rtp import AUDIO, GCM, PUBLISHER_IDS, SIMULCAST, SUBSCRIBER_IDS, Remote, audio_slot, video_slot
from tests.support.stage import HOST, Stage

READ = f"@sfu lifetimes {os.getpid()}"  # another run beside this one has its own
ROUNDS = 10_000
WARM_UP = 2000
LARGEST_GROWTH_KB = 12_000  # one leaked Transport a round would be tens of megabytes
LONGEST_CALL_S = 5.0  # a deadlock, on however busy a machine


def resident_kb() -> int:
    pages = int(FilePath("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@contextmanager
def media(stage: Stage) -> Iterator[None]:
    """Key frames all the time, so that every Slot has something to send at once."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            stage.send(*stage.source.frame(4, key=True))
            stage.source.packets.clear()
            time.sleep(0.0005)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Churn:
    """At any time a handful of remotes, each with a Track, two Slots and a sink, taken apart in any order."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.draw = random.Random(1)
        self.alive: list[int] = []
        self.next = 1000
        self.frames = 0
        keys = Remote(Path(0, HOST, 9), GCM).keys
        self.keys = keys
        self.reader = self.listen(READ)  # reads now and then
        stage.sockets.append(self.reader)

    def listen(self, name: str) -> socket.socket:
        reader = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        reader.setblocking(False)
        reader.bind("\0" + name[1:])
        return reader

    def come(self) -> None:
        plane, number = self.stage.plane, self.next
        self.next += 10
        path = Path(0, HOST, 20_000 + number // 10 % 500)  # nobody listens there, and now and then it changes hands
        plane.add_transport(number)
        plane.bind(number, path)
        plane.select(number, path)
        plane.set_extensions(number, PUBLISHER_IDS, SUBSCRIBER_IDS)
        plane.set_keys(number, self.keys)
        plane.add_track(number, number, self.draw.choice((SIMULCAST, AUDIO)))
        plane.announce_ssrc(number, 0, number, rtx=False)
        plane.add_slot(number, number, video_slot(number))
        plane.add_slot(number + 1, number, audio_slot(number + 2))
        plane.set_route(number, 1)
        plane.set_layer(number, 0)
        plane.set_route(number + 1, self.draw.choice((1, number, None)))
        self.tap(number)
        self.alive.append(number)

    def tap(self, number: int) -> None:
        plane = self.stage.plane
        if self.draw.random() < 0.2:  # a reader that dies at once
            with self.listen(f"{READ}, short"):
                plane.add_sink(number, f"{READ}, short")
        else:
            plane.add_sink(number, READ)
        plane.set_tap(number, 1, [0])
        plane.set_tap(number, number, [0])

    def use(self) -> None:
        plane, number = self.stage.plane, self.draw.choice(self.alive)
        plane.retransmit(number, range(100, 104), time.monotonic())
        plane.transmission(number)
        plane.describe_transport(number)
        plane.describe_track(number)
        plane.describe_slot(number)
        plane.set_tap(number, 1, self.draw.choice(([], [0])))
        plane.poll_levels()
        plane.send_reports(self.alive, 1 << 32, time.monotonic())
        plane.poll_reports()
        if self.draw.random() < 0.2:
            plane.set_keys(number, self.keys)  # of another session: the old one goes
            plane.remove_slot(number + 1)
            with contextlib.suppress(BlockingIOError):
                while self.reader.recv(4096):
                    self.frames += 1

    def go(self) -> None:
        plane, number = self.stage.plane, self.alive.pop(self.draw.randrange(len(self.alive)))
        steps = [
            (plane.remove_slot, number),
            (plane.remove_slot, number + 1),
            (plane.remove_track, number),
            (plane.remove_sink, number),
            (plane.remove_transport, number),
        ]
        self.draw.shuffle(steps)
        for remove, what in steps:
            remove(what)


def test_ten_thousand_come_and_go() -> None:
    with Stage() as stage, media(stage):
        churn = Churn(stage)
        churn.come()
        longest, settled_kb = 0.0, 0
        for round_number in range(ROUNDS):
            before = time.monotonic()
            churn.come()
            churn.use()
            if len(churn.alive) > 8:
                churn.go()
            longest = max(longest, time.monotonic() - before)
            stage.plane.take_events()
            time.sleep(0.0001)  # the publisher is a Python thread too, and needs the GIL
            if round_number == WARM_UP:
                settled_kb = resident_kb()
        grown_kb = resident_kb() - settled_kb
        counters = stage.plane.counters
        while churn.alive:
            churn.go()
        assert counters.forwarded > ROUNDS, counters
        assert churn.frames > ROUNDS // 10, counters
        assert longest < LONGEST_CALL_S
        assert grown_kb < LARGEST_GROWTH_KB, f"{grown_kb} kB more than after {WARM_UP} rounds"
        subscriber = stage.subscribe(100)
        assert subscriber.take(10), "media still flows"
