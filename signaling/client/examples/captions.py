"""Live captions: what a participant says, as messages in the room, by any speech-to-text callable.

    python -m signaling.client.examples.captions --url URL --room ROOM --token TOKEN --of IDENTITY --engine module:name

The callable takes samples of one utterance (int16, mono, 16 kHz) and returns its text; it runs in a thread, one
utterance after the other. The token needs the grants `subscribe`, `message` and `record`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signaling.client import AudioFrame, Room, connect
from signaling.client.examples.activity import level_db

Engine = Callable[[NDArray[np.int16]], str]

TOPIC: Final = "captions"
ENGINE_RATE: Final = 16_000  # what most engines take
SPEECH_DB: Final = -45.0  # louder is speech: rooms are quieter, quiet speakers hardly
PAUSE_S: Final = 0.6  # ends an utterance. Shorter: captions come sooner, in pieces
LONGEST_S: Final = 10.0  # of one utterance; who goes on talking is still read
WAITING: Final = 4  # utterances, for an engine that is slower than people talk; then the oldest are left out


class Utterances:
    """Cuts what comes into utterances. Pure. By the frames' own time, so that silence that is not sent counts, too."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.int16]] = []
        self._spoke_at = self._began_at = float("-inf")

    def on_frame(self, frame: AudioFrame) -> NDArray[np.int16] | None:
        """One that is over, mono at 16 kHz."""
        at_s = frame.timestamp / 48_000
        done = None
        if self._pieces and (at_s - self._spoke_at > PAUSE_S or at_s - self._began_at > LONGEST_S):
            done = self.finish()
        if level_db(frame.samples) > SPEECH_DB:
            self._spoke_at = at_s
            if not self._pieces:
                self._began_at = at_s
        if self._pieces or self._spoke_at == at_s:
            self._pieces.append(mono(frame.samples))
        return done

    def finish(self) -> NDArray[np.int16] | None:
        """What there is so far."""
        pieces, self._pieces = self._pieces, []
        return np.concatenate(pieces) if pieces else None


def mono(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """At 16 kHz: the mean of both channels and of three samples each, which is filter enough for speech."""
    wide = samples.astype(np.int32).sum(axis=1)
    whole = wide[: len(wide) // 3 * 3].reshape(-1, 3)
    narrow: NDArray[np.int16] = (whole.sum(axis=1) // 6).astype(np.int16)
    return narrow


async def caption(room: Room, participant: str, engine: Engine) -> None:
    """Until the room ends."""
    utterances = Utterances()
    waiting: asyncio.Queue[NDArray[np.int16]] = asyncio.Queue(WAITING)
    reading = asyncio.create_task(_read(room, participant, engine, waiting))
    try:
        async with room.tap(participant) as tap:
            async for frame in tap:
                assert isinstance(frame, AudioFrame)
                said = utterances.on_frame(frame)
                if said is not None:
                    if waiting.full():
                        waiting.get_nowait()
                    waiting.put_nowait(said)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(room: Room, participant: str, engine: Engine, waiting: asyncio.Queue[NDArray[np.int16]]) -> None:
    """While the tap goes on."""
    while True:
        text = await asyncio.to_thread(engine, await waiting.get())
        if text:
            await room.send_message(json.dumps({"of": participant, "text": text}), topic=TOPIC)


async def _main(arguments: argparse.Namespace) -> None:
    module, _, name = arguments.engine.partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)
    async with connect(arguments.url, arguments.room, arguments.token, auto_subscribe=False) as room:
        await caption(room, arguments.of, engine)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Live captions of one participant, as messages in the room.")
    for option in ("--url", "--room", "--token", "--of", "--engine"):
        parser.add_argument(option, required=True)
    asyncio.run(_main(parser.parse_args()))
