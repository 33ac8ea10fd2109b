"""What a subscriber's path may do, and what must come of it.

Sizes: two cameras with layers of 0.16, 0.48 and 1.92 Mbit/s want 4.4 Mbit/s with their margin, so that all of a path
would be of use; the usual path is 3 Mbit/s, 20 ms each way, and half a second of queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.sim.falls import FALL, IN_THREE
from tests.sim.link import Conditions
from tests.sim.scenario import (
    CAMERA_PACKETS,
    LIVELY_CAMERA_PACKETS,
    SMALL_CAMERA_PACKETS,
    THREE_MEGABIT,
    Act,
    Check,
    Path,
    Run,
    Scenario,
    Stage,
    alive,
    calm,
    estimate_between,
    limited_by,
    never_falls,
    queue_below,
    shows,
    sound_never_rests,
)


def down_and_up(sentence: str, delay_s: float = 0.01, back: Conditions | None = None) -> Scenario:
    """`back`: of the way that reports take, where it differs."""
    rtt_s = delay_s + (delay_s if back is None else back.delay_s + back.jitter_s)
    return Scenario(
        sentence,
        conditions=replace(THREE_MEGABIT, delay_s=delay_s),
        back=back,
        steps=(
            Run(12),
            Check("the estimate has found 3 Mbit/s", estimate_between(0.85, 1.05, last_s=7)),
            Check("and leaves no standing queue", queue_below(0.15, last_s=7)),
            Path("0.8 Mbit/s are left", {"rate_bps": 0.8e6}),
            Run(0.5 + rtt_s),
            Check("overuse has been answered", estimate_between(0.0, 1.0, last_s=0.05)),
            Run(4.5 - rtt_s),
            Check("no queue is left but a key frame's", queue_below(0.3, last_s=1)),
            Run(7),
            Check(
                "from 5 s on the estimate is where it should be", estimate_between(0.85, 1.05, last_s=7, but_for=0.05)
            ),
            Check("and says why", limited_by("bandwidth", 0, 1)),
            Path("3 Mbit/s again", {"rate_bps": 3e6}),
            Run(15),
            Run(4),
            Check("after 15 s the estimate is back", estimate_between(0.85, 1.05, last_s=4)),
            Check("the queue stayed short on the way up", queue_below(0.25, last_s=19)),
            Check("no picture has jumped", calm()),
            Check("sound never paused", sound_never_rests(0.7)),
        ),
    )


FALLS_UNDER_A_PROBE = Scenario(
    "a link falls from 3 to 0.5 Mbit/s in the middle of the first probe",
    cameras=(LIVELY_CAMERA_PACKETS,),
    frame_rate=15.0,
    key_frame_factor=8,
    steps=(
        Run(1.05),
        Path("0.5 Mbit/s are left", {"rate_bps": 0.5e6}),
        Run(0.5),
        Check("overuse has been answered", estimate_between(0.0, 1.0, last_s=0.05)),
        Run(4.5),
        Check("the half of it that had passed before raises nothing", estimate_between(0.8, 1.05, last_s=4)),
    ),
)

FALLS_A_LITTLE = Scenario(
    "a link falls to a little less than what is sent",
    cameras=((1, 3, 5),),
    frame_rate=15.0,
    key_frame_factor=8,
    steps=(
        Run(10),
        Check("the best layer is shown", shows(2)),
        Path("0.5 Mbit/s are left, and 0.6 are sent", {"rate_bps": 0.5e6}),
        Run(3.5),
        Check("what takes its place is small enough for the queue", shows(0)),
        Check("the picture never stood still", alive(0.3, since_s=5.0)),
    ),
)

FULL_QUEUE = Scenario(
    "a link falls to 0.5 Mbit/s, and its queue stays full",
    cameras=((1, 3, 12),),
    frame_rate=15.0,
    steps=(
        Run(8),
        Path("0.5 Mbit/s are left", {"rate_bps": 0.5e6}),
        Run(4),
        Check("it does not", queue_below(0.3, last_s=1.0)),
        # Arrivals are told in quarters of a millisecond: of 0.12 s, that is 0.2 %.
        Check("the estimate is no more than what the path carries", estimate_between(0.8, 1.002, last_s=1)),
    ),
)

RANDOM_LOSS = Scenario(
    "2 %, then 10 % of the packets are lost, whatever is sent",
    steps=(
        Path("2 % are lost", {"loss": 0.02}),
        Run(12),
        Check("2 % change nothing", estimate_between(0.85, 1.05, last_s=6)),
        Path("10 % are lost", {"loss": 0.1}),
        Run(18),
        Check("10 % are not taken for congestion for long", estimate_between(0.7, 1.0, last_s=5)),
        Check("every picture goes on", alive(1.0)),
    ),
)

BURSTS = Scenario(
    "losses come in bursts of five packets",
    steps=(
        Path("four bursts a second", {"burst_enters": 0.01, "burst_leaves": 0.2}),
        Run(14),
        Check("the estimate holds", estimate_between(0.7, 1.05, last_s=6)),
        Check("every picture goes on", alive(1.0)),
    ),
)

DOWNLOAD = Scenario(
    "somebody downloads through the same bottleneck, and stops",
    conditions=replace(THREE_MEGABIT, queue_s=0.2),
    steps=(
        Run(6),
        Act("a download begins", Stage.compete),
        Run(20),
        Check("it is not starved", lambda stage: None if stage.competitor_bps(20) > 0.7e6 else "it is"),
        Check("nor is the call", estimate_between(0.08, 1.0, last_s=15)),
        Check("sound never paused", sound_never_rests(0.5)),
        Act("it stops", Stage.stop_competing),
        Run(15),
        Check("all is as it was", estimate_between(0.85, 1.05, last_s=3)),
    ),
)

JITTER = Scenario(
    "packets are up to 30 ms late, on a path that carries everything",
    cameras=((1, 3, 10),) * 2,  # with what is left free of it, within what anybody is sent
    conditions=replace(THREE_MEGABIT, rate_bps=12e6, jitter_s=0.03),
    steps=(
        Run(16),
        Check("that is no congestion: everything is sent", limited_by("nothing", 2, 2)),
        Check("nor was it ever taken for it", never_falls(0.9)),
        Check("no picture has jumped", calm()),
    ),
)

REORDERING = Scenario(
    "one packet in twenty comes 5 to 15 ms late, behind others",
    conditions=replace(THREE_MEGABIT, reordered=0.05),
    steps=(Run(12), Check("that is no loss", estimate_between(0.8, 1.05, last_s=6))),
)

CROWD = Scenario(
    "25 participants on 3 Mbit/s: everybody is seen, and the stage as well as it fits",
    cameras=((1, 4, 12), *(SMALL_CAMERA_PACKETS,) * 24),
    frame_rate=10.0,
    steps=(
        Act("the first is on stage", lambda stage: stage.show(("p00", 1280, 720), on_stage="p00", others=(320, 180))),
        Run(7),
        Check("all have their lowest layer, the stage the best that fits", shows(1, *(0,) * 24)),
        Check("every picture goes on", alive(0.5, since_s=3.0)),
        Check("within the path", queue_below(0.1, last_s=3)),
    ),
)

LOST_LAYER = Scenario(
    "a publisher loses its middle layer while it is being sent",
    cameras=(CAMERA_PACKETS,),
    conditions=replace(THREE_MEGABIT, rate_bps=1.2e6),
    steps=(
        Run(6),
        Check("the middle layer is what fits", shows(1)),
        Act("it stops", lambda stage: stage.send("p00", "h", False)),
        Run(5),
        Check("the lowest took its place", shows(0)),
        Act("it comes back", lambda stage: stage.send("p00", "h", True)),
        Run(6),
        Check("and is sent again", shows(1)),
        Check("the picture never stood still for long", alive(1.0)),
    ),
)


def scroll(*packets: int) -> Callable[[Stage], None]:
    """Of the first camera's layers, for each frame from now on."""

    def act(stage: Stage) -> None:
        for layer, count in zip(stage.publishers[0].layers, packets, strict=True):
            layer.packets_per_frame = count

    return act


