"""Whoever comes with bad tokens again and again has to wait; nobody else has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from signaling import websocket
from signaling.attempts import Attempts
from signaling.limits import ConnectionLimits
from signaling.messages import Error, Join, Joined
from tests.signaling.servers import connected, serving, token

LIMITS = ConnectionLimits(bad_tokens_per_s=0.5, bad_tokens_burst=3, max_remembered_addresses=2)


def test_after_so_many_it_has_to_wait() -> None:
    attempts = Attempts(LIMITS)
    for _ in range(3):
        assert attempts.may_try("192.0.2.1", 0.0)
        attempts.on_failure("192.0.2.1", 0.0)
    assert not attempts.may_try("192.0.2.1", 1.9) and attempts.may_try("192.0.2.2", 0.0)
    assert attempts.may_try("192.0.2.1", 2.0)
    attempts.on_failure("192.0.2.1", 2.0)
    assert not attempts.may_try("192.0.2.1", 3.0)


def test_only_so_many_addresses_are_remembered() -> None:
    attempts = Attempts(LIMITS)
    for last in range(3):
        for _ in range(3):
            attempts.on_failure(f"192.0.2.{last}", 0.0)
    assert [attempts.may_try(f"192.0.2.{last}", 0.0) for last in range(3)] == [True, False, False]


async def test_a_guesser_is_not_let_in_to_guess_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "is_loopback", lambda address: False)  # as if we came from elsewhere
    limits: Any = replace(ConnectionLimits(), bad_tokens_per_s=0.01, bad_tokens_burst=2)
    async with serving(connections=limits) as server:
        async with connected(server) as client:
            assert isinstance(await client.say(Join, token=token()), Joined)
        for _ in range(2):
            async with connected(server) as client:
                answer = await client.say(Join, token=token() + "x")
                assert isinstance(answer, Error) and answer.code == "token_invalid"
                assert (await client.end())[0] == 4401
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            async with asyncio.timeout(20), connected(server):
                pass
        assert raised.value.status == 429
