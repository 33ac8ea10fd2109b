"""`sfu live` beside a recording that is being written, watched by FFmpeg's HLS player; killed, and started again."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from recorder.config import JournalConfig, Sync
from recorder.journal import Epoch, JournalWriter, Packet, RecordingEnded, SenderReport
from recorder.live import playlist
from recorder.live.config import LiveConfig
from recorder.live.directory import PLAYLIST, WINDOW
from recorder.live.playlist import Window
from recorder.live.running import HLS, CannotCompose, run
from recorder.mix.layouts import BUILT_IN
from recorder.taking import boot_name
from signaling.cli import main
from tests.recorder.live.grammar import read
from tests.recorder.stage import Entries, Publisher, Stage

WITHIN_S = 120.0
LAYOUT = '{"regions": [{"shows": "all"}], "width": 320, "height": 192, "frames_per_s": 10, "gap": 0}'


class Recording:
    """Writes a journal as time passes, and its end when it is told to."""

    def __init__(self, directory: Path, entries: Entries) -> None:
        self._entries = entries
        self._began_s = time.monotonic()
        epoch = Epoch("rec1", "standup", boot_name(), self._began_s, time.time())
        self._writer = JournalWriter(directory / "journal", JournalConfig(sync=Sync.NEVER, segment_bytes=30_000), epoch)
        self._may_end = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def end(self) -> None:
        self._may_end.set()
        self._thread.join()

    def _write(self) -> None:
        for entry in self._entries:
            at_s = self._began_s + entry.at_s
            while (wait_s := at_s - time.monotonic()) > 0:
                due_s = self._writer.next_timeout()
                if due_s is not None and due_s <= time.monotonic():
                    self._writer.flush(time.monotonic())
                time.sleep(min(wait_s, 0.05))
            if isinstance(entry, Packet):
                self._writer.packet(entry.track, entry.layer, entry.sequence_number, at_s, entry.rtp, False)
            elif isinstance(entry, SenderReport):
                self._writer.sender_report(entry.track, entry.layer, at_s, entry.clock)
            else:
                self._writer.event(at_s, entry.event, entry.track)
        self._writer.flush(time.monotonic())
        self._may_end.wait(WITHIN_S)
        self._writer.event(time.monotonic(), RecordingEnded("stopped"))
        self._writer.close(time.monotonic())


class Player(threading.Thread):
    """Plays a playlist until it ends; `played_s` is the time of the last picture."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.times: list[float] = []
        self.heard = 0  # samples

    def run(self) -> None:
        with av.open(str(self._path)) as opened:
            for frame in opened.decode(video=0, audio=0):
                if isinstance(frame, av.VideoFrame):
                    self.times.append(frame.time or 0.0)
                elif isinstance(frame, av.AudioFrame):
                    self.heard += frame.samples


def wait_until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def window(directory: Path) -> Window:
    return playlist.decode((directory / HLS / WINDOW).read_bytes())


@contextmanager
def composing(directory: Path, layout: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "signaling.cli", "live", str(directory), "--layout", str(layout)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_is_watched_while_it_is_written_and_after_a_kill(tmp_path: Path) -> None:
    layout = tmp_path / "layout.json"
    layout.write_text(LAYOUT)
    directory = tmp_path / "rec"
    recording = Recording(directory, Stage([Publisher("ada", until_s=6.0)], until_s=6.0, ended=False).entries())
    player = Player(directory / HLS / PLAYLIST)
    with composing(directory, layout):
        wait_until(lambda: (directory / HLS / PLAYLIST).exists())
        player.start()
        wait_until(lambda: len(player.times) > 5 or not player.is_alive())
        assert player.is_alive()  # it was seen before it was over
    with composing(directory, layout) as second:
        wait_until(lambda: any(one.discontinuous for one in window(directory).segments))
        recording.end()
        assert second.wait(WITHIN_S) == 0
    player.join(WITHIN_S)
    assert not player.is_alive()
    last = read((directory / HLS / PLAYLIST).read_text())
    left = window(directory)
    assert last.ended and left.runs == 2
    # All that was made was shown and heard; of a slow machine the first may have left the window.
    made_s = sum(one.duration_s for one in left.segments)
    assert len(player.times) + left.dropped_pictures >= round(made_s * 10)
    assert player.heard / 48_000 > made_s - 0.1


def test_says_that_a_recording_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Stage([Publisher("ada", until_s=1.0)], until_s=1.0).write(tmp_path)
    command = [sys.executable, "-m", "signaling.cli", "live", str(tmp_path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=WITHIN_S)
    assert done.returncode == 1 and "does not run any more" in done.stderr
    with pytest.raises(CannotCompose, match="No such file"):
        run(tmp_path / "nowhere", BUILT_IN["grid"], LiveConfig())
    assert main(["live", str(tmp_path), "--layout", "cats"]) == 2
    assert "neither one of grid, speaker nor a file" in capsys.readouterr().err