SCROLLED_SCREEN_OF_TWO_SIZES = Scenario(
    "a screen of two sizes is scrolled, and the larger one costs ten times as much at once",
    cameras=((1, 2),),
    conditions=replace(THREE_MEGABIT, rate_bps=1.2e6),
    frame_rate=15.0,
    key_frame_factor=4,
    steps=(
        Act("it is on stage", lambda stage: stage.show(on_stage="p00", others=(1280, 720))),
        Run(10),
        Check("it is sharp", shows(1)),
        Act("it is scrolled, at 2.4 Mbit/s", scroll(4, 20)),
        Run(2),
        Check("the smaller one is shown", shows(0)),
        Check("it stood still for a moment only", alive(1.0, since_s=9.5)),
        Run(8),
        Check("the queue has gone for good", queue_below(0.2, last_s=7.5)),
        Check("sound goes on", sound_never_rests(0.4, last_s=10)),
        Act("it is at rest", scroll(1, 2)),
        Run(12),
        Check("it is sharp again", shows(1)),
    ),
)


SCROLLED_SCREEN = Scenario(
    "a screen of one layer on stage is scrolled, which costs more than the path carries",
    cameras=((2,),),
    conditions=replace(THREE_MEGABIT, rate_bps=1.2e6),
    frame_rate=15.0,
    steps=(
        Act("it is on stage", lambda stage: stage.show(on_stage="p00", others=(1280, 720))),
        Run(10),
        Check("it is shown", shows(0)),
        Act("it is scrolled, at 1.4 Mbit/s", scroll(12)),
        Run(10),
        Check("that is too dear", limited_by("bandwidth", None, 0)),
        Run(24),
        Check("a picture comes now and then", alive(15.5)),
        Check("and sound goes on", sound_never_rests(0.4, last_s=24)),
        Act("it is at rest", scroll(2)),
        Run(5),
        Check("and shown again", shows(0)),
    ),
)

