"""What one stream is worth, as signaling is told of it. Who it belongs to is `assessing.py`'s."""

from __future__ import annotations

from sfu.control import ReceivedFrames, StreamQuality
from sfu.core.quality.published import PublishedQuality
from sfu.core.quality.received import ReceivedQuality
from sfu.core.quality.score import Cause


def stream_quality(stream: PublishedQuality | ReceivedQuality) -> StreamQuality:
    """With its cause, if it has a score."""
    score = stream.score
    return StreamQuality(
        score=None if score is None else score.value,
        cause=Cause.NOTHING if score is None else score.cause,
        loss=stream.loss,
        jitter_s=stream.jitter_s,
    )


def received_frames(stream: ReceivedQuality) -> ReceivedFrames | None:
    """As far as its client says."""
    told = stream.frames
    if told is None:
        return None
    return ReceivedFrames(decoded=told.decoded, dropped=told.dropped, freezes=told.freezes, frozen_s=told.frozen_s)
