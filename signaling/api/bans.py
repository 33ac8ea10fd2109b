"""Whom a room does not let in. Bans are by identity and room name; the room need not be open."""

from __future__ import annotations

from datetime import UTC, datetime

from signaling.api.models import BanItem, BanPage, BanWish
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Example, Operation
from signaling.api.paging import PageQuery, page
from signaling.records import StoredBan

_BANS = "/rooms/{room}/bans"


class Bans:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_bans",
                method="GET",
                path=_BANS,
                tag="bans",
                summary="Bans in force, by identity",
                run=self._list,
                query=PageQuery,
                answer=BanPage,
                problems=("unavailable",),
            ),
            Operation(
                name="ban",
                method="PUT",
                path=_BANS + "/{identity}",
                tag="bans",
                summary="Ban somebody, here or not",
                description="Who is in the room has to go. Whatever token he has, he may not come back until the end.",
                run=self._ban,
                body=BanWish,
                answer=BanItem,
                problems=("limit", "unavailable"),
                example=Example(
                    path={"identity": "mallory"},
                    body={"reason": "spam", "for_s": 3600},
                    answer={"identity": "mallory", "reason": "spam"},
                ),
            ),
            Operation(
                name="unban",
                method="DELETE",
                path=_BANS + "/{identity}",
                tag="bans",
                summary="Lift a ban",
                run=self._unban,
                problems=("unknown_ban", "unavailable"),
                example=Example(path={"identity": "mallory"}),
            ),
        )

    async def _list(self, asked: Asked) -> Answer:
        room = asked.path["room"]
        bans = await self._observer.perform(lambda directory, now: directory.bans(room, now))
        found, cursor = page(bans, lambda ban: ban.identity, asked.query)
        return Answer(BanPage(items=[_item(ban) for ban in found], next_cursor=cursor))

    async def _ban(self, asked: Asked) -> Answer:
        room, identity = asked.path["room"], asked.path["identity"]
        wish: BanWish = asked.body
        ban = await self._observer.perform(
            lambda directory, now: directory.ban(room, identity, now, reason=wish.reason, for_s=wish.for_s)
        )
        return Answer(_item(ban))

    async def _unban(self, asked: Asked) -> Answer:
        room, identity = asked.path["room"], asked.path["identity"]
        await self._observer.perform(lambda directory, now: directory.unban(room, identity))
        return Answer()


def _item(ban: StoredBan) -> BanItem:
    until = None if ban.until is None else datetime.fromtimestamp(ban.until, UTC)
    return BanItem(room=ban.room, identity=ban.identity, reason=ban.reason, until=until)
