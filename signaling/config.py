"""What `sfu serve` is told: defaults ◄ TOML file ◄ SFU_* variables ◄ flags, the later ones winning.

Flags, variables and TOML keys are one table (OPTIONS), so that each option has all three and help says the same
everywhere. Everything is checked before anything starts; what is wrong is named with where it came from.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from sfu.config import WorkerConfig
from sfu.logs import LogFormat
from signaling import values
from signaling.limits import (
    REPLY_TIMEOUT_S,
    ConnectionLimits,
    Duplicates,
    RecordingLimits,
    RoomLimits,
    SessionLimits,
    WorkerLimits,
)
from signaling.messages import IceServer
from signaling.options import CONFIG_VARIABLE, DEFAULT_UDP_PORT, OPTIONS, PLANE_VARIABLE
from signaling.recordings.options import Destination
from signaling.recordings.retention import Retention
from signaling.turn import IceServers
from signaling.webhooks.guard import Network

# Well known, and no secret: in development mode whoever reaches the server is on this machine, and gets a token anyway.
DEVELOPMENT_KEY: Final = ("dev", "well-known-secret-for-development-on-this-machine")

HIGHEST_PORT: Final = 65535

_DEFAULT_ROOMS: Final = RoomLimits()
_DEFAULT_WORKER: Final = WorkerConfig()


class ConfigError(Exception):
    """`problems` are sentences for whoever started the server."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    http_host: str = "127.0.0.1"
    http_port: int = 8080  # 0: any that is free
    tls_cert: Path | None = None
    tls_key: Path | None = None
    origin: tuple[str, ...] = ()
    udp_port: int = DEFAULT_UDP_PORT  # 0: any that is free on all addresses
    workers: int = 0  # in processes of their own, each on the next port; 0: one in this process
    bind: tuple[str, ...] = ()
    announce: tuple[str, ...] = ()
    min_downlink: int = _DEFAULT_WORKER.least_budget_bps
    enough_downlink: int = _DEFAULT_WORKER.enough_bps
    max_downlink: int = _DEFAULT_WORKER.budget_bps
    loudest: int = _DEFAULT_WORKER.loudest
    trace_estimates: str = _DEFAULT_WORKER.trace_estimates
    ice_server: tuple[IceServer, ...] = field(default=(), repr=False)  # with credentials
    turn_server: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    turn_valid_for: float = 12 * 3600.0  # coturn asks for it at the beginning of a call, and when one is rebuilt
    dev: bool = False
    keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # id and secret
    jwks: tuple[str, ...] = ()
    master_secret: str = field(default="", repr=False)  # "": of a file beside the store
    expired_tokens: Literal["end", "keep"] = "end"
    duplicates: Duplicates = _DEFAULT_ROOMS.duplicates
    max_rooms: int = _DEFAULT_ROOMS.max_rooms
    max_participants: int = _DEFAULT_ROOMS.max_participants
    empty_room_timeout: float = _DEFAULT_ROOMS.departure_timeout_s
    return_timeout: float = _DEFAULT_ROOMS.return_within_s
    store: Path | None = None  # None: in memory
    recordings: Path | None = None  # None: nothing is recorded
    recordings_max_age: float | None = None  # None: they stay until they are deleted
    recordings_max_bytes: int | None = None
    recordings_upload: str | None = None  # s3://BUCKET/PREFIX/; None: they stay here
    recordings_upload_endpoint: str | None = None
    recordings_upload_journal: bool = False
    recordings_upload_delete: bool = False
    webhook: tuple[str, ...] = ()
    webhook_secret: str = field(default="", repr=False)
    webhook_allow: tuple[Network, ...] = ()  # besides public addresses
    quality_hold: float = _DEFAULT_ROOMS.quality_hold_s
    drain_timeout: float = 0.0
    log_level: str = "info"
    log_format: LogFormat = "text"
    # Not options: numbers that fit everybody, with their reasons in limits.py.
    sessions: SessionLimits = field(default_factory=SessionLimits)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    supervision: WorkerLimits = field(default_factory=WorkerLimits)
    recording_limits: RecordingLimits = field(default_factory=RecordingLimits)
    reply_timeout_s: float = REPLY_TIMEOUT_S

    @property
    def secrets(self) -> dict[str, str]:
        """Secrets by key id."""
        return dict((*self.keys, DEVELOPMENT_KEY) if self.dev else self.keys)

    @property
    def session_limits(self) -> SessionLimits:
        return self.sessions if self.expired_tokens == "end" else replace(self.sessions, token_grace_s=math.inf)

    @property
    def on_loopback(self) -> bool:
        """HTTP can be reached from this machine only."""
        return values.is_loopback(self.http_host)

    def url(self, http_port: int) -> str:
        """Of the pages, as seen from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_host, self.http_host)
        scheme = "https" if self.tls_cert is not None else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{http_port}"

    @property
    def ice_servers(self) -> IceServers:
        return IceServers(self.ice_server, self.turn_server, self.turn_secret, self.turn_valid_for)

    @property
    def retention(self) -> Retention:
        return Retention(self.recordings_max_age, self.recordings_max_bytes, self.recordings_upload is not None)

    @property
    def destination(self) -> Destination | None:
        """Of recordings."""
        if self.recordings_upload is None:
            return None
        return Destination(
            url=self.recordings_upload,
            endpoint=self.recordings_upload_endpoint,
            with_journal=self.recordings_upload_journal,
            delete=self.recordings_upload_delete,
        )

    @property
    def rooms(self) -> RoomLimits:
        return RoomLimits(
            max_rooms=self.max_rooms,
            max_participants=self.max_participants,
            departure_timeout_s=self.empty_room_timeout,
            return_within_s=self.return_timeout,
            duplicates=self.duplicates,
            quality_hold_s=self.quality_hold,
        )

    def worker(self, index: int) -> WorkerConfig:
        """Each has a port of its own, counted from the first one's."""
        return WorkerConfig(
            worker_index=index,
            udp_port=self.udp_port + index if self.udp_port else 0,
            addresses=self.bind,
            loopback=self.on_loopback,
            announce=self.announce,
            least_budget_bps=self.min_downlink,
            enough_bps=self.enough_downlink,
            budget_bps=self.max_downlink,
            loudest=self.loudest,
            trace_estimates=self.trace_estimates,
        )


