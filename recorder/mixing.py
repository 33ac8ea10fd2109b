"""Makes one mix of a recording: `python -m recorder.mixing DIR FILE LAYOUT`, a process of low priority. LAYOUT is JSON.

Prints how far it has come, from 0 to 1, a number in each line. One at a time on this machine, whoever runs the servers
on it as this user: others wait.
"""

from __future__ import annotations

import fcntl
import os
import resource
import sys
import tempfile
from pathlib import Path

from recorder.mix import layouts
from recorder.mix.mixing import CannotMix, load, mix

# Behind the files of recordings, which somebody waits for as well and which cannot be asked for later.
NICENESS = 15
# CPU, per second of the recording and at least: fifty cameras decoded, drawn and encoded take some ten. More takes what
# was made to hurt.
CPU_S_PER_S = 20
LEAST_CPU_S = 120


def main() -> None:
    directory, target = Path(sys.argv[1]), Path(sys.argv[2])
    os.nice(NICENESS)
    name = Path(tempfile.gettempdir()) / f"sfu-mixing-{os.getuid()}.lock"
    lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    said = -1

    def say(share: float) -> None:
        nonlocal said
        if int(share * 100) > said:
            said = int(share * 100)
            print(said / 100, flush=True)

    try:
        most_s = LEAST_CPU_S + round(CPU_S_PER_S * load(directory).duration_s)
        resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s))
        target.parent.mkdir(exist_ok=True)
        mix(directory, target, layouts.parse(sys.argv[3].encode()), say)
    except (CannotMix, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
