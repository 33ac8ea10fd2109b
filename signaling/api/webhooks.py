"""Webhooks, and what is on its way to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import MAX_LIMIT, PageQuery, page
from signaling.api.server_models import (
    DeliveryItem,
    DeliveryPage,
    Webhook,
    WebhookChange,
    WebhookPage,
    WebhookSecret,
    WebhookWish,
)
from signaling.api.versions import expected_version
from signaling.errors import Refused
from signaling.records import StoredWebhook
from signaling.store import Store
from signaling.webhooks.delivery import Delivery, DeliveryState
from signaling.webhooks.dispatcher import Dispatcher

_WEBHOOK = "/webhooks/{webhook}"
# Of one webhook a screen full.
DEFAULT_LIMIT = 50


class DeliveryQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # UNSET, not None: the text `null` of a query would be read as that.
    state: Annotated[DeliveryState | UnsetType, Meta(description="Only these. Left out: all.")] = UNSET
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[
        Annotated[int, Meta(ge=0, lt=2**53)] | UnsetType,
        Meta(description="`next_cursor` of the page before. Left out: the first page."),
    ] = UNSET


class Webhooks:
    def __init__(self, observer: Observer, dispatcher: Dispatcher, store: Store) -> None:
        self._observer = observer
        self._dispatcher = dispatcher
        self._registry = dispatcher.registry
        self._store = store

    def operations(self) -> tuple[Operation, ...]:
        return (*self._looking(), *self._changing(), *self._sending())

    def _looking(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_webhooks",
                method="GET",
                path="/webhooks",
                tag="webhooks",
                summary="All webhooks, by id",
                description="Those of the server's configuration, too.",
                run=self._list,
                access="key",
                query=PageQuery,
                answer=WebhookPage,
            ),
            Operation(
                name="get_webhook",
                method="GET",
                path=_WEBHOOK,
                tag="webhooks",
                summary="One webhook",
                run=self._get,
                access="key",
                answer=Webhook,
                versioned=True,
                example=Example(answer={"room": "standup"}),
            ),
        )

    def _changing(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="create_webhook",
                method="POST",
                path="/webhooks",
                tag="webhooks",
                summary="Have events sent somewhere",
                description="Signed with the secret, which is shown this once. Whether the address may be called is "
                "seen when it is: send it a test.",
                run=self._create,
                access="key",
                body=WebhookWish,
                makes={"webhook": "id"},
                answer=WebhookSecret,
                status=201,
                versioned=True,
                is_secret=True,
                problems=("out_of_range", "limit", "unavailable"),
                example=Example(
                    body={
                        "url": "https://shop.example/sfu",
                        "room": "standup",
                        "types": ["participant.joined", "participant.left"],
                    },
                    answer={"room": "standup", "configured": False, "version": 1},
                ),
            ),
            Operation(
                name="change_webhook",
                method="PATCH",
                path=_WEBHOOK,
                tag="webhooks",
                summary="Send other events, or elsewhere",
                run=self._change,
                access="key",
                body=WebhookChange,
                answer=Webhook,
                changes=True,
                problems=("out_of_range", "not_granted", "unavailable"),
                example=Example(body={"types": []}, answer={"types": [], "version": 2}),
            ),
            Operation(
                name="delete_webhook",
                method="DELETE",
                path=_WEBHOOK,
                tag="webhooks",
                summary="Send nothing there any more",
                run=self._delete,
                access="key",
                problems=("not_granted", "unavailable"),
            ),
            Operation(
                name="rotate_webhook_secret",
                method="POST",
                path=_WEBHOOK + "/rotate-secret",
                tag="webhooks",
                summary="Sign with another secret",
                description="The one before signs beside it until this is asked for again, so receivers change over "
                "when they like.",
                run=self._rotate,
                access="key",
                answer=WebhookSecret,
                versioned=True,
                is_secret=True,
                problems=("not_granted", "unavailable"),
                example=Example(answer={"version": 2}),
            ),
        )

    def _sending(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="test_webhook",
                method="POST",
                path=_WEBHOOK + "/test",
                tag="webhooks",
                summary="Send it an event of type `webhook.test`",
                description="What becomes of it stands among the deliveries.",
                run=self._test,
                access="key",
                problems=("unavailable",),
            ),
            Operation(
                name="list_deliveries",
                method="GET",
                path=_WEBHOOK + "/deliveries",
                tag="webhooks",
                summary="What was sent to a webhook, and what is to be; the latest event first",
                run=self._list_deliveries,
                access="key",
                query=DeliveryQuery,
                answer=DeliveryPage,
                example=Example(query={"state": "dead"}, answer={"items": []}),
            ),
            Operation(
                name="redeliver",
                method="POST",
                path=_WEBHOOK + "/deliveries/{delivery}/redeliver",
                tag="webhooks",
                summary="Send the event of a delivery once more",
                description="As a new delivery, which waits behind no other.",
                run=self._redeliver,
                access="key",
                answer=DeliveryItem,
                status=201,
                problems=("unavailable",),
                example=Example(answer={"state": "pending", "attempts": 0}),
            ),
        )

    async def _list(self, asked: Asked) -> Answer:
        found, cursor = page(self._registry.all(), lambda one: one.id, asked.query)
        return Answer(WebhookPage(items=[self._item(one) for one in found], next_cursor=cursor))

    async def _get(self, asked: Asked) -> Answer:
        name = asked.path["webhook"]
        webhook = self._registry.get(name)
        if webhook is None:
            raise _unknown(name)
        return Answer(self._item(webhook), version=str(webhook.version))

    async def _create(self, asked: Asked) -> Answer:
        wish: WebhookWish = asked.body
        made = await self._observer.perform(
            lambda directory, now: self._registry.create(
                wish.url, room=wish.room, types=tuple(wish.types), secret=wish.secret
            )
        )
        return self._with_secret(made, location=f"/v1/webhooks/{made.id}")

    async def _change(self, asked: Asked) -> Answer:
        change: WebhookChange = asked.body
        name, version = asked.path["webhook"], expected_version(asked.if_match)
        types: tuple[str, ...] | UnsetType = UNSET if isinstance(change.types, UnsetType) else tuple(change.types)
        changed = await self._observer.perform(
            lambda directory, now: self._registry.update(name, url=change.url, types=types, version=version)
        )
        return Answer(self._item(changed), version=str(changed.version))

    async def _delete(self, asked: Asked) -> Answer:
        await self._observer.perform(lambda directory, now: self._registry.delete(asked.path["webhook"]))
        return Answer()

    async def _rotate(self, asked: Asked) -> Answer:
        name = asked.path["webhook"]
        return self._with_secret(await self._observer.perform(lambda directory, now: self._registry.rotate(name)))

    async def _test(self, asked: Asked) -> Answer:
        await self._observer.perform(lambda directory, now: self._registry.test(asked.path["webhook"]))
        return Answer()

    async def _list_deliveries(self, asked: Asked) -> Answer:
        query: DeliveryQuery = asked.query
        name = asked.path["webhook"]
        found, cursor = await self._page(name, query)
        # Rooms' own addresses are in no list of webhooks, and those of deleted ones are looked into afterwards.
        if not found and self._registry.get(name) is None:
            raise _unknown(name)
        return Answer(DeliveryPage(items=[_delivery(one) for one in found], next_cursor=cursor))

    async def _page(self, webhook: str, query: DeliveryQuery) -> tuple[list[Delivery], str | None]:
        """The cursor is the `seq` of an event, so a page ends between two events, never between deliveries of one."""
        limit = query.limit
        while True:
            state = None if query.state is UNSET else query.state
            cursor = None if query.cursor is UNSET else query.cursor
            found = await self._store.deliveries(webhook, state, cursor, limit + 1)
            if len(found) <= limit:
                return found, None
            whole = [one for one in found if one.event > found[-1].event]
            if whole:
                return whole, str(whole[-1].event)
            limit *= 2

    async def _redeliver(self, asked: Asked) -> Answer:
        name = asked.path["delivery"]
        delivery = await self._store.delivery(name)
        if delivery is None or delivery.webhook != asked.path["webhook"]:
            raise Refused("unknown_delivery", f"there is no delivery {name[:64]} to this webhook (any more)")
        if self._store.stalled:
            raise Refused("unavailable", "nothing can be kept at the moment")
        return Answer(_delivery(await self._dispatcher.redeliver(name)))

    def _item(self, webhook: StoredWebhook) -> Webhook:
        return Webhook(
            id=webhook.id,
            url=webhook.url,
            room=webhook.room,
            types=list(webhook.types),
            configured=self._registry.is_configured(webhook.id),
            version=webhook.version,
        )

    def _with_secret(self, webhook: StoredWebhook, location: str | None = None) -> Answer:
        shown = WebhookSecret(
            id=webhook.id,
            url=webhook.url,
            room=webhook.room,
            types=list(webhook.types),
            configured=False,
            version=webhook.version,
            secret=webhook.secret,
        )
        return Answer(shown, version=str(webhook.version), location=location)


def _unknown(name: str) -> Refused:
    return Refused("unknown_webhook", f"there is no webhook {name[:64]}")


def _delivery(delivery: Delivery) -> DeliveryItem:
    waits = delivery.state == "pending" and delivery.next_at > 0
    return DeliveryItem(
        id=delivery.id,
        webhook=delivery.webhook,
        event=delivery.event_id,
        seq=delivery.event,
        type=delivery.type,
        created_at=_time(delivery.created_at),
        state=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=_time(delivery.next_at) if waits else None,
        finished_at=None if delivery.finished_at is None else _time(delivery.finished_at),
        status=delivery.status,
        error=delivery.error,
    )


def _time(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
