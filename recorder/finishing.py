"""Makes the files of one recording: `python -m recorder.finishing DIR MODE [CONTAINER]`, a process of low priority.

Prints one line of JSON: the Made that the recorder's process passes on, without the recording's name. One at a time for
each directory: who comes second waits, and makes the same files again.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import msgspec

from recorder.config import DEFAULT_CONTAINER, FilesConfig, MediaConfig, Mode
from recorder.control import Made, MadeFile
from recorder.live.running import end_if_left_behind
from recorder.recovery import CannotRecover, recover

# The call goes first: making files may take all that nobody else wants, and not more.
NICENESS = 10
LOCK = ".finishing"


def main() -> None:
    directory, mode = Path(sys.argv[1]), Mode(sys.argv[2])
    container = sys.argv[3] if len(sys.argv) > 3 else DEFAULT_CONTAINER[mode]
    os.nice(NICENESS)
    lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        end_if_left_behind(directory)
        recovered = recover(directory, MediaConfig(), FilesConfig(mode=mode, container=container))
    except (CannotRecover, OSError) as error:
        sys.exit(str(error))
    manifest = recovered.manifest
    files = [
        MadeFile(
            path=file.path,
            participant=file.participant,
            size_bytes=file.size_bytes,
            duration_s=file.duration_s,
            error=file.error or "",
        )
        for file in manifest.files
    ]
    made = Made(recording="", duration_s=manifest.duration_s, files=files)
    sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")


if __name__ == "__main__":
    main()
