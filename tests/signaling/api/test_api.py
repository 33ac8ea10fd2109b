"""The API from outside: credentials, errors, pages, repeated requests, and what each operation answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt
import pytest
from msgspec.structs import replace

from signaling.api.models import RoomChange, RoomWish
from signaling.auth import Grant, mint
from signaling.client.api import ServerApi
from signaling.messages import Grants
from tests.signaling.api.calling import KEY, backend, losing_answers, present
from tests.signaling.servers import SECRET, serving


def administrator(room: str = "demo", **grants: bool) -> str:
    permitted = replace(Grants(administer=True), **grants)
    # Tables mint when they are collected, and run when all tests before them have.
    return mint(Grant("mod", "Mod", room, permitted), key_id="a", secret=SECRET, now=time.time(), valid_for_s=86_400)


# --- credentials -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "token_missing"),
        ("Basic YTpi", 401, "token_missing"),
        ("Bearer", 401, "token_missing"),
        ("Bearer a:wrong", 401, "key_invalid"),
        (f"Bearer b:{SECRET}", 401, "key_invalid"),
        ("Bearer a:", 401, "key_invalid"),
        (f"Bearer :{SECRET}", 401, "key_invalid"),
        ("Bearer nonsense", 401, "token_invalid"),
        (f"Bearer {administrator(administer=False)}", 403, "not_granted"),
        (f"Bearer {administrator('elsewhere')}", 403, "token_wrong_room"),
        (f"bearer {administrator()}", 404, "room_not_found"),
        (f"Bearer a:{SECRET}", 404, "room_not_found"),
    ],
)
async def test_who_may_ask(authorization: str | None, status: int, code: str) -> None:
    async with serving() as server, backend(server, None) as ask:
        headers = {} if authorization is None else {"Authorization": authorization}
        came = await ask.ask("GET", "/rooms/demo", **headers)
        assert (came.status, came.code) == (status, code)
        assert ("WWW-Authenticate" in came.headers) == (status in (401, 403))


@pytest.mark.parametrize("path", ["/rooms", "/nodes", "/nodes/self"])
async def test_a_token_for_a_room_opens_nothing_else(path: str) -> None:
    async with serving() as server, backend(server, administrator()) as ask:
        came = await ask.ask("GET", path)
        assert (came.status, came.code) == (403, "not_granted")


# --- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/rooms?limit=0", None, 422, "invalid"),
        ("GET", "/rooms?limit=x", None, 422, "invalid"),
        ("GET", "/rooms?limit=1&limit=2", None, 422, "invalid"),
        ("GET", "/rooms?lmiit=1", None, 422, "invalid"),
        ("GET", "/rooms/%20", None, 404, "room_not_found"),
        ("GET", "/rooms/.hidden", None, 404, "room_not_found"),
        ("GET", "/rooms/demo/participants/%00", None, 404, "unknown_participant"),
        ("POST", "/rooms/demo/tokens", b"{", 400, "malformed"),
        ("POST", "/rooms/demo/tokens", {}, 422, "invalid"),
        ("POST", "/rooms/demo/tokens", {"identity": "a b"}, 422, "invalid"),
        ("POST", "/rooms/demo/tokens", {"identity": "ada", "grant": {}}, 422, "invalid"),
        ("POST", "/rooms/demo/tokens", {"identity": "ada", "name": "\u202e"}, 422, "invalid"),
        ("POST", "/rooms/demo/tokens", b"[" * 9000, 400, "malformed"),
        ("POST", "/rooms/demo/tokens", b'"' + b"x" * 70_000 + b'"', 413, "too_large"),
        ("TRACE", "/rooms", None, 405, "http"),
        ("PUT", "/rooms", None, 405, "http"),
        ("GET", "/nothing", None, 404, "http"),
    ],
)
async def test_what_is_wrong_has_a_status_and_a_code(method: str, path: str, body: Any, status: int, code: str) -> None:
    async with serving() as server, backend(server) as ask:
        came = await ask.ask(method, path, body)
        assert (came.status, came.code) == (status, code)
        assert came.headers["X-Request-Id"].startswith("REQ_")


async def test_a_body_is_json() -> None:
    async with serving() as server, backend(server) as ask:
        came = await ask.ask("POST", "/rooms/demo/tokens", b"{}", **{"Content-Type": "text/plain"})
        assert (came.status, came.code) == (415, "media_type")


async def test_every_answer_tells_what_is_left_of_the_rate() -> None:
    async with serving() as server, backend(server) as ask:
        first, second = await ask.ask("GET", "/rooms"), await ask.ask("GET", "/rooms/none")
        assert int(first.headers["RateLimit-Limit"]) > int(second.headers["RateLimit-Remaining"]) > 0
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/rooms", "/recordings", "/rooms/{room}/recordings"])
async def test_the_document_says_so(path: str) -> None:
    async with serving() as server, backend(server) as ask:
        paths = (await ask.ask("GET", "/openapi.json")).body["paths"]
        described = paths[f"/v1{path}"]["get"]["responses"]["200"]["headers"]
        came = await ask.ask("GET", path.format(room="demo"))
        assert came.status == 200
        told = {name for name in came.headers if name.startswith("RateLimit-")}
        assert {name for name in described if name.startswith("RateLimit-")} == told != set()


# --- rooms and participants ------------------------------------------------------------------------------------


async def test_rooms_come_in_pages() -> None:
    async with (
        serving() as server,
        backend(server) as ask,
        present(server, "ada", room="one"),
        present(server, "ada", "eve", room="two"),
    ):
        first = (await ask.ask("GET", "/rooms?limit=1")).body
        assert [room["name"] for room in first["items"]] == ["one"]
        second = (await ask.ask("GET", f"/rooms?limit=1&cursor={first['next_cursor']}")).body
        assert [(room["name"], room["participants"]) for room in second["items"]] == [("two", 2)]
        assert second["next_cursor"] is None


async def test_who_is_in_a_room() -> None:
    async with serving() as server, backend(server, administrator()) as ask, present(server, "eve", "ada"):
        people = (await ask.ask("GET", "/rooms/demo/participants")).body["items"]
        assert [one["identity"] for one in people] == ["ada", "eve"]
        ada = (await ask.ask("GET", "/rooms/demo/participants/ada")).body
        assert ada == people[0] and ada["name"] == "Ada" and ada["tracks"] == []
        assert (await ask.ask("GET", "/rooms/demo/participants/bob")).code == "unknown_participant"
        assert (await ask.ask("GET", "/rooms/demo/participants/ada/tracks")).body == {"items": []}
        figures = await ask.ask("GET", "/rooms/demo/participants/ada/stats")
        assert figures.body == {"identity": "ada", "quality": None, "published": []}


# --- tokens ----------------------------------------------------------------------------------------------------


async def test_a_token_lets_somebody_join() -> None:
    async with serving() as server, backend(server) as ask:
        came = await ask.ask("POST", "/rooms/demo/tokens", {"identity": "ada", "grants": {"publish": True}})
        assert came.status == 201
        claims = jwt.decode(came.body["token"], SECRET, algorithms=["HS256"])
        assert (claims["sub"], claims["room"], claims["exp"] > claims["iat"] + 3590) == ("ada", "demo", True)
        assert [name for name, granted in claims["grants"].items() if granted] == ["publish"]


# --- repeated requests -----------------------------------------------------------------------------------------


async def test_racing_requests_with_one_key_have_one_effect() -> None:
    async with serving() as server, backend(server) as ask:

        async def wish(**headers: str) -> Any:
            return await ask.ask("POST", "/rooms/demo/tokens", {"identity": "ada"}, **headers)

        same = await asyncio.gather(*(wish(**{"Idempotency-Key": "k"}) for _ in range(10)))
        assert {came.status for came in same} == {201}
        assert len({came.body["token"] for came in same}) == 1
        assert sum("Idempotency-Replayed" in came.headers for came in same) == 9
        other = await ask.ask("POST", "/rooms/other/tokens", {"identity": "ada"}, **{"Idempotency-Key": "k"})
        assert (other.status, other.code) == (409, "idempotency_mismatch")


async def test_a_change_of_a_version_is_repeated_with_its_key_and_answered_what_it_was() -> None:
    async with serving() as server, backend(server) as ask:
        version = (await ask.ask("POST", "/rooms", {"name": "demo"})).headers["ETag"]

        async def change(metadata: str, of: str, **headers: str) -> Any:
            return await ask.ask("PATCH", "/rooms/demo", {"metadata": metadata}, **{"If-Match": of} | headers)

        key = {"Idempotency-Key": "k"}
        first = await change("one", version, **key)
        again = await change("one", version, **key)
        assert (first.status, again.status, again.body) == (200, 200, first.body)
        assert again.headers["ETag"] == first.headers["ETag"] != version
        assert (again.headers["Idempotency-Replayed"], "Idempotency-Replayed" in first.headers) == ("true", False)
        assert (await change("one", version)).code == "version_mismatch", "without it, it has been changed since"
        other = await change("one", first.headers["ETag"], **key)
        assert (other.status, other.code) == (409, "idempotency_mismatch")


async def test_the_client_repeats_a_change_of_a_version_whose_answer_was_lost() -> None:
    async with serving() as server, ServerApi(server.url, KEY) as api, losing_answers(server) as losing:
        made = await api.create_room(RoomWish(name="demo"))
        async with ServerApi(losing, KEY, pause_s=0.01) as unlucky:
            changed = await unlucky.change_room("demo", RoomChange(metadata="one"), version=made.version)
        assert (changed.metadata, changed.version) == ("one", made.version + 1)


async def test_what_was_refused_may_be_asked_again_with_the_same_key() -> None:
    async with serving() as server, backend(server) as ask:
        key = {"Idempotency-Key": "k"}
        assert (await ask.ask("POST", "/rooms/demo/tokens", {"identity": "a\u0000"}, **key)).status == 422
        assert (await ask.ask("POST", "/rooms/demo/tokens", {"identity": "a"}, **key)).status == 201


# --- nodes and health ------------------------------------------------------------------------------------------


async def test_a_node_that_drains_is_not_ready_and_takes_no_new_rooms() -> None:
    async with serving() as server, backend(server) as ask, present(server, "ada", room="here"):
        assert (await ask.ask("GET", "/readyz")).body == {"ready": True, "why": ""}
        assert (await ask.ask("POST", "/nodes/self/drain")).body["draining"]
        assert (await ask.ask("GET", "/readyz")).status == 503
        assert (await ask.ask("GET", "/healthz")).status == 200
        with pytest.raises(AssertionError, match="draining"):
            async with present(server, "eve", room="elsewhere"):
                raise AssertionError("it was to be refused")
        async with present(server, "eve", room="here"):
            assert (await ask.ask("GET", "/rooms/here")).body["participants"] == 2
        assert not (await ask.ask("POST", "/nodes/self/undrain")).body["draining"]
        assert (await ask.ask("GET", "/readyz")).status == 200


async def test_what_a_node_says_of_itself() -> None:
    async with serving() as server, backend(server) as ask:
        node = (await ask.ask("GET", "/nodes/self")).body
        assert node["id"].startswith("ND_") and node["workers"][0]["running"]
        assert (await ask.ask("GET", "/nodes")).body["items"][0]["id"] == node["id"]
