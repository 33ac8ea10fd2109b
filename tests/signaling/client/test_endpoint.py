"""An endpoint against an ICE-lite peer over loopback: connecting, media both ways, loss, lies and silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import pytest_asyncio

from sfu.control import Candidate
from sfu.net.certificate import Certificate
from sfu.net.dtls import HandshakeFailed
from sfu.wire.extensions import ExtensionIds
from signaling.client import Endpoint, RandomLoss, ReceivedPacket, ReceivedStream, SentStream, receiving
from signaling.client.rtp_session import RtpSession
from tests.support.ice import until
from tests.support.lite_peer import LitePeer, lite_peer

IDS = ExtensionIds(mid=1, rid=2, repaired_rid=3, abs_send_time=4, transport_cc=5)


@asynccontextmanager
async def opened(impairment: RandomLoss | None = None) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(impairment=impairment)
    try:
        yield endpoint
    finally:
        endpoint.close()
        await endpoint.wait_closed()


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[LitePeer]:
    async with lite_peer() as peer:
        yield peer


def sent_stream(ssrc: int = 100) -> SentStream:
    return SentStream(
        mid="0",
        kind="video",
        payload_type=96,
        rtx_payload_type=97,
        clock_rate=90_000,
        ssrc=ssrc,
        rtx_ssrc=ssrc + 1,
        random=Random(ssrc),
    )


def join(sender: RtpSession, receiver: RtpSession) -> tuple[SentStream, list[ReceivedPacket]]:
    """A stream from one to the other, and what comes out of it there."""
    for session in (sender, receiver):
        session.send_extensions = session.receive_extensions = IDS
    stream = sent_stream()
    sender.add_sent(stream)
    received: list[ReceivedPacket] = []
    receiver.add_received(ReceivedStream(100, "video", 90_000, rtx_ssrc=101), received.append)
    return stream, received


async def connect(endpoint: Endpoint, peer: LitePeer) -> None:
    peer.accept(endpoint)
    await endpoint.connect(peer.described())


@pytest.mark.parametrize("peer_opens", [False, True], ids=["we open DTLS", "the server opens DTLS"])
async def test_connects_in_either_dtls_role(peer_opens: bool) -> None:
    async with lite_peer(is_client=peer_opens) as peer, opened() as endpoint:
        await connect(endpoint, peer)
        assert endpoint.connected


async def test_connects_over_ipv6() -> None:
    async with lite_peer(host="::1") as peer, opened() as endpoint:
        await connect(endpoint, peer)
        assert endpoint.connected


async def test_the_candidate_that_answers_is_used_whatever_its_priority(peer: LitePeer) -> None:
    async with opened() as endpoint:
        peer.accept(endpoint)
        dead = Candidate("127.0.0.77", 9, 1000)
        await endpoint.connect(peer.described(dead, Candidate(*peer.address, 1)))
        assert endpoint.connected


async def test_media_and_reports_flow_both_ways(peer: LitePeer) -> None:
    async with opened() as endpoint:
        await connect(endpoint, peer)
        up, at_peer = join(endpoint.session, peer.session)
        down, here = join(peer.session, endpoint.session)
        now = asyncio.get_running_loop().time()
        for number in range(20):
            endpoint.session.send(up, bytes([number]), up.timestamp(now), now, marker=True)
            peer.session.send(down, bytes([number]), down.timestamp(now), now, marker=True)
        endpoint.flush()
        peer.flush()
        await until(lambda: len(at_peer) == len(here) == 20)
        assert [packet.payload[0] for packet in at_peer] == [packet.payload[0] for packet in here] == list(range(20))
        await until(lambda: up.reported and endpoint.session.feedbacks_received > 0)
        await until(lambda: down.reported and peer.session.feedbacks_received > 0)
        await until(lambda: endpoint.session.received[0].sender_report() is not None)


async def test_a_key_frame_request_reaches_the_sender(peer: LitePeer) -> None:
    async with opened() as endpoint:
        await connect(endpoint, peer)
        down, _ = join(peer.session, endpoint.session)
        asked: list[SentStream] = []
        peer.session.on_key_frame_request = asked.append
        endpoint.session.request_key_frame(endpoint.session.received[0])
        endpoint.flush()
        await until(lambda: asked == [down])


async def test_loss_is_repaired_both_ways(peer: LitePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "VIDEO_WAIT_S", 60.0)  # both ends are here, and may stand still for a moment
    async with opened(RandomLoss(0.1, Random(3))) as endpoint:
        await connect(endpoint, peer)
        up, at_peer = join(endpoint.session, peer.session)
        down, here = join(peer.session, endpoint.session)
        loop = asyncio.get_running_loop()
        for number in range(200):
            now = loop.time()
            endpoint.session.send(up, bytes([number]), up.timestamp(now), now)
            peer.session.send(down, bytes([number]), down.timestamp(now), now)
            endpoint.flush()
            peer.flush()
            await asyncio.sleep(0.001)
        # The last packets may be lost without anything behind them that would show it.
        await until(lambda: len(at_peer) > 190 and len(here) > 190)
        for packets, stream in ((at_peer, up), (here, down)):
            numbers = [packet.sequence_number for packet in packets]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert stream.retransmitted > 0
            assert any(packet.recovered for packet in packets)


async def test_a_wrong_fingerprint_is_refused(peer: LitePeer) -> None:
    async with opened() as endpoint:
        peer.accept(endpoint)
        with pytest.raises(HandshakeFailed) as refused:
            await endpoint.connect(peer.described(certificate=Certificate.generate()))
        assert refused.value.code == "fingerprint_mismatch"


async def test_silence_of_every_candidate_is_a_connection_error() -> None:
    async with opened() as endpoint, lite_peer() as peer:
        peer.silent = True
        with pytest.raises(ConnectionError, match="no candidate"):
            await endpoint.connect(peer.described(), timeout_s=0.2)


async def test_no_candidates_at_all_is_a_connection_error(peer: LitePeer) -> None:
    async with opened() as endpoint:
        nowhere = peer.described()
        with pytest.raises(ConnectionError, match="no address"):
            await endpoint.connect(type(nowhere)(nowhere.ice, (), nowhere.fingerprints, True))


async def test_nonsense_from_the_server_is_counted_and_ignored(peer: LitePeer, seed: int) -> None:
    """Whatever datagrams come, the connection lives and later media arrives."""
    random = Random(seed)
    async with opened() as endpoint:
        await connect(endpoint, peer)
        down, here = join(peer.session, endpoint.session)
        for _ in range(300):
            peer.send_raw(random.randbytes(random.randrange(1, 1400)))
            peer.send_raw(b"\x80\x60" + random.randbytes(random.randrange(40)))
            peer.send_raw(b"\x80\xc8" + random.randbytes(random.randrange(40)))
        now = asyncio.get_running_loop().time()
        peer.session.send(down, b"still here", 0, now)
        peer.flush()
        await until(lambda: [packet.payload for packet in here] == [b"still here"])


async def test_closing_twice_is_harmless_and_final(peer: LitePeer) -> None:
    async with opened() as endpoint:
        await connect(endpoint, peer)
        endpoint.close()
        endpoint.close()
        assert not endpoint.connected
        with pytest.raises(ConnectionError, match="closed"):
            await endpoint.connect(peer.described())
