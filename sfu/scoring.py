"""What one stream is worth, as signaling is told of it. Who it belongs to is `assessing.py`'s."""

from __future__ import annotations

from sfu.control import StreamQuality
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
