"""The score of a voice: the E-model (ITU-T G.107) with what is known of Opus.

    R = 93.2 − Idd(delay) − Ie,eff(codec, loss)          R → mean opinion score, annex B

Everything else of the model is at its default, for browsers cancel echoes and level voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log2, pow

from sfu.core.quality.score import BEST, WORST, Cause, Score, blamed

# G.107: what is left of 100 when all that is not about packets is at its default.
BASE_RATING = 93.2
# G.107 §7.4: delay below this is not noticed.
UNNOTICED_DELAY_S = 0.1
# Opus in 20 ms packets: one is filled before it leaves.
PACKET_S = 0.02
# A receiver waits for late packets about twice as long as they usually vary.
JITTERS_WAITED = 2.0

# Opus, after the rtcscore project (its logarithm of bit/s, and its two robustness factors): no recommendation of the
# ITU-T that could be found names any. Below 7 kbit/s it would leave the range for which they were fitted.
BITRATE_OFFSET, BITRATE_SLOPE = 55.0, 4.6
MOST_CODEC_IMPAIRMENT = 30.0
USUAL_BITRATE_BPS = 32_000  # browsers' default, where it cannot be told
LOSS_ROBUSTNESS = 20.0  # Bpl with in-band FEC, which we ask of everybody; without it would be 10


@dataclass(frozen=True, slots=True)
class Sound:
    """`loss` from 0 to 1. `rtt_s`, `bitrate_bps`: `None` while it is not known (the latter also in silence).
    `redundant`: each packet carries the one before it, too (RED)."""

    loss: float = 0.0
    jitter_s: float = 0.0
    rtt_s: float | None = None
    bitrate_bps: int | None = None
    redundant: bool = False


def score_sound(sound: Sound) -> Score:
    delay_s = PACKET_S + (sound.rtt_s or 0.0) / 2
    by_delay = delay_impairment(delay_s)
    by_jitter = delay_impairment(delay_s + JITTERS_WAITED * sound.jitter_s) - by_delay
    by_codec = codec_impairment(sound.bitrate_bps)
    # With the one before it in each packet, only two in a row are missed.
    by_loss = loss_impairment(sound.loss**2 if sound.redundant else sound.loss, by_codec) - by_codec
    value = opinion(BASE_RATING - by_delay - by_jitter - by_codec - by_loss)
    return blamed(value, ((Cause.LOSS, by_loss), (Cause.DELAY, by_delay), (Cause.JITTER, by_jitter)))


def delay_impairment(delay_s: float) -> float:
    """Idd of G.107 §7.4, for one way."""
    if delay_s <= UNNOTICED_DELAY_S:
        return 0.0
    x = log2(delay_s / UNNOTICED_DELAY_S)
    root = 1 / 6
    return 25.0 * (pow(1 + x**6, root) - 3 * pow(1 + (x / 3) ** 6, root) + 2)


def codec_impairment(bitrate_bps: int | None) -> float:
    """Ie."""
    bitrate = max(1, USUAL_BITRATE_BPS if bitrate_bps is None else bitrate_bps)
    return min(MOST_CODEC_IMPAIRMENT, max(0.0, BITRATE_OFFSET - BITRATE_SLOPE * log(bitrate)))


def loss_impairment(loss: float, codec: float) -> float:
    """Ie,eff of G.107 §7.5, with losses taken as random (BurstR 1)."""
    percent = 100 * loss
    return codec + (95 - codec) * percent / (percent + LOSS_ROBUSTNESS)


def opinion(rating: float) -> float:
    """G.107 annex B."""
    if rating <= 0:
        return WORST
    if rating >= 100:
        return BEST
    return max(WORST, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
