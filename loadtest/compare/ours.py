"""Our own server as `sfu loadtest` starts it, with its bots, which join by the real signaling."""

from __future__ import annotations

import contextlib

import aiohttp

import sfu
from loadtest.bots import Bot, Entry
from loadtest.compare.servers import CannotCompare, SetVideoRate
from loadtest.plans import Plan, Rates
from loadtest.server import SELECTS_NOTHING, CannotStart, RunningServer, running_server
from loadtest.traffic import SrtpChoice, Traffic
from sfu.net.dtls import HandshakeFailed
from signaling.client import RoomClosed
from signaling.config import DEVELOPMENT_KEY
from signaling.errors import Refused


class Ours:
    name = "ours"

    def __init__(self) -> None:
        self.version = sfu.__version__
        self._server: RunningServer
        self._address = ""
        self._running = contextlib.AsyncExitStack()

    async def start(self, address: str, core: int) -> int:
        self._address = address
        try:
            # Nobody's media on another address than that of the others.
            self._server = await self._running.enter_async_context(
                running_server({core}, [*SELECTS_NOTHING, f"--bind={address}"])
            )
        except CannotStart as error:
            raise CannotCompare(str(error)) from error
        self.version = f"{sfu.__version__}, {self._server.plane} plane"
        return self._server.process

    async def join(self, traffic: Traffic, plan: Plan, rates: Rates, srtp: SrtpChoice) -> SetVideoRate:
        entry = Entry(self._server.url, DEVELOPMENT_KEY, self._address, srtp)
        bots = []
        try:
            for seat in plan.seats:
                bots.append(await self._running.enter_async_context(Bot.join(seat, traffic, entry, rates)))
            for bot in bots:
                await bot.receives(plan.expected_tracks(bot.seat))
        except (ConnectionError, HandshakeFailed, Refused, RoomClosed, TimeoutError, aiohttp.ClientError) as error:
            raise CannotCompare(f"joining failed: {type(error).__name__}: {error}") from error

        def set_video_rate(factor: float) -> None:
            for bot in bots:
                bot.set_video_rate(factor)

        return set_video_rate

    async def stop(self) -> None:
        await self._running.aclose()
