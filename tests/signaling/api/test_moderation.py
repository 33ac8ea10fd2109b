"""What an app backend does to rooms and the people in them, by the Python client, and what these hear of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from signaling.api.models import BanWish, ParticipantChange, RoomChange, RoomWish
from signaling.client.api import ApiError, ServerApi
from signaling.messages import Join
from signaling.moderation_messages import GrantChanges, InLobby
from signaling.server import Server
from tests.signaling.api.calling import KEY, backend, declined, present
from tests.signaling.servers import connected, serving, token


@contextlib.asynccontextmanager
async def asking(server: Server, key: str = KEY) -> AsyncIterator[ServerApi]:
    async with ServerApi(server.url, key, pause_s=0.01) as api:
        yield api


async def test_a_room_is_made_changed_and_ended() -> None:
    async with serving() as server, asking(server) as api:
        room = await api.create_room(RoomWish(name="standup", max_participants=3, empty_timeout_s=None))
        assert (room.max_participants, room.empty_timeout_s, room.locked) == (3, None, False)
        with declined("room_exists"):
            await api.create_room(RoomWish(name="standup"))
        changed = await api.change_room("standup", RoomChange(metadata="seven"), version=room.version)
        assert (changed.metadata, changed.max_participants) == ("seven", 3)
        with declined("version_mismatch"):
            await api.change_room("standup", RoomChange(metadata="eight"), version=room.version)
        with declined("out_of_range"):
            await api.change_room("standup", RoomChange(max_participants=10**6))
        assert (await api.lock_room("standup")).locked and not (await api.unlock_room("standup")).locked
        await api.delete_room("standup")
        with declined("room_not_found"):
            await api.get_room("standup")


async def test_ten_backends_that_race_change_a_version_once() -> None:
    async with serving() as server, asking(server) as api:
        room = await api.create_room(RoomWish(name="standup"))
        changes = (
            api.change_room("standup", RoomChange(metadata=str(number)), version=room.version) for number in range(10)
        )
        came = await asyncio.gather(*changes, return_exceptions=True)
        done = [one for one in came if not isinstance(one, ApiError)]
        assert len(done) == 1 and {one.code for one in came if isinstance(one, ApiError)} == {"version_mismatch"}


async def test_a_room_that_is_deleted_ends_for_everybody() -> None:
    async with serving() as server, asking(server) as api, present(server, "ada") as (ada,):
        await api.delete_room("demo", "the meeting is over")
        code, said = await ada.end()
        assert (code, said[-1].code, said[-1].reason) == (4404, "room_deleted", "the meeting is over")


async def test_who_is_removed_does_not_come_back_with_the_same_token() -> None:
    async with serving() as server, asking(server) as api:
        ticket = token("ada")
        async with connected(server) as ada:
            await ada.say(Join, token=ticket)
            await api.remove_participant("demo", "ada", reason="be kind")
            code, said = await ada.end()
            assert (code, said[-1].code, said[-1].reason) == (4403, "removed", "be kind")
        async with connected(server) as ada:
            assert (await ada.say(Join, token=ticket)).code == "removed"
        with declined("unknown_participant"):
            await api.remove_participant("demo", "ada")


async def test_a_ban_holds_until_it_is_lifted() -> None:
    async with serving() as server, asking(server) as api, present(server, "ada") as (ada,):
        ban = await api.ban("demo", "ada", BanWish(reason="spam", for_s=3600))
        assert ban.until is not None
        assert (await ada.end())[0] == 4403
        async with connected(server) as again:
            assert (await again.say(Join, token=token("ada"))).code == "banned"
        assert [one.identity for one in (await api.list_bans("demo")).items] == ["ada"]
        await api.unban("demo", "ada")
        with declined("unknown_ban"):
            await api.unban("demo", "ada")
        async with present(server, "ada"):
            assert (await api.list_bans("demo")).items == []


async def test_the_lobby_lets_in_whom_the_backend_admits() -> None:
    async with serving() as server, asking(server) as api:
        await api.create_room(RoomWish(name="demo", lobby=True))
        async with connected(server) as ada, connected(server) as eve:
            for socket, identity in ((ada, "ada"), (eve, "eve")):
                await socket.send(f'{{"type": "join", "id": 1, "token": "{token(identity)}"}}')
                assert isinstance(await socket.hear(), InLobby)
            room = await api.get_room("demo")
            assert [one.identity for one in room.waiting] == ["ada", "eve"] and room.participants == 0
            await api.admit_participant("demo", "ada")
            assert (await ada.hear()).you.identity == "ada"
            await api.deny_participant("demo", "eve", "not today")
            code, said = await eve.end()
            assert (code, said[0].code, said[0].reason) == (4403, "denied", "not today")


async def test_what_a_participant_may_do_changes_while_he_is_here() -> None:
    async with serving() as server, asking(server) as api, present(server, "ada"):
        before = await api.get_participant("demo", "ada")
        change = ParticipantChange(
            grants=GrantChanges(publish=False), metadata="m", attributes={"role": "guest"}, hand_raised=True
        )
        after = await api.change_participant("demo", "ada", change, before.version)
        assert before.grants.publish and not after.grants.publish
        assert (after.metadata, after.attributes, after.hand) == ("m", {"role": "guest"}, 1)
        with declined("version_mismatch"):
            await api.change_participant("demo", "ada", change, before.version)
        assert (
            await api.change_participant("demo", "ada", ParticipantChange(attributes={"role": None}))
        ).attributes == {}


async def test_a_change_that_is_declined_has_changed_nothing() -> None:
    async with serving() as server, asking(server) as api, present(server, "ada"):
        before = await api.get_participant("demo", "ada")
        too_much: dict[str, str | None] = {str(number): "x" * 1000 for number in range(9)}
        grants = GrantChanges(publish=False)
        change = ParticipantChange(metadata="m", attributes=too_much, hand_raised=True, grants=grants)
        with declined("out_of_range"):
            await api.change_participant("demo", "ada", change)
        assert await api.get_participant("demo", "ada") == before


async def test_somebody_is_moved_to_another_room() -> None:
    async with serving() as server, asking(server) as api, present(server, "ada") as (ada,):
        await api.move_participant("demo", "ada", "other")
        _, said = await ada.end()
        (moved,) = [one for one in said if type(one).__name__ == "Moved"]
        async with connected(server, "other") as there:
            assert (await there.say(Join, token=moved.token)).room == "other"
            assert [one.identity for one in (await api.list_participants("other")).items] == ["ada"]


async def test_a_revoked_token_is_no_good_and_another_is() -> None:
    async with serving() as server, asking(server) as api:
        ticket = token("ada")
        assert (await api.read_token("demo", ticket)).valid
        await api.revoke_tokens("demo", "ada")
        async with connected(server) as ada:
            assert (await ada.say(Join, token=ticket)).code == "removed"
        assert not (await api.read_token("demo", "nonsense")).valid


async def test_a_moderators_token_moderates_its_room_and_moves_nobody() -> None:
    async with (
        serving() as server,
        asking(server, token("mod", administer=True)) as api,
        present(server, "ada", "eve"),
        present(server, "bob", room="other"),
    ):
        await api.remove_participant("demo", "eve")
        assert [one.identity for one in (await api.list_participants("demo")).items] == ["ada"]
        with declined("token_wrong_room"):
            await api.remove_participant("other", "bob")
        with declined("not_granted"):
            await api.move_participant("demo", "ada", "other")


async def test_a_request_that_is_repeated_after_a_restart_has_no_second_effect(tmp_path: Path) -> None:
    wish, key = {"name": "standup"}, {"Idempotency-Key": "once"}
    async with serving(store=tmp_path / "sfu.sqlite") as server, backend(server) as ask:
        first = await ask.ask("POST", "/rooms", wish, **key)
    async with serving(store=tmp_path / "sfu.sqlite") as server, backend(server) as ask:
        again = await ask.ask("POST", "/rooms", wish, **key)
        assert (again.status, again.body, again.headers["Idempotency-Replayed"]) == (201, first.body, "true")
        assert (await ask.ask("POST", "/rooms", wish)).code == "room_exists"
        assert (await ask.ask("POST", "/rooms", {"name": "other"}, **key)).code == "idempotency_mismatch"
