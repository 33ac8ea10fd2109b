"""One UDP socket of the load test: ICE and DTLS as every client of ours does them, then media by the compiled engine.

Python keeps what is rare: connectivity and consent checks, answers to the remote's own checks (full ICE), the
handshake. From the moment the keys are there the engine reads the socket, and gives STUN and DTLS back.

    ice, fingerprint, candidate ─► your description          remote's description ─► connect(RemoteEndpoint)
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Literal, Protocol

from sfu.control import Candidate
from sfu.net import stun
from sfu.net.certificate import Certificate
from sfu.plane.interface import Path, SrtpKeys
from sfu.wire.extensions import ExtensionIds
from signaling.client.endpoint import Endpoint
from signaling.client.ice import Address

SrtpChoice = Literal["gcm", "cm"]

SRTP_PROFILES: Final[dict[SrtpChoice, str]] = {
    "gcm": "SRTP_AEAD_AES_128_GCM",
    "cm": "SRTP_AES128_CM_SHA1_80",
}
# RFC 7675 §5.1's usual. Chromium asks twice as often, Firefox less.
CONSENT_INTERVAL_S = 5.0
# A stall of 20 ms at 16 000 packets/s, with the kernel's bookkeeping (about 2.3 kB for a packet).
SOCKET_BUFFER_BYTES = 4 << 20
HOST_PRIORITY = 126 << 24 | 0xFFFF << 8 | 0xFF  # RFC 8445 §5.1.2.1
_SO_RCVBUFFORCE = 33  # Linux: beyond net.core.rmem_max, for root


class MediaEngine(Protocol):
    """Who reads the socket once there are keys."""

    def attach(self, connection: Connection, keys: SrtpKeys, remote: Address) -> None: ...

    def detach(self, connection: Connection) -> None: ...


class Connection(Endpoint):
    """Made by `Traffic.new_connection`, on the event loop. `close` it in any case.

    Known before `connect`, for your description: `ice` (`username_fragment`, `password`), `fingerprint`
    (`algorithm`, `value`), `candidate` (`host`, `port`, `priority`). Known after it: `srtp_profile`.
    `connect(remote, timeout_s)` needs of the remote's: ICE credentials, candidates, fingerprints, and who opens DTLS
    (`dtls_client`: we do, because its description says passive or actpass). The controlling role is ours.
    """

    def __init__(
        self,
        engine: MediaEngine,
        *,
        host: str = "127.0.0.1",
        srtp: SrtpChoice | None = None,
        certificate: Certificate | None = None,
        random: Random | None = None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """`host`: the local address, or a wildcard; with it the family. `srtp`: the one profile that is offered."""
        super().__init__(
            certificate=certificate,
            random=random,
            on_lost=on_lost,
            consent_interval_s=CONSENT_INTERVAL_S,
            srtp_profiles=None if srtp is None else [SRTP_PROFILES[srtp]],
        )
        self._engine = engine
        self._attached = False
        self._keys: SrtpKeys | None = None
        self._media = bound_socket(host)
        self._host = host
        self.port: int = self._media.getsockname()[1]
        self.receive_extensions = ExtensionIds()

    @property
    def candidate(self) -> Candidate:
        """Ours, of the only component. Of no use to others when `host` is a wildcard."""
        return Candidate(self._host, self.port, HOST_PRIORITY)

    @property
    def srtp_profile(self) -> str | None:
        """The name OpenSSL gives to what was negotiated, e.g. SRTP_AEAD_AES_128_GCM."""
        return None if self._keys is None else self._keys.profile

    @property
    def connected(self) -> bool:
        return self._keys is not None

    def fileno(self) -> int:
        return self._media.fileno()

    def on_control(self, datagram: bytes, source: Address) -> None:
        """STUN or DTLS that the engine read."""
        if not self._closed:
            self._on_datagram(datagram, source, asyncio.get_running_loop().time())
            self._turn()

    def close(self) -> None:
        if self._attached:
            self._engine.detach(self)  # before the socket: its number may be another's at once
            self._attached = False
        super().close()
        self._media.close()

    # --- Endpoint's

    def _open_socket(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        version = 4 if self._media.family is socket.AF_INET else 6
        reachable = [one for one in candidates if ipaddress.ip_address(one.host).version == version]
        if not reachable:
            raise ConnectionError(f"the server offers no IPv{version} address")
        self._socket = self._media
        self._loop.add_reader(self._media, self._on_readable)
        return reachable

    def _on_datagram(self, datagram: bytes, source: Address, now: float) -> None:
        check = stun.parse_check(datagram)
        if check is None:
            super()._on_datagram(datagram, source, now)
        elif check.is_authentic(self.ice.password):
            # It checks us too (full ICE). We control, so there is nothing to decide, only to answer.
            self._send(stun.success(check, Path(0, *source), self.ice.password), source)

    def _on_keys(self, keys: SrtpKeys) -> None:
        assert self._agent is not None and self._agent.selected is not None, "DTLS needs a path"
        self._keys = keys
        self._loop.remove_reader(self._media)
        self._engine.attach(self, keys, self._agent.selected)
        self._attached = True


def bound_socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    media = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        media.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    with contextlib.suppress(OSError):  # not root: what net.core.rmem_max allows must do
        media.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES)
    media.bind((host, 0))
    return media
