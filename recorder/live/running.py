"""`sfu live DIR`: a composite of the recording that is being written in DIR, into DIR/hls, until it ends.

Reads the journal and nothing else, and gives way to everybody: a machine that has no time for it loses pictures of the
composite, never of the call or of the recording.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recorder.journal.tailing import JournalTail
from recorder.live.config import LiveConfig
from recorder.live.directory import WINDOW, LiveDirectory, end_left_behind
from recorder.live.stream import LiveStream, Piece
from recorder.mix.layouts import Layout
from recorder.recovery import JOURNAL
from recorder.taking import boot_name

logger = logging.getLogger(__name__)

HLS = "hls"
LOCK = ".composing"
# Below those that make files of ended recordings (finishing.py): nobody sees when those are done a little later.
NICENESS = 8


class CannotCompose(Exception):
    """With words for who asked."""


def run(directory: Path, layout: Layout, config: LiveConfig, stop: Callable[[], bool] = lambda: False) -> None:
    """Until the recording ends, or `stop`. Who comes after a kill goes on with the same playlist. Raises
    CannotCompose."""
    try:
        with _alone(directory):
            _run(JournalTail(directory / JOURNAL), directory / HLS, layout, config, stop)
    except BlockingIOError as error:
        raise CannotCompose(f"{directory}: it is being composed already") from error
    except OSError as error:
        raise CannotCompose(f"{directory}: {error.strerror or error}") from error


def end_if_left_behind(directory: Path) -> None:
    """The recording has ended: what nobody composes any more ends, too. Raises OSError when the disk fails."""
    if (directory / HLS).exists():
        with suppress(BlockingIOError), _alone(directory):
            end_left_behind(directory / HLS)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Nobody else composes it, in whichever process. Raises BlockingIOError."""
    lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _run(tail: JournalTail, target: Path, layout: Layout, config: LiveConfig, stop: Callable[[], bool]) -> None:
    stream = LiveStream(layout, config)
    _read(tail, stream)
    while tail.epoch is None and not stop():
        time.sleep(config.poll_s)
        _read(tail, stream)
    if tail.epoch is None:
        return
    has_ended = stream.ended or tail.boot != boot_name()
    if has_ended and not (target / WINDOW).exists():
        raise CannotCompose(f"{target.parent}: the recording does not run any more; `sfu mix` makes one file of it")
    if stream.encrypted:
        raise CannotCompose(f"{target.parent}: it is encrypted end to end, and cannot be decoded")
    live = LiveDirectory(
        target,
        config,
        began_unix_s=tail.epoch.unix_s,
        part_s=stream.part_s,
        parts_per_segment=stream.parts_per_segment,
    )
    while not (has_ended or stream.ended or stop()):
        now = tail.session_s(time.monotonic())
        piece = stream.piece(now)
        if piece is None:
            time.sleep(min(config.poll_s, stream.wait_s(now)))
        else:
            _tell(piece)
            live.add(piece)
        _read(tail, stream)
    if has_ended or stream.ended:
        live.end()


def _read(tail: JournalTail, stream: LiveStream) -> None:
    """All there is."""
    while entries := tail.poll():
        stream.on_entries(entries)


def _tell(piece: Piece) -> None:
    if piece.skipped_s:
        logger.warning("too slow: %.1f s are left out, at %.1f s", piece.skipped_s, piece.begin_s)
    elif piece.dropped_pictures:
        logger.warning("too slow: %d pictures are left out, at %.1f s", piece.dropped_pictures, piece.begin_s)