THIN = Scenario(
    "a path of 300 kbit/s, from the start",
    cameras=(CAMERA_PACKETS,),
    conditions=replace(THREE_MEGABIT, rate_bps=0.3e6),
    steps=(
        Run(12),
        Check("the estimate is what there is", estimate_between(0.8, 1.1, last_s=5)),
        Check("the queue has gone", queue_below(0.2, last_s=3)),
        Check("the picture is small, and moves", shows(0)),
        Check("sound never paused", sound_never_rests(0.7)),
    ),
)

NO_ROOM_FOR_PICTURES = Scenario(
    "80 kbit/s are left: pictures go, sound stays",
    cameras=(CAMERA_PACKETS,),
    steps=(
        Run(4),
        Path("80 kbit/s", {"rate_bps": 0.08e6}),
        Run(10),
        Check("no picture", shows(None)),
        Check("because of bandwidth", limited_by("bandwidth", None)),
        Check("sound goes on", sound_never_rests(0.4, last_s=3)),
        Path("3 Mbit/s again", {"rate_bps": 3e6}),
        Run(5),
        Check("there is a picture again", lambda stage: "none" if None in stage.shown() else None),
    ),
)


def trouble(sentence: str, begin: Callable[[Stage], None], least: float, most_still_s: float = 1.2) -> Scenario:
    """`least`: the share of the path that the estimate keeps; a stall loses what it loses."""
    return Scenario(
        sentence,
        cameras=(CAMERA_PACKETS,),
        conditions=replace(THREE_MEGABIT, rate_bps=0.5e6),
        steps=(
            Run(6),
            Act("it begins", begin),
            Run(8),
            Check("the estimate is kept", estimate_between(least, 1.25, last_s=8)),
            Check("the picture stands still no longer than what stops it", alive(most_still_s, since_s=6.0)),
            Run(5),
            # It may grow beyond what arrives by so much, and 10 kbit/s (`HEADROOM`).
            Check("and it is what it was", estimate_between(0.65, 1.05 + 10e3 / 0.5e6, last_s=1)),
        ),
    )


