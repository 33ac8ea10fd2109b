"""The `sfu` command: serve, demo, loadtest, recover, mix, live, upload, token, rooms, participants,
explain, recordings.

Reads arguments and environment, hands them on, says what failed.

Exit status: 0 well, 1 could not start, 2 wrong arguments or configuration.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, get_args

import msgspec
from msgspec.structs import fields

from sfu import __version__, logs
from signaling import config, remote, remote_recordings, values
from signaling.auth import MAX_TOKEN_ID_CHARACTERS, Grant, mint
from signaling.config import ConfigError, ServerConfig
from signaling.message_values import KIND_OF_SOURCE
from signaling.messages import Grants
from signaling.recordings.options import Mode, RecordingOptions

if TYPE_CHECKING:
    from signaling.server import Server

DESCRIPTION: Final = (
    "A selective forwarding unit for group calls: media server, signaling and web client in one process."
)

SERVE_EXAMPLES: Final = """\
examples:
  sfu serve --dev                                   a call on this machine, nothing to set up
  sfu serve --http-host 0.0.0.0 --http-port 443 --tls-cert fullchain.pem --tls-key privkey.pem \\
            --keys backend:SECRET --announce 203.0.113.7
  SFU_KEYS=backend:SECRET sfu serve --config sfu.toml

Every option is also a variable (--http-port: SFU_HTTP_PORT; lists with commas) and a key of the TOML file
(http_port = 8080; lists in brackets). Flags win over variables, variables over the file. SFU_PLANE=fallback
runs the readable packet path in place of the compiled one.
"""

TOKEN_EXAMPLES: Final = """\
examples:
  sfu token --dev --room standup --identity ada
  sfu token --keys backend:SECRET --room standup --identity ada --name "Ada L." --valid-for 2h \\
            --grants publish,subscribe --url https://calls.example.org

