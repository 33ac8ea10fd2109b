"""DTLS with one remote: handshake, SRTP keys, and the application datagrams of SCTP (RFC 5764, RFC 8261).

The handshake, the check of fingerprints and the certificate are aiortc's. Ours are the edges: datagrams come in by
`feed` and leave by a callable, keys go to a callable and to nobody else, and media never comes here.

    feed ─► bounded queue ─► OpenSSL ─► send          keys ─► on_keys (once, before `handshake` returns)
                                └─► SCTP, if started   the remote's farewell ─► on_closed (once, never after close)

Knows no addresses, no liveness, no Plane: the Python client uses it as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, State
from aiortc.rtcicetransport import RTCIceTransport
from OpenSSL import SSL

from sfu.control import Fingerprint
from sfu.net.certificate import Certificate
from sfu.plane.interface import SrtpKeys

logger = logging.getLogger(__name__)

# One record per read; 2^14 is the most DTLS allows.
_RECORD_BYTES = 1 << 14
_RECORD_HEADER_BYTES = 13
# OpenSSL hands out a whole flight at once. Records are put together up to what every path carries (IPv6: 1280 bytes).
_FLIGHT_DATAGRAM_BYTES = 1200


class HandshakeFailed(Exception):
    """`code` is stable: handshake_timeout, fingerprint_mismatch, no_srtp_profile, dtls_error or closed."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class DtlsSession:
    """One DTLS association. Construct it on the event loop; `close` it in any case."""

    def __init__(
        self,
        certificate: Certificate,
        is_client: bool,
        remote_fingerprints: Sequence[Fingerprint],
        send: Callable[[bytes], None],
        on_keys: Callable[[SrtpKeys], None],
        on_closed: Callable[[], None] | None = None,
        queue: int = 256,
        srtp_profiles: Sequence[str] | None = None,
    ) -> None:
        """`queue`: datagrams that wait for their turn; more are dropped and counted in `dropped`.
        `srtp_profiles`: which to offer or accept, by OpenSSL's names; all of aiortc's if not given."""
        self._remote_fingerprints = [RTCDtlsFingerprint(entry.algorithm, entry.value) for entry in remote_fingerprints]
        self._mailbox = _Mailbox(send, queue)
        self._association = DtlsAssociation(self._mailbox, certificate, is_client, on_keys, on_closed, srtp_profiles)

    @property
    def dropped(self) -> int:
        return self._mailbox.dropped

    @property
    def connected(self) -> bool:
        return self._association.state == "connected"

    @property
    def association(self) -> DtlsAssociation:
        """What SCTP is built on."""
        return self._association

    def feed(self, datagram: bytes) -> None:
        """A datagram whose first byte says DTLS (20 … 63). Never raises."""
        self._mailbox.put(datagram)

    async def handshake(self, timeout_s: float | None) -> None:
        """Returns when keys have been handed over. Raises HandshakeFailed, and is closed then.

        `timeout_s` None: the caller keeps the time, and ends this by `close`.
        """
        if not self._remote_fingerprints:
            self.close()
            raise HandshakeFailed("fingerprint_mismatch", "the remote gave none")
        try:
            await asyncio.wait_for(
                self._association.start(RTCDtlsParameters(fingerprints=self._remote_fingerprints)), timeout_s
            )
        except TimeoutError:
            self.close()
            raise HandshakeFailed("handshake_timeout") from None
        except BaseException:
            self.close()
            raise
        if not self.connected:
            failure = self._association.failure
            self.close()
            raise failure or HandshakeFailed("closed")

    def close(self) -> None:
        """Say farewell and end; idempotent. `on_closed` is not called any more."""
        self._association.farewell()
        self._mailbox.end()

    async def wait_closed(self) -> None:
        """After `close`: until the task that reads has ended."""
        await self._association.wait_ended()


