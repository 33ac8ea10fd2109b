"""docs/cookbook.md: all its commands in one shell, in order, against a live server, and what it shows below them."""

from __future__ import annotations

import asyncio
import json
import os
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from signaling.api.models import RoomWish
from signaling.client import connect
from signaling.client.api import ServerApi
from signaling.moderation_messages import InLobby
from tests.signaling.api.calling import KEY, publishing, says
from tests.signaling.servers import WAIT_S, connected, serving, token

COOKBOOK = Path(__file__).resolve().parents[3] / "docs" / "cookbook.md"
GIVE_UP_AFTER_S = 120.0  # forty requests of milliseconds; each command has a limit of its own
END = "--- the end of a block ---"


def blocks() -> list[tuple[str, Any]]:
    """Commands, each with what is shown below them, or None."""
    found = re.findall(r"```sh\n(.*?)```(?:\s*```json\n(.*?)```)?", COOKBOOK.read_text("utf-8"), re.DOTALL)
    return [(commands, json.loads(shown) if shown else None) for commands, shown in found]


def last_value(printed: str) -> Any:
    """Of JSON values one after the other, with other lines before."""
    decoder, value = json.JSONDecoder(), None
    while printed := printed.strip():
        try:
            value, end = decoder.raw_decode(printed)
        except json.JSONDecodeError:
            _, _, printed = printed.partition("\n")
        else:
            printed = printed[end:]
    return value


@pytest.mark.curl
@pytest.mark.jq
async def test_its_commands_do_what_it_says(tmp_path: Path) -> None:
    async with serving(recordings=tmp_path) as server, ServerApi(server.url, KEY) as api, AsyncExitStack() as stack:
        track = await stack.enter_async_context(publishing(server, "ada", "standup", ("q", "f")))
        bob = await stack.enter_async_context(connect(server.url, "standup", token("bob", "standup")))
        await bob.until(lambda: bob.reception_of(track) is not None, WAIT_S)
        await api.create_room(RoomWish(name="webinar", lobby=True))
        eve = await stack.enter_async_context(connected(server, "webinar"))
        await eve.send(f'{{"type": "join", "id": 1, "token": "{token("eve", "webinar")}"}}')
        assert isinstance(await eve.hear(), InLobby)

        script = "".join(f"{commands}echo; echo '{END}'\n" for commands, _ in blocks())
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-e", "-u", "-c", script),
            env={**os.environ, "SFU": server.url, "SFU_KEY": KEY, "no_proxy": "*"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(shell.communicate(), GIVE_UP_AFTER_S)
        finally:
            if shell.returncode is None:
                shell.kill()
        printed = output.decode().split(END)
        assert shell.returncode == 0, output.decode()
    for (commands, shown), came in zip(blocks(), printed[:-1], strict=True):
        assert shown is None or says(last_value(came), shown), f"{commands}\n{came}"
