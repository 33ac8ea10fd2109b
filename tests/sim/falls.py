"""A path that falls under one lively camera, without and with temporal layers, and comes back.

What is half of its frames: of 30 it moves and goes on at once, of 15 it does not.
"""

from __future__ import annotations

from dataclasses import replace

from tests.sim.scenario import (
    FAST_CAMERA_PACKETS,
    LIVELY_CAMERA_PACKETS,
    SMALL_CAMERA_PACKETS,
    THREE_MEGABIT,
    Act,
    Check,
    Path,
    Run,
    Scenario,
    alive,
    calm,
    estimate_between,
    limited_by,
    queue_below,
    shows,
    shows_at_half_rate,
    switches_below,
)

FALL = Scenario(
    "a link falls from 3 to 0.5 Mbit/s under one camera with large key frames, and comes back",
    cameras=(LIVELY_CAMERA_PACKETS,),
    frame_rate=15.0,
    key_frame_factor=8,
    steps=(
        Run(10),
        Check("the best layer is shown", shows(2)),
        Path("0.5 Mbit/s are left", {"rate_bps": 0.5e6}),
        Run(0.5),
        Check("overuse has been answered", estimate_between(0.0, 1.0, last_s=0.05)),
        Run(2.0),
        Check("the queue has gone", queue_below(0.1, last_s=0.5)),
        Check("the picture stood still for a moment only", alive(0.5, since_s=5.0)),
        Run(12),
        Check("from then on the estimate is where it should be", estimate_between(0.8, 1.05, last_s=11)),
        Check("and says why", limited_by("bandwidth", 0)),
        Path("3 Mbit/s again", {"rate_bps": 3e6}),
        Run(15),
        Check("the best layer is back", shows(2)),
        Check("without a jump", calm(after_s=9.0)),
        Check("the picture never stood still for long", alive(0.5, since_s=5.0)),
    ),
)

LIVELY_IN_THREE = Scenario(
    "a link falls from 3 to 0.5 Mbit/s under a camera of 30 frames in three temporal layers, and comes back",
    cameras=(FAST_CAMERA_PACKETS,),
    frame_rate=30.0,
    key_frame_factor=12,
    temporal_layers=3,
    steps=FALL.steps,
)

SLOW_IN_THREE = replace(
    FALL,
    sentence="the same of 15 frames, half of which would be no picture that moves",
    temporal_layers=3,
)

FALLS_TO_HALF_THE_FRAMES = replace(
    LIVELY_IN_THREE,
    sentence="a link falls to what half of the best layer's frames take, then far below, and comes back",
    steps=(
        Run(10),
        Path("1.5 Mbit/s are left", {"rate_bps": 1.5e6}),
        Run(6),
        Check("half of the frames are sent, of the same picture", shows_at_half_rate(2)),
        Check("which never stood still", alive(0.2, since_s=5.0)),
        Check("nor was there another key frame", switches_below(1, after_s=9.0)),
        Path("0.5 Mbit/s are left", {"rate_bps": 0.5e6}),
        Run(2.5),
        Check("the queue has gone", queue_below(0.1, last_s=0.5)),
        Check("the picture stood still for a moment only", alive(0.5, since_s=5.0)),
        Run(6),
        Check("the estimate is where it should be", estimate_between(0.8, 1.05, last_s=6)),
        Check("and says why", limited_by("bandwidth", 0)),
        Path("3 Mbit/s again", {"rate_bps": 3e6}),
        Run(15),
        Check("the best layer is back", shows(2)),
        Check("without a jump", calm(after_s=9.0)),
    ),
)

FALLS_BELOW_HALF_THE_FRAMES = replace(
    LIVELY_IN_THREE,
    sentence="a link falls to 1.2 Mbit/s, which half of the best layer's frames would fill",
    steps=(
        Run(10),
        Path("1.2 Mbit/s are left", {"rate_bps": 1.2e6}),
        Run(12),
        Check("all frames of a smaller picture are sent", shows(1)),
        Check("the picture stood still for a moment only", alive(0.5, since_s=5.0)),
        Check("the estimate is where it should be", estimate_between(0.8, 1.05, last_s=9)),
        Check("no queue is left", queue_below(0.1, last_s=9)),
        Check("without a jump", calm(after_s=9.0)),
    ),
)

CROWD_IN_THREE = Scenario(
    "25 participants in three temporal layers on a path for half of their frames: everybody is seen",
    cameras=(SMALL_CAMERA_PACKETS,) * 25,
    conditions=replace(THREE_MEGABIT, rate_bps=2.5e6),
    temporal_layers=3,
    steps=(
        Act("all are small", lambda stage: stage.show(on_stage="", others=(320, 180))),
        Run(10),
        Check("all have their lowest layer", shows(*(0,) * 25)),
        Check("every picture goes on", alive(0.5, since_s=4.0)),
        Check("within the path, but for what happens to come at once", queue_below(0.15, last_s=5)),
        Check("no picture has jumped", calm()),
    ),
)

IN_THREE = (
    LIVELY_IN_THREE,
    SLOW_IN_THREE,
    FALLS_TO_HALF_THE_FRAMES,
    FALLS_BELOW_HALF_THE_FRAMES,
    CROWD_IN_THREE,
)
