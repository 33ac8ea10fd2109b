"""Keys and tokens that open the API: those made by API, those that are retired or revoked, those that only verify."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric import ec

from signaling.auth import Grant, mint, verify
from signaling.messages import Grants
from signaling.public_keys import PublicKey
from signaling.server import Server
from tests.signaling.api.calling import backend, present
from tests.signaling.servers import SECRET, serving


async def made(server: Server, name: str = "shop") -> tuple[str, str]:
    key, secret = await server.switchboard.perform(lambda directory, now: server.keyring.create(name))
    return key.id, secret


def administrator(token_id: str = "") -> str:
    grant = Grant("mod", "Mod", "demo", Grants(administer=True), token_id=token_id)
    return mint(grant, key_id="a", secret=SECRET, now=time.time() - 1, valid_for_s=60)


async def test_a_key_made_by_api_opens_it_and_signs_what_it_asks_for() -> None:
    async with serving() as server:
        key_id, secret = await made(server)
        async with backend(server, f"{key_id}:{secret}") as ask:
            assert (await ask.ask("GET", "/rooms")).status == 200
            came = await ask.ask("POST", "/rooms/demo/tokens", {"identity": "ada"})
            token = came.body["token"]
            assert verify(token, {key_id: secret}, "demo", time.time()).identity == "ada"
            read = await ask.ask("POST", "/rooms/demo/tokens/introspect", {"token": token})
            assert read.body["valid"]
        async with backend(server, f"{key_id}:{SECRET}") as ask:
            assert (await ask.ask("GET", "/rooms")).code == "key_invalid"


async def test_a_retired_key_opens_nothing_nor_do_tokens_signed_with_it() -> None:
    async with serving() as server:
        key_id, secret = await made(server)
        grant = Grant("mod", "Mod", "demo", Grants(administer=True))
        token = mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=60)
        async with backend(server, token) as ask, present(server, "ada"):
            assert (await ask.ask("GET", "/rooms/demo")).status == 200
            await server.switchboard.perform(lambda directory, now: server.keyring.retire(key_id))
            assert (await ask.ask("GET", "/rooms/demo")).code == "token_invalid"
        async with backend(server, f"{key_id}:{secret}") as ask:
            assert (await ask.ask("GET", "/rooms")).code == "key_invalid"


async def test_a_key_that_is_deleted_is_no_more() -> None:
    async with serving() as server, backend(server) as ask:
        key_id, secret = await made(server)
        assert (await ask.ask("GET", f"/keys/{key_id}")).body["name"] == "shop"
        assert (await ask.ask("DELETE", f"/keys/{key_id}")).status == 204
        for method in ("GET", "DELETE"):
            assert (await ask.ask(method, f"/keys/{key_id}")).code == "unknown_key"
        assert (await ask.ask("DELETE", "/keys/a")).code == "not_granted"
        async with backend(server, f"{key_id}:{secret}") as other:
            assert (await other.ask("GET", "/rooms")).code == "key_invalid"


async def test_a_public_key_opens_nothing_whatever_is_given_as_its_secret() -> None:
    public = PublicKey("ES256", ec.generate_private_key(ec.SECP256R1()).public_key())
    async with serving() as server:
        server.keyring.publish("jwks", {"theirs": public})
        for secret in (str(public), "-", ""):
            async with backend(server, f"theirs:{secret}") as ask:
                assert (await ask.ask("GET", "/rooms")).code == "key_invalid"


async def test_the_servers_own_key_opens_nothing_without_its_secret() -> None:
    async with serving() as server, backend(server, f"KEY_server:{SECRET}") as ask:
        assert (await ask.ask("GET", "/rooms")).code == "key_invalid"


async def test_a_revoked_token_or_one_of_somebody_banned_administers_nothing() -> None:
    async with serving() as server, present(server, "ada"):
        async with backend(server, administrator("one")) as ask:
            assert (await ask.ask("GET", "/rooms/demo")).status == 200
            await server.switchboard.perform(lambda directory, now: directory.revoke_token("one", now))
            came = await ask.ask("GET", "/rooms/demo")
            assert (came.status, came.code) == (401, "token_revoked")
        async with backend(server, administrator("two")) as ask:
            assert (await ask.ask("GET", "/rooms/demo")).status == 200
            await server.switchboard.perform(lambda directory, now: directory.ban("demo", "mod", now))
            assert (await ask.ask("GET", "/rooms/demo")).code == "token_revoked"
        async with backend(server) as ask:
            read = await ask.ask("POST", "/rooms/demo/tokens/introspect", {"token": administrator("one")})
            assert not read.body["valid"] and read.body["why"].startswith("banned")