def busy_receiver(stage: Stage) -> None:
    stage.trouble(8, stage.receiver.be_busy)


def busy_server(stage: Stage) -> None:
    stage.trouble(8, stage.call.be_busy)


def late_reports(stage: Stage) -> None:
    stage.trouble(8, lambda lasts_s: stage.receiver.up.stop(stage.call.now + 2 * lasts_s))


def stuttering_receiver(stage: Stage) -> None:
    """As a machine that has too much to do."""
    stage.trouble(20, stage.receiver.be_busy, stops_s=(0.02, 0.06), rests_s=(0.02, 0.15))


def absent_path(stage: Stage) -> None:
    stage.trouble(8, lambda lasts_s: stage.receiver.down.stop(stage.call.now + lasts_s))


# Between the layers nothing shows that an estimate is too high but probes, and these are misled now and then: what has
# piled up comes faster than it was sent.
STUTTER = Scenario(
    "a receiver is late with everything while the path carries little more than the lowest layer",
    cameras=((1, 6, 14),),
    frame_rate=15.0,
    key_frame_factor=8,
    seed=19,
    steps=(
        Run(8),
        Act("it begins to be late", stuttering_receiver),
        Path("0.5 Mbit/s are left", {"rate_bps": 0.5e6}),
        Run(20),
        Check("the estimate is never above the path for long", estimate_between(0.7, 1.1, last_s=17, but_for=0.2)),
        Check("the picture is small", limited_by("bandwidth", 0)),
    ),
)

SCENARIOS = (
    down_and_up("a link falls from 3 to 0.8 Mbit/s and comes back"),
    down_and_up("the same over 300 ms of round trip", delay_s=0.15),
    replace(down_and_up("the same, and a better layer begins just before a probe", delay_s=0.15), seed=2),
    replace(down_and_up("the same, and a probe begins before it has shown", delay_s=0.15), seed=17),
    down_and_up("the same, and reports take 290 ms of 300", back=Conditions(delay_s=0.29)),
    down_and_up("the same, and reports take 10 ms of 160", delay_s=0.15, back=Conditions(delay_s=0.01)),
    down_and_up("the same, and reports are early or late", delay_s=0.145, back=Conditions(delay_s=0.005, jitter_s=0.1)),
    down_and_up(
        "the same, and one report in fifty is lost of those that take 100 ms of 120",
        delay_s=0.02,
        back=Conditions(delay_s=0.1, jitter_s=0.04, loss=0.02),
    ),
    FALL,
    replace(FALL, sentence="a link falls just when a large picture is on its way", seed=2),
    FALLS_UNDER_A_PROBE,
    FALLS_A_LITTLE,
    FULL_QUEUE,
    *IN_THREE,
    RANDOM_LOSS,
    BURSTS,
    DOWNLOAD,
    JITTER,
    REORDERING,
    CROWD,
    LOST_LAYER,
    SCROLLED_SCREEN,
    SCROLLED_SCREEN_OF_TWO_SIZES,
    THIN,
    NO_ROOM_FOR_PICTURES,
    trouble("a receiver that is busy for up to 0.8 s, again and again", busy_receiver, 0.7),
    trouble("a server that is", busy_server, 0.7),
    STUTTER,
    trouble("reports that stop for up to 1.6 s and come at once", late_reports, 0.7),
    # What comes first is dropped meanwhile, and sent again behind half a second of what waits: together that is 1.3 s
    # and a round trip, whatever anybody does.
    trouble("a path that is away for up to 0.8 s", absent_path, 0.7, most_still_s=1.4),
)
