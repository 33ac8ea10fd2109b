"""Speech activity: a line for each participant that shows how loud it was, in this terminal.

    python -m signaling.client.examples.activity --url URL --room ROOM --token TOKEN

The token needs the grants `subscribe` and `record`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signaling.client import AudioFrame, Room, connect

STEPS: Final = " ▁▂▃▄▅▆▇█"
FLOOR_DB: Final = -60.0
COLUMN_S: Final = 0.25  # of time in each character
COLUMNS: Final = 60
REDRAW_S: Final = 0.25


def level_db(samples: NDArray[np.int16]) -> float:
    """Of full scale; silence is FLOOR_DB."""
    power = float(np.mean(np.square(samples.astype(np.float64) / 32768))) if len(samples) else 0.0
    return max(FLOOR_DB, 10 * float(np.log10(power))) if power > 0 else FLOOR_DB


class Activity:
    """Levels over time, one participant's. Pure."""

    def __init__(self) -> None:
        self._columns: dict[int, float] = {}
        self.latest_s = 0.0

    def on_frame(self, at_s: float, samples: NDArray[np.int16]) -> None:
        self.latest_s = at_s
        column = int(at_s / COLUMN_S)
        self._columns[column] = max(self._columns.get(column, FLOOR_DB), level_db(samples))
        self._columns.pop(column - COLUMNS, None)

    def line(self, until_s: float) -> str:
        last = int(until_s / COLUMN_S)
        levels = (self._columns.get(column, FLOOR_DB) for column in range(last - COLUMNS + 1, last + 1))
        return "".join(STEPS[round((level - FLOOR_DB) / -FLOOR_DB * (len(STEPS) - 1))] for level in levels)


async def watch(room: Room, activities: dict[str, Activity]) -> None:
    """Of all who are there now, until the room ends."""

    async def listen(participant: str) -> None:
        activity = activities.setdefault(participant, Activity())
        async with room.tap(participant) as tap:
            async for frame in tap:
                assert isinstance(frame, AudioFrame)
                activity.on_frame(frame.at_s, frame.samples)

    await asyncio.gather(*(listen(participant) for participant in room.participants))


def drawn(activities: dict[str, Activity]) -> str:
    """A line each; they all end where the latest does."""
    until_s = max((one.latest_s for one in activities.values()), default=0.0)
    return "\n".join(f"{name[:16]:16} {one.line(until_s)}" for name, one in sorted(activities.items()))


async def _main(arguments: argparse.Namespace) -> None:
    async with connect(arguments.url, arguments.room, arguments.token, auto_subscribe=False) as room:
        activities: dict[str, Activity] = {}
        watching = asyncio.create_task(watch(room, activities))
        while not watching.done():
            await asyncio.wait([watching], timeout=REDRAW_S)
            sys.stdout.write("\x1b[H\x1b[J" + drawn(activities) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How loud everybody is, over time.")
    for option in ("--url", "--room", "--token"):
        parser.add_argument(option, required=True)
    asyncio.run(_main(parser.parse_args()))
