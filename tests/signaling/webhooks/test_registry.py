"""Which webhooks there are, who hears of what, and how they are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from signaling.errors import Refused
from signaling.events import AnyEvent, RoomCreated, RoomReference, WebhookTest
from signaling.records import Drop, Put, StoredWebhook
from signaling.webhooks.registry import MAX_WEBHOOKS, Webhooks

URL = "https://example.com/hook"
CONFIGURED = StoredWebhook(id="WH_c", url="https://example.org/", secret="c" * 32)


def registry(*configured: StoredWebhook) -> Webhooks:
    numbers = count(1)
    return Webhooks(configured, lambda prefix: f"{prefix}_{next(numbers)}", lambda: "generated" * 4)


def created(room: str) -> AnyEvent:
    return RoomCreated(room=RoomReference(id="RM_1", name=room), room_seq=1, by="api", created_at=datetime.now(UTC))


def refusal(operation: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(Refused) as raised:
        operation(*arguments, **keywords)
    return raised.value.code


def test_who_hears_of_what() -> None:
    webhooks = registry(CONFIGURED)
    every = webhooks.create(URL)
    of_room = webhooks.create(URL, room="demo")
    of_type = webhooks.create(URL, types=("room.ended",))
    assert [one.id for one in webhooks.interested(created("demo"))] == [CONFIGURED.id, every.id, of_room.id]
    assert [one.id for one in webhooks.interested(created("other"))] == [CONFIGURED.id, every.id]
    webhooks.test(of_type.id)
    test = next(one for one in records(webhooks) if isinstance(one, WebhookTest))
    assert [one.id for one in webhooks.interested(test)] == [of_type.id]


def records(webhooks: Webhooks) -> list[Any]:
    taken = []
    while (record := webhooks.poll_record()) is not None:
        taken.append(record)
    return taken


def test_what_is_made_is_kept_and_comes_back() -> None:
    webhooks = registry()
    made = webhooks.create(URL, room="demo")
    assert made.secret == "generated" * 4
    changed = webhooks.update(made.id, url=URL + "2", secret="n" * 32)
    assert (changed.secret, changed.previous_secret, changed.version) == ("n" * 32, made.secret, 2)
    assert webhooks.update(made.id, types=("room.ended",)).previous_secret == made.secret
    kept = records(webhooks)
    assert kept[:2] == [Put(made), Put(changed)]
    again = registry()
    again.restore([kept[-1].value])
    assert again.get(made.id) == kept[-1].value
    again.delete(made.id)
    assert records(again) == [Drop(StoredWebhook, made.id)] and again.all() == []


def test_those_of_the_configuration_stay_as_they_are() -> None:
    webhooks = registry(CONFIGURED)
    assert refusal(webhooks.delete, CONFIGURED.id) == refusal(webhooks.update, CONFIGURED.id, url=URL) == "not_granted"
    assert webhooks.get(CONFIGURED.id) == CONFIGURED


def test_what_there_is_not() -> None:
    webhooks = registry()
    for operation in (webhooks.delete, webhooks.update, webhooks.test):
        assert refusal(operation, "WH_none") == "unknown_webhook"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com",
            "http://",
            "http://:80/",
        ),
        *("https://ada:secret@example.com/", "https://example.com/#part", "https://example.com/a b", "http://[::1"),
        *(
            "https://example.com/\r\nX: y",
            "https://exämple.com/",
            "http://h:0/",
            "http://h:99999/",
            "http://h/" + "x" * 2048,
        ),
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    webhooks = registry()
    assert refusal(webhooks.create, url) == "out_of_range"
    assert records(webhooks) == []


def test_other_limits() -> None:
    webhooks = registry()
    assert refusal(webhooks.create, URL, types=("room.opened",)) == "out_of_range"
    assert refusal(webhooks.create, URL, secret="short") == "out_of_range"
    for _ in range(MAX_WEBHOOKS):
        webhooks.create(URL)
    assert refusal(webhooks.create, URL) == "limit"
