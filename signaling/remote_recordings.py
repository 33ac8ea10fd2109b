"""`sfu recordings`: of a running server listed, begun, paused, stopped, fetched, deleted over its REST API."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from recorder.mix.layouts import BUILT_IN
from signaling import values
from signaling.config import ConfigError
from signaling.message_values import Source
from signaling.recordings.options import Container, LiveLayout, MixOptions, Mode, RecordingOptions
from signaling.remote import Action, ask_server, print_table, server_arguments

if TYPE_CHECKING:
    from signaling.api.recording_models import Recording
    from signaling.client.api import ServerApi

EXAMPLES: Final = """\
examples:
  sfu recordings start standup --dev                          prints the recording's id
  sfu recordings start standup --dev --mode audio --max-duration 1h
  sfu recordings start standup --dev --live speaker           and a stream of it, for any HLS player
  sfu recordings stop REC_5d41402abc4b2a76b971 --dev --wait   until its files are made
  sfu recordings download REC_5d41402abc4b2a76b971 standup/ --dev
  sfu recordings play REC_5d41402abc4b2a76b971 --dev          prints an address for the browser
  sfu recordings mix REC_5d41402abc4b2a76b971 --layout speaker --out standup.mp4 --dev
  sfu recordings list --url https://calls.example.org --keys backend:SECRET
"""
# How often is looked whether files are made: decoding an hour takes minutes.
LOOK_EVERY_S: Final = 0.5


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="what to do", required=True, metavar="ACTION")
    found = _add(actions, "list", "list recordings, the latest first", _list)
    found.add_argument("--room", help="only of rooms of this name")
    start = _add(actions, "start", "begin to record a room; prints the recording's id", _start)
    start.add_argument("room")
    _add_options(start)
    for name, text, action in (
        ("pause", "take nothing for a while", _pause),
        ("resume", "go on after a pause", _resume),
        ("stop", "end a recording, and make its files", _stop),
        ("download", "fetch a recording's files and manifest", _download),
        ("play", "print an address under which a browser plays a recording", _play),
        ("mix", "make one file of a recording, and fetch it", _mix),
        ("rm", "delete a recording with its files", _remove),
    ):
        one = _add(actions, name, text, action)
        one.add_argument("recording", help="its id")
        if name == "stop":
            one.add_argument("--wait", action="store_true", help="until its files are made")
        if name == "play":
            one.add_argument("--valid-for", type=_seconds, metavar="TIME", help="like 90s, 15m or 1h (default 6h)")
        if name == "mix":
            _add_mix_options(one)
        if name == "download":
            one.add_argument("directory", type=Path, nargs="?", help="where to (default: named after the recording)")


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, action: Action
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    server_arguments(parser)
    parser.set_defaults(run=lambda parsed: ask_server(action, parsed))
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--participant", action="append", metavar="IDENTITY", help="only theirs; may be repeated")
    parser.add_argument("--source", action="append", choices=get_args(Source), help="only these; may be repeated")
    parser.add_argument("--mode", choices=get_args(Mode), default="decode", help="how files are made (default decode)")
    parser.add_argument("--container", choices=get_args(Container), help="of the files (default: mp4; of audio flac)")
    parser.add_argument("--max-layer", type=int, metavar="N", help="no better simulcast layer (0 is the smallest)")
    parser.add_argument("--max-duration", type=_seconds, metavar="TIME", help="ends by itself, after 90s, 15m or 1h")
    parser.add_argument("--max-bytes", type=int, metavar="N", help="ends by itself, at so many bytes received")
    parser.add_argument("--live", choices=get_args(LiveLayout), help="an HLS stream besides; its address is said, too")


def _add_mix_options(parser: argparse.ArgumentParser) -> None:
    layouts = ", ".join(BUILT_IN)
    parser.add_argument(
        "--layout", default="grid", metavar="LAYOUT", help=f"{layouts} (default grid), or a file with one in JSON"
    )
    parser.add_argument("--no-names", action="store_true", help="names are not written into the pictures")
    parser.add_argument("--container", choices=get_args(Container), default="mp4", help="of the file (default mp4)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: named after the mix)")


def _seconds(text: str) -> float:
    try:
        return values.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _list(api: ServerApi, parsed: argparse.Namespace) -> None:
    found = [one async for one in api.all_recordings(parsed.room)]
    print_table(("RECORDING", "ROOM", "STATE", "STARTED", "SECONDS", "FILES"), map(_row, found))


def _row(one: Recording) -> tuple[object, ...]:
    seconds = "" if one.duration_s is None else f"{one.duration_s:.0f}"
    return one.id, one.room, one.state, one.started_at.isoformat(" ", "seconds"), seconds, len(one.files)


async def _start(api: ServerApi, parsed: argparse.Namespace) -> None:
    wish = {
        "participants": parsed.participant,
        "sources": parsed.source,
        "mode": parsed.mode,
        "container": parsed.container,
        "max_layer": parsed.max_layer,
        "max_duration_s": parsed.max_duration,
        "max_bytes": parsed.max_bytes,
        "live": None if parsed.live is None else {"layout": parsed.live},
    }
    try:
        options = msgspec.convert(wish, RecordingOptions)
    except msgspec.ValidationError as error:
        raise ConfigError([str(error)]) from error
    one = await api.start_recording(parsed.room, options)
    print(one.id)
    if one.live is not None:
        print(f"live: {one.live}", file=sys.stderr)


async def _pause(api: ServerApi, parsed: argparse.Namespace) -> None:
    await api.pause_recording(parsed.recording)


async def _resume(api: ServerApi, parsed: argparse.Namespace) -> None:
    await api.resume_recording(parsed.recording)


async def _stop(api: ServerApi, parsed: argparse.Namespace) -> None:
    one = await api.stop_recording(parsed.recording)
    while parsed.wait and one.state == "finishing":
        await asyncio.sleep(LOOK_EVERY_S)
        one = await api.get_recording(one.id)
    print(f"{one.state}: {one.reason}" if one.state == "failed" else one.state)


async def _download(api: ServerApi, parsed: argparse.Namespace) -> None:
    one = await api.get_recording(parsed.recording)
    directory: Path = parsed.directory or Path(parsed.recording)
    # As it lies at the server, so that `sfu mix` takes it.
    (directory / "files").mkdir(parents=True, exist_ok=True)
    for file in one.files:
        path = _place(directory / "files", file.name)
        print(f"{path}: {await api.get_recording_file(one.id, file.name, path)} bytes", file=sys.stderr)
    await api.get_recording_manifest(one.id, directory / "manifest.json")
    print(directory)


def _place(directory: Path, name: str) -> Path:
    """What a server calls a file is a name, and no way out of here. Raises OSError."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise OSError(f"the server names a file {name!r}")
    return directory / name


