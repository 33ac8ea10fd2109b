"""A call between bots on a running server, from the first token to the last goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext

from signaling.client import development_token
from signaling.demo.bot import Bot, BotOptions
from signaling.demo.outcome import Outcome, outcome

NAMES = ("Ada", "Bob", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Leo")
JOIN_TIMEOUT_S = 20.0
TICK_S = 0.5
CODEC_THREADS = 2  # encoding and decoding release the interpreter; more threads than cores gain nothing


async def call(
    url: str,
    room: str,
    *,
    bots: int,
    seconds: float,
    options: BotOptions,
    on_tick: Callable[[Outcome, float], None] = lambda _outcome, _elapsed_s: None,
    around: Callable[[Sequence[Bot]], AbstractAsyncContextManager[object]] = nullcontext,
) -> Outcome:
    """`bots` join at once, stay for `seconds` after all of them are in, and are judged just before they leave.

    `on_tick` is told how it goes, twice a second. `around` is entered when all are in, and these seconds begin. Raises
    ExceptionGroup when a bot cannot join or loses its connection.
    """
    tokens = [await development_token(url, name, room) for name in NAMES[:bots]]
    joined: list[Bot] = []
    everybody_in = asyncio.Barrier(bots + 1)
    over = asyncio.Event()

    async def participate(number: int) -> None:
        async with Bot.join(
            url,
            room,
            tokens[number].token,
            name=NAMES[number],
            sender=number,
            senders={token.identity: sender for sender, token in enumerate(tokens)},
            pool=pool,
            options=options,
        ) as bot:
            joined.append(bot)
            await everybody_in.wait()
            await bot.stay(over)

    with ThreadPoolExecutor(CODEC_THREADS, thread_name_prefix="codec") as pool:
        async with asyncio.TaskGroup() as group:
            for number in range(bots):
                group.create_task(participate(number))
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                await everybody_in.wait()
            joined.sort(key=lambda bot: bot.sender)
            async with around(joined):
                await _watch(joined, seconds, on_tick)
                final = outcome(joined)
            over.set()
    return final


async def _watch(joined: list[Bot], seconds: float, on_tick: Callable[[Outcome, float], None]) -> None:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    while (elapsed_s := loop.time() - start_s) < seconds:
        on_tick(outcome(joined), elapsed_s)
        await asyncio.sleep(min(TICK_S, seconds - elapsed_s))
