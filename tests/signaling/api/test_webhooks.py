"""Webhooks, keys, messages and revoking by API, and what comes of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from signaling.api.models import TokenWish
from signaling.api.server_models import MessageToSend, Webhook, WebhookChange, WebhookWish
from signaling.client import ReceivedMessage, connect
from signaling.client.api import ServerApi
from signaling.client.messaging import Incoming
from signaling.messages import Join
from signaling.webhooks.signature import verify
from tests.signaling.api.calling import declined, present
from tests.signaling.api.test_moderation import asking
from tests.signaling.servers import WAIT_S, connected, serving, token
from tests.signaling.test_http import get

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Receiver:
    """A backend on loopback that answers `status`; what came is in `requests`."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue()
        self.status = 204
        self.url = ""

    async def on_request(self, request: web.Request) -> web.Response:
        self.requests.put_nowait((request.headers.copy(), await request.read()))
        return web.Response(status=self.status)

    async def next(self, type: str) -> tuple[Any, bytes]:
        while True:
            headers, body = await asyncio.wait_for(self.requests.get(), WAIT_S)
            if f'"type":"{type}"'.encode() in body:
                return headers, body


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.on_request)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


async def delivered(api: ServerApi, webhook: Webhook, number: int) -> Any:
    """When so many are."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = (await api.list_deliveries(webhook.id, "delivered")).items
            if len(found) >= number:
                return found
            await asyncio.sleep(0.02)


async def test_a_webhook_is_sent_what_it_asked_for_signed_with_the_secret_shown_once() -> None:
    async with serving(webhook_allow=LOOPBACK) as server, asking(server) as api, receiving() as receiver:
        made = await api.create_webhook(WebhookWish(url=receiver.url, types=["participant.joined"]))
        async with present(server, "ada"):
            headers, body = await receiver.next("participant.joined")
        verify(made.secret, headers["Sfu-Signature"], body, now=time.time())
        assert receiver.requests.empty(), "the room's beginning is of another type"
        shown = await api.get_webhook(made.id)
        assert not hasattr(shown, "secret")
        (delivery,) = await delivered(api, made, 1)
        assert (delivery.id, delivery.status, delivery.attempts) == (headers["Sfu-Delivery"], 204, 1)


async def test_a_secret_that_is_rotated_signs_beside_the_new_one() -> None:
    async with serving(webhook_allow=LOOPBACK) as server, asking(server) as api, receiving() as receiver:
        made = await api.create_webhook(WebhookWish(url=receiver.url))
        rotated = await api.rotate_webhook_secret(made.id)
        assert rotated.secret != made.secret and rotated.version == made.version + 1
        await api.test_webhook(made.id)
        headers, body = await receiver.next("webhook.test")
        for secret in (made.secret, rotated.secret):
            verify(secret, headers["Sfu-Signature"], body, now=time.time())


async def test_a_delivery_is_sent_again_as_another() -> None:
    async with serving(webhook_allow=LOOPBACK) as server, asking(server) as api, receiving() as receiver:
        made = await api.create_webhook(WebhookWish(url=receiver.url))
        await api.test_webhook(made.id)
        first, _ = await receiver.next("webhook.test")
        await delivered(api, made, 1)
        again = await api.redeliver(made.id, first["Sfu-Delivery"])
        second, _ = await receiver.next("webhook.test")
        assert (second["Sfu-Event"], second["Sfu-Delivery"]) == (first["Sfu-Event"], again.id)
        await delivered(api, made, 2)
        # Both are of one event, which no page divides.
        page = await api.list_deliveries(made.id, limit=1)
        assert {one.id for one in page.items} == {first["Sfu-Delivery"], again.id} and page.next_cursor is None
        other = await api.create_webhook(WebhookWish(url=receiver.url))
        with declined("unknown_delivery"):
            await api.redeliver(other.id, again.id)


async def test_deliveries_come_in_pages_the_latest_event_first() -> None:
    async with serving(webhook_allow=LOOPBACK) as server, asking(server) as api, receiving() as receiver:
        made = await api.create_webhook(WebhookWish(url=receiver.url))
        for _ in range(5):
            await api.test_webhook(made.id)
        whole = [one.id for one in await delivered(api, made, 5)]
        found, cursor = [], None
        while True:
            page = await api.list_deliveries(made.id, limit=2, cursor=cursor)
            found += [one.id for one in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert found == whole


async def test_attempts_and_what_waits_are_counted() -> None:
    async with serving(webhook_allow=LOOPBACK) as server, asking(server) as api, receiving() as receiver:
        taken = await api.create_webhook(WebhookWish(url=receiver.url))
        await api.test_webhook(taken.id)
        await delivered(api, taken, 1)
        receiver.status = 503
        await api.test_webhook(taken.id)
        async with asyncio.timeout(WAIT_S):
            while True:
                _, _, body = await get(server, "/metrics")
                if b'sfu_webhook_attempts_total{outcome="failed"}' in body and b'outcome="failed"} 0.0' not in body:
                    break
                await asyncio.sleep(0.02)
        assert b'sfu_webhook_attempts_total{outcome="delivered"} 1.0' in body
        assert b"sfu_webhook_pending_deliveries 1.0" in body and b"127.0.0.1" not in body


async def test_a_webhook_is_changed_over_its_version_and_deleted() -> None:
    async with serving() as server, asking(server) as api:
        made = await api.create_webhook(WebhookWish(url="https://shop.example/one", room="demo"))
        change = WebhookChange(url="https://shop.example/two")
        changed = await api.change_webhook(made.id, change, version=made.version)
        assert (changed.url, changed.room, changed.version) == ("https://shop.example/two", "demo", 2)
        with declined("version_mismatch"):
            await api.change_webhook(made.id, change, version=made.version)
        with declined("out_of_range"):
            await api.change_webhook(made.id, WebhookChange(types=["nothing.happened"]))
        await api.delete_webhook(made.id)
        for ask in (api.get_webhook, api.delete_webhook, api.test_webhook, api.list_deliveries):
            with declined("unknown_webhook"):
                await ask(made.id)


async def test_what_the_configuration_says_stays() -> None:
    async with serving(webhook=("https://shop.example/",), webhook_secret="w" * 32) as server, asking(server) as api:
        (one,) = (await api.list_webhooks()).items
        assert one.configured
        for ask in (api.delete_webhook, api.rotate_webhook_secret):
            with declined("not_granted"):
                await ask(one.id)
        with declined("not_granted"):
            await api.retire_key("a")


# --- keys ------------------------------------------------------------------------------------------------------


async def test_a_key_is_replaced_without_a_pause() -> None:
    async with serving() as server, asking(server) as api:
        old = await api.create_key("shop")
        new = await api.create_key("shop, from now on")
        retired = await api.retire_key(old.id, in_s=0.5)
        assert retired.expires_at is not None and retired.expires_at > old.created_at
        async with asking(server, f"{old.id}:{old.secret}") as shop, asking(server, f"{new.id}:{new.secret}") as next:
            await next.list_rooms()
            with declined("key_invalid"):
                for _ in range(int(WAIT_S / 0.05)):
                    await shop.list_rooms()
                    await asyncio.sleep(0.05)
            await next.list_rooms()
        assert [key.id for key in (await api.list_keys()).items] == [new.id]
        with declined("unknown_key"):
            await api.retire_key(old.id)


# --- messages --------------------------------------------------------------------------------------------------


async def test_what_the_backend_says_is_heard_by_those_it_is_for() -> None:
    async with serving() as server, asking(server) as api:
        heard: list[ReceivedMessage] = []

        def hear(message: Incoming) -> None:
            assert isinstance(message, ReceivedMessage)
            heard.append(message)

        async with connect(server.url, "demo", token("ada", message=True), on_message=hear) as ada:
            await ada.open_messages()
            await api.send_message("demo", MessageToSend(text="to all", topic="notices"))
            await ada.until(lambda: len(heard) == 1, WAIT_S)
            data = base64.b64encode(b"\x00\xff").decode()
            await api.send_message("demo", MessageToSend(data=data, to=["ada"]))
            await ada.until(lambda: len(heard) == 2, WAIT_S)
        assert [(one.sender, one.payload, one.topic) for one in heard] == [
            ("", "to all", "notices"),
            ("", b"\x00\xff", ""),
        ]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (MessageToSend(), "conflict"),
        (MessageToSend(text="a", data="YQ=="), "conflict"),
        (MessageToSend(data="Y"), "invalid"),
        (MessageToSend(text="a", to=["nobody"]), "unknown_participant"),
        (MessageToSend(text="a", to=[]), "invalid"),
        (MessageToSend(text="ä" * 31_000), "out_of_range"),
        (MessageToSend(text="a" * 20_000, reliable=False), "out_of_range"),
    ],
)
async def test_messages_that_are_none(message: MessageToSend, code: str) -> None:
    async with serving() as server, asking(server) as api, present(server, "ada"):
        with declined(code):
            await api.send_message("demo", message)


# --- revoking --------------------------------------------------------------------------------------------------


async def test_a_token_made_by_api_is_revoked_alone() -> None:
    async with serving() as server, asking(server) as api:
        one, other = [await api.create_token("demo", TokenWish(identity=name)) for name in ("ada", "eve")]
        async with connected(server) as ada, connected(server) as eve:
            await ada.say(Join, token=one.token)
            await eve.say(Join, token=other.token)
            await api.revoke_token(one.token_id)
            code, said = await ada.end()
            assert (code, said[-1].code) == (4401, "token_revoked")
            assert [person.identity for person in (await api.list_participants("demo")).items] == ["eve"]
        read = await api.read_token("demo", other.token)
        assert read.valid and read.token_id == other.token_id
        assert not (await api.read_token("demo", one.token)).valid


async def test_all_tokens_of_a_room_are_revoked_those_made_later_are_good() -> None:
    async with serving() as server, asking(server) as api:
        before = await api.create_token("demo", TokenWish(identity="ada"))
        await api.revoke_room_tokens("demo")
        assert not (await api.read_token("demo", before.token)).valid
        await asyncio.sleep(0.002)  # tokens tell the time to the millisecond
        after = await api.create_token("demo", TokenWish(identity="ada"))
        assert (await api.read_token("demo", after.token)).valid
