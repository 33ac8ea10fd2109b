"""API keys: made, listed, retired. Those of the configuration are the configuration's to change."""

from __future__ import annotations

from datetime import UTC, datetime

from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import PageQuery, page
from signaling.api.server_models import Key, KeyPage, KeySecret, KeyWish, Retirement
from signaling.keyring import Keyring
from signaling.records import StoredKey


class Keys:
    def __init__(self, observer: Observer, keyring: Keyring) -> None:
        self._observer = observer
        self._keyring = keyring

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_keys",
                method="GET",
                path="/keys",
                tag="keys",
                summary="Keys made by this API that are good, by id",
                description="Without their secrets, and without those of the server's configuration.",
                run=self._list,
                access="key",
                query=PageQuery,
                answer=KeyPage,
            ),
            Operation(
                name="create_key",
                method="POST",
                path="/keys",
                tag="keys",
                summary="Make a key",
                description="It opens this API and signs tokens. Its secret is shown this once.",
                run=self._create,
                access="key",
                body=KeyWish,
                makes={"key": "id"},
                answer=KeySecret,
                status=201,
                is_secret=True,
                problems=("out_of_range", "limit", "unavailable"),
                example=Example(body={"name": "shop"}, answer={"name": "shop"}),
            ),
            Operation(
                name="get_key",
                method="GET",
                path="/keys/{key}",
                tag="keys",
                summary="One key that is good, without its secret",
                run=self._get,
                access="key",
                answer=Key,
                example=Example(answer={"name": "shop"}),
            ),
            Operation(
                name="delete_key",
                method="DELETE",
                path="/keys/{key}",
                tag="keys",
                summary="End a key now",
                run=self._delete,
                access="key",
                problems=("not_granted", "unavailable"),
            ),
            Operation(
                name="retire_key",
                method="POST",
                path="/keys/{key}/retire",
                tag="keys",
                summary="End a key after a while",
                description="Tokens that it signed end with it. To replace a key without a pause: make another, give "
                "it to your backend, retire the old one for when its last tokens have ended.",
                run=self._retire,
                access="key",
                body=Retirement,
                answer=Key,
                problems=("not_granted", "unavailable"),
                example=Example(body={"in_s": 86400}, answer={"name": "shop"}),
            ),
        )

    async def _list(self, asked: Asked) -> Answer:
        found, cursor = page(self._keyring.made(), lambda key: key.id, asked.query)
        return Answer(KeyPage(items=[_item(key) for key in found], next_cursor=cursor))

    async def _create(self, asked: Asked) -> Answer:
        wish: KeyWish = asked.body
        key, secret = await self._observer.perform(lambda directory, now: self._keyring.create(wish.name))
        return Answer(
            KeySecret(
                id=key.id,
                name=key.name,
                created_at=datetime.fromtimestamp(key.created_at, UTC),
                expires_at=None,
                secret=secret,
            ),
            location=f"/v1/keys/{key.id}",
        )

    async def _get(self, asked: Asked) -> Answer:
        return Answer(_item(self._keyring.one_made(asked.path["key"])))

    async def _delete(self, asked: Asked) -> Answer:
        await self._observer.perform(lambda directory, now: self._keyring.retire(asked.path["key"]))
        return Answer()

    async def _retire(self, asked: Asked) -> Answer:
        key_id, in_s = asked.path["key"], asked.body.in_s
        return Answer(
            _item(await self._observer.perform(lambda directory, now: self._keyring.retire(key_id, in_s=in_s)))
        )


def _item(key: StoredKey) -> Key:
    return Key(
        id=key.id,
        name=key.name,
        created_at=datetime.fromtimestamp(key.created_at, UTC),
        expires_at=None if key.expires_at is None else datetime.fromtimestamp(key.expires_at, UTC),
    )