_BY_NAME: Final = {option.name: option for option in OPTIONS}


def add_arguments(parser: argparse.ArgumentParser, names: Sequence[str] | None = None) -> None:
    """Flags for OPTIONS, or for those named, and --config."""
    groups: dict[str, Any] = {}
    parser.add_argument("--config", metavar="FILE", help=f"TOML file with any of these options (or {CONFIG_VARIABLE})")
    for option in OPTIONS:
        if names is not None and option.name not in names:
            continue
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        kind: dict[str, Any] = {"action": "store_true"} if not option.metavar else {"metavar": option.metavar}
        if option.many:
            kind["action"] = "append"
        text = f"{option.help}; may be repeated" if option.many else option.help
        groups[option.group].add_argument(option.flag, dest=option.name, default=None, help=text, **kind)


def load(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> ServerConfig:
    """Arguments as argparse gives them (None: not given). Raises ConfigError that names all that is wrong."""
    problems: list[str] = []
    sources: dict[str, str] = {}
    read: dict[str, Any] = {}
    path = arguments.get("config") or environment.get(CONFIG_VARIABLE)
    layers = [
        _from_file(path, problems) if path else {},
        _from_environment(environment, problems),
        _from_arguments(arguments),
    ]
    for layer in layers:
        for name, (source, texts) in layer.items():
            sources[name] = source
            read.pop(name, None)
            try:
                values_read = tuple(_BY_NAME[name].read(text) for text in texts)
            except ValueError as error:
                problems.append(f"{source}: {error}")
            else:
                read[name] = values_read if _BY_NAME[name].many else values_read[-1]
    if "store" not in read and not read.get("dev"):
        read["store"] = values.default_store(environment)
    if "recordings" not in read:
        store = read.get("store") or values.default_store(environment)
        read["recordings"] = store.parent / "recordings"
    config = ServerConfig(**read)
    if not problems:
        problems += _contradictions(config, sources)
    if problems:
        raise ConfigError(problems)
    return config


# Where values come from: option name → (how the source is called, the values as text).
_Layer = dict[str, tuple[str, Sequence[str]]]


def _from_file(path: str, problems: list[str]) -> _Layer:
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeError) as error:
        problems.append(f"{path}: cannot be read: {error}")
        return {}
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path}: not TOML: {error}")
        return {}
    layer: _Layer = {}
    for name, value in content.items():
        option = _BY_NAME.get(name)
        texts = [_toml_text(one) for one in (value if isinstance(value, list) else [value])]
        if option is None:
            problems.append(f"{path}: there is no option {name!r}")
        elif None in texts or (isinstance(value, list) and not option.many):
            problems.append(f"{path}: {name} is {'a list of values' if option.many else 'one value'}")
        else:
            layer[name] = (f"{path}: {name}", [text for text in texts if text is not None])
    return layer


