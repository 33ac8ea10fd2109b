"""A meeting as people hold it: everybody publishes three layers and shows all others, and the server selects.

    everybody shows a grid ─► window ─► everybody shows who speaks, and the others small ─► window

Unlike in the other scenarios selection, estimates and limits are those of `sfu serve`. Who is on stage stays there: a
page that follows the speaker changes one tile each few seconds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import ceil, sqrt
from typing import Final

from loadtest.bots import Bot
from loadtest.measuring import Stage
from loadtest.plans import RIDS
from loadtest.results import Point
from signaling.api.watching_models import LayoutTile, ShownLayout
from signaling.client.api import ServerApi

VIEWS: Final = ("grid", "speaker")
WINDOW: Final = (1280, 720)  # of each participant's page
SMALL: Final = (192, 108)  # a tile beside the stage
SETTLE_S: Final = 8.0  # estimates find what a path carries, prices are means of 4 s
LOOK_S: Final = 2.0  # what comes in this time is being shown
MOST_MBPS: Final = 4.0  # to each: what a group call may take of a home connection


async def gallery(stage: Stage) -> list[Point]:
    points = []
    async with ServerApi(stage.entry.url, ":".join(stage.entry.keys)) as api:
        for view in VIEWS:
            for bot in stage.bots:
                await api.set_layout(bot.seat.room, bot.seat.name, shown(view, _others(stage, bot)))
            await asyncio.sleep(SETTLE_S)
            measured = await stage.measure(f"{stage.plan.name}, {view}", stage.course.duration_s)
            points.append(replace(measured, gallery=await _seen(stage)))
    return points


def shown(view: str, tracks: Sequence[str]) -> ShownLayout:
    """Of these cameras, the first is on stage, where the view has one."""
    if view == "speaker":
        sizes = [WINDOW, *[SMALL] * (len(tracks) - 1)]
    else:
        columns = ceil(sqrt(len(tracks) + 1))  # oneself is in the grid, too
        sizes = [(WINDOW[0] // columns, WINDOW[1] // columns)] * len(tracks)
    tiles = [
        LayoutTile(track=track, width=width, height=height, on_stage=view == "speaker" and index == 0)
        for index, (track, (width, height)) in enumerate(zip(tracks, sizes, strict=True))
    ]
    return ShownLayout(tiles=tiles)


def verdicts(points: Sequence[Point]) -> list[tuple[str, bool]]:
    """A line for each view, and whether it is as it should be."""
    told = []
    for point in points:
        seen = point.gallery or {}
        layers = ", ".join(f"{count:.1f} of layer {rid}" for rid, count in seen["tiles"].items() if count)
        text = f"{point.name}: {point.received_mbps_per_participant:.2f} Mbit/s to each, who sees {layers}"
        if seen["missing"]:
            text += f"; {seen['missing']:.2f} of {seen['wanted']} pictures missing"
        told.append((text, point.received_mbps_per_participant <= MOST_MBPS and not seen["missing"]))
    return told


def _others(stage: Stage, bot: Bot) -> list[str]:
    """Cameras, in the order in which they came: who is on stage is so for all."""
    names = stage.plan.heard_by(bot.seat)
    return [track.id for name in names for track in bot.room.participants[name].tracks if track.kind == "video"]


async def _seen(stage: Stage) -> dict[str, object]:
    """How many pictures each participant gets, by layer, in the mean."""
    layers = {stream.ssrc: stream.rid for bot in stage.bots for stream in bot.sent if stream.kind == "video"}
    before = {bot: stage.traffic.counts_of(bot.subscribing) for bot in stage.bots}
    await asyncio.sleep(LOOK_S)
    tiles: Counter[str] = Counter()
    for bot in stage.bots:
        received = {one.ssrc: one.received for one in before[bot]}
        for one in stage.traffic.counts_of(bot.subscribing):
            if one.kind == "video" and one.source_ssrc in layers and one.received > received.get(one.ssrc, 0):
                tiles[layers[one.source_ssrc]] += 1
    people = len(stage.bots)
    return {
        "tiles": {rid: tiles[rid] / people for rid in RIDS},
        "wanted": people - 1,
        "missing": people - 1 - tiles.total() / people,
    }
