"""`sfu recover` and `sfu mix`: arguments, a progress bar, words for what went wrong.

Exit status: 0 well, 1 not or not all, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final, TextIO

from recorder.config import DEFAULT_CONTAINER, FilesConfig, MediaConfig, Mode
from recorder.files.output import CONTAINERS, WITH_VIDEO
from recorder.manifest import FILE_NAME
from recorder.mix import layouts
from recorder.mix.layouts import BUILT_IN, Layout
from recorder.mix.mixing import CannotMix, mix, stems
from recorder.recovery import CannotRecover, recover

RECOVER_EXAMPLES: Final = """\
examples:
  sfu recover recordings/standup                      one file per participant, decoded, H.264 and AAC
  sfu recover recordings/standup --mode copy          what was sent, as it was sent: twenty times faster
  sfu recover recordings/standup --mode audio --container flac
"""

MIX_EXAMPLES: Final = """\
examples:
  sfu mix recordings/standup                          mix.mp4 with everybody in a grid
  sfu mix recordings/standup --layout speaker --out talk.mp4
  sfu mix recordings/standup --out sound.wav          sound alone
  sfu mix recordings/standup --stems stems            a WAV per participant, all of one length
  sfu mix recordings/standup --layout mine.json       a layout of your own (recorder/mix/README.md)
"""

_AUDIO_CONTAINERS: Final = sorted(CONTAINERS - WITH_VIDEO)


def add_recover_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="of the recording; its journal is in DIR/journal")
    parser.add_argument(
        "--mode",
        type=Mode,
        choices=list(Mode),
        default=Mode.DECODE,
        help="decode (default), copy (no decoding), audio (sound alone)",
    )
    parser.add_argument(
        "--container",
        choices=sorted(CONTAINERS),
        help=f"decode: mp4 (default), mkv, webm; audio: flac (default), {', '.join(_AUDIO_CONTAINERS)}; copy chooses",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def add_mix_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="of the recording, with its manifest.json")
    add_layout_argument(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"ending with {', '.join('.' + one for one in sorted(CONTAINERS))} (default DIR/mix.mp4)",
    )
    parser.add_argument("--stems", type=Path, metavar="DIRECTORY", help="instead: a WAV per participant, into there")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run_recover(arguments: argparse.Namespace) -> int:
    mode: Mode = arguments.mode
    container: str = arguments.container or DEFAULT_CONTAINER[mode]
    if mode is not Mode.COPY and (container in WITH_VIDEO) is not (mode is Mode.DECODE):
        print(f"sfu recover: --mode {mode} writes no {container}", file=sys.stderr)
        return 2
    bar = ProgressBar("recover", None if arguments.quiet else sys.stderr)
    try:
        recovered = recover(arguments.directory, MediaConfig(), FilesConfig(mode=mode, container=container), bar.show)
    except CannotRecover as error:
        bar.end()
        print(f"sfu recover: {error}", file=sys.stderr)
        return 1
    bar.end()
    manifest = recovered.manifest
    if manifest.encrypted:
        print(
            "sfu recover: it was encrypted end to end: the journal has what was sent, of which no files can be made; "
            f"{arguments.directory / FILE_NAME} says who was there",
            file=sys.stderr,
        )
    for file in manifest.files:
        print(f"{arguments.directory / file.path}  {file.duration_s:.1f} s  {file.participant}")
    for damage in manifest.journal.damaged:
        print(f"damaged: {damage.segment}, {damage.length} bytes at {damage.offset}", file=sys.stderr)
    for name in manifest.journal.unreadable:
        print(f"of another version: {name}", file=sys.stderr)
    for entry in recovered.failed:
        print(f"sfu recover: {entry.path.name} ends early: {entry.error}", file=sys.stderr)
    return 1 if recovered.failed or not manifest.files else 0


def run_mix(arguments: argparse.Namespace) -> int:
    try:
        layout = layout_of(arguments.layout)
    except ValueError as error:
        print(f"sfu mix: --layout: {error}", file=sys.stderr)
        return 2
    directory: Path = arguments.directory
    target: Path = arguments.out or directory / "mix.mp4"
    if target.suffix.lstrip(".").lower() not in CONTAINERS:
        print(f"sfu mix: --out: a name must end with one of {', '.join(sorted(CONTAINERS))}", file=sys.stderr)
        return 2
    bar = ProgressBar("mix", None if arguments.quiet else sys.stderr)
    try:
        if arguments.stems is not None:
            written = stems(directory, arguments.stems, "wav", bar.show)
        else:
            mix(directory, target, layout, bar.show)
            written = [target]
    except CannotMix as error:
        bar.end()
        print(f"sfu mix: {error}", file=sys.stderr)
        return 1
    bar.end()
    for path in written:
        print(path)
    return 0


def add_layout_argument(parser: argparse.ArgumentParser) -> None:
    """What it was given, `layout_of` reads."""
    parser.add_argument(
        "--layout",
        default="grid",
        metavar="LAYOUT",
        help=f"{', '.join(BUILT_IN)} (default grid), or a file with one in JSON",
    )


def layout_of(name: str) -> Layout:
    """A built-in one, or the one in this file. Raises ValueError, with words for who asked."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    try:
        return layouts.parse(Path(name).read_bytes())
    except OSError as error:
        raise ValueError(f"{name}: neither one of {', '.join(BUILT_IN)} nor a file: {error.strerror}") from error


class ProgressBar:
    """One line that is written over, on a terminal; elsewhere nothing."""

    _WIDTH = 30

    def __init__(self, title: str, out: TextIO | None) -> None:
        self._title = title
        self._out = out if out is not None and out.isatty() else None
        self._began_s = time.monotonic()
        self._shown = -1

    def show(self, share: float) -> None:
        per_mille = int(share * 1000)
        if self._out is None or per_mille == self._shown:
            return
        self._shown = per_mille
        full = int(share * self._WIDTH)
        left = ""
        passed_s = time.monotonic() - self._began_s
        if share > 0.02 and passed_s > 1:
            left = f"  {passed_s * (1 - share) / share:.0f} s left"
        self._out.write(f"\r{self._title} [{'#' * full}{'.' * (self._WIDTH - full)}] {share:5.1%}{left}   ")
        self._out.flush()

    def end(self) -> None:
        if self._out is not None and self._shown >= 0:
            self._out.write("\n")
