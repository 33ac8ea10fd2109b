"""Transports that are lost, and that two hundred losses leave nothing behind: bots, through everything real."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from dataclasses import dataclass, replace

import pytest

from sfu.core.types import Codec, TransportState
from sfu.plane import PLANE_VARIABLE
from sfu.plane.fallback.plane import FallbackPlane
from signaling.client import (
    Room,
    SourceToPublish,
)
from signaling.server import Server
from tests.support.cutting import drop_transports
from tests.support.meeting import PATIENCE_S, pause
from tests.support.scene import FAST, Ear, Talk, resumed, scene, talking, told

# --- reset -----------------------------------------------------------------------------------------------------


async def test_lost_transports_are_built_anew_and_the_others_keep_the_participant() -> None:
    async with (
        scene() as here,
        here.present("Bob") as (bob, seen),
        here.present("Ada") as (ada, heard),
        talking(ada) as track,
        talking(bob) as other,
    ):
        at_bob, at_ada = Ear(bob, track), Ear(ada, other)
        await at_bob.hears()
        await at_ada.hears()
        before = seen_tracks(bob)
        seen.clear()
        heard.clear()
        assert drop_transports(here.server, ada.identity) == 2
        await at_bob.hears()
        await at_ada.hears()
        await bob.until(lambda: bob.participants[ada.identity].state == "connected", PATIENCE_S)
        assert told(seen) == ["reconnecting", "connected"]
        assert told(heard) == []
        assert seen_tracks(bob) == before
        # They are told. Who has to notice that nothing comes any more waits for ten seconds.
        assert max(at_bob.longest_gap_s, at_ada.longest_gap_s) < 8.0
        # And what was published goes on being what it was.
        await ada.mute(ada.publications[0], True)
        await bob.until(lambda: bob.participants[ada.identity].tracks[0].muted, PATIENCE_S)
        await ada.unpublish(ada.publications[0])
        await bob.until(lambda: not bob.participants[ada.identity].tracks, PATIENCE_S)


async def test_transports_lost_while_the_socket_was_are_built_anew_afterwards() -> None:
    async with (
        scene() as here,
        here.present("Bob") as (bob, seen),
        here.present("Ada", cuttable=True) as (ada, _),
        talking(ada) as track,
        talking(bob) as other,
    ):
        at_bob, at_ada = Ear(bob, track), Ear(ada, other)
        await at_bob.hears()
        await at_ada.hears()
        seen.clear()
        here.forwarder.cut()
        drop_transports(here.server, ada.identity)
        await resumed(ada)
        await at_bob.hears()
        await at_ada.hears()
        await bob.until(lambda: bob.participants[ada.identity].state == "connected", PATIENCE_S)
        assert told(seen) == ["reconnecting", "connected"]


async def test_a_newcomer_receives_what_was_built_anew() -> None:
    async with scene() as here, here.present("Ada") as (ada, _), talking(ada) as track, here.present("Bob") as (bob, _):
        await Ear(bob, track).hears()
        drop_transports(here.server, ada.identity)
        await Ear(bob, track).hears()
        async with here.present("Eve") as (eve, _):
            await Ear(eve, track).hears()


async def test_what_is_published_while_the_connection_is_lost_comes_with_the_new_one() -> None:
    async with scene() as here, here.present("Ada") as (ada, _), here.present("Bob") as (bob, _), talking(ada) as track:
        await Ear(bob, track).hears()
        publishing = asyncio.create_task(ada.publish([SourceToPublish("screen_audio", Codec.OPUS)]))
        await asyncio.sleep(0)
        drop_transports(here.server, ada.identity)
        (sound,) = await publishing
        talk = Talk(sound)
        await Ear(bob, sound.track).hears()
        await Ear(bob, track).hears()
        await talk.stop()
        assert len(bob.participants[ada.identity].tracks) == 2


def seen_tracks(room: Room) -> set[str]:
    return {track.id for one in room.participants.values() for track in one.tracks}


# --- and again, and again --------------------------------------------------------------------------------------

CYCLES = 200
BOTH_CONNECTED = {"publish": TransportState.CONNECTED, "subscribe": TransportState.CONNECTED}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a server keeps, and what Python keeps for it."""

    kept: dict[str, int]
    objects: Counter[str]  # by class, without Python's own


def inventory(server: Server) -> Inventory:
    switchboard, router = server.switchboard, server.worker._running.router
    registry, plane = router.registry, router.context.plane
    assert isinstance(plane, FallbackPlane)
    kept = {
        "seats": len(switchboard._seats),
        "sockets": len(switchboard._speaks_for),
        "tokens": len(switchboard._tokens),
        "endpoints": len(registry.endpoints),
        "tracks": len(registry.tracks),
        "slots": len(registry.slots),
        "subscriptions": len(registry.subscriptions),
        "transports": len(router.transports._transports),
        "addresses": len(router.transports._ice._owners),
        "plane's transports": len(plane._transports),
        "plane's tracks": len(plane._tracks),
        "plane's slots": len(plane._slots),
        "plane's paths": len(plane._paths),
        "calls": len(server.worker.link._pending),
    }
    gc.collect()
    classes = (type(one) for one in gc.get_objects())
    return Inventory(kept, Counter(one.__qualname__ for one in classes if one.__module__ != "builtins"))


@pytest.mark.parametrize("kind", ["resume", "reset"])
async def test_two_hundred_times_leave_nothing_behind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its tables can be looked into; what the compiled plane keeps is counted in tests/sfu/plane/compiled.
    monkeypatch.setenv(PLANE_VARIABLE, FallbackPlane.name)
    limits = replace(FAST, resume_grace_s=30.0, messages_per_s=1e6)
    async with (
        scene(limits) as here,
        here.present("Bob") as (bob, seen),
        here.present("Ada", cuttable=True) as (ada, heard),
        talking(ada) as track,
        talking(bob) as other,
    ):
        at_bob, at_ada = Ear(bob, track), Ear(ada, other)

        async def cycle(number: int) -> None:
            if kind == "resume":
                here.forwarder.cut()
                await resumed(ada, number)
            else:
                ada.transports.clear()
                assert drop_transports(here.server, ada.identity) == 2
                await ada.until(lambda: ada.transports == BOTH_CONNECTED, PATIENCE_S)
                await at_bob.hears(1)
                await at_ada.hears(1)

        await ada.until(lambda: ada.transports == BOTH_CONNECTED, PATIENCE_S)
        for number in range(1, 21):
            await cycle(number)
        await at_ada.hears(3)
        before = inventory(here.server)
        for number in range(21, CYCLES + 1):
            await cycle(number)
        await at_bob.hears(3)
        await at_ada.hears(3)
        seen.clear()
        heard.clear()
        await pause(2.5)  # for timers of sockets that were closed
        after = inventory(here.server)
        assert after.kept == before.kept
        # Both ends are in this process. What a voice has said is kept for a while, and so is what left with a number;
        # weak references keep nothing, and asyncio throws cancelled timers away (with the context of each) once there
        # are a hundred.
        forgotten_in_time = dict.fromkeys(("SentPayload", "Departure", "ReferenceType"), 10**6)
        bounded = Counter(forgotten_in_time | {"TimerHandle": 100, "Context": 100})
        grown = after.objects - before.objects - bounded
        more = {name: number for name, number in grown.items() if number > CYCLES / 4}
        assert more == {}
