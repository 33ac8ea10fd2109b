"""Which m-lines an offer over HTTP may have, and what each carries.

RFC 9725 §4.4.2 speaks of one audio and one video track; a second of each kind is taken for the screen and its sound.
Nothing is accepted by half (§4.4.3): one m-line that cannot be used, and the offer is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sfu.core.types import Kind
from signaling.errors import Refused
from signaling.messages import Source
from signaling.negotiation import OfferedMedia, ReadOffer

# In the order of the m-lines of a kind.
SOURCES: Final[Mapping[Kind, tuple[Source, Source]]] = MappingProxyType(
    {"audio": ("microphone", "screen_audio"), "video": ("camera", "screen")}
)
_CODECS: Final = {"audio": "Opus", "video": "VP8, H.264 (baseline, packetization-mode=1), VP9 or AV1 (profile 0)"}


def check_lines(offer: ReadOffer, *, sends: bool) -> tuple[OfferedMedia, ...]:
    """The m-lines, on each of which the client sends (or receives). Raises Refused when one cannot be used."""
    if offer.rejected:
        raise _unsupported(offer.rejected[0], "this m-line cannot be used, and no offer is answered in part")
    if not offer.media:
        raise Refused("sdp_unsupported", "there is neither audio nor video")
    for media in offer.media:
        if not (media.sends if sends else media.receives):
            wanted = "sendonly" if sends else "recvonly"
            raise _unsupported(media.line, f"this m-line has to be a={wanted} or a=sendrecv")
        if not media.formats:
            raise _unsupported(media.line, f"of {media.kind}, {_CODECS[media.kind]} is forwarded here")
    for kind, sources in SOURCES.items():
        of_kind = [media for media in offer.media if media.kind == kind]
        if len(of_kind) > len(sources):
            raise _unsupported(of_kind[len(sources)].line, f"more than {len(sources)} m-lines of {kind}")
    return offer.media


def sources_of(media: Sequence[OfferedMedia]) -> dict[str, Source]:
    """What the client publishes on each, by mid."""
    unused = {kind: list(sources) for kind, sources in SOURCES.items()}
    return {one.mid: unused[one.kind].pop(0) for one in media}


def _unsupported(line: int, why: str) -> Refused:
    return Refused("sdp_unsupported", f"line {line}: {why}")
