"""`sfu live`: arguments, signals, words for what went wrong. Exit status: 0 well, 1 not, 2 wrong arguments."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from recorder.command import add_layout_argument, layout_of
from recorder.live.config import LiveConfig
from recorder.live.directory import PLAYLIST
from recorder.live.running import HLS, NICENESS, CannotCompose, run

EXAMPLES: Final = """\
examples:
  sfu live recordings/REC_1                           everybody in a grid, in recordings/REC_1/hls/live.m3u8
  sfu live recordings/REC_1 --layout speaker
  sfu live recordings/REC_1 --layout mine.json        a layout of your own (recorder/mix/README.md)

The server does it by itself for recordings that are started with "live".
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="of a recording that runs on this machine")
    add_layout_argument(parser)


def run_live(arguments: argparse.Namespace) -> int:
    try:
        layout = layout_of(arguments.layout)
    except ValueError as error:
        print(f"sfu live: --layout: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="sfu live: %(message)s")
    stopping = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, frame: stopping.set())
    os.nice(NICENESS)
    print(arguments.directory / HLS / PLAYLIST, flush=True)
    try:
        run(arguments.directory, layout, LiveConfig(), stopping.is_set)
    except CannotCompose as error:
        print(f"sfu live: {error}", file=sys.stderr)
        return 1
    return 0
