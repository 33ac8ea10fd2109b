"""kill -9 at random moments: every file opens and plays up to where it was; the journal gives all that was flushed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import av

from recorder.config import FilesConfig, JournalConfig, MediaConfig, Mode
from recorder.journal import (
    Epoch,
    Event,
    JournalReader,
    JournalWriter,
    Packet,
    RecordingEnded,
    TrackStarted,
)
from recorder.recovery import recover
from tests.recorder.clap import HEIGHT, WIDTH, claps
from tests.recorder.stage import MONOTONIC_S, UNIX_S, Entries, Publisher, Stage
from tests.recorder.watching import watch, worst

ROOT = Path(__file__).resolve().parents[2]

# Plays a journal in its own time, twenty times as fast, into another, flushing as a recorder would.
WRITER = """
import sys, time
from pathlib import Path
from recorder.config import JournalConfig
from recorder.journal import JournalReader, JournalWriter, Epoch, Event, Packet, SenderReport
source, target = map(Path, sys.argv[1:])
reader = JournalReader(source)
entries = list(reader.entries())
writer = JournalWriter(target, JournalConfig(flush_interval_s=0.25), reader.epoch)
zero, began = reader.epoch.monotonic_s, time.monotonic()
for entry in entries:
    at_s = zero + entry.at_s
    while (time.monotonic() - began) * 20 < entry.at_s:
        time.sleep(0.002)
    if isinstance(entry, Packet):
        writer.packet(entry.track, entry.layer, entry.sequence_number, at_s, entry.rtp)
    elif isinstance(entry, SenderReport):
        writer.sender_report(entry.track, entry.layer, at_s, entry.clock)
    elif not isinstance(entry.event, Epoch):
        writer.event(at_s, entry.event, entry.track)
    due = writer.next_timeout()
    if due is not None and due <= at_s:
        writer.flush(at_s)
        print(entry.at_s, flush=True)