class _Mailbox:
    """Stands where aiortc expects its ICE transport. It needs `_recv`, `_send` and `role`, and nothing else."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None], limit: int) -> None:
        self.dropped = 0
        self._deliver = send
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._ended = False

    def put(self, datagram: bytes) -> None:
        if self._ended or not datagram or not 20 <= datagram[0] <= 63 or len(self._waiting) >= self._limit:
            self.dropped += 1
            return
        self._waiting.append(datagram)
        self._arrived.set()

    def send(self, datagram: bytes) -> None:
        if not self._ended:
            self._deliver(datagram)

    def end(self) -> None:
        self._ended = True
        self._waiting.clear()
        self._arrived.set()

    async def _recv(self) -> bytes:
        while not self._ended:
            if self._waiting:
                return self._waiting.popleft()
            self._arrived.clear()
            await self._arrived.wait()
        raise ConnectionError

    async def _send(self, datagram: bytes) -> None:
        self.send(datagram)


class DtlsAssociation(RTCDtlsTransport):
    """aiortc's transport with other edges. What is overridden, and why:

    - `_do_handshake`: aiortc reads through `recv`, which swallows OpenSSL's reason for a failure.
    - `_recv_next`: aiortc reads one record per datagram, and one that is left over stays behind for ever.
    - `_write_ssl`: aiortc cuts a flight at 1500 bytes, across records.
    - `_setup_srtp`: keys go to the plane, which allows no SSRC to be sent twice with one nonce.
    - `_send_data`: aiortc's SCTP timers outlive DTLS, and their tasks would fail unseen.
    """

    def __init__(
        self,
        mailbox: _Mailbox,
        certificate: Certificate,
        is_client: bool,
        on_keys: Callable[[SrtpKeys], None],
        on_closed: Callable[[], None] | None,
        srtp_profiles: Sequence[str] | None,
    ) -> None:
        super().__init__(cast(RTCIceTransport, mailbox), [certificate.rtc])
        self._set_role("client" if is_client else "server")
        self.failure: HandshakeFailed | None = None
        self._mailbox = mailbox
        self._on_keys = on_keys
        self._on_closed = on_closed
        self._is_closing = False
        if srtp_profiles is not None:
            self._srtp_profiles = [one for one in self._srtp_profiles if one.openssl_profile.decode() in srtp_profiles]

    def farewell(self) -> None:
        """Send close_notify if there is anybody to hear it. The caller ends the mailbox, and with it the pump."""
        self._on_closed = None
        if self._ssl is not None and self.encrypted and not self._is_closing:
            try:
                self._ssl.shutdown()
            except SSL.Error as error:
                logger.debug("DTLS shutdown: %s", error)
            self._flush()
        self._is_closing = True

    async def wait_ended(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # aiortc has logged it

    # --- aiortc's hooks --------------------------------------------------------------------------------------

    async def _do_handshake(self) -> None:
        connection = self._connection()
        try:
            while not self.encrypted:
                try:
                    connection.do_handshake()
                    self.encrypted = True
                except SSL.WantReadError:
                    self._flush()
                    await self._take_datagram(connection)
        except SSL.Error as error:
            self._fail(HandshakeFailed("dtls_error", _describe(error)))
        except ConnectionError:
            self._fail(HandshakeFailed("closed"))
        self._flush()  # our last flight, or the alert that tells the remote why

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:
        super()._validate_peer_identity(remoteParameters)
        if self._state == State.FAILED:
            self.failure = HandshakeFailed("fingerprint_mismatch")

    def _setup_srtp(self) -> None:
        connection = self._connection()
        negotiated = connection.get_selected_srtp_profile()
        profile = next((entry for entry in self._srtp_profiles if entry.openssl_profile == negotiated), None)
        if profile is None:
            self._fail(HandshakeFailed("no_srtp_profile"))
            return
        # RFC 5764 §4.2: both keys, then both salts, the client's first.
        material = connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        client_key, server_key = (profile.get_key_and_salt(material, index) for index in (0, 1))
        is_client = self._role == "client"
        self._on_keys(
            SrtpKeys(
                profile=profile.openssl_profile.decode(),
                receive_key=server_key if is_client else client_key,
                send_key=client_key if is_client else server_key,
            )
        )

    async def _recv_next(self) -> None:
        connection = self._connection()
        try:
            # First what is there already: the handshake's last datagram may have brought application records.
            for record in _records_received(connection):
                await self._deliver(record)
        except SSL.Error as error:
            logger.debug("DTLS record refused: %s", _describe(error))
        self._flush()
        # Set by close_notify and by a fatal alert alike.
        if connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
            on_closed, self._on_closed = self._on_closed, None
            if on_closed is not None:
                on_closed()
            raise ConnectionError
        try:
            await self._take_datagram(connection)
        except SSL.Error as error:
            raise ConnectionError("the last flight was repeated in vain") from error

    async def _write_ssl(self) -> None:
        self._flush()

    async def _send_data(self, data: bytes) -> None:
        if self._state == State.CONNECTED and not self._is_closing:
            await super()._send_data(data)

    # --- ours ------------------------------------------------------------------------------------------------

    def _connection(self) -> SSL.Connection:
        assert self._ssl is not None, "start() makes it before it calls anything here"
        return self._ssl

    def _fail(self, failure: HandshakeFailed) -> None:
        self.failure = failure
        self._set_state(State.FAILED)

    async def _take_datagram(self, connection: SSL.Connection) -> None:
        """Wait for a datagram, or for the time to repeat our last flight."""
        try:
            datagram = await asyncio.wait_for(self._mailbox._recv(), connection.DTLSv1_get_timeout())
        except TimeoutError:
            connection.DTLSv1_handle_timeout()
        else:
            if self._is_closing:  # while this datagram was on its way here: no keys may come of it any more
                raise ConnectionError
            connection.bio_write(datagram)

    async def _deliver(self, record: bytes) -> None:
        if self._data_receiver is None:
            return
        try:
            await self._data_receiver._handle_data(record)
        except Exception:
            # aiortc's SCTP asserts what a remote can break. Its media is not to suffer from it.
            logger.warning("SCTP of this Transport ended", exc_info=True)
            self._data_receiver = None

    def _flush(self) -> None:
        connection = self._connection()
        flight = b""
        try:
            while True:
                flight += connection.bio_read(1 << 16)
        except SSL.WantReadError:
            pass
        for datagram in _datagrams(flight):
            self._mailbox.send(datagram)


def _records_received(connection: SSL.Connection) -> Iterator[bytes]:
    try:
        while True:
            yield connection.recv(_RECORD_BYTES)
    except (SSL.WantReadError, SSL.ZeroReturnError):
        return


def _datagrams(flight: bytes) -> Iterator[bytes]:
    """Cut between records, filling each datagram as far as it goes."""
    start = end = 0
    while end < len(flight):
        size = _RECORD_HEADER_BYTES + int.from_bytes(flight[end + 11 : end + 13], "big")
        if end > start and end + size - start > _FLIGHT_DATAGRAM_BYTES:
            yield flight[start:end]
            start = end
        end += size
    if start < len(flight):
        yield flight[start:]


def _describe(error: SSL.Error) -> str:
    """OpenSSL's own words: the reason of each queued error, once."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(dict.fromkeys(str(entry[-1]) for entry in entries)) or str(error) or type(error).__name__
