"""Whoever comes with bad tokens again and again has to wait; nobody else has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from signaling import attempts
from signaling.attempts import Attempts
from signaling.limits import ConnectionLimits
from signaling.messages import Error, Join, Joined
from tests.signaling.servers import WAIT_S, connected, serving, token
from tests.signaling.whip.exchanges import SENT


def tried(attempts: Attempts, peer: str, now: float = 0.0) -> bool:
    """Whether it may; if so, it fails."""
    may = attempts.may_try(peer, now)
    if may:
        attempts.on_failure(peer, now)
    return may


def test_after_so_many_it_has_to_wait() -> None:
    attempts = Attempts(per_s=0.5, burst=3, max_addresses=2)
    assert [tried(attempts, "192.0.2.1") for _ in range(4)] == [True, True, True, False]
    assert not attempts.may_try("192.0.2.1", 1.9) and attempts.may_try("192.0.2.2", 0.0)
    assert tried(attempts, "192.0.2.1", now=2.0)
    assert not attempts.may_try("192.0.2.1", 3.0)


def test_only_so_many_addresses_are_remembered() -> None:
    attempts = Attempts(per_s=0.5, burst=1, max_addresses=2)
    for last in range(3):
        assert tried(attempts, f"192.0.2.{last}")
    assert [attempts.may_try(f"192.0.2.{last}", 0.0) for last in range(3)] == [True, False, False]


def test_an_address_of_ones_own_network_is_no_other() -> None:
    attempts = Attempts(per_s=0.5, burst=2, max_addresses=10)
    guesses = [tried(attempts, f"2001:db8:1:2::{last:x}") for last in range(1, 5)]
    assert guesses == [True, True, False, False]
    assert attempts.may_try("2001:db8:1:3::1", 0.0)


def test_who_asks_through_a_proxy_here_is_not_counted_as_one() -> None:
    attempts = Attempts(per_s=0.5, burst=1, max_addresses=10)
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert [tried(attempts, peer) for _ in range(3)] == [True] * 3


async def test_a_guesser_is_not_let_in_to_guess_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where the guesses were made, nor at the other entrance."""
    monkeypatch.setattr(attempts, "is_loopback", lambda address: False)  # as if we came from elsewhere
    limits: Any = replace(ConnectionLimits(), bad_tokens_per_s=0.01, bad_tokens_burst=2)
    async with serving(connections=limits) as server, aiohttp.ClientSession() as http:

        async def publish(bearer: str) -> int:
            headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/sdp"}
            async with http.post(f"{server.url}/v1/whip/demo", data=SENT, headers=headers) as response:
                return response.status

        async with connected(server) as client:
            assert isinstance(await client.say(Join, token=token()), Joined)
        async with connected(server) as client:
            answer = await client.say(Join, token=token() + "x")
            assert isinstance(answer, Error) and answer.code == "token_invalid"
            assert (await client.end())[0] == 4401
        assert await publish(token() + "x") == 401
        assert await publish(token()) == 429
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            async with asyncio.timeout(WAIT_S), connected(server):
                pass
        assert raised.value.status == 429
