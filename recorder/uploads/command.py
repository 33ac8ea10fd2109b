"""`sfu upload DIR …`: arguments, a progress bar, words for what went wrong.

Exit status: 0 all is there, 1 not or not all, 2 wrong arguments. Interrupted, it goes on where it was when run again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from recorder.command import ProgressBar
from recorder.uploads.config import UploadConfig
from recorder.uploads.contents import CannotUpload
from recorder.uploads.target import Target, parse_target
from recorder.uploads.uploads import Delayed, Failed, Uploaded, UploadEvent, Uploads
from signaling.values import duration

EXAMPLES: Final = """\
examples:
  sfu upload recordings/REC_1 --to s3://calls/2026
  AWS_ENDPOINT_URL_S3=https://storage.example.org sfu upload recordings/* --to s3://calls --journal --delete

Credentials, region and endpoint come from where all S3 tools take them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3, ~/.aws. Needs boto3: pip install 'sfu[s3]'.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", type=Path, nargs="+", metavar="DIR", help="of a recording, with its manifest")
    parser.add_argument("--to", required=True, metavar="URL", help="s3://BUCKET or s3://BUCKET/PREFIX")
    parser.add_argument("--endpoint", metavar="URL", help="of the storage (default: AWS_ENDPOINT_URL_S3, or Amazon's)")
    parser.add_argument("--journal", action="store_true", help="the journal, too; files can be made anew of it")
    parser.add_argument("--delete", action="store_true", help="delete here what has been verified there")
    parser.add_argument(
        "--retry-for", default="10m", metavar="TIME", help="until it is given up, like 90s, 2h or 7d (default 10m)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    try:
        target = parse_target(arguments.to, arguments.endpoint)
        patience_s = duration(arguments.retry_for)
    except ValueError as error:
        print(f"sfu upload: {error}", file=sys.stderr)
        return 2
    config = replace(
        UploadConfig(), with_journal=arguments.journal, delete=arguments.delete, give_up_after_s=patience_s
    )
    bar = ProgressBar("upload", None if arguments.quiet else sys.stderr)
    try:
        return asyncio.run(_upload(list(dict.fromkeys(arguments.directories)), target, config, bar))
    except CannotUpload as error:
        print(f"sfu upload: {error}", file=sys.stderr)
        return 1


async def _upload(directories: list[Path], target: Target, config: UploadConfig, bar: ProgressBar) -> int:
    events: asyncio.Queue[UploadEvent] = asyncio.Queue()
    shares: dict[Path, float] = {}

    def on_progress(directory: Path, there: int, of: int) -> None:
        shares[directory] = there / max(1, of)
        bar.show(sum(shares.values()) / len(directories))

    uploads = Uploads(target, config, events.put_nowait, on_progress)
    waiting, failed = set(directories), False
    try:
        for directory in directories:
            try:
                await uploads.submit(directory)
            except OSError as refusal:
                print(f"sfu upload: {directory}: {refusal.strerror}", file=sys.stderr)
                waiting.discard(directory)
                failed = True
        while waiting:
            event = await events.get()
            bar.end()
            match event:
                case Uploaded(directory):
                    waiting.discard(directory)
                    print(f"{target}{directory.resolve().name}/  {event.objects} objects, {event.size_bytes} bytes")
                case Delayed(directory, error, refused):
                    print(f"sfu upload: {directory}: {error}{_when(event)}", file=sys.stderr)
                    if refused:  # somebody sits in front of it who can change that
                        return 1
                case Failed(directory, error):
                    waiting.discard(directory)
                    failed = True
                    print(f"sfu upload: {directory}: {error}", file=sys.stderr)
    finally:
        await uploads.close()
    return 1 if failed else 0


def _when(event: Delayed) -> str:
    return "" if event.refused else f"; again in {max(0.0, event.next_at - time.time()):.0f} s"
