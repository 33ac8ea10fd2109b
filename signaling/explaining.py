"""Why a client receives what it does: what the Worker says of each Subscription, by the names that clients know, and of
what is wished and has none, why it has none.

    the Worker's Explanation ─► rows of what has a Slot and may flow there
    wishes, seating, layout  ─► rows of the rest: in a crowd, that is most of the room
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec.structs import asdict, replace

from sfu import control
from sfu.control import SubscriptionExplanation
from signaling.lane import Steps, expect
from signaling.messages import Explanation, ReceivedFrames, TrackExplanation
from signaling.names import Names
from signaling.quality import quality_of, rounded
from signaling.seating import Audience, RemoteTrack, Seating
from signaling.slots import SlotTable
from signaling.wishes import Wishes


def explanation(
    request: int,
    names: Names,
    transport: str | None,
    track_of: Callable[[str], RemoteTrack | None],
    rest: Callable[[Collection[str]], Iterable[TrackExplanation]],
) -> Steps[Explanation]:
    """`track_of`: by the name of a Subscription. `rest`: of what is not among these names. Raises Refused."""
    if transport is None:
        return Explanation(id=request, budget_bps=0, estimate_bps=None, tracks=tuple(rest(())))
    (reply,) = yield [control.Explain(call=names.call(), transport=transport)]
    told = expect(reply, control.Explanation)
    found = [(row, track) for row in told.subscriptions if (track := track_of(row.subscription)) is not None]
    rows = [explained(row, track) for row, track in found]
    return Explanation(
        id=request,
        budget_bps=told.budget_bps,
        estimate_bps=told.estimate_bps,
        tracks=(*rows, *rest({row.track for row in rows})),
        quality=None if told.quality is None else quality_of(told.quality, figures=True),
    )


def of_these(told: Explanation, tracks: Collection[str]) -> Explanation:
    return replace(told, tracks=tuple(row for row in told.tracks if row.track in tracks))


def explained(row: SubscriptionExplanation, track: RemoteTrack) -> TrackExplanation:
    def rid(layer: int | None) -> str | None:
        rids = track.description.rids
        return None if layer is None else rids[layer] if layer < len(rids) else ""

    return TrackExplanation(
        track=track.name,
        reason=row.reason,
        since_s=row.since_s,
        rid=rid(row.layer),
        wanted_rid=rid(row.wanted_layer),
        ideal_rid=rid(row.ideal_layer),
        bitrate_bps=row.bitrate_bps,
        missing_bps=row.missing_bps,
        tile_pixels=row.tile_pixels,
        score=rounded(row.quality.score),
        cause=row.quality.cause,
        loss=row.quality.loss,
        frames=None if row.frames is None else ReceivedFrames(**asdict(row.frames)),
    )


def unreceived(
    explained: Collection[str],
    wishes: Wishes,
    slots: SlotTable,
    seating: Seating,
    audience: Audience,
    media: Mapping[str, str | None],
) -> Iterator[TrackExplanation]:
    """Of what is wished and not `explained` by the Worker. `media`: of tracks that have moved."""
    ending = slots.subscribed()  # the Worker has ended it with its track, and the room is about to say so
    undecodable = slots.undecodable(media)
    placed = {track.name for tracks in (*seating.pairs.values(), *seating.voices.values()) for track in tracks.values()}
    for track in wishes:
        name = track.name
        if name in explained or name in ending:
            continue
        if name in undecodable:
            yield unsent(name, "codec")
        elif wishes.is_muted(name):
            yield unsent(name, "muted")
        elif media.get(name, name) is None:
            yield unsent(name, "not_sent")  # its publisher's connection is lost
        elif name in placed:
            yield unsent(name, "not_connected")  # the client has not answered the offer with its Slot yet
        elif track.description.kind == "audio":
            yield unsent(name, "quiet")
        elif audience.tiles is not None and name not in audience.tiles:
            yield unsent(name, "layout")
        else:
            yield unsent(name, "last_n")


def unsent(track: str, reason: str) -> TrackExplanation:
    """The Worker knows nothing of it. For how long this has been so, nobody keeps."""
    return TrackExplanation(
        track=track,
        reason=reason,
        since_s=None,
        rid=None,
        wanted_rid=None,
        ideal_rid=None,
        bitrate_bps=0,
        missing_bps=0,
        tile_pixels=None,
    )
