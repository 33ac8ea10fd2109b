"""Sockets that are lost, and what the others see of it: bots, through everything real."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from signaling.client import (
    RoomClosed,
)
from signaling.limits import ReplayLimits
from signaling.messages import (
    Join,
    Joined,
    Leave,
    Ok,
    ParticipantLeft,
    Ping,
    Resume,
    Resumed,
)
from tests.signaling.servers import Socket, connected
from tests.support.ice import until
from tests.support.meeting import PATIENCE_S, pause
from tests.support.scene import FAST, FORGIVING, MICROPHONE, Ear, Scene, resumed, scene, talking, token_of, told


def transports(here: Scene) -> set[int]:
    """What is built anew has another number."""
    return {one.number for one in here.server.worker._running.router.registry.endpoints.values()}


async def test_a_blip_of_the_socket_is_told_nobody_and_nobody_hears_it() -> None:
    async with (
        scene(FORGIVING) as here,
        here.present("Ada", cuttable=True) as (ada, heard),
        here.present("Bob") as (bob, seen),
    ):
        await ada.until(lambda: len(ada.participants) == 1)
        async with talking(ada) as track, talking(bob) as other:
            at_bob, at_ada = Ear(bob, track), Ear(ada, other)
            await at_bob.hears()
            await at_ada.hears()
            seen.clear()
            before = transports(here)
            here.forwarder.cut()
            await bob.mute(bob.publications[0], True)
            await bob.mute(bob.publications[0], False)
            await resumed(ada)
            await at_bob.hears(30)
            await at_ada.hears(10)
            assert (at_bob.missed, at_ada.missed) == (0, 0) and transports(here) == before
            assert told(seen) == []
            assert told(heard) == ["joined", "track_published", "track_muted", "track_muted"]
            # The session is the same: what it had it has, and it goes on.
            assert set(bob.participants) == {ada.identity}
            await ada.mute(ada.publications[0], True)
            await bob.until(lambda: bob.participants[ada.identity].tracks[0].muted, PATIENCE_S)


async def test_a_longer_absence_is_reconnecting_and_then_connected() -> None:
    async with scene() as here, here.present("Bob") as (bob, seen), here.present("Ada", cuttable=True) as (ada, _):
        for times in (1, 2):
            here.forwarder.refuse()
            here.forwarder.cut()
            await bob.until(lambda: bob.participants[ada.identity].state == "reconnecting", PATIENCE_S)
            here.forwarder.refuse(False)
            await resumed(ada, times)
            await bob.until(lambda: bob.participants[ada.identity].state == "connected", PATIENCE_S)
        assert told(seen) == ["joined", *["reconnecting", "connected"] * 2]


async def test_who_comes_too_late_has_left() -> None:
    limits = replace(FAST, resume_within_s=2.0)
    async with (
        scene(limits) as here,
        here.present("Bob") as (bob, seen),
        here.present("Ada", cuttable=True) as (ada, _),
    ):
        here.forwarder.refuse()
        here.forwarder.cut()
        await bob.until(lambda: not bob.participants, PATIENCE_S)
        assert told(seen) == ["joined", "reconnecting", "left"]
        here.forwarder.refuse(False)
        closed = await ada.wait_closed()
        assert closed.code in ("disconnected", "resume_invalid")
        with pytest.raises(RoomClosed):
            await ada.publish([MICROPHONE])
        await here.session_count(1)


async def test_requests_that_were_under_way_are_answered_once() -> None:
    async with (
        scene() as here,
        here.present("Bob") as (bob, _),
        here.present("Ada", cuttable=True) as (ada, _),
        talking(bob) as track,
    ):
        await ada.until(lambda: ada.reception_of(track) is not None, PATIENCE_S)
        for turn in range(1, 11):
            asked = [asyncio.create_task(ada.limit_layer(track, None)) for _ in range(5)]
            await asyncio.sleep(0.0005 * turn)
            here.forwarder.cut()
            asked += [asyncio.create_task(ada.limit_layer(track, None)) for _ in range(5)]
            await asyncio.gather(*asked)
            await resumed(ada, turn)


async def test_a_socket_whose_end_the_server_did_not_notice_is_followed_by_another() -> None:
    async with (
        scene(FORGIVING) as here,
        here.present("Bob") as (bob, seen),
        here.present("Ada", cuttable=True) as (ada, _),
    ):
        here.forwarder.cut_off_clients()
        await resumed(ada)
        async with talking(bob) as track:
            await Ear(ada, track).hears()
        await pause(1.5 * FORGIVING.resume_grace_s)
        assert told(seen) == ["joined"]
        assert here.server.switchboard.counters.sessions == 2


async def test_what_is_not_kept_is_told_as_a_whole() -> None:
    limits = replace(FAST, replay=ReplayLimits(messages=3))
    async with (
        scene(limits) as here,
        here.present("Bob") as (bob, _),
        here.present("Ada", cuttable=True) as (ada, heard),
    ):
        async with here.present("Eve"):
            await ada.until(lambda: len(ada.participants) == 2, PATIENCE_S)
            heard.clear()
            here.forwarder.refuse()
            here.forwarder.cut()
            await bob.until(lambda: bob.participants[ada.identity].state == "reconnecting", PATIENCE_S)
        async with talking(bob) as track, here.present("Dan") as (dan, _):
            for muted in (True, False, True, False, True):
                await bob.mute(bob.publications[0], muted)
            here.forwarder.refuse(False)
            await resumed(ada)
            assert sorted(told(heard)) == ["joined", "left", "track_published"]
            assert set(ada.participants) == {bob.identity, dan.identity}
            assert ada.participants[bob.identity].tracks[0].muted
            await bob.mute(bob.publications[0], False)
            await Ear(ada, track).hears()


# --- tokens and races ------------------------------------------------------------------------------------------


async def joined(socket: Socket, token: str) -> Joined:
    answer = await socket.say(Join, token=token)
    assert isinstance(answer, Joined)
    return answer


async def vanish(socket: Socket) -> None:
    """Without a close frame."""
    connection = socket.websocket._response.connection
    assert connection is not None and connection.transport is not None
    connection.transport.abort()


async def test_a_token_is_good_once_and_for_its_room_only() -> None:
    async with scene() as here, connected(here.server, "here") as first:
        ticket = (await joined(first, await token_of(here, "Ada"))).resume
        async with connected(here.server, "elsewhere") as other:
            assert (await other.say(Resume, token=ticket.token, received=0)).code == "resume_invalid"
        await vanish(first)
        async with connected(here.server, "here") as second:
            answer = await second.say(Resume, token=ticket.token, received=0)
            assert isinstance(answer, Resumed) and answer.resume.token != ticket.token
            for stolen in (ticket.token, "", "x" * 43):
                async with connected(here.server, "here") as thief:
                    assert (await thief.say(Resume, token=stolen, received=0)).code == "resume_invalid"
                    # Which is no reason not to join, with a token of one's own.
                    assert isinstance(await thief.say(Join, token=await token_of(here, "Eve")), Joined)
            assert isinstance(await second.say(Ping), Ok)


async def test_of_two_who_resume_at_once_one_wins() -> None:
    async with scene() as here, connected(here.server, "here") as first:
        ticket = (await joined(first, await token_of(here, "Ada"))).resume
        await vanish(first)
        async with connected(here.server, "here") as one, connected(here.server, "here") as other:
            answers = await asyncio.gather(
                *(socket.say(Resume, token=ticket.token, received=0) for socket in (one, other))
            )
        assert sorted(type(answer).__name__ for answer in answers) == ["Error", "Resumed"]


async def test_who_joins_while_one_is_away_takes_the_place_and_the_other_is_told() -> None:
    async with scene(FORGIVING) as here, here.present("Bob") as (_, seen), connected(here.server, "here") as first:
        token = await token_of(here, "Ada")
        ticket = (await joined(first, token)).resume
        await vanish(first)
        async with connected(here.server, "here") as second, connected(here.server, "here") as late:
            await joined(second, token)
            assert (await late.say(Resume, token=ticket.token, received=0)).code == "replaced"
            assert (await late.end())[0] == 4409
            assert isinstance(await second.say(Leave), Ok)
        await until(lambda: told(seen) == ["joined", "left", "joined", "left"])
        assert [event.reason for event in seen if isinstance(event, ParticipantLeft)] == ["replaced", "left"]


async def test_who_resumes_first_is_replaced_by_a_later_join() -> None:
    async with scene() as here, connected(here.server, "here") as first:
        token = await token_of(here, "Ada")
        ticket = (await joined(first, token)).resume
        await vanish(first)
        async with connected(here.server, "here") as back, connected(here.server, "here") as second:
            assert isinstance(await back.say(Resume, token=ticket.token, received=0), Resumed)
            await joined(second, token)
            code, said = await back.end()
            assert (code, said[-1].code) == (4409, "replaced")
            await here.session_count(1)


async def test_a_room_that_rejects_a_second_connection_lets_one_in_whose_first_is_lost() -> None:
    async with scene(duplicates="reject") as here, connected(here.server, "here") as first:
        token = await token_of(here, "Ada")
        await joined(first, token)
        async with connected(here.server, "here") as second:
            assert (await second.say(Join, token=token)).code == "identity_in_use"
        await vanish(first)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with connected(here.server, "here") as third:
                    if isinstance(await third.say(Join, token=token), Joined):
                        break
        await here.session_count(0)


async def test_a_page_that_is_closed_in_good_order_leaves_at_once() -> None:
    async with scene() as here, here.present("Bob") as (bob, seen):
        for code in (1000, 1001):
            async with connected(here.server, "here") as page:
                await joined(page, await token_of(here, "Ada"))
                await page.websocket.close(code=code)
                await bob.until(lambda: not bob.participants, PATIENCE_S)
        assert told(seen) == ["joined", "left"] * 2


async def test_who_leaves_while_away_has_left_once_he_can_say_so() -> None:
    async with scene(FORGIVING) as here, here.present("Bob") as (bob, seen):
        async with here.present("Ada", cuttable=True):
            here.forwarder.cut()
        await bob.until(lambda: not bob.participants, PATIENCE_S)
        assert told(seen) == ["joined", "left"]
        assert [event.reason for event in seen if isinstance(event, ParticipantLeft)] == ["left"]