def _toml_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> _Layer:
    by_variable = {option.variable: option for option in OPTIONS}
    layer: _Layer = {}
    for variable, text in environment.items():
        # Empty is not given: that is how compose files and units leave one out.
        if not variable.startswith("SFU_") or variable in (CONFIG_VARIABLE, PLANE_VARIABLE) or not text:
            continue
        option = by_variable.get(variable)
        if option is None:
            problems.append(f"{variable}: there is no such variable")
        else:
            texts = [one.strip() for one in text.split(",") if one.strip()] if option.many else [text]
            layer[option.name] = (variable, texts)
    return layer


def _from_arguments(arguments: Mapping[str, Any]) -> _Layer:
    layer: _Layer = {}
    for option in OPTIONS:
        value = arguments.get(option.name)
        if value is not None:
            texts = ["true"] if value is True else value if isinstance(value, list) else [value]
            layer[option.name] = (option.flag, texts)
    return layer


def _contradictions(config: ServerConfig, sources: Mapping[str, str]) -> list[str]:
    """What is wrong with values that are right by themselves."""
    problems = []
    if config.dev and not config.on_loopback:
        source = sources.get("http_host", "http_host")
        problems.append(
            f"{sources.get('dev', 'dev')}: anybody gets a token, so HTTP must be on loopback, "
            f"and {source} is {config.http_host}"
        )
    if not config.on_loopback and any(secret == DEVELOPMENT_KEY[1] for _, secret in config.keys):
        problems.append(f"{sources['keys']}: the development key is well known, and HTTP is not on loopback")
    if (config.tls_cert is None) != (config.tls_key is None):
        given = sources.get("tls_cert") or sources.get("tls_key")
        problems.append(f"{given}: certificate and key are given together, or neither")
    if config.udp_port + config.workers - 1 > HIGHEST_PORT:
        source = sources.get("workers", "workers")
        problems.append(f"{source}: {config.workers} ports from {config.udp_port} on are more than there are")
    if config.webhook and not config.webhook_secret:
        problems.append(f"{sources['webhook']}: give webhook_secret, too, or receivers cannot tell who sends")
    for name in ("recordings_upload_endpoint", "recordings_upload_journal", "recordings_upload_delete"):
        if name in sources and config.recordings_upload is None:
            problems.append(f"{sources[name]}: give recordings_upload, too, or nothing is uploaded")
    if bool(config.turn_server) != bool(config.turn_secret):
        given = sources.get("turn_server") or sources.get("turn_secret")
        problems.append(f"{given}: a TURN server and the secret shared with it are given together, or neither")
    names = [name for name, _ in config.keys]
    problems += [f"{sources['keys']}: key {name!r} is given twice" for name in {n for n in names if names.count(n) > 1}]
    return problems
