"""A call over a bad network, as an app backend hears of it: bots, a Worker that judges, a webhook that arrives."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from signaling.api.models import RoomWish
from signaling.api.server_models import WebhookWish
from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from signaling.demo.bot import BotOptions
from signaling.events import ParticipantQualityChanged
from signaling.message_values import QualityLevel
from tests.signaling.api.test_webhooks import LOOPBACK, Receiver, receiving
from tests.support.meeting import meeting

TYPE = "participant.quality_changed"
HOLD_S = 1.0  # what lasts is seen by its end as well
# Four of ten: of voices that carry each packet twice (RED) one of six is missed still.
LOSS = 0.4


class LossUpwards:
    """Of what a bot sends, while `ratio` is not 0."""

    def __init__(self, random: Random) -> None:
        self.ratio = 0.0
        self._random = random

    def loses(self, datagram: bytes, *, outgoing: bool) -> bool:
        return outgoing and self._random.random() < self.ratio


async def told(receiver: Receiver) -> ParticipantQualityChanged:
    _, body = await receiver.next(TYPE)
    return msgspec.json.decode(body, type=ParticipantQualityChanged)


async def test_a_backend_hears_whose_network_loses_packets_and_when_that_is_over(pytestconfig: pytest.Config) -> None:
    network = LossUpwards(Random(pytestconfig.getoption("--seed")))
    async with (
        meeting(webhook_allow=LOOPBACK, quality_hold=HOLD_S) as room,
        ServerApi(room.server.url, ":".join(DEVELOPMENT_KEY)) as api,
        receiving() as receiver,
    ):
        await api.create_room(RoomWish(name="meeting", quality_events=True))
        await api.create_webhook(WebhookWish(url=receiver.url, types=[TYPE]))
        ada = await room.join("Ada", BotOptions(impairment=network))
        await room.join("Bob")
        await room.until_all_see_all()

        network.ratio = LOSS
        worse = await told(receiver)
        assert worse.participant.identity == ada.room.identity
        assert worse.quality is not None
        assert worse.quality.level in ("fair", "poor")
        assert (worse.quality.direction, worse.quality.cause) == ("up", "loss")
        assert worse.quality.score is not None and worse.quality.score < 3.6
        up, down = worse.quality.up, worse.quality.down
        assert up is not None and down is not None and up < worse.quality.score < down, (
            "her own network's, not yet whole"
        )

        network.ratio = 0.0
        previous: QualityLevel = worse.quality.level
        while True:
            better = await told(receiver)
            assert better.participant.identity == ada.room.identity, "Bob's network is good"
            assert better.previous == previous
            assert better.quality is not None
            if better.quality.level == "good":
                break
            previous = better.quality.level
        assert better.room.name == "meeting" and better.room_seq > worse.room_seq
