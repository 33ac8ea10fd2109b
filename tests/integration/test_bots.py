"""Calls between bots over everything real: HTTP, WebSocket, ICE, DTLS, SRTP, encoders and decoders."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from random import Random

import aiohttp
import pytest
import pytest_asyncio

from sfu.core.types import Codec
from signaling.client import RandomLoss, RoomClosed, SourceToPublish, connect, development_token
from signaling.demo.bot import Bot, BotOptions
from signaling.errors import Refused
from signaling.subprotocols import JSON
from tests.support.meeting import (
    PATIENCE_S,
    Meeting,
    audio_of,
    meeting,
    metrics,
    open_test_server,
    pause,
    until_seen,
    video_of,
)

FULL, SMALLEST = (320, 176), (80, 44)


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Meeting]:
    async with meeting() as one:
        yield one


async def test_three_bots_decode_each_other(room: Meeting) -> None:
    await room.join("Ada")
    await room.join("Bob", BotOptions(subprotocol=JSON.name))
    await room.join("Cleo", BotOptions(layers=1))
    await room.until_all_see_all(frames=30, windows=20)
    for one in room.bots:
        assert len(one.room.participants) == 2
        for other in room.bots:
            if other is not one:
                assert video_of(one, other).size == FULL
                assert video_of(one, other).traffic.lost == 0
    numbers = await metrics(room.server.url)
    assert numbers["sfu_participants"] == 3
    assert numbers["sfu_internal_errors_total"] == 0


async def test_h264_is_forwarded_and_switched_like_vp8(room: Meeting) -> None:
    ada = await room.join("Ada", BotOptions(codec=Codec.H264))
    bob = await room.join("Bob", BotOptions(codec=Codec.VP8))
    await room.until_all_see_all()
    assert video_of(bob, ada).size == video_of(ada, bob).size == FULL


async def test_one_leaves_and_comes_back(room: Meeting) -> None:
    ada, bob, cleo = [await room.join(name) for name in ("Ada", "Bob", "Cleo")]
    await room.until_all_see_all(frames=10, windows=5)
    lines = len(ada.room.receptions)
    identity = cleo.room.identity

    await room.leave(cleo)
    await ada.room.until(lambda: identity not in ada.room.participants, PATIENCE_S)
    await ada.room.until(
        lambda: all(one.content is None or one.content.participant != identity for one in ada.room.receptions.values()),
        PATIENCE_S,
    )
    await room.until_all_see_all(frames=10, windows=5)

    again = await room.join("Cleo")
    await room.until_all_see_all(frames=20, windows=5)
    assert again.room.identity == identity
    assert len(ada.room.receptions) == lines  # the Slots she left were used again
    assert set(bob.room.participants) == {ada.room.identity, identity}


async def test_a_second_connection_of_one_identity_replaces_the_first(room: Meeting) -> None:
    ada, bob = await room.join("Ada"), await room.join("Bob")
    await room.until_all_see_all(frames=5, windows=2)
    again = await room.join("Ada")
    failure = await ada.room.failed()
    assert isinstance(failure, RoomClosed)
    assert (failure.code, failure.websocket_code) == ("replaced", 4409)
    room.bots.remove(ada)
    await room.until_all_see_all(frames=10, windows=5)
    assert set(bob.room.participants) == {again.room.identity}


async def test_five_percent_loss_both_ways_is_repaired(room: Meeting, pytestconfig: pytest.Config) -> None:
    seed: int = pytestconfig.getoption("--seed")
    ada, bob = [
        await room.join(name, BotOptions(impairment=RandomLoss(0.05, Random(seed + index))))
        for index, name in enumerate(("Ada", "Bob"))
    ]
    await until_seen(ada, bob, frames=45, windows=5)
    await until_seen(bob, ada, frames=45, windows=5)
    # Only some dozen packets are lost, so that each kind of repair may still have to come.
    async with asyncio.timeout(PATIENCE_S):
        while not await _every_repair_was_used(room):
            await until_seen(ada, bob, frames=video_of(ada, bob).decoded + 10)
    for one, other in ((ada, bob), (bob, ada)):
        video = video_of(one, other)
        assert video.backward == video.foreign == 0
        # A frame that is lost for good costs all up to the next key frame, and so does a lost request for one.
        assert video.first_number is not None and video.last_number is not None
        assert video.decoded > 0.8 * (video.last_number + 1 - video.first_number)
        assert audio_of(one, other).right > 0


async def _every_repair_was_used(room: Meeting) -> bool:
    numbers = await metrics(room.server.url)
    return (
        numbers["sfu_recovered_packets_total"] > 0  # from publishers, by their RTX
        and numbers["sfu_retransmitted_packets_total"] > 0  # to subscribers, by the server's
        and any(stream.retransmitted for bot in room.bots for stream in bot.camera.publication.streams)
        and any(one.stream.recovered for bot in room.bots for one in bot.room.receptions.values())
    )


async def _hears_something(one: Bot, other: Bot, within_s: float) -> bool:
    before = video_of(one, other).traffic.packets, audio_of(one, other).traffic.packets
    await pause(within_s)
    return (video_of(one, other).traffic.packets, audio_of(one, other).traffic.packets) != before


async def test_mute_stops_and_unmute_starts_again(room: Meeting) -> None:
    ada, bob = await room.join("Ada"), await room.join("Bob")
    await room.until_all_see_all(frames=10, windows=5)
    for source in (ada.camera, ada.microphone):
        await ada.room.mute(source.publication, True)
    await bob.room.until(
        lambda: all(track.muted for track in bob.room.participants[ada.room.identity].tracks), PATIENCE_S
    )
    # Ada keeps sending: it is the server that holds it back. What was under way still comes, on a busy machine late.
    async with asyncio.timeout(PATIENCE_S):
        while await _hears_something(bob, ada, within_s=0.5):
            pass
    for source in (ada.camera, ada.microphone):
        await ada.room.mute(source.publication, False)
    await room.until_all_see_all(frames=10, windows=5)


async def test_a_limited_layer_is_switched_down_and_up_without_a_fault(room: Meeting) -> None:
    ada, bob = await room.join("Ada"), await room.join("Bob")
    await until_seen(bob, ada, frames=5)
    video = video_of(bob, ada)
    await bob.until(lambda: video.size == FULL, PATIENCE_S)
    track = ada.camera.publication.track
    await bob.room.limit_layer(track, "q")
    await bob.until(lambda: video.size == SMALLEST, PATIENCE_S)
    await until_seen(bob, ada, frames=video.decoded + 10)
    assert video.size == SMALLEST
    await bob.room.limit_layer(track, None)
    await bob.until(lambda: video.size == FULL, PATIENCE_S)
    await until_seen(bob, ada, frames=video.decoded + 10)
    room.check()
    assert video.traffic.lost == 0


async def test_unpublished_and_unsubscribed_tracks_stop_and_can_come_back(room: Meeting) -> None:
    ada, bob = await room.join("Ada"), await room.join("Bob")
    await room.until_all_see_all(frames=5, windows=2)
    microphone = ada.microphone.publication.track
    await bob.room.unsubscribe(microphone)
    await bob.room.until(lambda: bob.room.reception_of(microphone) is None, PATIENCE_S)
    await bob.room.subscribe(microphone)
    await bob.room.until(lambda: bob.room.reception_of(microphone) is not None, PATIENCE_S)
    await room.until_all_see_all(frames=5, windows=2)

    (screen,) = await ada.room.publish([SourceToPublish("screen", Codec.VP8)])
    await bob.room.until(lambda: bob.room.reception_of(screen.track) is not None, PATIENCE_S)
    await ada.room.unpublish(screen)
    await bob.room.until(lambda: bob.room.reception_of(screen.track) is None, PATIENCE_S)
    await ada.room.publish([SourceToPublish("screen", Codec.VP8)])
    await bob.room.until(
        lambda: [one.source for one in bob.room.participants[ada.room.identity].tracks].count("screen") == 1,
        PATIENCE_S,
    )
    await room.until_all_see_all(frames=5, windows=2)


async def test_a_crashed_client_leaves_no_ghost(room: Meeting) -> None:
    ada, bob = await room.join("Ada"), await room.join("Bob")
    await room.until_all_see_all(frames=5, windows=2)
    await bob.room.drop()
    await ada.room.until(lambda: not ada.room.participants, PATIENCE_S)


async def test_without_auto_subscribe_only_what_was_asked_for_comes(room: Meeting) -> None:
    ada = await room.join("Ada")
    token = await development_token(room.server.url, "Quiet", "meeting")
    async with connect(room.server.url, "meeting", token.token, auto_subscribe=False) as quiet:
        wanted = ada.camera.publication.track
        await quiet.subscribe(wanted)
        await quiet.until(lambda: quiet.reception_of(wanted) is not None, PATIENCE_S)
        await quiet.until(lambda: quiet.subscribing.connected, PATIENCE_S)
        assert [one.content.track for one in quiet.receptions.values() if one.content] == [wanted]
        with pytest.raises(Refused) as refused:
            await quiet.subscribe("TR_nobody")
        assert refused.value.code == "unknown_track"


async def test_tokens_are_for_the_asking_in_development_mode_only() -> None:
    async with open_test_server(dev=False) as server:
        with pytest.raises(Refused, match="404"):
            await development_token(server.url, "Ada", "here")


async def test_a_stranger_with_a_bad_token_is_turned_away() -> None:
    async with open_test_server() as server:
        good = await development_token(server.url, "Ada", "here")
        for token, room, code in (
            ("nonsense", "here", "token_invalid"),
            (good.token[:-4] + "AAAA", "here", "token_invalid"),
            (good.token, "elsewhere", "token_wrong_room"),
        ):
            with pytest.raises(Refused) as refused:
                async with connect(server.url, room, token):
                    pass
            assert refused.value.code == code
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with connect(server.url, "no%2Froom", good.token):
                pass


async def test_everybody_is_told_when_the_server_stops() -> None:
    async with open_test_server() as server:
        token = await development_token(server.url, "Ada", "here")
        async with connect(server.url, "here", token.token) as room:
            await server.close()
            closed = await room.wait_closed()
            assert (closed.code, closed.websocket_code) == ("server_shutdown", 1001)
            with pytest.raises(RoomClosed):
                await room.subscribe("TR_1")


async def test_a_call_does_not_notice_two_thousand_random_datagrams_a_second(
    room: Meeting, pytestconfig: pytest.Config
) -> None:
    """Whatever strangers throw at the media port for ten seconds, the call goes on: no faults, no stall."""
    await room.join("Ada")
    await room.join("Bob")
    await room.until_all_see_all(frames=5, windows=2)
    flood = asyncio.create_task(_flood(room.server.worker.udp_port, Random(pytestconfig.getoption("--seed"))))
    while not flood.done():
        await room.until_all_see_all(frames=5, windows=3)
    assert await flood == 20_000
    numbers = await metrics(room.server.url)
    assert numbers["sfu_internal_errors_total"] == 0
    assert sum(value for name, value in numbers.items() if name.startswith("sfu_dropped_packets_total")) > 0


async def _flood(port: int, random: Random) -> int:
    """Datagrams that look like STUN, DTLS, RTP, RTCP or nothing, from several sockets; returns how many were sent."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    sent = 0
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(4)]
        for turn in range(1000):
            for _ in range(20):
                first = random.choice((0, 1, 22, 128, 129, 144, random.randrange(256)))
                second = random.choice((1, 96, 111, 200, 201, 205, random.randrange(256)))
                payload = bytes((first, second)) + random.randbytes(random.randrange(1200))
                random.choice(sockets).sendto(payload, ("127.0.0.1", port))
                sent += 1
            await asyncio.sleep(max(0.0, start_s + (turn + 1) / 100 - loop.time()))
    return sent
