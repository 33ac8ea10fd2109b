"""Each option of `sfu serve`, once: flag, variable, TOML key and what help says of it are made from its row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from signaling import values
from signaling.limits import RoomLimits

# Not 3478, where a TURN server would be on the same machine. Below 32768, so that the kernel gives it to nobody else.
DEFAULT_UDP_PORT: Final = 7882

_DEFAULT_ROOMS: Final = RoomLimits()


@dataclass(frozen=True, slots=True)
class Option:
    """`name` is the field, the TOML key, with SFU_ the variable, and with -- the flag. `read` raises ValueError."""

    name: str
    group: str
    read: Callable[[str], Any]
    help: str
    metavar: str = ""  # none: a switch
    many: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "SFU_" + self.name.upper()


CONFIG_VARIABLE: Final = "SFU_CONFIG"
PLANE_VARIABLE: Final = "SFU_PLANE"  # for comparisons and tests; read where the plane is opened

OPTIONS: Final = (
    Option("http_host", "Pages and signaling", values.host, "address to listen on (default 127.0.0.1)", "HOST"),
    Option("http_port", "Pages and signaling", values.port, "port to listen on (default 8080; 0: any)", "PORT"),
    Option("tls_cert", "Pages and signaling", values.file, "certificate chain, PEM: serve HTTPS", "FILE"),
    Option("tls_key", "Pages and signaling", values.file, "its private key, PEM", "FILE"),
    Option(
        "origin",
        "Pages and signaling",
        values.origin,
        "let only pages of this origin connect (default: any, as tokens decide)",
        "ORIGIN",
        many=True,
    ),
    Option("udp_port", "Media", values.port, f"the one UDP port (default {DEFAULT_UDP_PORT}; 0: any)", "PORT"),
    Option(
        "workers",
        "Media",
        values.workers,
        "media processes, on that port and those after it (default 0: none, media in this process)",
        "N",
    ),
    Option("bind", "Media", values.address, "local address to use (default: all there are)", "ADDR", many=True),
    Option(
        "announce",
        "Media",
        values.announced,
        "address that a router or a cloud maps to this machine",
        "ADDR[:PORT]",
        many=True,
    ),
    Option(
        "min_downlink",
        "Media",
        values.bitrate,
        "bit/s towards one participant in any case, whatever its path seems to carry (default: none)",
        "RATE",
    ),
    Option(
        "enough_downlink",
        "Media",
        values.bitrate,
        "bit/s towards one participant beyond which no picture gets better (default 4M)",
        "RATE",
    ),
    Option(
        "max_downlink",
        "Media",
        values.bitrate,
        "bit/s towards one participant at most, where it takes more for all to be seen (default 10M)",
        "RATE",
    ),
    Option(
        "loudest",
        "Media",
        values.positive,
        "how many voices are forwarded at once, where more have a microphone (default 3)",
        "N",
    ),
    Option(
        "ice_server",
        "Media",
        values.ice_server,
        "STUN or TURN server to tell clients of (turn:USER:PASSWORD@HOST[:PORT]), for networks that block UDP",
        "URL",
        many=True,
    ),
    Option(
        "turn_server",
        "Media",
        values.turn_server,
        "TURN server with which --turn-secret is shared; clients get credentials that expire (turn:HOST[:PORT])",
        "URL",
        many=True,
    ),
    Option("turn_secret", "Media", values.turn_secret, "coturn's static-auth-secret; better in the file", "SECRET"),
    Option("turn_valid_for", "Media", values.duration, "how long these are good (default 12h)", "TIME"),
    Option("dev", "Tokens", values.switch, "development mode: pages get tokens by themselves; loopback only"),
    Option("keys", "Tokens", values.key, "key that tokens are signed with; better in the file", "ID:SECRET", many=True),
    Option(
        "jwks",
        "Tokens",
        values.jwks,
        "JWKS document with the public keys of who signs tokens by RS256 or ES256",
        "FILE|URL",
        many=True,
    ),
    Option(
        "master_secret",
        "Tokens",
        values.master_secret,
        "what secrets of keys made by API are derived from (default: made once, in a file beside the store)",
        "SECRET",
    ),
    Option(
        "expired_tokens",
        "Tokens",
        values.one_of("end", "keep"),
        "what becomes of a session whose token expires and is not refreshed (default end)",
        "end|keep",
    ),
    Option(
        "duplicates",
        "Rooms",
        values.one_of("replace", "reject"),
        "what a second connection of one identity does (default replace)",
        "replace|reject",
    ),
    Option("max_rooms", "Rooms", values.positive, f"at most (default {_DEFAULT_ROOMS.max_rooms})", "N"),
    Option(
        "max_participants",
        "Rooms",
        values.positive,
        f"at most, per room (default {_DEFAULT_ROOMS.max_participants})",
        "N",
    ),
    Option(
        "empty_room_timeout",
        "Rooms",
        values.duration,
        f"how long an empty room stays (default {_DEFAULT_ROOMS.departure_timeout_s:g}s)",
        "TIME",
    ),
    Option(
        "drain_timeout",
        "Rooms",
        values.duration,
        "how long calls may go on after SIGTERM, while new rooms are refused (default 0s: it stops at once)",
        "TIME",
    ),
    Option(
        "store",
        "Store",
        values.store,
        "file for rooms, bans, keys and events, or `memory`: nothing outlives the server "
        "(default: sfu.sqlite in the state directory; with --dev memory)",
        "FILE|memory",
    ),
    Option("recordings", "Store", values.recordings, "for recordings (default: `recordings` beside the store)", "DIR"),
    Option(
        "recordings_max_age",
        "Store",
        values.duration,
        "delete recordings so long after their end: 30d (default: never)",
        "TIME",
    ),
    Option(
        "recordings_max_bytes",
        "Store",
        values.size,
        "delete the oldest recordings beyond so much disk: 500G (default: never)",
        "SIZE",
    ),
    Option(
        "recordings_upload",
        "Store",
        values.bucket,
        "send finished recordings to S3-compatible storage; credentials are taken from AWS_ACCESS_KEY_ID and the like",
        "s3://BUCKET/PREFIX",
    ),
    Option(
        "recordings_upload_endpoint",
        "Store",
        values.endpoint,
        "of that storage (default: AWS_ENDPOINT_URL_S3, or Amazon's)",
        "URL",
    ),
    Option("recordings_upload_journal", "Store", values.switch, "send journals, too; files can be made anew of them"),
    Option("recordings_upload_delete", "Store", values.switch, "delete here what has been verified there"),
    Option(
        "trace_estimates",
        "Logs",
        str,
        "write all that estimates are made of to FILE.0, of Worker 1 to FILE.1, …: large, for debugging",
        "FILE",
    ),
    Option("log_format", "Logs", values.one_of("text", "json"), "lines for people, or for programs", "text|json"),
    Option(
        "return_timeout",
        "Store",
        values.duration,
        f"how long after a restart people are expected back (default {_DEFAULT_ROOMS.return_within_s:g}s)",
        "TIME",
    ),
    Option("webhook", "Webhooks", values.webhook, "tell this URL what happens in all rooms", "URL", many=True),
    Option("webhook_secret", "Webhooks", values.webhook_secret, "what these are signed with", "SECRET"),
    Option(
        "webhook_allow",
        "Webhooks",
        values.network,
        "network that webhooks may be sent to though it is not public: 10.0.0.0/8",
        "NETWORK",
        many=True,
    ),
    Option(
        "quality_hold",
        "Webhooks",
        values.duration,
        "how long a call goes badly for somebody until it is told, in rooms with `quality_events` "
        f"(default {_DEFAULT_ROOMS.quality_hold_s:g}s)",
        "TIME",
    ),
    Option(
        "log_level", "Logs", values.one_of("debug", "info", "warning", "error"), "default info", "debug|info|warning"
    ),
)
