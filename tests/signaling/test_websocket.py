"""The WebSocket endpoint over real sockets: upgrades, limits, closings; and that nobody can hold up another."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from collections.abc import Callable

import aiohttp
import msgspec
import pytest
from aiohttp import WSServerHandshakeError

from signaling.limits import ConnectionLimits, SessionLimits
from signaling.messages import AnyClientMessage, Error, Join, Joined, Leave, Mute, Ok
from signaling.server import Server
from signaling.session import ClientSession
from signaling.subprotocols import JSON, MAX_FRAME_BYTES, MSGPACK
from tests.signaling.servers import WAIT_S, Socket, connected, serving, token


async def refusal(server: Server, **options: object) -> tuple[int, str]:
    """Status and code of an upgrade that is refused."""
    with pytest.raises(WSServerHandshakeError) as raised:
        async with connected(server, **options):  # type: ignore[arg-type]
            pass
    return raised.value.status, raised.value.message


# --- the upgrade -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((JSON.name,), JSON.name),
        ((MSGPACK.name,), MSGPACK.name),
        (("sfu.v9.json", MSGPACK.name, JSON.name), MSGPACK.name),
    ],
)
async def test_the_first_known_subprotocol_is_spoken(offered: tuple[str, ...], chosen: str) -> None:
    async with serving() as server, connected(server, subprotocols=offered) as client:
        assert client.websocket.protocol == chosen
        assert isinstance(await client.say(Join, token=token()), Joined)
        assert isinstance(await client.say(Leave), Ok)
        assert await client.end() == (1000, [])


async def test_upgrades_that_are_refused() -> None:
    async with serving(origin=("https://calls.example",)) as server:
        assert (await refusal(server, subprotocols=()))[0] == 400
        assert (await refusal(server, subprotocols=("sfu.v9.json",)))[0] == 400
        assert (await refusal(server, room="%2e%2e"))[0] == 404
        assert (await refusal(server, room="a%20b"))[0] == 404
        assert (await refusal(server, headers={"Origin": "https://elsewhere.example"}))[0] == 403
        async with connected(server, headers={"Origin": "https://calls.example"}) as client:
            assert isinstance(await client.say(Join, token=token()), Joined)


async def test_a_plain_request_is_told_what_belongs_there() -> None:
    async with (
        serving() as server,
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}/v1/rooms/demo/connect") as response,
    ):
        assert response.status == 426 and response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["code"] == "malformed"


async def test_in_development_mode_pages_from_elsewhere_cannot_connect() -> None:
    async with serving(dev=True) as server:
        assert (await refusal(server, headers={"Origin": "https://elsewhere.example"}))[0] == 403
        assert (await refusal(server, headers={"Host": "rebound.example"}))[0] == 403
        async with connected(server, headers={"Origin": "http://localhost:3000"}) as client:
            assert client.websocket.protocol == JSON.name


async def test_connections_are_limited() -> None:
    async with serving(connections=ConnectionLimits(max_connections=1)) as server:
        async with connected(server):
            assert (await refusal(server))[0] == 503
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    async with connected(server):
                        break
                except WSServerHandshakeError:
                    await asyncio.sleep(0.01)


# --- closings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code", "ws_code"),
    [
        ("{", "malformed", 4400),
        ("{}", "malformed", 4400),
        (b"\x80", "malformed", 4400),
        ('{"type": "dance", "id": 1}', "unknown_type", 4400),
        ('{"type": "leave", "id": 1}', "unexpected", 4400),
        ('"' + "x" * MAX_FRAME_BYTES + '"', "too_large", 1009),
    ],
    ids=["half", "empty", "binary", "unknown", "unexpected", "too large"],
)
async def test_breaking_the_protocol_closes_with_a_reason(frame: str | bytes, code: str, ws_code: int) -> None:
    async with serving() as server, connected(server) as client:
        await client.send(frame)
        closed_with, said = await client.end()
        assert (closed_with, said[-1].code) == (ws_code, code)


async def test_a_frame_without_end_is_cut_off() -> None:
    async with serving() as server, connected(server) as client:
        await client.send("x" * (3 * MAX_FRAME_BYTES))
        assert (await client.end())[0] == 1009


async def test_text_that_is_not_utf8_closes() -> None:
    async with serving() as server, connected(server) as client:
        await client.websocket._writer.send_frame(b"\xff\xfe", aiohttp.WSMsgType.TEXT)
        assert (await client.end())[0] in (1007, 4400)


@pytest.mark.parametrize(
    ("bad", "code", "ws_code"),
    [
        (lambda: "nonsense", "token_invalid", 4401),
        (lambda: token(valid_for_s=-60), "token_expired", 4401),
        (lambda: token(room="other"), "token_wrong_room", 4401),
        (lambda: token(create=False), "room_not_found", 4404),
    ],
)
async def test_tokens_that_do_not_open_the_room(bad: Callable[[], str], code: str, ws_code: int) -> None:
    async with serving() as server, connected(server) as client:
        error = await client.say(Join, token=bad())
        assert isinstance(error, Error) and error.code == code
        closed_with, said = await client.end()
        assert (closed_with, [message.code for message in said]) == (ws_code, [code])


async def test_who_does_not_join_is_closed() -> None:
    async with serving(sessions=SessionLimits(join_timeout_s=0.05)) as server, connected(server) as client:
        closed_with, said = await client.end()
        assert (closed_with, said[0].code) == (4408, "join_timeout")


async def test_too_many_messages_close() -> None:
    limits = SessionLimits(messages_per_s=0.001, messages_burst=3)
    async with serving(sessions=limits) as server, connected(server) as client:
        await client.say(Join, token=token())
        for _ in range(2):
            await client.say(Mute, track="TR_9", muted=True)
        await client.send(JSON.encode(Mute(id=9, track="TR_9", muted=True)))
        closed_with, said = await client.end()
        assert (closed_with, said[-1].code) == (4429, "rate")


async def test_the_same_identity_twice() -> None:
    async with serving() as server, connected(server) as first, connected(server) as second:
        await first.say(Join, token=token())
        joined = await second.say(Join, token=token())
        assert joined.participants == ()
        closed_with, said = await first.end()
        assert (closed_with, said[-1].code) == (4409, "replaced")
    async with serving(duplicates="reject") as server, connected(server) as first, connected(server) as second:
        await first.say(Join, token=token())
        assert (await second.say(Join, token=token())).code == "identity_in_use"
        assert (await second.end())[0] == 4409
        assert isinstance(await first.say(Leave), Ok)


async def test_the_others_hear_of_coming_and_going() -> None:
    async with serving() as server, connected(server) as ada:
        await ada.say(Join, token=token("ada"))
        async with connected(server, subprotocols=(MSGPACK.name,)) as bob:
            joined = await bob.say(Join, token=token("bob", create=False))
            assert [one.identity for one in joined.participants] == ["ada"]
            assert (await ada.hear()).participant.identity == "bob"
        left = await ada.hear()
        assert (left.identity, left.reason) == ("bob", "disconnected")


async def test_the_server_says_goodbye_when_it_stops() -> None:
    async with serving() as server, connected(server) as ada, connected(server) as bob:
        await ada.say(Join, token=token("ada"))
        await bob.say(Join, token=token("bob"))
        await ada.hear()
        closing = asyncio.create_task(server.close())
        for client in (ada, bob):
            closed_with, said = await client.end()
            assert (closed_with, [message.code for message in said]) == (1001, ["server_shutdown"])
        await closing
        with pytest.raises(aiohttp.ClientError):
            async with connected(server):
                pass


# --- nobody holds up another -----------------------------------------------------------------------------------


def small_buffers() -> aiohttp.TCPConnector:
    def make(address: object) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return made

    return aiohttp.TCPConnector(socket_factory=make)


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_never_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    connections = ConnectionLimits(send_queue_frames=100)
    sessions = SessionLimits(messages_burst=10**6, bytes_burst=10**9, resume_within_s=0.05)
    async with serving(connections=connections, sessions=sessions) as server, connected(server) as attentive:
        await attentive.say(Join, token=token("ada"))
        async with connected(server, connector=small_buffers()) as deaf:
            await deaf.say(Join, token=token("bob"))
            await attentive.hear()
            await flood(deaf)
            left = await attentive.hear()
            assert (left.identity, left.reason) == ("bob", "disconnected")
        assert isinstance(await attentive.say(Leave), Ok)
    assert "does not read" in caplog.text


async def flood(deaf: Socket) -> None:
    """Requests whose answers are never read."""
    with pytest.raises(ConnectionError):
        for id in range(2, 200_000):
            await deaf.send(JSON.encode(Mute(id=id, track="TR_unknown", muted=True)))


async def test_an_error_of_ours_closes_that_client_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def on_message(session: ClientSession, message: AnyClientMessage, now: float) -> None:
        if isinstance(message, Mute):
            raise RuntimeError("a bug")
        original(session, message, now)

    original = ClientSession.on_message
    monkeypatch.setattr(ClientSession, "on_message", on_message)
    async with serving() as server, connected(server) as ada, connected(server) as bob:
        await ada.say(Join, token=token("ada"))
        await bob.say(Join, token=token("bob"))
        await ada.hear()
        await bob.send(JSON.encode(Mute(id=9, track="TR_1", muted=True)))
        closed_with, said = await bob.end()
        assert (closed_with, said[-1].code) == (1011, "internal")
        assert (await ada.hear()).identity == "bob"
        assert isinstance(await ada.say(Leave), Ok)
        assert server.switchboard.counters.closed == {"internal": 1, "left": 1}
    assert "a bug" in caplog.text


async def test_logs_hold_neither_tokens_nor_whole_addresses(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    good, bad = token(), token(valid_for_s=-60)
    async with serving() as server:
        for one in (good, bad):
            async with connected(server) as client:
                await client.say(Join, token=one)
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("signaling", "sfu")))
    assert "participant=ada" in logged and "address=127.0.0.x" in logged
    for one in (good, bad):
        assert one not in logged and one.split(".")[1] not in logged


async def test_thousands_of_frames_of_noise_leave_a_room_intact(seed: int) -> None:
    """Whatever a client sends, it is closed with a code of ours, and the others in the room go on."""
    source = random.Random(seed)
    template = msgspec.json.encode({"type": "publish", "id": 2, "sdp": "v=0", "tracks": [{"mid": "0"}]})
    async with serving() as server, connected(server) as ada:
        await ada.say(Join, token=token("ada"))
        for number in range(40):
            async with connected(server) as noisy:
                if number % 2:
                    await noisy.say(Join, token=token("noise"))
                mutated = bytearray(template)
                for _ in range(4):
                    mutated[source.randrange(len(mutated))] = source.randrange(32, 127)
                await noisy.send(mutated.decode())
                await noisy.send(json.dumps(["x"]))
                assert (await noisy.end())[0] == 4400
        assert isinstance(await ada.say(Leave), Ok)
