"""A page whose machine leaves one network for another, as a laptop does on its way out: interfaces of the kernel, no
event of a test's own. The other page, and the server, stay where they are."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.call import join_in, open_page
from tests.support.chromium import chromium, run_by
from tests.support.namespaces import forwarded, other_link, two_hosts
from tests.support.server import invitation, running_server
from tests.support.watched import observed, report

pytestmark = pytest.mark.chromium

ROOM = "moving"


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
async def test_who_moves_to_another_network_is_seen_and_sees_again(speech: Path, tmp_path: Path) -> None:
    keys = f"test:{secrets.token_hex(32)}"
    async with two_hosts() as hosts:
        link = await other_link(hosts)
        async with (
            running_server(host="0.0.0.0", prefix=hosts.server, environment={"SFU_KEYS": keys}) as server,
            forwarded(hosts, urlsplit(server.url).port or 0) as url,
            chromium(speech, executable=run_by(tmp_path, hosts.client)) as moving,
            chromium(speech, executable=run_by(tmp_path, hosts.server)) as staying,
        ):
            people = []
            for browser, name in ((moving, "Ada"), (staying, "Bob")):
                token = parse_qs(urlsplit(await invitation(keys, url, ROOM, name)).fragment)["token"][0]
                people.append(await observed(await join_in(await open_page(browser, url), ROOM, name, token=token)))
            for person in people:
                await person.participant.publish(layers=1)
            ada, bob = people
            await bob.sees_more("Ada")
            await ada.sees_more("Bob")
            await ada.forget()
            await bob.forget()
            await link.move()
            await bob.sees_more("Ada", 30)
            await ada.sees_more("Bob", 30)
            await ada.becomes("connected")
            gaps = await bob.gap_s("Ada"), await ada.gap_s("Bob")
            report("another network", *gaps)
            assert not [word for word in await bob.told() + await ada.told() if "left" in word or "joined" in word]
            assert max(gaps) < 8.0  # by itself the socket hangs for nine, and pictures stand still for eleven
