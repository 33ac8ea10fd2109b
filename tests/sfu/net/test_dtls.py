"""DTLS sessions against each other and against aiortc's own transport, without sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
import pytest_asyncio
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport, SRTPProtectionProfile
from aiortc.rtcicetransport import RTCIceTransport

from sfu.control import Fingerprint
from sfu.net.certificate import Certificate
from sfu.net.dtls import DtlsSession, HandshakeFailed
from sfu.plane.interface import SrtpKeys
from tests.support.dtls import CLIENT, SERVER, End, Pair
from tests.support.ice import PATIENCE_S, until


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    yield pair
    await pair.close()


async def test_both_ends_export_the_same_keys_once(pair: Pair) -> None:
    assert await pair.handshake() == [None, None]
    (server,), (client,) = pair.server.keys, pair.client.keys
    assert server.profile == client.profile == "SRTP_AEAD_AES_256_GCM"
    assert (server.send_key, server.receive_key) == (client.receive_key, client.send_key)
    assert server.send_key != server.receive_key
    assert len(server.send_key) == 32 + 12
    assert server.send_key.hex() not in repr(server)
    assert pair.server.session.connected


@pytest.mark.parametrize(
    ("profile", "key_bytes"), [("SRTP_AEAD_AES_128_GCM", 16 + 12), ("SRTP_AES128_CM_SHA1_80", 16 + 14)]
)
async def test_other_profiles_follow_what_the_remote_can(pair: Pair, profile: str, key_bytes: int) -> None:
    association = pair.client.session.association
    association._srtp_profiles = [p for p in association._srtp_profiles if p.openssl_profile.decode() == profile]
    assert await pair.handshake() == [None, None]
    assert pair.server.keys[0].profile == profile
    assert len(pair.server.keys[0].send_key) == len(pair.client.keys[0].receive_key) == key_bytes


async def test_no_common_profile_fails_by_name(pair: Pair) -> None:
    pair.client.session.association._srtp_profiles = [SRTPProtectionProfile(2, b"SRTP_AES128_CM_SHA1_32", 16, 14)]
    server, _ = await pair.handshake()
    assert isinstance(server, HandshakeFailed)
    assert server.code == "no_srtp_profile"
    assert pair.server.keys == []


@pytest.mark.parametrize("side", [0, 1], ids=["server", "client"])
async def test_a_wrong_fingerprint_ends_it_before_any_key(side: int) -> None:
    wrong = End((SERVER, CLIENT)[side], side == 1, [Certificate.generate().fingerprint])
    pair = Pair(server=wrong) if side == 0 else Pair(client=wrong)
    failure = (await pair.handshake())[side]
    assert isinstance(failure, HandshakeFailed)
    assert failure.code == "fingerprint_mismatch"
    assert wrong.keys == []
    await pair.close()


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ([Fingerprint("SHA-256", CLIENT.fingerprint.value.lower())], True),
        ([Fingerprint("sha-1", "00:11"), CLIENT.fingerprint], True),
        ([Fingerprint("sha-1", "00:11")], False),
        ([CLIENT.fingerprint, SERVER.fingerprint], False),
        ([], False),
    ],
    ids=["lower case", "with one we do not know", "only one we do not know", "two that differ", "none"],
)
async def test_which_fingerprints_are_accepted(given: list[Fingerprint], accepted: bool) -> None:
    pair = Pair(server=End(SERVER, False, given))
    if not given:
        pair.client.session.close()  # nobody answers it
    failure, _ = await pair.handshake()
    if accepted:
        assert failure is None
    else:
        assert isinstance(failure, HandshakeFailed)
        assert failure.code == "fingerprint_mismatch"
    await pair.close()


async def test_a_handshake_has_an_end() -> None:
    alone = End(CLIENT, True, [SERVER.fingerprint])
    with pytest.raises(HandshakeFailed, match="handshake_timeout"):
        await alone.session.handshake(0.01)
    assert alone.sent
    await alone.session.wait_closed()


async def test_closing_ends_a_handshake() -> None:
    alone = End(SERVER, False, [CLIENT.fingerprint])
    task = asyncio.create_task(alone.session.handshake(None))
    await asyncio.sleep(0)
    alone.session.close()
    with pytest.raises(HandshakeFailed, match="closed"):
        await task
    assert alone.farewells == 0


@pytest.mark.parametrize("turns", range(6))
async def test_no_keys_come_after_close(pair: Pair, turns: int) -> None:
    held: list[bytes] = []

    def hold_last_flight(datagram: bytes) -> bool:
        if datagram[0] == 20:  # change cipher spec
            held.append(datagram)
        return datagram[0] != 20

    pair.server.link = hold_last_flight
    tasks = [asyncio.create_task(end.session.handshake(PATIENCE_S)) for end in pair.ends]
    await until(lambda: bool(held))
    pair.client.session.feed(held[0])
    for _ in range(turns):
        await asyncio.sleep(0)
    known = len(pair.client.keys)
    pair.client.session.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert len(pair.client.keys) == known
    assert isinstance(results[1], HandshakeFailed) or known


async def test_a_lost_flight_is_repeated(pair: Pair) -> None:
    losses = iter([False])
    pair.server.link = lambda datagram: next(losses, True)
    assert await pair.handshake() == [None, None]


async def test_openssl_says_why() -> None:
    ours = RTCCertificate.generateCertificate()
    context = ours._create_ssl_context

    def only_rsa(srtp_profiles: list[SRTPProtectionProfile]) -> object:
        made = context(srtp_profiles=srtp_profiles)
        made.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        return made

    ours._create_ssl_context = only_rsa  # type: ignore[method-assign, assignment]
    pair = Pair(client=End(Certificate(ours, CLIENT.fingerprint), True, [SERVER.fingerprint]))
    server, client = await pair.handshake()
    assert isinstance(server, HandshakeFailed)
    assert isinstance(client, HandshakeFailed)
    assert server.code == client.code == "dtls_error"
    assert "no shared cipher" in server.detail
    assert "alert handshake failure" in client.detail
    await pair.close()


async def test_a_farewell_is_heard_once_and_not_by_who_says_it(pair: Pair) -> None:
    await pair.handshake()
    pair.client.session.close()
    pair.client.session.close()
    await until(lambda: pair.server.farewells > 0)
    await pair.server.session.wait_closed()
    assert (pair.server.farewells, pair.client.farewells) == (1, 0)
    assert not pair.server.session.connected


async def test_a_full_queue_drops_and_counts(pair: Pair) -> None:
    for _ in range(40):
        pair.server.session.feed(b"\x16\xfe\xff" + bytes(20))
    assert pair.server.session.dropped == 8
    pair.server.session.feed(b"")
    pair.server.session.feed(b"\x80\x60 media never comes this way")
    assert pair.server.session.dropped == 10


async def test_after_close_nothing_is_taken_and_nothing_sent(pair: Pair) -> None:
    await pair.handshake()
    pair.server.session.close()
    sent = len(pair.server.sent)
    pair.server.session.feed(pair.client.sent[-1])
    await pair.server.session.association._send_data(b"late")
    await asyncio.sleep(0)
    assert len(pair.server.sent) == sent


class Receiver:
    """Stands where SCTP registers."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.fails = False

    async def _handle_data(self, data: bytes) -> None:
        if self.fails:
            raise AssertionError("a remote found a way")
        self.received.append(data)


