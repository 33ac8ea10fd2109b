"""Which frames of which layer a file shows, and when. Whole recordings: tests/recorder/test_layers.py."""

from __future__ import annotations

from recorder.media.frames import EncodedFrame, GapReason
from recorder.media.layers import LayerChoice, TimedFrame
from sfu.core.types import Codec


def frame(at_s: float, layer: int = 0, *, key: bool = False) -> TimedFrame:
    encoded = EncodedFrame(Codec.VP8, b"x", round(at_s * 90_000), key, at_s, GapReason.NONE)
    return TimedFrame(at_s, layer, encoded)


def shown(choice: LayerChoice, *frames: TimedFrame) -> list[float]:
    taken = [choice.take(one) for one in frames]
    return [round(one.at_s, 4) for one in taken if one is not None]


def test_no_frame_is_left_out_when_the_clock_is_corrected_backwards() -> None:
    """A decoder would show nothing right until the next key frame."""
    choice = LayerChoice(silent_s=1.0)
    assert shown(choice, frame(1.0, key=True), frame(1.07), frame(1.05), frame(1.06), frame(1.12)) == [
        1.0,
        1.07,
        1.071,
        1.072,
        1.12,
    ]


def test_an_older_moment_of_another_layer_is_not_shown() -> None:
    choice = LayerChoice(silent_s=1.0)
    assert shown(choice, frame(1.0, key=True), frame(1.8), frame(1.2, 1, key=True), frame(1.27, 1), frame(1.87)) == [
        1.0,
        1.8,
        1.87,
    ]
    assert shown(choice, frame(1.5, 1, key=True), frame(1.57, 1), frame(1.9, 1)) == [
        1.871,
        1.872,
        1.9,
    ], "the same moment, in better"
