"""Bots in a room of a real server in this process, and conditions to wait for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from signaling.client import DevelopmentToken, development_token
from signaling.config import ServerConfig
from signaling.demo.bot import Bot, BotOptions
from signaling.demo.measure import AudioMeasure, VideoMeasure
from signaling.server import Server, open_server
from tests.support.ports import two_free_ports

PATIENCE_S = 60.0  # for what takes one or two seconds on an idle machine


@asynccontextmanager
async def open_test_server(*, dev: bool = True, **options: Any) -> AsyncIterator[Server]:
    """On free ports of loopback."""
    # A Worker that is killed comes back on its port, which has to be there still.
    udp_port = two_free_ports(socket.SOCK_DGRAM) if options.get("workers") else 0
    server = await open_server(ServerConfig(http_port=0, udp_port=udp_port, dev=dev, **options))
    try:
        yield server
    finally:
        await server.close()


class Meeting:
    """Bots of one room. Each gets the next number to draw and play; a bot that comes back keeps its own."""

    def __init__(self, server: Server, pool: ThreadPoolExecutor, stack: AsyncExitStack) -> None:
        self.server = server
        self.bots: list[Bot] = []
        self._pool = pool
        self._stack = stack
        self._tokens: dict[str, DevelopmentToken] = {}
        self._senders: dict[str, int] = {}
        self._exits: dict[str, AsyncExitStack] = {}

    async def join(self, name: str, options: BotOptions | None = None) -> Bot:
        if name not in self._tokens:
            token = await development_token(self.server.url, name, "meeting")
            self._tokens[name] = token
            self._senders[token.identity] = len(self._senders)
        token = self._tokens[name]
        leave = await self._stack.enter_async_context(AsyncExitStack())
        bot = await leave.enter_async_context(
            Bot.join(
                self.server.url,
                "meeting",
                token.token,
                name=name,
                sender=self._senders[token.identity],
                senders=self._senders,
                pool=self._pool,
                options=options or BotOptions(),
            )
        )
        self._exits[name] = leave
        self.bots.append(bot)
        return bot

    def expect(self, identity: str, sender: int) -> None:
        """Somebody who is no bot, and draws this number."""
        self._senders[identity] = sender

    async def leave(self, bot: Bot) -> None:
        self.bots.remove(bot)
        await self._exits.pop(bot.name).aclose()

    async def until_all_see_all(self, frames: int = 20, windows: int = 10) -> None:
        """Until everybody has decoded so much more of everybody else. Nothing wrong may have been seen."""
        pairs = [(one, other) for one in self.bots for other in self.bots if one is not other]
        before = [(video_of(*pair).decoded, audio_of(*pair).right) for pair in pairs]
        for pair, (decoded, right) in zip(pairs, before, strict=True):
            await until_seen(*pair, frames=decoded + frames, windows=right + windows)
        self.check()

    def check(self) -> None:
        """Nobody saw or heard anything wrong."""
        wrong = [
            f"{one.name} ◄ {other.name}: {fault}"
            for one in self.bots
            for other in self.bots
            if one is not other
            for fault in (*video_of(one, other).faults(0), *audio_of(one, other).faults(0))
        ]
        assert not wrong, "\n".join(wrong)


@asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[Meeting]:
    """An empty room; at the end all who are still there leave, and the server stops."""
    with ThreadPoolExecutor(2) as pool:
        async with open_test_server(**options) as server, AsyncExitStack() as stack:
            yield Meeting(server, pool, stack)


def video_of(one: Bot, other: Bot) -> VideoMeasure:
    """What `one` saw of `other`."""
    seen = one.seen.get(other.room.identity)
    return VideoMeasure() if seen is None else seen.video


def audio_of(one: Bot, other: Bot) -> AudioMeasure:
    seen = one.seen.get(other.room.identity)
    return AudioMeasure() if seen is None else seen.audio


async def until_seen(one: Bot, other: Bot, *, frames: int = 0, windows: int = 0) -> None:
    """Until `one` has decoded so many pictures and heard so many windows of the right tone of `other`."""
    await one.until(
        lambda: video_of(one, other).decoded >= frames and audio_of(one, other).right >= windows, PATIENCE_S
    )


async def metrics(url: str) -> dict[str, float]:
    """Samples by name, of all Workers together; those with labels as `name{value}`, as if there were one label."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
        text = await response.text()
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name + "".join(f"{{{value}}}" for key, value in sample.labels.items() if key != "worker")
            samples[name] = samples.get(name, 0.0) + sample.value
    return samples


async def pause(seconds: float) -> None:
    """For what must not happen: there is no event to wait for."""
    await asyncio.sleep(seconds)
