"""Files that grow while the call runs: the journal is followed as it is written, by a process that may be slow.

    DIR/journal/*.sfuj, growing ─► Session ─► RecordingFiles ─► DIR/live/*: can be watched, some seconds late

The recorder itself only journals. Whoever follows can be killed, or be too slow, and nothing is lost: when the
recording ends, `recover` makes the files that stay, with a manifest.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from recorder.config import FilesConfig, MediaConfig
from recorder.files.recording import RecordingFiles
from recorder.journal.tailing import JournalTail
from recorder.recovery import JOURNAL
from recorder.session import Session

LIVE = "live"
POLL_S = 0.5  # between looks at the journal. Lower: files that are less late, for more wake-ups


def follow(
    directory: Path,
    media: MediaConfig,
    files: FilesConfig,
    stop: Callable[[], bool] = lambda: False,
    wait: Callable[[], None] = lambda: time.sleep(POLL_S),
) -> float:
    """Until the journal says that the recording has ended, or `stop`. Returns the session's length in seconds; the
    files in DIR/live are then whole. Who comes back begins them anew. Raises OSError when the disk fails."""
    live = directory / LIVE
    shutil.rmtree(live, ignore_errors=True)
    tail = JournalTail(directory / JOURNAL)
    session = Session(media)
    written = RecordingFiles(live, files, session)
    while session.marks.ended is None and not stop():
        entries = tail.poll()
        for entry in entries:
            session.on_entry(entry)
        written.write(session.frames())
        written.advance(session.settled_s())
        if not entries:
            wait()
    written.write(session.finish())
    written.finish(session.now)
    return session.now
