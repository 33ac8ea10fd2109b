"""Whose sound is forwarded in a room where more have a microphone than anybody can listen to: the loudest few.

A Track keeps its place for as long as it is louder than the others, by a measure that rises at once and sinks slowly
(`Activity.loudness_dbov`): pauses in speech cost nobody the place, and a room of as many voices as places never
changes. Who only breathes holds a place as long as nobody wants it, so a quiet voice is heard, too. Whoever is speaking
gives way only to one who has been speaking louder for a while, so that a cough does not cut a word in two.

Forgotten and muted Tracks, and those that send nothing (DTX), are never looked at. Tracks that do not say how loud they
are stand outside of this: the caller forwards them always.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfu.core.activity import SILENT, Activity, frame_of
from sfu.core.speakers import MEDIUM_FRAMES, SPOKE_FRAMES

# A challenger is so much louder. Lower: two voices alike change places all the time.
MARGIN_DB = 6.0


def select(places: int, before: frozenset[int], activities: Mapping[int, Activity], now: float) -> frozenset[int]:
    """`places` (one or more) of the Tracks in `activities`, given who had them until now; all, if they are no more."""
    if len(activities) <= places:
        return frozenset(activities)
    frame = frame_of(now)
    loudness = {track: activity.loudness_dbov(frame) for track, activity in activities.items()}
    chosen = {track for track in before if track in activities}
    challengers = sorted((track for track in activities if track not in chosen), key=lambda track: -loudness[track])
    while len(chosen) > places:
        chosen.remove(min(chosen, key=loudness.__getitem__))
    for challenger in challengers:
        if len(chosen) < places:
            chosen.add(challenger)
            continue
        if loudness[challenger] <= -SILENT:
            break
        weakest = min(chosen, key=loudness.__getitem__)
        if loudness[challenger] < loudness[weakest] + MARGIN_DB:
            break
        if _speaks(activities[weakest], frame) and not _speaks(activities[challenger], frame):
            continue
        chosen.remove(weakest)
        chosen.add(challenger)
    return frozenset(chosen)


def _speaks(activity: Activity, frame: int) -> bool:
    return activity.spoke(frame, MEDIUM_FRAMES) >= SPOKE_FRAMES