async def test_all_records_of_a_datagram_are_read_at_once(pair: Pair) -> None:
    await pair.handshake()
    receiver = Receiver()
    pair.server.session.association._register_data_receiver(receiver)
    pair.client.link = lambda datagram: False
    for word in (b"one", b"two", b"three"):
        await pair.client.session.association._send_data(word)
    pair.server.session.feed(b"".join(pair.client.sent[-3:]))
    await until(lambda: len(receiver.received) == 3)
    assert receiver.received == [b"one", b"two", b"three"]


async def test_a_receiver_that_fails_is_left_out_and_the_session_lives(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    await pair.handshake()
    receiver = Receiver()
    receiver.fails = True
    pair.server.session.association._register_data_receiver(receiver)
    with caplog.at_level(logging.WARNING, "sfu.net.dtls"):
        await pair.client.session.association._send_data(b"bad")
        await until(lambda: bool(caplog.records))
    await pair.client.session.association._send_data(b"ignored")
    await asyncio.sleep(0.01)
    assert pair.server.session.connected


async def test_a_flight_is_cut_between_records(pair: Pair) -> None:
    await pair.handshake()
    association = pair.client.session.association
    sent = len(pair.client.sent)
    assert association._ssl is not None
    for size in (1000, 100, 500, 500, 30):
        association._ssl.send(bytes(size))
    await association._write_ssl()
    datagrams = pair.client.sent[sent:]
    assert len(datagrams) == 2
    assert max(map(len, datagrams)) <= 1200
    receiver = Receiver()
    pair.server.session.association._register_data_receiver(receiver)
    await until(lambda: len(receiver.received) == 5)
    assert [len(record) for record in receiver.received] == [1000, 100, 500, 500, 30]


class Wire:
    """What aiortc's own transport takes for its ICE transport."""

    role = "controlling"

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.send: Callable[[bytes], None] = lambda datagram: None

    async def _recv(self) -> bytes:
        return await self.queue.get()

    async def _send(self, datagram: bytes) -> None:
        self.send(datagram)


@pytest.mark.parametrize("we_are_client", [False, True], ids=["passive", "active"])
async def test_aiortc_as_it_is_agrees_with_us(we_are_client: bool) -> None:
    wire = Wire()
    theirs = RTCDtlsTransport(cast(RTCIceTransport, wire), [CLIENT.rtc])
    theirs._set_role("server" if we_are_client else "client")
    keys: list[SrtpKeys] = []
    ours = DtlsSession(SERVER, we_are_client, [CLIENT.fingerprint], wire.queue.put_nowait, keys.append)
    wire.send = ours.feed
    parameters = RTCDtlsTransport(cast(RTCIceTransport, wire), [SERVER.rtc]).getLocalParameters()
    await asyncio.gather(ours.handshake(PATIENCE_S), theirs.start(parameters))
    assert (theirs.state, len(keys)) == ("connected", 1)
    await theirs.stop()
    ours.close()
    await ours.wait_closed()
