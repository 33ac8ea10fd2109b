"""`python -m recorder.live DIR LAYOUT`: as `sfu live`, for a process that lives as long as who started it.

It ends with its standard input, also when that one was killed; with status 0 when the recording has ended.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

from recorder.live.config import LiveConfig
from recorder.live.running import NICENESS, CannotCompose, run
from recorder.mix.layouts import BUILT_IN


def main() -> None:
    directory, layout = Path(sys.argv[1]), BUILT_IN[sys.argv[2]]
    os.nice(NICENESS)
    logging.basicConfig(
        level=logging.WARNING,
        format=f"%(asctime)s %(levelname)-7s live {directory.name}: %(message)s",
        stream=sys.stderr,
    )
    alone = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(alone,), daemon=True).start()
    try:
        run(directory, layout, LiveConfig(), alone.is_set)
    except CannotCompose as error:
        sys.exit(str(error))
    if alone.is_set():
        sys.exit("nobody waits for it any more")


def _wait_for_the_end(alone: threading.Event) -> None:
    while os.read(0, 1):
        pass
    alone.set()


if __name__ == "__main__":
    main()
