"""Real viewers without transport-cc behind a thin path: they are sent what it carries, and not all there is."""

from __future__ import annotations

import asyncio

import pytest

from sfu.subscribing import Subscriber
from signaling.client import development_token
from signaling.server import Server
from tests.support.aiortc_viewer import watching
from tests.support.chromium import eventually
from tests.support.meeting import open_test_server
from tests.support.reels import LAYER_BPS, actors

PATH_BPS = 0.7e6  # the middle layer passes, and the best does not
WATCH_S = 15.0


@pytest.mark.parametrize("estimates", [True, False], ids=["REMB", "loss alone"])
async def test_a_viewer_without_transport_cc_gets_what_its_path_carries(estimates: bool) -> None:
    async with open_test_server() as server:
        token = (await development_token(server.url, "viewer", "thin")).token
        async with (
            actors(server.url, "thin", 1),
            watching(f"{server.url}/v1/whep/thin", token, PATH_BPS, estimates=estimates) as path,
        ):

            async def is_bounded() -> bool:
                return any(subscriber.budget.bps(now()) < 2e6 for subscriber in viewers(server))

            await eventually(is_bounded, "what may be spent has come down")
            (viewer,) = viewers(server)
            assert viewer.budget.estimate is None

            async def fits() -> bool:
                layers = [one.current_layer for one in viewer.subscriptions() if one.is_video]
                return layers in ([0], [1])

            await eventually(fits, "a smaller picture is sent")
            before = await path.set_rate(PATH_BPS)
            await asyncio.sleep(WATCH_S)  # the measurement itself
            after = await path.set_rate(PATH_BPS)
            lost = (after.dropped - before.dropped) / (after.count + after.dropped - before.count - before.dropped)
            print(f"{lost:.1%} lost, budget {viewer.budget.bps(now())}, layers of {LAYER_BPS}")
            assert lost < 0.35  # with the best layer it is half all the time


def viewers(server: Server) -> list[Subscriber]:
    endpoints = server.worker._running.router.registry.endpoints.values()
    return [endpoint.subscriber for endpoint in endpoints if endpoint.subscriber.slots]


def now() -> float:
    return asyncio.get_running_loop().time()
