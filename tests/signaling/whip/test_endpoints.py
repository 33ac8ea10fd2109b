"""Every status and header of RFC 9725, and of the WHEP draft where it differs, asked over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from multidict import CIMultiDictProxy

from signaling.messages import IceServer, Join, Joined, ParticipantJoined, ParticipantLeft, TrackPublished
from signaling.server import Server
from tests.signaling.descriptions import audio, described, video
from tests.signaling.servers import connected, serving, token
from tests.signaling.whip.exchanges import NEW_ICE, RECEIVED, SAME_ICE, SENT

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
OFFERS = {"whip": SENT, "whep": RECEIVED}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    code: str  # of a problem


class Http:
    """Requests to one server."""

    def __init__(self, server: Server, http: ClientSession) -> None:
        self.server = server
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Headers are written with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.request(method, self.server.url + path, data=body, headers=named) as response:
            text = await response.text()
            problem = json.loads(text) if "problem" in response.content_type and text else {}
            if problem:
                assert problem["status"] == response.status and problem["detail"] and problem["title"]
            return Answer(response.status, response.headers, text, problem.get("code", ""))

    async def post(self, direction: str = "whip", room: str = "demo", identity: str = "ada", **headers: str) -> Answer:
        headers = {"Authorization": f"Bearer {token(identity, room)}", **SDP, **headers}
        return await self.ask("POST", f"/v1/{direction}/{room}", OFFERS[direction], **headers)


@contextlib.asynccontextmanager
async def asking(**options: Any) -> AsyncIterator[Http]:
    async with serving(**options) as server, ClientSession() as http:
        yield Http(server, http)


@pytest_asyncio.fixture
async def http() -> AsyncIterator[Http]:
    async with asking() as one:
        yield one


# --- POST ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["whip", "whep"])
async def test_ice_servers_are_named_in_links(direction: str) -> None:
    servers = (
        IceServer(urls=("stun:stun.example.org",)),
        IceServer(urls=("turns:turn.example.org:5349?transport=tcp",), username="ada", credential='a"b\\c'),
    )
    async with asking(ice_server=servers) as http:
        answer = await http.post(direction)
    assert answer.status == 201
    assert isinstance(answer.headers, CIMultiDictProxy)
    assert answer.headers.getall("Link") == [
        '<stun:stun.example.org>; rel="ice-server"',
        '<turns:turn.example.org:5349?transport=tcp>; rel="ice-server"; username="ada"; '
        'credential="a\\"b\\\\c"; credential-type="password"',
    ]


@pytest.mark.parametrize("direction", ["whip", "whep"])
async def test_an_offer_is_answered_with_201_and_all_its_headers(http: Http, direction: str) -> None:
    first = await http.post(direction, identity="ada")
    second = await http.post(direction, identity="bob")
    assert first.status == 201
    assert first.headers["Content-Type"] == "application/sdp"
    assert first.text.startswith("v=0\r\n") and "a=ice-lite\r\n" in first.text
    assert first.text.count("a=recvonly" if direction == "whip" else "a=sendonly") == 2
    folder, _, name = first.headers["Location"].rpartition("/")
    assert folder == f"/v1/{direction}/demo" and len(name) >= 22, "an address nobody guesses"
    assert first.headers["Location"] != second.headers["Location"]
    etag = first.headers["ETag"]
    assert etag.startswith('"') and etag.endswith('"') and etag != second.headers["ETag"], "strong, and unique"
    assert f"a=ice-ufrag:{etag[1:-1]}\r\n" in first.text
    assert first.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert "Link" not in first.headers, "there are no ICE servers to name"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    exposed = {name.strip() for name in first.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed >= {"Location", "ETag", "Link", "Accept-Patch", "Retry-After", "WWW-Authenticate"}


POSTS: dict[str, tuple[dict[str, str], str | bytes, int, str]] = {
    "no content type": ({"Content-Type": ""}, SENT, 415, "media_type"),
    "another content type": ({"Content-Type": "text/plain"}, SENT, 415, "media_type"),
    "with a parameter": ({"Content-Type": "application/SDP; charset=utf-8"}, SENT, 201, ""),
    "no body": ({}, "", 400, "sdp_malformed"),
    "not sdp": ({}, "nonsense", 400, "sdp_malformed"),
    "not utf-8": ({}, b"v=0\r\n\xff", 400, "malformed"),
    "not gzip": ({"Content-Encoding": "gzip"}, b"nonsense", 400, "malformed"),
    "too large": ({}, SENT + "a=x\r\n" * 20_000, 413, "too_large"),
    "recvonly": ({}, RECEIVED, 422, "sdp_unsupported"),
    "in part": ({}, described(audio("0"), video("1"), bundle="0"), 422, "sdp_unsupported"),
    "no token": ({"Authorization": ""}, SENT, 401, "token_missing"),
    "another scheme": ({"Authorization": f"Basic {token()}"}, SENT, 401, "token_missing"),
    "the scheme in lower case": ({"Authorization": f"bearer {token()}"}, SENT, 201, ""),
    "a bad token": ({"Authorization": "Bearer nonsense"}, SENT, 401, "token_invalid"),
    "a token in latin-1": ({"Authorization": "Bearer \xe4\xf6"}, SENT, 401, "token_invalid"),
    "an old token": ({"Authorization": f"Bearer {token(valid_for_s=-60)}"}, SENT, 401, "token_expired"),
    "for another room": ({"Authorization": f"Bearer {token(room='other')}"}, SENT, 403, "token_wrong_room"),
    "not granted": ({"Authorization": f"Bearer {token(publish=False)}"}, SENT, 403, "not_granted"),
    "no such room": ({"Authorization": f"Bearer {token(create=False)}"}, SENT, 404, "room_not_found"),
}


@pytest.mark.parametrize(("headers", "body", "status", "code"), POSTS.values(), ids=POSTS.keys())
async def test_what_a_post_is_answered(
    http: Http, headers: dict[str, str], body: str | bytes, status: int, code: str
) -> None:
    answer = await http.ask("POST", "/v1/whip/demo", body, **{"Authorization": f"Bearer {token()}", **SDP, **headers})
    assert (answer.status, answer.code) == (status, code), answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*", "a page has to see why"
    if status == 401:
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="sfu"') and ("invalid_token" in challenge) is (
            code != "token_missing"
        )
    elif status == 403:
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    elif status == 415:
        assert answer.headers["Accept-Post"] == "application/sdp"


@pytest.mark.parametrize("room", [".", "..", "a b", "a%2fb", "%00", "x" * 65, "ä"])
async def test_impossible_rooms_are_not_found(http: Http, room: str) -> None:
    answer = await http.ask("POST", f"/v1/whip/{room}", SENT, Authorization=f"Bearer {token()}", **SDP)
    assert answer.status in (404, 405), "a dot changes the path before it is sent"


@pytest.mark.parametrize(
    ("participant", "status", "code"),
    [("bob", 201, ""), ("bob%40example.org", 201, ""), ("ada", 403, "not_granted"), ("", 400, "malformed")],
)
async def test_whom_to_watch_is_an_identity(http: Http, participant: str, status: int, code: str) -> None:
    path = f"/v1/whep/demo?participant={participant}"
    answer = await http.ask("POST", path, RECEIVED, Authorization=f"Bearer {token()}", **SDP)
    assert (answer.status, answer.code) == (status, code)
    assert status != 201 or "?" not in answer.headers["Location"]


async def test_watching_needs_its_own_grant(http: Http) -> None:
    answer = await http.post("whep", Authorization=f"Bearer {token(subscribe=False)}")
    assert (answer.status, answer.code) == (403, "not_granted")
    assert (await http.post("whep", Authorization=f"Bearer {token(publish=False)}")).status == 201


async def test_a_full_room_is_503_and_says_when_to_come_back() -> None:
    async with asking(max_participants=1) as http:
        assert (await http.post(identity="ada")).status == 201
        answer = await http.post(identity="bob")
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "room_full", "5")


async def test_an_identity_that_is_there_is_replaced_or_a_conflict() -> None:
    async with asking() as http:
        first, second = [(await http.post()).headers["Location"] for _ in range(2)]
        assert (await http.ask("GET", first)).status == 404 and (await http.ask("GET", second)).status == 204
    async with asking(duplicates="reject") as http:
        first = (await http.post()).headers["Location"]
        answer = await http.post("whep")
        assert (answer.status, answer.code) == (409, "identity_in_use")
        assert (await http.ask("GET", first)).status == 204


# --- the session: PATCH and DELETE -----------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["whip", "whep"])
async def test_candidates_restarts_and_the_end(http: Http, direction: str) -> None:
    created = await http.post(direction)
    address, etag = created.headers["Location"], created.headers["ETag"]
    bearer = {"Authorization": f"Bearer {token()}"}

    taken = await http.ask("PATCH", address, SAME_ICE, If_Match=etag, **FRAGMENT, **bearer)
    assert (taken.status, taken.text) == (204, "") and "ETag" not in taken.headers
    restarted = await http.ask("PATCH", address, NEW_ICE, If_Match="*", **FRAGMENT, **bearer)
    assert restarted.status == 200
    assert restarted.headers["Content-Type"] == "application/trickle-ice-sdpfrag"
    assert restarted.headers["ETag"] != etag
    assert f"a=ice-ufrag:{restarted.headers['ETag'][1:-1]}\r\n" in restarted.text
    assert "a=ice-lite\r\n" in restarted.text and "a=candidate:" in restarted.text
    late = await http.ask("PATCH", address, SAME_ICE, If_Match=etag, **FRAGMENT, **bearer)
    assert (late.status, late.code) == (412, "precondition_failed")

    # The entity tag is of no matter to a DELETE (§4.3.1).
    ended = await http.ask("DELETE", address, If_Match='"other"', **bearer)
    assert (ended.status, ended.text) == (200, "")
    for method in ("DELETE", "PATCH", "GET", "HEAD"):
        assert (await http.ask(method, address, **FRAGMENT, **bearer)).status == 404


PATCHES: dict[str, tuple[dict[str, str], str, int, str]] = {
    "no precondition": ({}, SAME_ICE, 428, "precondition_required"),
    "another precondition": ({"If-Match": '"other"'}, SAME_ICE, 412, "precondition_failed"),
    "another type": ({"If-Match": "*", "Content-Type": "application/sdp"}, SAME_ICE, 415, "media_type"),
    "no type": ({"If-Match": "*", "Content-Type": ""}, SAME_ICE, 415, "media_type"),
    "malformed": ({"If-Match": "*"}, "nonsense", 400, "sdp_malformed"),
    "half a pair": ({"If-Match": "*"}, "a=ice-pwd:newernewernewernewernewer\r\n", 400, "sdp_malformed"),
    "too large": ({"If-Match": "*"}, "a=x\r\n" * 20_000, 413, "too_large"),
    "no token": ({"If-Match": "*", "Authorization": ""}, SAME_ICE, 401, "token_missing"),
    "somebody else": ({"If-Match": "*", "Authorization": f"Bearer {token('eve')}"}, NEW_ICE, 403, "not_granted"),
}


@pytest.mark.parametrize(("headers", "body", "status", "code"), PATCHES.values(), ids=PATCHES.keys())
async def test_what_a_patch_is_declined_for(
    http: Http, headers: dict[str, str], body: str, status: int, code: str
) -> None:
    address = (await http.post()).headers["Location"]
    answer = await http.ask("PATCH", address, body, **{"Authorization": f"Bearer {token()}", **FRAGMENT, **headers})
    assert (answer.status, answer.code) == (status, code)
    assert status != 415 or answer.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert (await http.ask("GET", address)).status == 204, "the session goes on"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("", 401, "token_missing"),
        ("Bearer nonsense", 401, "token_invalid"),
        (f"Bearer {token('eve')}", 403, "not_granted"),
        (f"Bearer {token('ada', 'other')}", 403, "token_wrong_room"),
        (f"Bearer {token('ada', publish=False)}", 200, ""),
    ],
)
async def test_who_may_delete(http: Http, authorization: str, status: int, code: str) -> None:
    address = (await http.post()).headers["Location"]
    answer = await http.ask("DELETE", address, Authorization=authorization)
    assert (answer.status, answer.code) == (status, code)
    assert (await http.ask("GET", address)).status == (404 if status == 200 else 204)


async def test_sessions_are_found_under_their_own_path_only(http: Http) -> None:
    address = (await http.post()).headers["Location"]
    name = address.rpartition("/")[2]
    for path in (f"/v1/whep/demo/{name}", f"/v1/whip/other/{name}", f"{address}x", f"{address}/x", "/v1/whip/demo/x"):
        assert (await http.ask("DELETE", path, Authorization=f"Bearer {token()}")).status == 404


# --- methods and CORS ------------------------------------------------------------------------------------------


async def test_methods(http: Http) -> None:
    address = (await http.post()).headers["Location"]
    for path, known in (("/v1/whip/demo", "POST"), ("/v1/whep/demo", "POST"), (address, "PATCH")):
        for method in ("GET", "HEAD"):
            answer = await http.ask(method, path)
            assert (answer.status, answer.text) == (204, ""), "nothing to show (§4.1)"
        for method in {"PUT", "POST", "PATCH", "DELETE", "TRACE", "PROPFIND"} - {known, "DELETE"}:
            answer = await http.ask(method, path)
            assert answer.status == 405 and known in answer.headers["Allow"] and method not in answer.headers["Allow"]
    assert (await http.ask("DELETE", "/v1/whip/demo")).status == 405


async def test_preflights(http: Http) -> None:
    address = (await http.post()).headers["Location"]
    for path, accepts in (
        ("/v1/whip/demo", "Accept-Post"),
        ("/v1/whep/demo", "Accept-Post"),
        (address, "Accept-Patch"),
    ):
        answer = await http.ask(
            "OPTIONS", path, Origin="https://elsewhere.example", Access_Control_Request_Method="POST"
        )
        assert (answer.status, answer.text) == (200, "")
        assert answer.headers[accepts].startswith("application/")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        methods = answer.headers["Access-Control-Allow-Methods"]
        assert ("POST" if accepts == "Accept-Post" else "PATCH") in methods
        assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, If-Match"
        assert int(answer.headers["Access-Control-Max-Age"]) > 0


async def test_only_listed_origins_may_ask_when_there_is_a_list() -> None:
    async with asking(origin=("https://good.example",)) as http:
        good = await http.post(Origin="https://good.example")
        assert good.status == 201
        assert good.headers["Access-Control-Allow-Origin"] == "https://good.example"
        assert good.headers["Vary"] == "Origin"
        for method in ("POST", "OPTIONS"):
            bad = await http.ask(method, "/v1/whip/demo", SENT, Origin="https://bad.example", **SDP)
            assert (bad.status, bad.code) == (403, "not_granted")
            assert "Access-Control-Allow-Origin" not in bad.headers
        assert (await http.post()).status == 201, "programs have no origin"


async def test_development_mode_is_for_this_machine_only() -> None:
    async with asking(dev=True) as http:
        assert (await http.post(Origin="https://elsewhere.example")).status == 403
        assert (await http.post(X_Forwarded_For="192.0.2.1")).status == 403
        near = await http.post(Origin="http://localhost:3000")
        assert near.status == 401 and near.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


# --- the room --------------------------------------------------------------------------------------------------


async def test_the_room_sees_a_participant_like_any_other(http: Http) -> None:
    async with connected(http.server) as bob:
        await bob.say(Join, token=token("bob"))
        address = (await http.post(identity="ada")).headers["Location"]
        joined = await bob.hear()
        assert isinstance(joined, ParticipantJoined)
        assert (joined.participant.identity, joined.participant.name) == ("ada", "Ada")
        sources = [
            heard.track.source for heard in [await bob.hear(), await bob.hear()] if type(heard) is TrackPublished
        ]
        assert sources == ["microphone", "camera"]
        viewer = (await http.post("whep", identity="eve")).headers["Location"]
        while not isinstance(joined := await bob.hear(), ParticipantJoined):
            pass
        assert (joined.participant.identity, joined.participant.tracks) == ("eve", ()), "nobody watches unseen"
        for who, path in (("ada", address), ("eve", viewer)):
            assert (await http.ask("DELETE", path, Authorization=f"Bearer {token(who)}")).status == 200
            while not isinstance(left := await bob.hear(), ParticipantLeft):
                pass
            assert (left.identity, left.reason) == (who, "left")


async def test_websocket_and_http_replace_each_other(http: Http) -> None:
    address = (await http.post()).headers["Location"]
    async with connected(http.server) as ada:
        assert isinstance(await ada.say(Join, token=token()), Joined)
        assert (await http.ask("GET", address)).status == 404
        ended = asyncio.create_task(ada.end())
        assert (await http.post()).status == 201
        status, said = await ended
        assert status == 4409 and said[-1].code == "replaced"


async def test_requests_under_way_when_the_server_stops_are_answered() -> None:
    async with asking() as http:
        asked = [asyncio.create_task(http.post(identity=f"p{number}")) for number in range(8)]
        await asyncio.sleep(0.005)
        http.server.switchboard.shut_down()
        statuses = {(await one).status for one in asked}
        assert statuses <= {201, 503}
