"""`sfu rooms`, `sfu participants` and `sfu explain`: what a running server says over its REST API."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from signaling import config
from signaling.config import ConfigError
from signaling.messages import TrackDescription

if TYPE_CHECKING:
    from signaling.api.watching_models import SubscriptionItem
    from signaling.client.api import ServerApi

EXAMPLES: Final = """\
examples:
  sfu rooms --dev
  sfu rooms --url https://calls.example.org --keys backend:SECRET
  sfu participants standup --dev
  sfu explain standup --dev
"""

Action = Callable[["ServerApi", argparse.Namespace], Awaitable[None]]


def add_rooms(parser: argparse.ArgumentParser) -> None:
    server_arguments(parser)
    parser.set_defaults(run=lambda parsed: ask_server(_rooms, parsed))


def add_participants(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", help="who is in it")
    server_arguments(parser)
    parser.set_defaults(run=lambda parsed: ask_server(_participants, parsed))


def add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", help="who is in it")
    server_arguments(parser)
    parser.set_defaults(run=lambda parsed: ask_server(_explain, parsed))


def server_arguments(parser: argparse.ArgumentParser) -> None:
    """Which server, and with which key."""
    parser.add_argument("--url", help="of the server (default: where one would listen here)")
    config.add_arguments(parser, ("http_host", "http_port", "tls_cert", "tls_key", "dev", "keys"))


def ask_server(action: Action, parsed: argparse.Namespace) -> int:
    """Returns the exit status."""
    # Only when it is asked for: the client package brings a whole media stack.
    from signaling.client.api import ApiError, ServerApi, Unreachable

    settings = config.load(vars(parsed), os.environ)
    if not settings.secrets:
        raise ConfigError(["no key to ask with: give the server's --keys ID:SECRET, or --dev"])
    key = ":".join(next(iter(settings.secrets.items())))
    url: str = parsed.url or settings.url(settings.http_port)

    async def ask() -> None:
        async with ServerApi(url, key) as api:
            await action(api, parsed)

    try:
        asyncio.run(ask())
    except (ApiError, Unreachable, OSError) as error:
        print(f"sfu: {url}: {error}", file=sys.stderr)
        return 1
    return 0


async def _rooms(api: ServerApi, parsed: argparse.Namespace) -> None:
    rooms = [room async for room in api.all_rooms()]
    print_table(("ROOM", "PARTICIPANTS", "TRACKS"), ((one.name, one.participants, one.tracks) for one in rooms))


async def _participants(api: ServerApi, parsed: argparse.Namespace) -> None:
    people = [one async for one in api.all_participants(parsed.room)]
    rows = ((one.identity, one.name, one.state, ", ".join(map(_track, one.tracks))) for one in people)
    print_table(("IDENTITY", "NAME", "STATE", "PUBLISHES"), rows)


async def _explain(api: ServerApi, parsed: argparse.Namespace) -> None:
    sources = {
        track.id: f"{one.identity} {track.source}"
        async for one in api.all_participants(parsed.room)
        for track in one.tracks
    }
    rows = [
        (one.identity, sources.get(item.track, item.track), _layer(item), item.reason, item.explanation)
        async for one in api.all_debug(parsed.room)
        for item in one.received
    ]
    print_table(("RECEIVER", "TRACK", "LAYER", "REASON", ""), rows)


def _layer(item: SubscriptionItem) -> str:
    return "-" if item.rid is None else f"{item.rid or 'all'} {item.bitrate_bps // 1000} kbit/s"


def _track(track: TrackDescription) -> str:
    return f"{track.source} (muted)" if track.muted else track.source


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as what is in them. Names are people's own: none of them steers the terminal."""
    lines = [[_printable(str(cell)) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
