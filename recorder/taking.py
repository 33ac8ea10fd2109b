"""One recording while it runs: from the sink's socket into the journal, but for what is withheld."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from recorder import control
from recorder.config import JournalConfig
from recorder.journal import Epoch, JournalState, JournalWriter, RecordingEnded, TrackEnded, TrackMuted, TrackStarted
from recorder.journal.events import AnyEvent
from recorder.withholding import Withholding
from sfu.tap import TapReader
from sfu.wire.tap import FrameKind, TapFrame

JOURNAL = "journal"


class Taking:
    """`new_address` gives the path of a socket that only we may write to. Raises OSError when the journal or the socket
    cannot be made. `on_listening` is called for each sink, when the plane has opened it."""

    def __init__(
        self,
        recording: str,
        room: str,
        directory: Path,
        config: JournalConfig,
        new_address: Callable[[], str],
        on_listening: Callable[[], None],
    ) -> None:
        self.recording = recording
        self._withholding = Withholding()
        # The plane sends as soon as it is asked, and signaling tells whose it is when it has heard that: the key frame
        # that everything builds on comes in between, on a busy machine.
        self._early: deque[TapFrame] = deque(maxlen=config.early_packets)
        self._packets = 0
        self._dropped = 0  # of sinks that were
        self._told: JournalState = JournalState.OPEN
        epoch = Epoch(recording, room, boot_name(), time.monotonic(), time.time())
        self._writer = JournalWriter(directory / JOURNAL, config, epoch)
        self._new_address = new_address
        self._on_listening = on_listening
        try:
            self._open_reader()
        except OSError:
            self._writer.close(time.monotonic())
            raise

    @property
    def address(self) -> str:
        return self._reader.address

    @property
    def state_changed(self) -> bool:
        """Since `progress` was asked last."""
        return self._writer.state != self._told

    def begin_again(self) -> None:
        """With another socket: the one who wrote into the last is gone. Raises OSError."""
        self._close_reader()
        self._withholding = Withholding()  # numbers are given anew, and all is told again
        self._early.clear()
        self._open_reader()

    def note(self, event: AnyEvent, track: int, *, muted: bool = False) -> None:
        """`muted`: so is the track that starts."""
        self._withholding.on_event(event, track)
        if muted:
            self._withholding.on_event(TrackMuted(True), track)
        self._writer.event(time.monotonic(), event, track)
        if isinstance(event, TrackStarted):
            self._take_early(track)

    def on_timer(self, now: float) -> None:
        at = self._writer.next_timeout()
        if at is not None and at <= now:
            self._writer.flush(now)

    def progress(self) -> control.Progress:
        self._told = self._writer.state
        return control.Progress(
            recording=self.recording,
            bytes=self._writer.bytes_written,
            packets=self._packets,
            dropped=self._dropped + self._reader.dropped,
            lost=self._writer.entries_lost,
            state=self._writer.state.value,
            failure=self._writer.failure,
        )

    def end(self, reason: str | None) -> None:
        """None: it was interrupted, and somebody else may go on with it."""
        self._close_reader()
        now = time.monotonic()
        if reason is not None:
            self._writer.event(now, RecordingEnded(reason))
        self._writer.close(now)

    def _open_reader(self) -> None:
        self._reader = TapReader(self._new_address())
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read(self._reader)), loop.create_task(self._listen(self._reader))]

    def _close_reader(self) -> None:
        self._dropped += self._reader.dropped
        self._reader.close()
        for task in self._tasks:
            task.cancel()

    async def _listen(self, reader: TapReader) -> None:
        await reader.connected.wait()
        self._on_listening()

    async def _read(self, reader: TapReader) -> None:
        writer, withholding = self._writer, self._withholding
        async for frame in reader:
            if frame.kind == FrameKind.RTP:
                if not withholding.knows(frame.track):
                    self._early.append(frame)
                if not withholding.takes(frame.track):
                    continue
                self._packets += 1
            elif frame.kind == FrameKind.TRACK_ENDED:
                withholding.on_event(TrackEnded(), frame.track)
                self._forget_early(frame.track)
            writer.tap_frame(frame)

    def _take_early(self, track: int) -> None:
        """What the sink had dropped before them has been noted with later ones."""
        if self._withholding.takes(track):
            for frame in self._early:
                if frame.track == track:
                    self._packets += 1
                    self._writer.packet(
                        track, frame.layer, frame.sequence_number, frame.arrived_at_s, frame.body, frame.recovered
                    )
        self._forget_early(track)

    def _forget_early(self, track: int) -> None:
        kept = [frame for frame in self._early if frame.track != track]
        self._early.clear()
        self._early.extend(kept)


def boot_name() -> str:
    """Of the run of this machine, whose monotonic clock the journal's times are of."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
