"""TURN credentials as coturn's `use-auth-secret` expects them. With a real coturn: tests/integration/test_turn.py."""

from __future__ import annotations

import base64
import hashlib
import hmac

from signaling.messages import IceServer
from signaling.turn import IceServers, credentials

STUN = IceServer(urls=("stun:stun.example.org",))
TURN = "turn:turn.example.org:3478"
SECRET = "north-of-the-river"


def test_the_password_proves_the_user_name_and_its_end() -> None:
    username, password = credentials(SECRET, "ada@example.org", 1_700_000_000.9)
    until, _, user = username.partition(":")
    assert until == "1700000000" and user and "ada" not in user
    assert base64.b64decode(password) == hmac.digest(SECRET.encode(), username.encode(), hashlib.sha1)


def test_each_client_is_told_its_own() -> None:
    servers = IceServers((STUN,), (TURN,), SECRET, 60.0)
    stun, turn = servers.told("ada", now=1000.0)
    assert stun is STUN and turn.urls == (TURN,)
    assert turn.username.startswith("1060:")
    assert servers.told("eve", now=1000.0)[1].username != turn.username
    assert SECRET not in repr(servers)


def test_without_a_turn_server_there_is_nothing_to_make() -> None:
    assert IceServers((STUN,)).told("ada", now=0.0) == (STUN,)
