"""The reason of an allocation as a sentence, for people who look at a participant from outside."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from signaling.messages import TrackExplanation

# The words of PROTOCOL.md.
SENTENCES: Final = MappingProxyType(
    {
        "nothing": "It gets the best there is.",
        "wish": "The client asked for no better layer.",
        "layout": "Its tile is too small to show more, or it has none.",
        "last_n": "There are more pictures than are sent at once; others come first.",
        "publisher": "The publisher sends no better layer now.",
        "publisher_cpu": "The publisher's computer is too busy to send a better layer.",
        "cpu": "The client says that its computer is too busy to show more.",
        "bandwidth": "The connection of this participant carries no more.",
        "quiet": "Others in the room are louder.",
        "muted": "The publisher has muted it.",
        "codec": "The client can decode no codec that it is sent in.",
        "not_sent": "Nothing has arrived from the publisher.",
        "not_connected": "The connection of this participant is not up.",
        "key_frame": "A better layer is on its way: a key frame is waited for.",
    }
)


def sentence(track: TrackExplanation) -> str:
    """What keeps it from being better, with what would help where that is known."""
    text = SENTENCES.get(track.reason, track.reason)
    if track.missing_bps > 0:
        text += f" With {track.missing_bps / 1000:.0f} kbit/s more it would be better."
    return text
