"""What is written can be read, whatever the disk and the process do in between. The disk is a real one, limited."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from recorder.config import JournalConfig, Sync
from recorder.journal import (
    Epoch,
    Event,
    FramesDropped,
    JournalGap,
    JournalReader,
    JournalState,
    JournalWriter,
    Packet,
    SenderReport,
    TrackEnded,
)
from recorder.journal.segments import segments
from sfu.wire.tap import FrameKind, SenderClock, TapFrame, pack_clock

ROOT = Path(__file__).resolve().parents[3]
EPOCH = Epoch("rec1", "standup", "boot1", 1000.0, 1_700_000_000.0)


def packets(directory: Path) -> list[int]:
    return [entry.sequence_number for entry in JournalReader(directory).entries() if isinstance(entry, Packet)]


def write(writer: JournalWriter, numbers: range, size: int = 1000) -> None:
    for number in numbers:
        writer.packet(1, 0, number, 1000.0 + number / 100, bytes(size))


@contextlib.contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file can grow beyond this, as on a full disk. Python ignores the signal, so that `write` fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_sink_delivers_is_read_back_in_seconds_of_the_session(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, JournalConfig(), EPOCH)
    clock = SenderClock(1 << 40, 90_000, 42)
    writer.tap_frame(TapFrame(FrameKind.RTP, 2, True, 0, 7, 70_000, 1001.5, b"rtp"))
    writer.tap_frame(TapFrame(FrameKind.SENDER_REPORT, 2, False, 3, 7, 0, 1002.0, pack_clock(clock)))
    writer.tap_frame(TapFrame(FrameKind.TRACK_ENDED, 0, False, 3, 7, 0, 1003.0, b""))
    writer.close(1004.0)
    reader = JournalReader(tmp_path)
    assert list(reader.entries()) == [
        Event(0, 0.0, EPOCH),
        Packet(7, 2, True, 70_000, 1.5, b"rtp"),
        Event(0, 2.0, FramesDropped(3)),
        SenderReport(7, 2, 2.0, clock),
        Event(7, 3.0, TrackEnded()),
    ]
    assert reader.epoch == EPOCH and not reader.damaged


def test_a_writer_that_comes_back_goes_on_in_a_segment_of_its_own_and_on_the_same_clock(tmp_path: Path) -> None:
    for monotonic_s, boot, unix_s in (
        (1000.0, "a", 5000.0),
        (1010.0, "a", 5010.0),
        (3.0, "b", 5060.0),
        (4.0, "c", 0.0),
    ):
        writer = JournalWriter(tmp_path, JournalConfig(), Epoch("rec1", "standup", boot, monotonic_s, unix_s))
        writer.packet(1, 0, 0, monotonic_s + 1, b"")
        writer.close(monotonic_s + 1)
    times = [entry.at_s for entry in JournalReader(tmp_path).entries() if isinstance(entry, Packet)]
    assert times == [1.0, 11.0, 61.0, 62.0]  # a calendar set back counts as no time
    assert [path.name for path in segments(tmp_path)] == [f"{number:08}.sfuj" for number in (1, 2, 3, 4)]


def test_segments_are_rotated_by_size_and_by_age(tmp_path: Path) -> None:
    config = JournalConfig(segment_bytes=10_000, segment_s=60.0, flush_bytes=2_000)
    writer = JournalWriter(tmp_path, config, EPOCH)
    write(writer, range(40))
    assert len(segments(tmp_path)) in (4, 5)
    before = len(segments(tmp_path))
    write(writer, range(40, 41))
    writer.flush(1000.0 + 3600)
    assert len(segments(tmp_path)) == before + 1
    writer.close(5000.0)
    assert packets(tmp_path) == list(range(41))


def test_it_says_when_it_wants_to_flush_and_sync(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, JournalConfig(sync=Sync.INTERVAL), EPOCH)
    writer.flush(1000.5)
    write(writer, range(1))
    assert writer.next_timeout() == 1000.75
    writer.flush(1000.75)
    assert packets(tmp_path) == [0]
    assert writer.next_timeout() == 1001.0  # to sync
    writer.flush(1001.0)
    assert writer.next_timeout() is None
    writer.close(1001.0)
    assert writer.next_timeout() is None


@pytest.mark.parametrize("sync", Sync)
def test_each_way_to_sync_writes_the_same(tmp_path: Path, sync: Sync) -> None:
    writer = JournalWriter(tmp_path, JournalConfig(sync=sync, flush_bytes=5_000), EPOCH)
    write(writer, range(100))
    writer.close(1010.0)
    assert packets(tmp_path) == list(range(100))


def test_a_full_disk_is_told_costs_nothing_that_was_written_and_is_got_over(tmp_path: Path) -> None:
    config = JournalConfig(flush_bytes=10_000, held_bytes=30_000)
    writer = JournalWriter(tmp_path, config, EPOCH)
    with files_limited_to(25_000):
        write(writer, range(100))  # 20 fit, about 28 are held, the others are lost
        assert (writer.state, writer.failure) == (JournalState.FAILING, "File too large")
        assert writer.next_timeout() is not None
        assert packets(tmp_path) == list(range(20))  # whole batches
        assert not JournalReader(tmp_path).damaged
        writer.flush(1002.0)
        assert (writer.state, writer.failure) == (JournalState.FAILING, "File too large")
    writer.flush(1003.0)
    assert (writer.state, writer.failure) == (JournalState.OPEN, "")
    write(writer, range(100, 110))
    writer.close(1005.0)
    numbers = packets(tmp_path)
    gaps = [entry.event for entry in JournalReader(tmp_path).entries() if isinstance(entry, Event)]
    lost = 110 - len(numbers)
    assert numbers == [*range(100 - lost), *range(100, 110)]
    assert 40 < lost < 60 and writer.entries_lost == lost
    assert [gap for gap in gaps if isinstance(gap, JournalGap)] == [JournalGap(lost, "File too large")]


@contextlib.contextmanager
def taken_late(writer: JournalWriter, by_s: float) -> Iterator[list[bytes]]:
    """Its segment is a pipe now, of which nothing is read for a while; gives what was read of it in the end."""
    read, given = os.pipe()
    os.dup2(given, writer._file)
    os.close(given)
    taken: list[bytes] = []

    def take() -> None:
        while chunk := os.read(read, 1 << 16):
            taken.append(chunk)

    taking = threading.Timer(by_s, take)
    taking.start()
    yield taken
    taking.join()
    os.close(read)


def test_a_slow_disk_is_told_and_costs_nothing(tmp_path: Path) -> None:
    config = JournalConfig(sync=Sync.NEVER, flush_bytes=1 << 30, slow_after_s=0.2)
    writer = JournalWriter(tmp_path / "begun", config, EPOCH)
    (begun,) = segments(tmp_path / "begun")
    header = begun.read_bytes()
    with taken_late(writer, by_s=0.4) as taken:
        write(writer, range(200))  # 200 kB: three times what a pipe holds
        writer.flush(1002.0)
        assert (writer.state, writer.failure) == (JournalState.SLOW, "the disk is slow")
        write(writer, range(200, 210))
        writer.close(1003.0)
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / begun.name).write_bytes(header + b"".join(taken))
    assert packets(tmp_path / "whole") == list(range(210)) and writer.entries_lost == 0


def test_a_directory_that_is_gone_is_a_failure_and_no_exception(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    writer = JournalWriter(directory, JournalConfig(segment_bytes=1000, flush_bytes=500), EPOCH)
    write(writer, range(1), 600)
    directory.rename(tmp_path / "elsewhere")
    write(writer, range(1, 5), 600)
    assert (writer.state, writer.failure) == (JournalState.FAILING, "No such file or directory")
    (tmp_path / "elsewhere").rename(directory)
    writer.close(1002.0)
    assert packets(directory) == list(range(5))


def test_a_journal_that_cannot_even_begin_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        JournalWriter(tmp_path / "file", JournalConfig(), EPOCH)


def test_it_takes_thousands_of_packets_a_second_with_a_small_part_of_a_core(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, JournalConfig(sync=Sync.NEVER), EPOCH)
    frames = [TapFrame(FrameKind.RTP, 0, False, 0, 1, number, 1000.0, bytes(1100)) for number in range(20_000)]
    began = time.process_time()
    for frame in frames:
        writer.tap_frame(frame)
    writer.close(1001.0)
    rate = len(frames) / (time.process_time() - began)
    assert rate > 20_000, f"{rate:.0f} packets per second of CPU time"  # some 150 000 on the machine it was written on


WRITES_FOR_EVER = """
import sys, time
from pathlib import Path
from recorder.config import JournalConfig
from recorder.journal import Epoch, JournalWriter
now = time.monotonic()
writer = JournalWriter(Path(sys.argv[1]), JournalConfig(flush_interval_s=0.01), Epoch("r", "r", "b", now, 0.0))
number = 0
while True:
    now = time.monotonic()
    for _ in range(20):
        writer.packet(1, 0, number, now, bytes(1000))
        number += 1
    if writer.next_timeout() <= now:
        writer.flush(now)
        print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_all_that_it_flushed(tmp_path: Path, seed: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child, child.stdout:
        child.stdout.readline()
        time.sleep(Random(seed).uniform(0.0, 0.3))
        os.kill(child.pid, signal.SIGKILL)
        said = child.stdout.read().split("\n")
    flushed = max((int(line) for line in said[:-1]), default=1)
    numbers = packets(tmp_path)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= flushed
