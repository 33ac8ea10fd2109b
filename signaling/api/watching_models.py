"""What of somebody's receiving and showing the API takes and gives, as types. As those of `models.py`."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from signaling.api.models import MAX_ID_CHARACTERS, Cause, Loss, Score, Seconds, TrackFigures
from signaling.message_values import MAX_TILES, Count, ParticipantState, Quality, Side
from signaling.messages import ReceivedFrames

# RFC 8852 sets no limit; browsers take 255, people use one letter.
MAX_RID_CHARACTERS: Final = 16


class SubscriptionItem(Struct, frozen=True, kw_only=True):
    """A track that somebody is to receive, and why in this quality. Rids are empty without simulcast, and null where
    nothing is sent. `reason` is a word of ALLOCATION.md."""

    track: str
    reason: str
    explanation: Annotated[str, Meta(description="The reason as a sentence.")]
    since_s: Annotated[Seconds | None, Meta(description="For how long it has been so; null: that is not known.")]
    rid: Annotated[str | None, Meta(description="The layer being sent.")]
    wanted_rid: Annotated[str | None, Meta(description="The layer chosen; on its way where it differs from `rid`.")]
    ideal_rid: Annotated[str | None, Meta(description="What it would be if bandwidth were no object.")]
    bitrate_bps: Annotated[int, Meta(description="Of what is chosen.")]
    missing_bps: Annotated[int, Meta(description="So much more would make it better; 0: nothing would.")]
    tile_pixels: Annotated[int | None, Meta(description="Of what the client shows of it; null if it does not say.")]
    score: Score
    cause: Cause
    loss: Loss
    frames: Annotated[ReceivedFrames | None, Meta(description="Of video; null: the client does not say.")]


class SubscriptionList(Struct, frozen=True, kw_only=True):
    """All that somebody is to receive."""

    identity: str
    budget_bps: Annotated[int, Meta(description="What is spent on him at most.")]
    estimate_bps: Annotated[int | None, Meta(description="What his connection carries; null before that is known.")]
    items: list[SubscriptionItem]


class ParticipantDebug(Struct, frozen=True, kw_only=True):
    """All that is known of how somebody sends and receives."""

    identity: str
    name: str
    state: ParticipantState
    quality: Annotated[Quality | None, Meta(description="Of all that he sends and receives.")]
    published: list[TrackFigures]
    refused: Annotated[
        str | None, Meta(description="Why nothing is known of what he receives, a code; null: all is.")
    ] = None
    budget_bps: Annotated[int, Meta(description="What is spent on him at most.")] = 0
    estimate_bps: Annotated[int | None, Meta(description="What his connection carries; null: not known.")] = None
    received: Annotated[list[SubscriptionItem], Meta(description="What has an m-line at his client.")] = []
    without_place: Annotated[
        dict[str, int], Meta(description="How many tracks have none, in a crowd, by the reason of each.")
    ] = {}


class RoomDebug(Struct, frozen=True, kw_only=True):
    """A room's participants by identity, with all figures of the moment."""

    room: str
    items: list[ParticipantDebug]
    next_cursor: str | None


class SubscriptionChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is not named stays as it is."""

    subscribed: bool | UnsetType = UNSET
    max_rid: (
        Annotated[
            Annotated[str, Meta(max_length=MAX_RID_CHARACTERS)] | None,
            Meta(description="No better layer than this; null: the best that fits."),
        ]
        | UnsetType
    ) = UNSET


ContentVersion = Annotated[int, Meta(description="Another whenever it is; also the ETag.")]


class SubscriptionWish(Struct, frozen=True, kw_only=True):
    """What is to be received of a track. Whether it is, and in which quality: `explain`."""

    track: str
    subscribed: bool
    max_rid: str | None


class VersionedWish(SubscriptionWish, frozen=True, kw_only=True):
    version: ContentVersion


class LayoutTile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is shown of one video track, in pixels of the participant's screen."""

    track: Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)]
    width: Side
    height: Side
    frame_rate: Annotated[Annotated[float, Meta(gt=0)] | None, Meta(description="More is of no use.")] = None
    on_stage: bool = False
    selected: bool = False


class ShownLayout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a participant's client shows, in the order shown. Null: it leaves that to the server."""

    tiles: Annotated[list[LayoutTile], Meta(max_length=MAX_TILES)] | None = None
    last_n: Annotated[Count | None, Meta(description="So many videos at most.")] = None
    max_bps: Annotated[Count | None, Meta(description="So much is spent on it at most.")] = None


class VersionedLayout(ShownLayout, frozen=True, kw_only=True, forbid_unknown_fields=False):
    version: ContentVersion
