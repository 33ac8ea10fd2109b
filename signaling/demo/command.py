"""`sfu demo`: a server and some bots in one process, for as long as was asked, and a verdict.

The server is the one of `sfu serve`, on free ports of loopback; the bots use nothing but its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import TextIO

from sfu.core.types import Codec
from signaling.config import ServerConfig
from signaling.demo.bot import BotOptions
from signaling.demo.call import NAMES, call
from signaling.demo.outcome import Outcome
from signaling.demo.recorded import RecordingVerdict
from signaling.demo.recording import RecordedCall
from signaling.demo.table import Table
from signaling.server import CannotStart, open_server

ROOM = "demo"
LEAST_SECONDS = 2.0  # less shows nothing: a window of rates alone is one second

INTERRUPTED = 130  # what shells call it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `sfu demo`."""
    parser.add_argument("--seconds", type=_seconds, default=10.0, metavar="N", help="how long they talk (default 10)")
    parser.add_argument("--bots", type=_bots, default=3, metavar="N", help=f"2 to {len(NAMES)} (default 3)")
    parser.add_argument(
        "--codec", choices=[Codec.VP8.value, Codec.H264.value], default=Codec.VP8.value, help="of video (default VP8)"
    )
    parser.add_argument("--record", type=Path, metavar="DIR", help="record the call there, and check the files")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")


def run(arguments: argparse.Namespace) -> int:
    """The exit status: 0 when everybody decoded everybody, 1 when not, 130 after Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        result, recording = asyncio.run(_demo(arguments, sys.stdout))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except CannotStart as error:
        print(f"sfu demo: {error}", file=sys.stderr)
        return 1
    except BaseExceptionGroup as group:
        for leaf in _leaves(group):
            print(f"sfu demo: {type(leaf).__name__}: {leaf}", file=sys.stderr)
        return 1
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_json(result, recording), indent=2) + "\n")
    return 0 if result.ok and (recording is None or recording.ok) else 1


async def _demo(arguments: argparse.Namespace, out: TextIO) -> tuple[Outcome, RecordingVerdict | None]:
    directory: Path | None = arguments.record
    server = await open_server(ServerConfig(http_port=0, udp_port=0, dev=True, recordings=directory))
    try:
        print(
            f"{arguments.bots} bots on {server.url}, UDP port {server.worker.udp_port}, "
            f"plane: {server.worker.plane_name}",
            file=out,
        )
        table = Table(out)
        recorded = None if directory is None else RecordedCall(server.url, ROOM, directory)
        result = await call(
            server.url,
            ROOM,
            bots=arguments.bots,
            seconds=arguments.seconds,
            options=BotOptions(codec=Codec(arguments.codec)),
            on_tick=lambda outcome, elapsed_s: table.show(outcome, elapsed_s, arguments.seconds),
            **({} if recorded is None else {"around": recorded.around}),
        )
        table.finish(result, arguments.seconds)
    finally:
        await server.close()
    _conclude(result, out)
    verdict = None if recorded is None else recorded.verdict
    if verdict is not None:
        _conclude_recording(verdict, out)
    return result, verdict


def _json(result: Outcome, recording: RecordingVerdict | None) -> dict[str, object]:
    return result.to_json() | ({} if recording is None else {"recording": recording.to_json()})


def _conclude(result: Outcome, out: TextIO) -> None:
    for what, times in (("audio", result.audio_after_s()), ("video", result.video_after_s())):
        if times is not None:
            middle_s, most_s = times
            print(f"join to first decoded {what}: p50 {1000 * middle_s:.0f} ms, max {1000 * most_s:.0f} ms", file=out)
    for fault in result.faults:
        print(f"FAULT {fault}", file=out)
    print("everybody decoded everybody" if result.ok else "not everybody decoded everybody", file=out)


def _conclude_recording(verdict: RecordingVerdict, out: TextIO) -> None:
    print(f"recorded in {verdict.directory}:", file=out)
    for one in verdict.files:
        skew = "" if one.skew_s is None else f", sound and picture {1000 * one.skew_s:+.0f} ms apart"
        print(
            f"  {one.path}: {one.length_s:.2f} s, {one.pictures} of {one.pictures_sent} pictures{skew}",
            file=out,
        )
    for fault in verdict.faults:
        print(f"FAULT {fault}", file=out)
    print("the recording has everybody" if verdict.ok else "the recording is not as it should be", file=out)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _seconds(text: str) -> float:
    value = float(text)
    if not LEAST_SECONDS <= value <= 24 * 3600:
        raise argparse.ArgumentTypeError(f"a number from {LEAST_SECONDS:.0f} on")
    return value


def _bots(text: str) -> int:
    value = int(text)
    if not 2 <= value <= len(NAMES):
        raise argparse.ArgumentTypeError(f"a number from 2 to {len(NAMES)}")
    return value
