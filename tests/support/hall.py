"""A hall full of people: some publish two small layers of a picture that says in colours whose it is, others nothing.

    python -m tests.support.hall URL ROOM PAINTED SILENT       (`hall` starts it)

Pictures are encoded once and sent round and round at `FRAMES_PER_S`, so that a hundred take a tenth of a core. Whose a
picture is, is one colour in each quarter of it, to be read by `NUMBER_IN_PICTURE` from whatever size it is shown in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from sfu.core.types import Codec
from signaling.client import connect, development_token
from signaling.demo.encoding import AudioEncoder, VideoEncoder
from signaling.demo.picture import Planes
from signaling.demo.tone import Tone
from tests.support.piped import piped
from tests.support.reels import SOUND_PACKETS, TONE_HZ, Actor, Actors, Player, Reel, play

FRAMES_PER_S = 3.0
RIDS = ("q", "h")
WIDTH, HEIGHT = 160, 96
FRAMES = 6  # to one key frame
AT_ONCE = 8  # joining
ALL_WITHIN_S = 300.0  # 500 of them, on a loaded machine
# Y, U and V of red, green, blue and white, in the order of `NUMBER_IN_PICTURE`.
COLOURS = ((82, 90, 240), (145, 54, 34), (41, 240, 110), (235, 128, 128))
# The smallest place is top left, as in the bytes of a canvas of 2 x 2.
NUMBER_IN_PICTURE = """
(() => {
  const pen = new OffscreenCanvas(2, 2).getContext('2d', {willReadFrequently: true});
  pen.imageSmoothingEnabled = false;
  return (video) => {
    pen.drawImage(video, 0, 0, 2, 2);
    const {data} = pen.getImageData(0, 0, 2, 2);
    return [0, 1, 2, 3].reduce((sum, place) => {
      const [red, green, blue] = [0, 1, 2].map((channel) => data[4 * place + channel] > 127);
      const digit = red && green && blue ? 3 : blue ? 2 : green ? 1 : red ? 0 : NaN;
      return sum + digit * 4 ** place;
    }, 0);
  };
})()
"""


class Guest:
    """Is there."""

    speaks = False

    def __init__(self, number: int) -> None:
        self._name = f"Guest{number}"

    async def join(self, url: str, room: str, stack: AsyncExitStack) -> None:
        token = (await development_token(url, self._name, room)).token
        await stack.enter_async_context(connect(url, room, token, auto_subscribe=False))


@asynccontextmanager
async def hall(url: str, room: str, painted: int, silent: int = 0) -> AsyncIterator[Actors]:
    """They are in the room, `Actor0` and so on first, until the block ends."""
    async with piped("tests.support.hall", url, room, str(painted), str(silent)) as process:
        await process.hear(ALL_WITHIN_S)  # all are there
        yield Actors(process)


def _paint(number: int) -> Planes:
    digits = [COLOURS[number // 4**place % 4] for place in range(4)]
    quarters = np.array(digits, np.uint8).reshape(2, 2, 3)
    y, u, v = (np.ascontiguousarray(quarters[:, :, plane]) for plane in range(3))
    return (
        np.kron(y, np.ones((HEIGHT // 2, WIDTH // 2), np.uint8)),
        np.kron(u, np.ones((HEIGHT // 4, WIDTH // 4), np.uint8)),
        np.kron(v, np.ones((HEIGHT // 4, WIDTH // 4), np.uint8)),
    )


def _cast(painted: int, silent: int) -> list[Player]:
    voice, tone = AudioEncoder(), Tone(TONE_HZ)
    sound = tuple(voice.encode(tone.frame()) for _ in range(SOUND_PACKETS))
    cast: list[Player] = []
    for number in range(painted):
        encoder, picture = VideoEncoder(Codec.VP8, len(RIDS), WIDTH, HEIGHT), _paint(number)
        frames = [encoder.encode(picture, at == 0) for at in range(FRAMES)]
        layers = tuple(tuple(layer.bitstream for layer in frame) for frame in zip(*frames, strict=True))
        cast.append(Actor(number, Reel(layers, sound, RIDS, FRAMES_PER_S)))
    return [*cast, *(Guest(number) for number in range(silent))]


if __name__ == "__main__":
    asyncio.run(play(_cast(int(sys.argv[3]), int(sys.argv[4])), sys.argv[1], sys.argv[2], AT_ONCE))
