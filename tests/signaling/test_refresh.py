"""Another token for the same session: it goes on by that; without one it ends when the first one does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from signaling.auth import Grant, mint
from signaling.limits import RoomLimits, SessionLimits
from signaling.messages import Closing, Error, Grants, Join, Joined, Ok, Refresh, TokenExpiring
from signaling.moderation_messages import GrantsChanged
from signaling.switchboard import Switchboard
from tests.signaling.strict_worker import StrictWorker
from tests.signaling.test_turns import SECRET, Page
from tests.support.ice import until

LIVES_S = 4.0  # its client is told in the last quarter, in which a busy machine may stand still for a while
EVERYTHING = {"create": True, "publish": True, "subscribe": True}


def token(identity: str = "ada", valid_for_s: float = 3600.0, room: str = "demo", **grants: bool) -> str:
    grant = Grant(identity, "", room, Grants(**(grants or EVERYTHING)))  # type: ignore[arg-type]
    return mint(grant, key_id="a", secret=SECRET, now=time.time(), valid_for_s=valid_for_s)


def switchboard(**limits: Any) -> Switchboard:
    made = Switchboard({"a": SECRET}, RoomLimits(), SessionLimits(**limits))
    made.attach(StrictWorker())
    return made


async def test_a_session_ends_with_its_token_and_its_client_is_told_before() -> None:
    page = Page(switchboard(token_grace_s=0.0), "ada")
    page.say(Join, token=token(valid_for_s=LIVES_S))
    await until(lambda: page.closed is not None)
    assert page.kinds() == [Joined, TokenExpiring, Closing] and page.closed == (4401, "token_expired")
    assert 0 < page.heard[1].in_s <= LIVES_S / 4


async def test_with_another_token_it_goes_on() -> None:
    page = Page(switchboard(token_grace_s=0.0), "ada")
    page.say(Join, token=token(valid_for_s=LIVES_S))
    await until(lambda: TokenExpiring in page.kinds())
    page.say(Refresh, token=token())
    assert page.kinds() == [Joined, TokenExpiring, Ok]
    await asyncio.sleep(LIVES_S / 4 + 0.5)
    assert page.closed is None


async def test_what_the_other_token_does_not_permit_ends() -> None:
    page = Page(switchboard(), "ada")
    page.say(Join, token=token())
    page.say(Refresh, token=token(subscribe=True))
    assert page.kinds() == [Joined, Ok, GrantsChanged]
    assert page.heard[2].grants == Grants(subscribe=True)


async def test_a_token_that_is_no_good_changes_nothing() -> None:
    board = switchboard()
    page = Page(board, "ada")
    page.say(Join, token=token())
    for other in ("", token("bob"), token(room="other"), token(valid_for_s=-60.0)):
        page.say(Refresh, token=other)
    assert page.kinds() == [Joined, *[Error] * 4] and page.closed is None
    assert {message.code for message in page.heard[1:]} == {"refresh_invalid"}


async def test_nor_does_one_of_somebody_who_was_removed_meanwhile() -> None:
    board = switchboard()
    page = Page(board, "ada")
    page.say(Join, token=token())
    revoked = token()
    await board.perform(lambda directory, now: directory.revoke("demo", "ada", now))
    page.say(Refresh, token=revoked)
    assert page.heard[-1].code == "refresh_invalid" and "removed" in page.heard[-1].reason
