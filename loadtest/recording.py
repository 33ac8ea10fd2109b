"""Whether a call notices that it is recorded, and what that costs: rooms alone, then all of them recorded at once.

    rooms alone ─► the same rooms, each recorded in copy mode ─► their journals are read: is every packet there?

The media of the load test is noise, so what files cost that are made of journals is measured by itself (making.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from loadtest.beside import MOST_RISE_MS
from loadtest.measuring import Stage
from loadtest.results import Point
from loadtest.usage import cpu_s, tree
from recorder.journal import FramesDropped, JournalGap, JournalReader, Packet
from recorder.journal.records import Event
from signaling.api.recording_models import Recording
from signaling.client.api import ServerApi
from signaling.recordings.options import RecordingOptions

BEGIN_WITHIN_S: Final = 60.0  # a process starts, which imports a lot
MADE_WITHIN_S: Final = 300.0  # one after another, with what others leave of the core
SETTLE_S: Final = 2.0
_RECORDER: Final = "recorder.process"

Condition = Callable[[Recording], bool]


class NotRecorded(Exception):
    """With words for who asked."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a journal has: packets, and those between the first and the last of their layer that it has not."""

    packets: int
    missing: int
    told: int  # as missing, by the recorder itself


async def recorded(stage: Stage, directory: Path) -> list[Point]:
    """`directory`: where the server, which is ours, lays its recordings. Raises NotRecorded."""
    assert stage.server is not None
    alone = await stage.measure("alone", stage.course.duration_s)
    rooms = sorted({seat.room for seat in stage.plan.seats})
    async with ServerApi(stage.entry.url, ":".join(stage.entry.keys)) as api:
        begun = [await api.start_recording(room, RecordingOptions(mode="copy")) for room in rooms]
        await _until(api, begun, lambda one: one.journal_bytes > 0, BEGIN_WITHIN_S)
        await asyncio.sleep(SETTLE_S)
        recorder = _recorder(stage.server.process)
        before_s = cpu_s(recorder)
        together = await stage.measure(f"{len(rooms)} rooms recorded", stage.course.duration_s, repeats=1)
        used_s = cpu_s(recorder) - before_s
        for one in begun:
            await api.stop_recording(one.id)
        ended = await _until(api, begun, lambda one: one.state in ("ready", "failed"), MADE_WITHIN_S)
    taken = [read(directory / one.id / "journal") for one in ended]
    figures = {
        "recordings": len(ended),
        "packets": sum(one.packets for one in taken),
        "missing": sum(one.missing for one in taken),
        "told_missing": sum(one.told for one in taken),
        "failed": sum(one.state == "failed" for one in ended),
        "recorder_cpu": used_s / together.duration_s,
        "cpu_s_per_participant_hour": 3600 * used_s / together.duration_s / together.participants,
    }
    return [alone, replace(together, recording=figures)]


def read(journal: Path) -> Taken:
    """Raises OSError."""
    numbers: dict[tuple[int, int], set[int]] = {}
    told = 0
    for entry in JournalReader(journal).entries():
        if isinstance(entry, Packet):
            numbers.setdefault((entry.track, entry.layer), set()).add(entry.sequence_number)
        elif isinstance(entry, Event):
            told += entry.event.count if isinstance(entry.event, FramesDropped) else 0
            told += entry.event.records if isinstance(entry.event, JournalGap) else 0
    packets = sum(map(len, numbers.values()))
    return Taken(packets, sum(max(one) - min(one) + 1 for one in numbers.values()) - packets, told)


def verdicts(points: Sequence[Point]) -> list[tuple[str, bool]]:
    """Lines, and whether each is as it should be."""
    told = []
    for alone, together in zip(points[::2], points[1::2], strict=True):
        figures = together.recording or {}
        before, then = alone.added_latency_ms["p99"], together.added_latency_ms["p99"]
        if before is None or then is None:
            return [("nothing was measured", False)]
        told.append((f"p99 {before:.2f} → {then:.2f} ms ({then - before:+.2f})", then - before <= MOST_RISE_MS))
        lacking = figures["missing"] + figures["told_missing"]
        told.append(
            (f"{figures['packets']} packets in {figures['recordings']} journals, {lacking} missing", not lacking)
        )
        told.append((f"{figures['failed']} of them could not be made into files", not figures["failed"]))
        cost = figures["cpu_s_per_participant_hour"]
        told.append((f"taking costs {cost:.1f} s of CPU per participant and hour", True))
    return told


async def _until(api: ServerApi, begun: Sequence[Recording], met: Condition, within_s: float) -> list[Recording]:
    found = list(begun)
    try:
        async with asyncio.timeout(within_s):
            for index, one in enumerate(begun):
                while not met(found[index]):
                    await asyncio.sleep(0.2)
                    found[index] = await api.get_recording(one.id)
    except TimeoutError:
        states = ", ".join(sorted({f"{one.state} {one.reason}".strip() for one in found}))
        raise NotRecorded(f"recordings did not come so far in {within_s:.0f} s: {states}") from None
    return found


def _recorder(server: int) -> int:
    for process in tree(server):
        if _RECORDER.encode() in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
            return process
    raise NotRecorded("the server has no recorder")