The link carries the token in its fragment, which browsers do not send to servers.
"""

# The threads beside the event loop give the interpreter's lock away a few times in each piece of work (the store's ten
# times in a commit), and then, while the loop is busy, wait so long until they are given it again. Python's own 5 ms
# would make a commit of 2 ms one of 50; a forced switch costs some 10 µs.
SWITCH_INTERVAL_S: Final = 0.0005

_GRANT_NAMES: Final = tuple(field.name for field in fields(Grants) if field.type is bool)
_DEFAULT_GRANTS: Final = "create,publish,subscribe,message"


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parsed = _parser(arguments[0] if arguments else "").parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except ConfigError as error:
        for problem in error.problems:
            print(f"sfu: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _parser(chosen: str) -> argparse.ArgumentParser:
    """`chosen`: the command. The arguments of `demo` and `loadtest` are their own, and asking for them loads codecs."""
    parser = argparse.ArgumentParser("sfu", description=DESCRIPTION)
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser(
        "serve",
        help="run a server",
        description="Run a server, and print the link to open.",
        epilog=SERVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    config.add_arguments(serve)
    serve.set_defaults(run=_serve)

    demo = commands.add_parser(
        "demo",
        help="run a server and three bots that call each other, and watch",
        description="A server and bots over real signaling and media, in this terminal: no browser, no camera.",
    )
    demo.set_defaults(run=_demo)
    if chosen == "demo":
        from signaling.demo import add_arguments

        add_arguments(demo)

    loadtest = commands.add_parser(
        "loadtest",
        help="measure a server under load, or compare it with others",
        description="Bots with real signaling, ICE, DTLS and SRTP, which send prepared media at full rate.",
    )
    loadtest.set_defaults(run=_loadtest)
    if chosen == "loadtest":
        from loadtest.command import add_arguments as add_scenarios

        add_scenarios(loadtest)

    _add_recordings(commands, chosen)
    token = commands.add_parser(
        "token",
        help="make a token, and a link with it",
        description="Make a token for one person and room. Prints a link that joins with it, and the token.",
        epilog=TOKEN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_token_arguments(token)
    token.set_defaults(run=_token)

    _add_remote(commands)
    return parser


def _add_remote(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What asks a running server."""
    for name, text, add, examples in (
        ("rooms", "list the rooms of a running server", remote.add_rooms, remote.EXAMPLES),
        ("participants", "list who is in a room of a running server", remote.add_participants, remote.EXAMPLES),
        ("explain", "say who in a room receives what, and why no better", remote.add_explain, remote.EXAMPLES),
        (
            "recordings",
            "record rooms of a running server, and fetch what came of it",
            remote_recordings.add,
            remote_recordings.EXAMPLES,
        ),
    ):
        asked = commands.add_parser(
            name,
            help=text,
            description=f"{text.capitalize()}, by its REST API.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add(asked)


class _Version(argparse.Action):
    """Names the plane too, which is not known before it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and the plane, and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from sfu.plane import open_plane

        print(f"sfu {__version__}, plane: {open_plane(()).name}")
        parser.exit()


# --- serve ---------------------------------------------------------------------------------------------------


def _serve(parsed: argparse.Namespace) -> int:
    settings = config.load(vars(parsed), os.environ)
    if not settings.secrets and not settings.jwks:
        raise ConfigError(["no keys for tokens: give --keys ID:SECRET, or --dev for a call on this machine"])
    logs.set_up(settings.log_level.upper(), settings.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # A socket is one each. A shell gives 1 024 to begin with, which a few idle ones would use up, and permits more.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return asyncio.run(_run_server(settings))


async def _run_server(settings: ServerConfig) -> int:
    from signaling.server import CannotStart, open_server

    stop, drain = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    # The first asks, the second insists.
    loop.add_signal_handler(signal.SIGTERM, lambda: stop.set() if drain.is_set() else drain.set())
    try:
        server = await open_server(settings)
    except CannotStart as error:
        print(f"sfu: cannot start: {error}", file=sys.stderr)
        return 1
    print(_welcome(server, settings))
    sys.stdout.flush()
    # What is there by now stays, a hundred thousand objects: the collector need not look at them again and again.
    gc.collect()
    gc.freeze()
    await server.serve_until(stop, drain)
    await server.close()
    return 0


def _welcome(server: Server, settings: ServerConfig) -> str:
    workers = server.workers
    ports = "ports" if len(workers.udp_ports) > 1 else "port"
    lines = [
        "",
        f"  Open    {server.url}/",
        f"  Media   UDP {ports} {', '.join(map(str, workers.udp_ports))} on {', '.join(workers.addresses)}",
        f"  Plane   {workers.plane_name}",
    ]
    if settings.workers:
        lines.append(f"  Workers {settings.workers} processes")
    if settings.announce:
        lines.append(f"  Public  {', '.join(settings.announce)}")
    if not settings.dev:
        lines.append("  Tokens  sfu token --keys … --room ROOM --identity WHO prints a link to join with")
    if not settings.on_loopback and settings.tls_cert is None:
        lines.append(
            "  Note    browsers give cameras only to https pages: use --tls-cert, or a proxy with TLS in front"
        )
    return "\n".join([*lines, "", "  Ctrl-C stops it.", ""])


# --- demo ----------------------------------------------------------------------------------------------------


def _demo(parsed: argparse.Namespace) -> int:
    from signaling.demo import run

    return run(parsed)


# --- loadtest ------------------------------------------------------------------------------------------------


def _loadtest(parsed: argparse.Namespace) -> int:
    from loadtest.command import run

    return run(parsed)


# --- recordings ----------------------------------------------------------------------------------------------


def _add_recordings(commands: argparse._SubParsersAction[argparse.ArgumentParser], chosen: str) -> None:
    recover = commands.add_parser(
        "recover",
        help="make a recording's files and manifest of its journal",
        description="Make files per participant and the manifest of a recording's journal, however it ended.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recover.set_defaults(run=_recover)
    mix = commands.add_parser(
        "mix",
        help="make one file of a recording: grid, speaker view, or sound",
        description="Make one file of a recording's files: pictures in a layout, names, sound; or sound alone.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mix.set_defaults(run=_mix)
    live = commands.add_parser(
        "live",
        help="make an HLS stream of a recording while it runs",
        description="Compose a recording that runs, some two seconds late, into low-latency HLS for any number of "
        "viewers. Runs until the recording ends; killed and started again, the playlist goes on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    live.set_defaults(run=_live)
    if chosen == "live":
        from recorder.live import command as composites

        live.epilog = composites.EXAMPLES
        composites.add_arguments(live)
    upload = commands.add_parser(
        "upload",
        help="send recordings to S3-compatible storage",
        description="Send recordings to S3-compatible storage, verified; what was interrupted goes on where it was.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    upload.set_defaults(run=_upload)
    if chosen == "upload":
        from recorder.uploads import command as uploads

        upload.epilog = uploads.EXAMPLES
        uploads.add_arguments(upload)
    if chosen in ("recover", "mix"):
        from recorder import command as recordings

        recover.epilog, mix.epilog = recordings.RECOVER_EXAMPLES, recordings.MIX_EXAMPLES
        recordings.add_recover_arguments(recover)
        recordings.add_mix_arguments(mix)


def _recover(parsed: argparse.Namespace) -> int:
    from recorder.command import run_recover

    return run_recover(parsed)


def _mix(parsed: argparse.Namespace) -> int:
    from recorder.command import run_mix

    return run_mix(parsed)


def _live(parsed: argparse.Namespace) -> int:
    from recorder.live.command import run_live

    return run_live(parsed)


def _upload(parsed: argparse.Namespace) -> int:
    from recorder.uploads.command import run

    return run(parsed)


# --- token ---------------------------------------------------------------------------------------------------


def _add_token_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--room", required=True, help="the room it is for")
    parser.add_argument("--identity", help="who it is for; two connections of one identity replace each other")
    parser.add_argument("--name", default="", help="shown to the others (default: the identity)")
    parser.add_argument(
        "--grants",
        default=_DEFAULT_GRANTS,
        metavar="LIST",
        help=f"of {','.join(_GRANT_NAMES)} (default {_DEFAULT_GRANTS})",
    )
    parser.add_argument(
        "--sources",
        metavar="LIST",
        help=f"what may be published: of {','.join(KIND_OF_SOURCE)} (default: anything, with `publish`)",
    )
    parser.add_argument(
        "--auto-record",
        nargs="?",
        const="decode",
        choices=get_args(Mode),
        help="the room is recorded when its holder comes, in this mode (default decode)",
    )
    parser.add_argument("--id", metavar="JTI", help="its `jti`, for revoking it alone (default: a random one)")
    parser.add_argument("--valid-for", default="1h", metavar="TIME", help="like 90s, 15m, 1h or 7d (default 1h)")
    parser.add_argument("--key-id", metavar="ID", help="which key to sign with (default: the first)")
    parser.add_argument(
        "--url", metavar="URL", help="of the server, for the link (default: where it would listen here)"
    )
    config.add_arguments(parser, ("http_host", "http_port", "tls_cert", "tls_key", "dev", "keys"))


def _token(parsed: argparse.Namespace) -> int:
    settings = config.load(vars(parsed), os.environ)
    key_id, secret = _signing_key(settings, parsed.key_id)
    wished = [name.strip() for name in parsed.grants.split(",") if name.strip()]
    unknown = [name for name in wished if name not in _GRANT_NAMES]
    if unknown:
        raise ConfigError([f"--grants: {unknown[0]!r} is not one of {', '.join(_GRANT_NAMES)}"])
    permitted: dict[str, object] = dict.fromkeys(wished, True)
    if parsed.sources is not None:
        permitted["sources"] = sources = [name.strip() for name in parsed.sources.split(",") if name.strip()]
        if unknown := [name for name in sources if name not in KIND_OF_SOURCE]:
            raise ConfigError([f"--sources: {unknown[0]!r} is not one of {', '.join(KIND_OF_SOURCE)}"])
    if len(parsed.id or "") > MAX_TOKEN_ID_CHARACTERS:
        raise ConfigError([f"--id: at most {MAX_TOKEN_ID_CHARACTERS} characters"])
    try:
        grant = Grant(
            identity=parsed.identity or f"guest-{secrets.token_hex(4)}",
            name=parsed.name,
            room=parsed.room,
            grants=msgspec.convert(permitted, Grants),
            token_id=parsed.id or f"TK_{secrets.token_hex(10)}",
            auto_record=None if parsed.auto_record is None else RecordingOptions(mode=parsed.auto_record),
        )
        valid_for_s = values.duration(parsed.valid_for)
        token = mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=valid_for_s)
    except ValueError as error:
        raise ConfigError([str(error)]) from error
    url: str = parsed.url or settings.url(settings.http_port)
    print(f"{url.rstrip('/')}/r/{grant.room}#token={token}")
    print(token)
    return 0


def _signing_key(settings: ServerConfig, key_id: str | None) -> tuple[str, str]:
    keys = settings.secrets
    if not keys:
        raise ConfigError(["no key to sign with: give the server's --keys ID:SECRET, or --dev"])
    if key_id is None:
        return next(iter(keys.items()))
    if key_id not in keys:
        raise ConfigError([f"--key-id: there is no key {key_id!r}, only {', '.join(keys)}"])
    return key_id, keys[key_id]


if __name__ == "__main__":
    sys.exit(main())