writer.close(at_s)
print("all", flush=True)
"""

MAKER = """
import sys
from pathlib import Path
from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.recovery import recover
directory, mode, container, width, height = sys.argv[1:]
print("ready", flush=True)
files = FilesConfig(Mode(mode), container, (int(width), int(height)), key_frame_interval_s=1.0)
recover(Path(directory), MediaConfig(), files)
"""


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> list[str]:
    """What it had said until then."""
    os.kill(process.pid, signal.SIGKILL)
    assert process.stdout is not None
    said = process.stdout.read().split("\n")[:-1]
    process.stdout.close()
    process.wait()
    return said


def test_a_recorder_killed_at_any_moment_costs_what_it_had_not_flushed(tmp_path: Path, seed: int) -> None:
    source = Stage([Publisher("ada"), Publisher("bob", first=5, seed=2)]).write(tmp_path / "source")
    target = tmp_path / "target"
    process = child(WRITER, source / "journal", target / "journal")
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(Random(seed).uniform(0.0, 0.4))
    said = [line for line in kill(process) if line != "all"]
    flushed_s = max((float(line) for line in said), default=0.0)
    made = recover(target, MediaConfig(), FilesConfig(camera_size=(WIDTH, HEIGHT))).manifest
    assert made.duration_s >= flushed_s - 0.001 and (made.complete or made.duration_s < 10.5)
    sent = [entry for entry in JournalReader(source / "journal").entries() if isinstance(entry, Packet)]
    kept = [entry for entry in JournalReader(target / "journal").entries() if isinstance(entry, Packet)]
    assert len(kept) >= sum(entry.at_s < flushed_s - 0.001 for entry in sent)
    assert [entry.rtp for entry in kept] == [entry.rtp for entry in sent[: len(kept)]]
    for file in made.files:
        seen = watch(tmp_path / "target" / file.path)
        assert abs(seen.audio_end_s - made.duration_s) < 0.045  # AAC comes in blocks of 21 ms
        heard = [at_s + 0.03 for at_s in claps(10) if at_s + 0.2 < made.duration_s]
        assert worst(seen.beeps[: len(heard)], heard) < 0.01


def test_a_recorder_that_comes_back_goes_on_in_the_same_recording(tmp_path: Path) -> None:
    """From 3.3 s to 5.8 s nobody recorded; the clock went on."""
    directory = Stage([], more=between(0.0, 3.3), ended=False, until_s=3.3).write(tmp_path)
    epoch = Epoch("rec1", "standup", "boot", MONOTONIC_S + 5.8, UNIX_S + 5.8)
    writer = JournalWriter(directory / "journal", JournalConfig(), epoch)
    for entry in between(5.8, 11.0):
        if isinstance(entry, Packet):
            writer.packet(entry.track, entry.layer, entry.sequence_number, MONOTONIC_S + entry.at_s, entry.rtp)
    writer.event(MONOTONIC_S + 10, RecordingEnded("stopped"))
    writer.close(MONOTONIC_S + 10)
    made = recover(directory, MediaConfig(), FilesConfig(camera_size=(WIDTH, HEIGHT))).manifest
    seen = watch(directory / made.files[0].path)
    assert worst(seen.beeps, [at_s + 0.03 for at_s in (1.0, 3.0, 7.0, 9.0)]) < 0.02
    assert worst(seen.flashes, [at_s + 0.03 for at_s in (1.0, 3.0, 7.0, 9.0)]) < 0.02
    (gap,) = next(track for track in made.tracks if track.kind == "video").gaps
    assert (round(gap.from_s, 1), round(gap.to_s, 1), gap.reason) == (3.3, 6.0, "loss")


def test_what_nobody_recorded_is_a_gap_of_pictures_and_of_sound(tmp_path: Path) -> None:
    """As when the recorder was killed: the next one is told of the tracks again, under other numbers."""
    directory = Stage([], more=between(0.0, 3.3), ended=False, until_s=3.3).write(tmp_path)
    epoch = Epoch("rec1", "standup", "boot", MONOTONIC_S + 5.8, UNIX_S + 5.8)
    writer = JournalWriter(directory / "journal", JournalConfig(), epoch)
    for entry in between(0.0, 3.3):
        if isinstance(entry, Event) and isinstance(entry.event, TrackStarted):
            writer.event(MONOTONIC_S + 5.8, entry.event, entry.track + 100)
    for entry in between(5.8, 11.0):
        if isinstance(entry, Packet):
            at_s = MONOTONIC_S + entry.at_s
            writer.packet(entry.track + 100, entry.layer, entry.sequence_number, at_s, entry.rtp)
    writer.event(MONOTONIC_S + 10, RecordingEnded("stopped"))
    writer.close(MONOTONIC_S + 10)
    made = recover(directory, MediaConfig(), FilesConfig(camera_size=(WIDTH, HEIGHT))).manifest
    gaps = {track.kind: track.gaps for track in made.tracks}
    assert {kind: [gap.reason for gap in found] for kind, found in gaps.items()} == {
        "audio": ["restart"],
        "video": ["restart"],
    }
    (gap,) = gaps["audio"]
    assert (round(gap.from_s, 1), round(gap.to_s, 1)) == (3.3, 5.8)


def between(from_s: float, to_s: float) -> Entries:
    found = Publisher("ada").entries()
    return [entry for entry in found if from_s <= entry.at_s < to_s]


GROWING = [(Mode.DECODE, "mp4"), (Mode.COPY, "mp4"), (Mode.DECODE, "mkv"), (Mode.AUDIO, "flac"), (Mode.DECODE, "webm")]


def test_files_that_are_being_made_can_be_watched_after_a_kill_and_are_made_again(tmp_path: Path, seed: int) -> None:
    mode, container = GROWING[seed % len(GROWING)]
    Stage([Publisher("ada", until_s=40), Publisher("bob", until_s=40, first=5, seed=2)], until_s=40).write(tmp_path)
    process = child(MAKER, tmp_path, mode, container, WIDTH, HEIGHT)
    assert process.stdout is not None
    process.stdout.readline()
    building = tmp_path / ".building"
    deadline = time.monotonic() + 60
    while not grown(building) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGSTOP)  # what is looked at must not be done meanwhile
    assert grown(building), "it was killed too late"
    kill(process)
    for path in building.iterdir():
        with av.open(str(path)) as opened:
            assert opened.streams.audio
        watch(path)
    assert worst(recovered_beeps(tmp_path), [at_s + 0.03 for at_s in claps(40)]) < 0.01
    assert not building.exists()


def grown(building: Path) -> bool:
    """Both files have more than their headers."""
    found = list(building.iterdir()) if building.exists() else []
    return len(found) == 2 and all(path.stat().st_size > 4000 for path in found)


def recovered_beeps(directory: Path) -> list[float]:
    made = recover(directory, MediaConfig(), FilesConfig(mode=Mode.AUDIO, container="flac")).manifest
    return watch(directory / made.files[0].path).beeps
