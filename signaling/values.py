"""Values as people write them in flags, variables and files. Each reader raises ValueError with a sentence."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sfu.net.addresses import parse_announced
from signaling.auth import MIN_SECRET_BYTES
from signaling.errors import Refused
from signaling.messages import IceServer
from signaling.webhooks.guard import Network
from signaling.webhooks.registry import MAX_SECRET_CHARACTERS, MIN_SECRET_CHARACTERS, check_url

# Whoever knows it relays at our cost; a word can be guessed from one user name and its password.
MIN_TURN_SECRET_CHARACTERS: Final = 16

_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS_BPS: Final = {"k": 1000, "M": 1_000_000, "G": 1_000_000_000}
_SIZE: Final = re.compile(r"([1-9][0-9]{0,5})([MGT])")
_BYTES: Final = {"M": 10**6, "G": 10**9, "T": 10**12}
_BITRATE: Final = re.compile(r"([1-9][0-9]{0,5})([kMG])")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
# RFC 7064 and 7065. Characters that could end the header this is written into stay out.
STORE_NAME: Final = "sfu.sqlite"
_ICE_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_WORKERS: Final = 64  # one per core is the most that is of use; signaling for more is a core of its own


def host(text: str) -> str:
    if not text or text != text.strip() or "/" in text or "[" in text:
        raise ValueError(f"{text!r} is not an address or a host name")
    return text


def port(text: str) -> int:
    return _integer(text, 0, 65535, "a port (0 … 65535)")


def workers(text: str) -> int:
    return _integer(text, 0, MAX_WORKERS, f"a number from 0 to {MAX_WORKERS}")


def positive(text: str) -> int:
    return _integer(text, 1, 1_000_000, "a number from 1 to 1000000")


def file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"there is no file {text}")
    return path


def store(text: str) -> Path | None:
    """A file that need not be there yet; None: in memory."""
    if text == "memory":
        return None
    path = Path(text)
    if path.is_dir():
        raise ValueError(f"{text} is a directory")
    return path


def recordings(text: str) -> Path:
    """A directory that need not be there yet."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{text} is no directory")
    return path


def bucket(text: str) -> str:
    """`s3://BUCKET/` or `s3://BUCKET/PREFIX/`."""
    from recorder.uploads.target import parse_target  # loads codecs

    return str(parse_target(text))


def endpoint(text: str) -> str:
    """Of a server that speaks HTTP."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("write https://HOST or https://HOST:PORT")
    return text


def webhook(text: str) -> str:
    try:
        check_url(text)
    except Refused as error:
        raise ValueError(f"{text!r}: {error.reason}") from None
    return text


def webhook_secret(text: str) -> str:
    if not MIN_SECRET_CHARACTERS <= len(text) <= MAX_SECRET_CHARACTERS:
        raise ValueError(f"a webhook's secret has {MIN_SECRET_CHARACTERS} … {MAX_SECRET_CHARACTERS} characters")
    return text


def jwks(text: str) -> str:
    """A file, or a URL that nobody on the way can change."""
    if "://" not in text:
        return str(file(text))
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")):
        return text
    raise ValueError(f"{text!r}: keys come from a file or by https")


def master_secret(text: str) -> str:
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"a master secret has at least {MIN_SECRET_BYTES} bytes: openssl rand -hex 32")
    return text


def network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network like 10.0.0.0/8: {error}") from None


def address(text: str) -> str:
    """An IP address of this machine to listen on."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if parsed.is_unspecified:
        raise ValueError(f"{text!r} stands for all addresses; leave the option out for that")
    return str(parsed)


def announced(text: str) -> str:
    parse_announced(text)
    return text


def origin(text: str) -> str:
    """As browsers write it in the Origin header."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{text!r} is not an origin like https://example.com")
    return text.lower()


def ice_server(text: str) -> IceServer:
    """`stun:HOST[:PORT]`, or `turn:USER:PASSWORD@HOST[:PORT][?transport=tcp]`; `stuns` and `turns` over TLS.

    Messages never show the password.
    """
    scheme, _, rest = text.partition(":")
    credentials, _, host_and_port = rest.rpartition("@")
    username, _, credential = credentials.partition(":")
    if scheme not in ("stun", "stuns", "turn", "turns") or not _ICE_HOST.fullmatch(host_and_port):
        raise ValueError("an ICE server is stun:HOST[:PORT] or turn:USER:PASSWORD@HOST[:PORT][?transport=tcp]")
    if scheme.startswith("turn") != bool(username and credential):
        raise ValueError("a TURN server needs USER:PASSWORD@ before its host, a STUN server has none")
    return IceServer(urls=(f"{scheme}:{host_and_port}",), username=username, credential=credential)


def turn_server(text: str) -> str:
    """`turn:HOST[:PORT][?transport=tcp]`, or `turns` over TLS; without credentials, which are made."""
    scheme, _, host_and_port = text.partition(":")
    if scheme not in ("turn", "turns") or not _ICE_HOST.fullmatch(host_and_port):
        raise ValueError("a TURN server is turn:HOST[:PORT][?transport=tcp], or turns:…")
    return text


def turn_secret(text: str) -> str:
    """Messages never show it."""
    if len(text) < MIN_TURN_SECRET_CHARACTERS:
        raise ValueError(f"the TURN secret is shorter than {MIN_TURN_SECRET_CHARACTERS} characters")
    return text


def switch(text: str) -> bool:
    try:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def key(text: str) -> tuple[str, str]:
    """`ID:SECRET`. Messages never show the secret."""
    name, colon, secret = text.partition(":")
    if not colon or not _KEY_ID.fullmatch(name):
        raise ValueError("a key is ID:SECRET, the id of letters, digits, _ and -")
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"the secret of key {name!r} is shorter than {MIN_SECRET_BYTES} bytes")
    return name, secret


def duration(text: str) -> float:
    """Seconds, from `90`, `90s`, `15m`, `1h`, `7d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time like 90s, 15m, 1h or 7d")
    return float(match[1]) * _UNITS_S[match[2]]


def size(text: str) -> int:
    """Bytes, from `500M`, `20G`, `1T`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size like 500M, 20G or 1T")
    return int(match[1]) * _BYTES[match[2]]


def bitrate(text: str) -> int:
    """Bit/s, from `800k`, `8M`, `1G`."""
    match = _BITRATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a bitrate like 800k, 8M or 1G")
    return int(match[1]) * _UNITS_BPS[match[2]]


def one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return read


def _integer(text: str, lowest: int, highest: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and lowest <= int(text) <= highest):
        raise ValueError(f"{text!r} is not {what}")
    return int(text)


def default_store(environment: Mapping[str, str]) -> Path:
    """Where systemd says (StateDirectory=), else where the XDG base directories say."""
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given) / STORE_NAME
    home = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "sfu" / STORE_NAME


@lru_cache(4096)  # asked of each request's address; who asks once asks again
def is_loopback(host: str) -> bool:
    """Whether only this machine is meant by it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
