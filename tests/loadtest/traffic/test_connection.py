"""A connection answers the checks of a remote with full ICE, and only genuine ones."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest
from aioice import stun as messages

from loadtest.traffic import Connection, Traffic, Unavailable
from sfu.control import Candidate, IceParameters
from signaling.client.endpoint import RemoteEndpoint
from tests.support.ice import binding_request

try:
    from loadtest.traffic.compiled import _engine  # noqa: F401
except ImportError:
    pytest.skip("nothing is compiled here", allow_module_level=True)


async def _answers(connection: Connection, request: bytes) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote:
        remote.bind(("127.0.0.1", 0))
        remote.setblocking(False)
        candidate = Candidate("127.0.0.1", remote.getsockname()[1], 1)
        endpoint = RemoteEndpoint(IceParameters("theirs", "p" * 24), (candidate,), (), True)
        connecting = asyncio.create_task(connection.connect(endpoint, 5.0))
        loop = asyncio.get_running_loop()
        check, source = await loop.sock_recvfrom(remote, 2048)
        assert messages.parse_message(check).attributes["USERNAME"].startswith("theirs:")
        await loop.sock_sendto(remote, request, source)
        try:
            while True:
                answer = await asyncio.wait_for(loop.sock_recv(remote, 2048), 0.5)
                if messages.parse_message(answer).message_class is messages.Class.RESPONSE:
                    return answer
        except TimeoutError:
            return None
        finally:
            connecting.cancel()


async def test_answers_the_checks_of_full_ice() -> None:
    connection = Traffic().new_connection()
    answer = await _answers(connection, binding_request(connection.ice, nominate=False))
    assert answer is not None
    assert messages.parse_message(answer).check_message_integrity(connection.ice.password.encode())
    connection.close()


async def test_does_not_answer_whoever_lacks_the_password() -> None:
    connection = Traffic().new_connection()
    wrong = IceParameters(connection.ice.username_fragment, "x" * 24)
    assert await _answers(connection, binding_request(wrong, nominate=False)) is None
    connection.close()


async def test_says_where_it_is_before_it_connects() -> None:
    connection = Traffic().new_connection()
    assert connection.candidate.host == "127.0.0.1"
    assert connection.candidate.port > 0
    assert connection.srtp_profile is None
    connection.close()


async def test_says_when_it_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "loadtest.traffic.compiled._engine", None)
    with pytest.raises(Unavailable):
        Traffic()
