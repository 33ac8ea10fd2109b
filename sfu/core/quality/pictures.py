"""The score of a picture: its size and its frames against what is wanted, how often it stood still, and what is lost.

    1 + (4.5 − smaller − slower − later − 1) · stalls · loss

No picture is decoded here, so nothing is known of how it looks: a layer is as good as it is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

from sfu.core.quality.score import BEST, WORST, Cause, Score, blamed

# After the rtcscore project's regression. A quarter of the pixels costs 0.8, half of the frames 1.3.
SIZE_WEIGHT = 0.56
FRAME_RATE_WEIGHT = 1.9
DELAY_WEIGHT_PER_S = 2.0
# Hoßfeld et al., "Initial delay vs. interruptions" (QoMEX 2012): what N stalls of L seconds leave of the opinion of a
# clip is exp(−(0.15 L + 0.19) N). Their clips were half a minute long; we look back over less.
STALL_WEIGHT_PER_S, STALL_WEIGHT = 0.15, 0.19
# What is lost is sent again. What is lost again stays away, and spoils pictures as in G.1070: exp(−percent / so much).
# G.1070 has a figure per codec and none for ours; with this, 10 % of loss are fair and 20 % are poor.
LOSS_ROBUSTNESS = 2.5


@dataclass(frozen=True, slots=True)
class Picture:
    """`pixels`, `frame_rate` against what is wanted. `stalls` of `stalled_s` together, lately."""

    pixels: int
    wanted_pixels: int
    frame_rate: float
    wanted_frame_rate: float
    stalls: int = 0
    stalled_s: float = 0.0
    loss: float = 0.0
    rtt_s: float | None = None


def score_picture(picture: Picture) -> Score:
    smaller = SIZE_WEIGHT * _lag(picture.wanted_pixels, picture.pixels)
    slower = FRAME_RATE_WEIGHT * _lag(picture.wanted_frame_rate, picture.frame_rate)
    later = DELAY_WEIGHT_PER_S * (picture.rtt_s or 0.0) / 2
    still = exp(-(STALL_WEIGHT_PER_S * picture.stalled_s + STALL_WEIGHT * picture.stalls))
    whole = exp(-100 * picture.loss**2 / LOSS_ROBUSTNESS)
    smooth = max(0.0, BEST - WORST - smaller - slower - later)
    costs = (
        (Cause.BANDWIDTH, smaller),
        (Cause.FRAME_RATE, slower),
        (Cause.DELAY, later),
        (Cause.FREEZES, smooth * (1 - still)),
        (Cause.LOSS, smooth * still * (1 - whole)),
    )
    return blamed(WORST + smooth * still * whole, costs)


def _lag(wanted: float, given: float) -> float:
    """How far one is behind, as a logarithm; 0 where it is not."""
    least = max(given, wanted / 1e3)  # nothing at all would be infinitely far
    return log(wanted / least) if wanted > given and least > 0 else 0.0
