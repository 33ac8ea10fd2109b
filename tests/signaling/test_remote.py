"""`sfu rooms`, `sfu participants` and `sfu explain`, as commands against a server in this process."""

from __future__ import annotations

import asyncio
import sys

import pytest

from signaling.client import connect
from signaling.remote import print_table
from tests.signaling.api.calling import KEY, present, publishing
from tests.signaling.servers import serving, token

WAIT_S = 60.0


async def sfu(*arguments: str) -> tuple[int, str, str]:
    """Exit status and what was said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode is not None
    return process.returncode, said.decode(), errors.decode()


async def test_rooms_and_who_is_in_them() -> None:
    async with serving() as server, present(server, "ada", "eve", room="standup"):
        where = ("--url", server.url, "--keys", KEY)
        status, said, _ = await sfu("rooms", *where)
        assert status == 0
        assert [line.split() for line in said.splitlines()[1:]] == [["standup", "2", "0"]]
        status, said, _ = await sfu("participants", "standup", *where)
        assert status == 0 and [line.split()[:2] for line in said.splitlines()[1:]] == [["ada", "Ada"], ["eve", "Eve"]]
        status, said, errors = await sfu("participants", "nowhere", *where)
        assert (status, said) == (1, "") and "room_not_found" in errors and errors.count("\n") == 1


async def test_who_receives_what_and_why() -> None:
    async with (
        serving() as server,
        publishing(server, "eve", "standup") as track,
        connect(server.url, "standup", token("ada", "standup")) as ada,
    ):
        await ada.until(lambda: ada.reception_of(track) is not None, WAIT_S)
        status, said, _ = await sfu("explain", "standup", "--url", server.url, "--keys", KEY)
        assert status == 0
        assert [line.split()[:3] for line in said.splitlines()[1:]] == [["ada", "eve", "camera"]]


@pytest.mark.parametrize("name", ["\x1b]0;mine\x07", "a\nb", "\u202edcba"])
def test_nobodys_name_steers_the_terminal(capsys: pytest.CaptureFixture[str], name: str) -> None:
    print_table(("IDENTITY", "NAME"), [("eve", name), ("zoë", "Zoë 🙂")])
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == ["IDENTITY", "eve", "zoë"]
    assert all(one.isprintable() for line in said.splitlines() for one in line) and "Zoë 🙂" in said
