"""JWKS documents over real HTTP and from files: read at start, followed as they change, kept while they are away."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signaling.config import ServerConfig
from signaling.jwks import JwksDocuments
from signaling.keys_opening import open_keyring
from signaling.messages import Error, Join, Joined
from tests.signaling.servers import connected, serving
from tests.signaling.test_public_keys import jwk
from tests.support.ice import until

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


async def test_a_document_is_followed_as_it_changes_and_kept_while_it_is_away() -> None:
    document: dict[str, Any] = {"keys": [jwk(RSA.public_key(), kid="first")]}
    status, asked = 200, 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response(document, status=status)

    application = web.Application()
    application.router.add_get("/jwks.json", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    keys = open_keyring(ServerConfig())
    documents = JwksDocuments([f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"], keys, refresh_every_s=0.02)
    await documents.open()
    try:
        assert "first" in keys, "before the first token comes"
        document = {"keys": [jwk(RSA.public_key(), kid="second")]}
        await until(lambda: "second" in keys and "first" not in keys)
        status = 500
        since = asked
        await until(lambda: asked > since + 2)
        status, document = 302, {"keys": []}
        await until(lambda: asked > since + 4)
        assert "second" in keys
    finally:
        await documents.close()
        await runner.cleanup()
    assert "second" in keys


async def test_people_join_by_tokens_of_who_publishes_his_keys(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk(EC.public_key(), kid="idp")]}))
    claims: dict[str, Any] = {"sub": "ada", "room": "*", "exp": time.time() + 60, "grants": {"create": True}}
    good = jwt.encode(claims, EC, algorithm="ES256", headers={"kid": "idp"})
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "idp"})
    async with serving(jwks=(str(file),), keys=()) as server:
        async with connected(server) as client:
            assert isinstance(await client.say(Join, token=good), Joined)
        async with connected(server) as client:
            answer = await client.say(Join, token=forged)
            assert isinstance(answer, Error) and answer.code == "token_invalid"


def test_the_master_secret_is_made_once_and_nobody_else_reads_it(tmp_path: Path) -> None:
    config = replace(ServerConfig(), store=tmp_path / "sfu.sqlite")
    first, second = open_keyring(config), open_keyring(config)
    key, secret = first.create("shop")
    second.restore([key])
    assert second[key.id] == secret
    assert (tmp_path / "sfu.sqlite.secret").stat().st_mode & 0o077 == 0
    third = open_keyring(replace(config, master_secret="another" * 8))
    third.restore([key])
    assert third[key.id] != secret
