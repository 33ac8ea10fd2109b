"""What Chromium reports of the packets that it is sent, and that probes disturb nothing in it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser

from sfu.core.transport_feedback import FeedbackBatch
from sfu.plane.interface import Plane
from signaling.server import Server
from tests.support.call import Participant, join
from tests.support.chromium import eventually
from tests.support.meeting import open_test_server

pytestmark = pytest.mark.chromium

PROBE_PACKETS = 30


class Heard:
    """Everything the estimator is told of what Chromium reports. Its own probes do not leave: ours are counted."""

    def __init__(self, server: Server) -> None:
        router = server.worker._running.router
        self.plane: Plane = router.context.plane
        self._endpoints = router.registry.endpoints
        self._batches: list[FeedbackBatch] = []
        estimator = router.context.estimator
        pass_on = estimator.on_feedback

        def hear(batch: FeedbackBatch, now: float) -> None:
            self._batches.append(batch)
            pass_on(batch, now)

        estimator.on_feedback = hear  # type: ignore[method-assign]
        estimator.take_probes = lambda now: []  # type: ignore[method-assign]

    @property
    def subscribers(self) -> list[int]:
        """Transports with Slots."""
        return [endpoint.number for endpoint in self._endpoints.values() if endpoint.subscriber.slots]

    def all(self) -> FeedbackBatch:
        """As one."""
        return FeedbackBatch(*(np.concatenate(columns) for columns in zip(*self._batches, strict=True)))


async def test_feedback_of_chromium_is_matched_and_probes_disturb_nothing(browser: Browser) -> None:
    async with open_test_server() as server:
        heard = Heard(server)
        ada, bob = [await join(browser, server.url, "feedback", name) for name in ("Ada", "Bob")]
        await ada.publish()
        await bob.sees("Ada")

        async def much_was_acknowledged() -> bool:
            return any(acked_bytes(heard, number) > 200_000 for number in heard.subscribers)

        await eventually(much_was_acknowledged, "two hundred kilobytes have been reported on")
        transport = max(heard.subscribers, key=lambda number: acked_bytes(heard, number))
        reports = heard.all().reports
        reports = reports[reports["transport"] == transport]
        assert 0 < np.nanmedian(reports["rtt_s"]) < 0.5  # a tenth of that; a busy machine is slow to report
        assert reports["lost_packets"].sum() <= reports["acked_packets"].sum() / 100
        assert heard.all().groups["arrived_delta_s"].sum() > 1.0
        assert "malformed_feedback" not in heard.plane.counters.dropped

        before = await video(bob)
        for cluster in range(5):
            assert heard.plane.probe(transport, 5_000_000, PROBE_PACKETS, cluster, monotonic())
            await asyncio.sleep(0.3)

        async def all_clusters_are_told() -> bool:
            return len(heard.all().clusters) == 5

        await eventually(all_clusters_are_told, "every probe was reported on")
        clusters = heard.all().clusters
        assert clusters["sent_packets"].tolist() == [PROBE_PACKETS] * 5
        assert clusters["acked_packets"].sum() >= 0.9 * 5 * PROBE_PACKETS

        async def goes_on() -> bool:
            return bool((await video(bob))["framesDecoded"] > before["framesDecoded"] + 20)

        await eventually(goes_on, "Bob sees Ada move on")
        after = await video(bob)
        assert after["framesDropped"] - before["framesDropped"] <= 5
        assert after["pliCount"] == before["pliCount"], "nothing had to be asked for anew"


def acked_bytes(heard: Heard, transport: int) -> int:
    reports = heard.all().reports
    return int(reports["acked_bytes"][reports["transport"] == transport].sum())


async def video(participant: Participant) -> dict[str, Any]:
    (row,) = (await participant.statistics()).inbound("video").values()
    return row
