"""What somebody is to receive, and shows, as an app backend sets it: over real sockets, with real subscriptions."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from signaling.api.models import ParticipantChange
from signaling.api.watching_models import LayoutTile, ShownLayout, SubscriptionChange, VersionedLayout
from signaling.client import connect
from signaling.client.api import ApiError, ServerApi
from signaling.limits import SessionLimits
from signaling.messages import FramesOf, Layout, Tile
from signaling.moderation_messages import GrantChanges
from tests.signaling.api.calling import KEY, backend, declined, present, publishing
from tests.signaling.servers import WAIT_S, serving, token

NOWHERE = "TR_00000000000000000000"


async def test_a_subscription_is_ended_limited_and_taken_up_again() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "eve", rids=("q", "f")))
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        wish = await api.change_subscription("demo", "ada", track, SubscriptionChange(subscribed=False))
        assert (wish.track, wish.subscribed, wish.max_rid) == (track, False, None)
        await ada.until(lambda: ada.reception_of(track) is None, WAIT_S)
        with declined("unknown_subscription"):
            await api.explain_subscription("demo", "ada", track)
        wish = await api.change_subscription("demo", "ada", track, SubscriptionChange(subscribed=True, max_rid="q"))
        assert (wish.subscribed, wish.max_rid) == (True, "q")
        assert (await api.explain_subscription("demo", "ada", track)).track == track
        # Said again after a time-out, say; what is not named stays.
        assert await api.change_subscription("demo", "ada", track, SubscriptionChange(subscribed=True)) == wish
        assert (await api.change_subscription("demo", "ada", track, SubscriptionChange(max_rid=None))).max_rid is None


async def test_what_cannot_be_received_changes_nothing() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "eve", rids=("q", "f")))
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        with declined("unknown_track"):
            await api.change_subscription("demo", "ada", NOWHERE, SubscriptionChange(subscribed=True))
        with declined("unknown_layer"):
            await api.change_subscription("demo", "ada", track, SubscriptionChange(subscribed=False, max_rid="x"))
        assert (await api.change_subscription("demo", "ada", track, SubscriptionChange())).subscribed
        with declined("unknown_participant"):
            await api.change_subscription("demo", "nobody", track, SubscriptionChange(subscribed=True))
        await api.change_participant("demo", "ada", ParticipantChange(grants=GrantChanges(subscribe=False)))
        with declined("conflict"):
            await api.change_subscription("demo", "ada", track, SubscriptionChange(subscribed=True))


async def test_changes_that_race_leave_what_one_of_them_asked_for() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "eve", rids=("q", "f")))
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        changes = [SubscriptionChange(subscribed=bool(number % 2), max_rid="qf"[number % 2]) for number in range(10)]
        await asyncio.gather(*(api.change_subscription("demo", "ada", track, change) for change in changes))
        wish = await api.change_subscription("demo", "ada", track, SubscriptionChange())
        assert (wish.subscribed, wish.max_rid) in ((False, "q"), (True, "f"))


async def test_a_room_is_told_whole_in_one_answer() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "eve", rids=("q", "f")))
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        told = await api.debug_room("demo")
        assert (told.room, [one.identity for one in told.items], told.next_cursor) == ("demo", ["ada", "eve"], None)
        receiver, publisher = told.items
        assert [one.track for one in receiver.received] == [track] and receiver.budget_bps > 0
        assert [one.track for one in publisher.published] == [track]
        assert publisher.published[0].asked_rid in ("q", "f") and publisher.received == []
        assert [(one.refused, one.without_place) for one in told.items] == [(None, {})] * 2
        first = await api.debug_room("demo", limit=1)
        second = await api.debug_room("demo", limit=1, cursor=first.next_cursor)
        assert [one.identity for one in first.items + second.items] == ["ada", "eve"]
        assert [one.identity async for one in api.all_debug("demo")] == ["ada", "eve"]
        with declined("room_not_found"):
            await api.debug_room("nowhere")


async def test_who_has_no_place_in_a_crowd_is_counted() -> None:
    limits = SessionLimits(max_pairs=1, max_voices=1)
    async with serving(sessions=limits) as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        tracks = [await stack.enter_async_context(publishing(server, who)) for who in ("bob", "dan", "eve")]
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: any(ada.reception_of(track) is not None for track in tracks), WAIT_S)
        receiver, *_ = (await api.debug_room("demo")).items
        assert len(receiver.received) == 1 and receiver.without_place == {"last_n": 2}
        (elsewhere, *_) = [track for track in tracks if ada.reception_of(track) is None]
        assert (await api.explain_subscription("demo", "ada", elsewhere)).reason == "last_n"


async def test_the_last_layout_counts_whoever_said_it() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, present(server, "ada") as (ada,):
        assert shown_of(await api.get_layout("demo", "ada")) == ShownLayout()
        shown = ShownLayout(tiles=[LayoutTile(track=NOWHERE, width=640, height=360, selected=True)], last_n=3)
        told = await api.set_layout("demo", "ada", shown)
        assert shown_of(told) == shown
        assert await api.set_layout("demo", "ada", shown) == await api.get_layout("demo", "ada") == told
        await ada.say(Layout, tiles=(Tile(track=NOWHERE, width=64, height=36),), max_bps=9)
        said = await api.get_layout("demo", "ada")
        assert shown_of(said) == ShownLayout(tiles=[LayoutTile(track=NOWHERE, width=64, height=36)], max_bps=9)
        assert shown_of(await api.set_layout("demo", "ada", ShownLayout(tiles=[]))) == ShownLayout(tiles=[])
        with declined("unknown_participant"):
            await api.set_layout("demo", "nobody", shown)


async def test_a_layout_that_its_client_has_changed_is_not_set_over_it() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, present(server, "ada") as (ada,):
        seen = (await api.get_layout("demo", "ada")).version
        await ada.say(Layout, last_n=2)
        with declined("version_mismatch"):
            await api.set_layout("demo", "ada", ShownLayout(last_n=9), version=seen)
        said = await api.get_layout("demo", "ada")
        assert (said.last_n, said.version == seen) == (2, False)
        await ada.say(Layout, last_n=2)  # the same again
        assert (await api.set_layout("demo", "ada", ShownLayout(last_n=9), version=said.version)).last_n == 9


async def test_of_changes_upon_one_version_one_is_made() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "eve", rids=("q", "f")))
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        seen = await api.get_subscription("demo", "ada", track)
        assert (seen.subscribed, seen.max_rid) == (True, None)
        changes = [SubscriptionChange(subscribed=bool(number % 2), max_rid="q") for number in range(8)]
        made = await asyncio.gather(
            *(api.change_subscription("demo", "ada", track, change, version=seen.version) for change in changes),
            return_exceptions=True,
        )
        (won,) = [one for one in made if not isinstance(one, ApiError)]
        assert {one.code for one in made if isinstance(one, ApiError)} == {"version_mismatch"}
        assert await api.get_subscription("demo", "ada", track) == won
        with declined("unknown_track"):
            await api.get_subscription("demo", "ada", NOWHERE)


async def test_the_versions_are_entity_tags() -> None:
    layout = "/rooms/demo/participants/ada/layout"
    async with serving() as server, present(server, "ada"), backend(server) as ask:
        came = await ask.ask("GET", layout)
        assert came.headers["ETag"] == f'"{came.body["version"]}"'
        assert (await ask.ask("PUT", layout, {"last_n": 1}, **{"If-Match": '"1"'})).code == "version_mismatch"
        assert (await ask.ask("PUT", layout, {"last_n": 1}, **{"If-Match": "*"})).status == 200
        assert (await ask.ask("PUT", layout, {"last_n": 2}, **{"If-Match": came.headers["ETag"]})).status == 412


def shown_of(told: VersionedLayout) -> ShownLayout:
    return ShownLayout(tiles=told.tiles, last_n=told.last_n, max_bps=told.max_bps)


async def test_a_layout_that_is_none_is_declined() -> None:
    tile = {"track": NOWHERE, "width": 1, "height": 1}
    async with serving() as server, present(server, "ada"), backend(server) as ask:
        for body in (
            {"tiles": [{"track": NOWHERE, "width": 1}]},
            {"tiles": [tile | {"width": -1}]},
            {"tiles": [tile | {"colour": "red"}]},
            {"tiles": [tile | {"track": "TR_" + "0" * 62}]},
            {"tiles": [tile] * 257},
            {"last_n": -1},
            {"max_bps": 2**64},
            {"last": 1},
        ):
            came = await ask.ask("PUT", "/rooms/demo/participants/ada/layout", body)
            assert (came.status, came.code) == (422, "invalid"), body


async def test_the_python_client_says_what_it_shows_and_asks_why() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "eve", rids=("q", "f")))
        ada = await stack.enter_async_context(connect(server.url, "demo", token("ada")))
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        await ada.show([Tile(track=track, width=64, height=36)], last_n=3, max_bps=9)
        told = await api.get_layout("demo", "ada")
        assert shown_of(told) == ShownLayout(tiles=[LayoutTile(track=track, width=64, height=36)], last_n=3, max_bps=9)
        await ada.report([FramesOf(track=track, decoded=30)], overused=True)
        (row,) = (await ada.explain([track])).tracks
        assert row.track == track and row.frames is not None and row.frames.decoded == 30
        assert (await ada.explain([])).tracks == ()
