"""What of a sink reaches the journal, its other end being played: frames may come before the word of whose they are."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
import time
from pathlib import Path

import pytest

from recorder.config import JournalConfig
from recorder.journal import AnyEvent, ConsentChanged, JournalReader, Packet, RecordingPaused, TrackStarted
from recorder.taking import Taking
from sfu.wire import rtp, tap
from sfu.wire.tap import FrameKind, TapFrame

ADA = TrackStarted("t1", "ada", "video", "camera")
WITHIN_S = 30.0
EARLY, LATER = range(3), range(3, 5)


def frame(number: int) -> bytes:
    body = rtp.build(payload_type=96, sequence_number=number, timestamp=number, ssrc=7, payload=b"x", marker=True)
    return tap.pack(TapFrame(FrameKind.RTP, 0, False, 0, 1, number, time.monotonic(), body))


@pytest.mark.parametrize(
    ("said_before", "muted", "taken"),
    [
        ((), False, [*EARLY, *LATER]),
        ((), True, []),
        ((ConsentChanged("ada", False),), False, []),
        ((RecordingPaused(),), False, []),
    ],
)
async def test_what_comes_before_the_word_of_whose_it_is_waits_for_it(
    tmp_path: Path, said_before: tuple[AnyEvent, ...], muted: bool, taken: list[int]
) -> None:
    taking = Taking("rec", "room", tmp_path, JournalConfig(), lambda: str(tmp_path / "1.sock"), lambda: None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plane:
        plane.connect(taking.address)

        async def sends(numbers: range) -> None:
            """And it has been read."""
            for number in numbers:
                plane.send(frame(number))
            async with asyncio.timeout(WITHIN_S):
                while struct.unpack("i", fcntl.ioctl(plane, termios.TIOCOUTQ, bytes(4)))[0]:  # noqa: ASYNC110 - the kernel sets no event
                    await asyncio.sleep(0)
            for _ in range(10):  # what was read is handed on
                await asyncio.sleep(0)

        for event in said_before:
            taking.note(event, 0)
        await sends(EARLY)
        taking.note(ADA, 1, muted=muted)
        await sends(LATER)
        taking.end("stopped")
    found = [entry for entry in JournalReader(tmp_path / "journal").entries() if isinstance(entry, Packet)]
    assert [one.sequence_number for one in found] == taken
    assert taking.progress().packets == len(taken)