def _mix_options(parsed: argparse.Namespace) -> MixOptions:
    """Raises ConfigError."""
    wish = {"layout": parsed.layout, "names": not parsed.no_names, "container": parsed.container}
    try:
        if parsed.layout not in BUILT_IN:
            wish["layout"] = msgspec.json.decode(Path(parsed.layout).read_bytes())
        return msgspec.convert(wish, MixOptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError([f"--layout: {error}"]) from error


async def _mix(api: ServerApi, parsed: argparse.Namespace) -> None:
    mix = await api.create_mix(parsed.recording, _mix_options(parsed))
    while mix.state in ("waiting", "mixing"):
        await asyncio.sleep(LOOK_EVERY_S)
        mix = await api.get_mix(parsed.recording, mix.id)
    if mix.state == "failed":
        raise SystemExit(f"sfu: the mix failed: {mix.reason}")
    path: Path = parsed.out or Path(f"{mix.id}.{mix.container}")
    await api.get_mix_file(parsed.recording, mix.id, path)
    print(path)


async def _play(api: ServerApi, parsed: argparse.Namespace) -> None:
    link = await api.play_recording(parsed.recording, valid_for_s=parsed.valid_for)
    print(f"{api.url}{link.href}")


async def _remove(api: ServerApi, parsed: argparse.Namespace) -> None:
    await api.delete_recording(parsed.recording)
