"""A token that expires during the call: the page gets another one, or says in words what is about to happen."""

from __future__ import annotations

import time

import pytest

from signaling.auth import Grant, mint
from signaling.config import DEVELOPMENT_KEY
from tests.support.chromium import eventually
from tests.support.page import EVERYTHING, OpenLobby, has_no_tile, says, shows
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

# Long enough to join on a loaded machine; its last quarter is when the page is told.
VALID_FOR_S = 20.0


def invitation(server: RunningServer, identity: str, valid_for_s: float) -> str:
    key_id, secret = DEVELOPMENT_KEY
    grant = Grant(identity, identity.title(), "refresh", EVERYTHING)
    token = mint(grant, key_id=key_id, secret=secret, now=time.time(), valid_for_s=valid_for_s)
    return f"{server.url}/r/refresh#token={token}"


async def test_a_call_goes_on_by_another_token(server: RunningServer, lobby: OpenLobby) -> None:
    ada = await lobby(invitation(server, "ada", VALID_FOR_S))
    zoe = await lobby(invitation(server, "zoe", VALID_FOR_S))
    await zoe.route("**/v1/dev/tokens", lambda route: route.abort())  # as with a backend that is away
    before = await ada.evaluate("() => sessionStorage.getItem('sfu.token.refresh')")
    for page in (ada, zoe):
        await page.click("#lobby-join")
    for page in (ada, zoe):
        await page.wait_for_selector("#call:not([hidden])")

    async def renewed() -> bool:
        kept = await ada.evaluate("() => sessionStorage.getItem('sfu.token.refresh')")
        return bool(kept != before)

    await eventually(renewed, "ada has another token")
    await says(zoe, "#call-trouble", "Your invitation ends in")
    await says(zoe, "#ended-words", "This invitation has expired")
    await has_no_tile(ada, "zoe")
    await shows(ada, "ada", video="on", microphone="on")
    assert await ada.get_attribute("#connection", "data-state") == "connected", "though her first token is over, too"
    await ada.reload()
    await ada.click("#lobby-join")
    await ada.wait_for_selector("#call:not([hidden])")
