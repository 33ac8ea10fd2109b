"""Every message of PROTOCOL.md as a type. The `type` key on the wire is the class name in snake case.

Values only: which message may come when is the session's table, and how frames look is in subprotocols.py. The Python
client uses the same types from the other end, so nothing here knows which side it is on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from sfu.core.types import Kind, TransportState
from signaling.correspondence_messages import AnyCorrespondence, AnyCorrespondenceEvent
from signaling.explanation_messages import Explain as Explain
from signaling.explanation_messages import Explanation as Explanation
from signaling.explanation_messages import ReceivedFrames as ReceivedFrames
from signaling.explanation_messages import TrackExplanation as TrackExplanation
from signaling.message_values import KIND_OF_SOURCE as KIND_OF_SOURCE
from signaling.message_values import ConnectionName as ConnectionName
from signaling.message_values import Count
from signaling.message_values import Grants as Grants
from signaling.message_values import LeaveReason as LeaveReason
from signaling.message_values import Message as Message
from signaling.message_values import Participant as Participant
from signaling.message_values import ParticipantState as ParticipantState
from signaling.message_values import Quality as Quality
from signaling.message_values import Request as Request
from signaling.message_values import RequestId as RequestId
from signaling.message_values import ServerMessage as ServerMessage
from signaling.message_values import Side as Side
from signaling.message_values import Source as Source
from signaling.message_values import TrackDescription as TrackDescription
from signaling.moderation_messages import (
    AnyModeration,
    AnyModerationEvent,
    AttributesChanged,
    HandChanged,
    RoomState,
    StageChanged,
)
from signaling.report_messages import FramesOf as FramesOf
from signaling.report_messages import ReportReceived as ReportReceived
from signaling.report_messages import ReportSent as ReportSent

# --- values --------------------------------------------------------------------------------------------------


class ClientVersion(Struct, frozen=True, kw_only=True):
    """For logs only."""

    name: Annotated[str, Meta(max_length=64)] = ""
    version: Annotated[str, Meta(max_length=64)] = ""


class TrackToPublish(Struct, frozen=True, kw_only=True):
    """What one m-line of the offer is. `width`, `height`: of its best layer. `track`: one of ours goes on here, whose
    connection was reset."""

    mid: str
    source: Source
    muted: bool = False
    width: Side | UnsetType = UNSET
    height: Side | UnsetType = UNSET
    track: str | UnsetType = UNSET


class PublishedTrack(Struct, frozen=True, kw_only=True):
    mid: str
    track: str


class SlotContent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an m-line of our offer carries. `timestamp`: from this RTP timestamp on; `None`: whatever comes there."""

    mid: str
    kind: Kind
    source: Source
    track: str
    participant: str
    rid: str = ""
    timestamp: int | None = None


class Tile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the client shows of one video track, in pixels of its screen."""

    track: str
    width: Side
    height: Side
    frame_rate: Annotated[float, Meta(gt=0)] | None = None  # more is of no use
    on_stage: bool = False
    selected: bool = False


class ResumeTicket(Struct, frozen=True, kw_only=True):
    """Good for one `resume`, within so many seconds after the socket was lost."""

    token: str
    within_s: float


# --- requests ------------------------------------------------------------------------------------------------


class Join(Request, frozen=True, kw_only=True):
    token: str
    auto_subscribe: bool = True
    client: ClientVersion | None = None


class Resume(Request, frozen=True, kw_only=True):
    """On a new socket, instead of `join`. `received`: the `seq` of the last message that arrived."""

    token: str
    received: Annotated[int, Meta(ge=0)]


class Publish(Request, frozen=True, kw_only=True):
    sdp: str
    tracks: tuple[TrackToPublish, ...] = ()


class Unpublish(Request, frozen=True, kw_only=True):
    track: str


class Mute(Request, frozen=True, kw_only=True):
    track: str
    muted: bool


class Subscribe(Request, frozen=True, kw_only=True):
    track: str


class Unsubscribe(Request, frozen=True, kw_only=True):
    track: str


class LimitLayer(Request, frozen=True, kw_only=True):
    track: str
    rid: str | None


class Layout(Request, frozen=True, kw_only=True):
    """What the client shows, whole. `tiles` in the order shown; null: it leaves that to the server."""

    tiles: tuple[Tile, ...] | None = None  # at most MAX_TILES; more are declined, no breach
    last_n: Count | None = None
    max_bps: Count | None = None


class Answer(Request, frozen=True, kw_only=True):
    offer: int
    sdp: str


class RestartIce(Request, frozen=True, kw_only=True):
    """Of the connection on which we offer; on the other the client restarts by its next offer."""

    connection: Literal["subscribe"]


class Refresh(Request, frozen=True, kw_only=True):
    """Another token for the same identity and room, before the one of `join` expires."""

    token: str


class RequestReset(Request, frozen=True, kw_only=True):
    """A connection that nothing else helped. `reset` follows."""

    connection: ConnectionName


class Ping(Request, frozen=True, kw_only=True):
    """Are you there?"""


class Leave(Request, frozen=True, kw_only=True):
    pass


AnyRequest = (
    Join
    | Resume
    | Publish
    | Unpublish
    | Mute
    | Subscribe
    | Unsubscribe
    | LimitLayer
    | Layout
    | ReportReceived
    | ReportSent
    | Explain
    | Answer
    | RestartIce
    | Refresh
    | RequestReset
    | Ping
    | Leave
    | AnyModeration
    | AnyCorrespondence
)


class Ack(Message, frozen=True, kw_only=True):
    """Everything up to this `seq` has arrived. No request: it has no id, and is not answered."""

    received: Annotated[int, Meta(ge=0)]


AnyClientMessage = AnyRequest | Ack


# --- answers -------------------------------------------------------------------------------------------------


class IceServer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As browsers take it (RTCIceServer): a STUN server, or a TURN server with its credentials."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


class Joined(ServerMessage, frozen=True, kw_only=True):
    id: int
    room: str
    you: Participant
    grants: Grants
    participants: tuple[Participant, ...]
    state: RoomState
    viewers: int = 0
    ice_servers: tuple[IceServer, ...] = ()
    resume: ResumeTicket


class Resumed(ServerMessage, frozen=True, kw_only=True):
    """The session goes on, and what was missed follows. `handled`: the highest id of a request that arrived."""

    id: int
    resume: ResumeTicket
    handled: int


class Resynced(ServerMessage, frozen=True, kw_only=True):
    """The session goes on, but more was missed than is kept: this is how things stand now."""

    id: int
    resume: ResumeTicket
    handled: int
    you: Participant
    grants: Grants
    participants: tuple[Participant, ...]
    state: RoomState
    viewers: int = 0


class Published(ServerMessage, frozen=True, kw_only=True):
    """`tracks` are all that are live on the connection."""

    id: int
    sdp: str
    tracks: tuple[PublishedTrack, ...]


class Ok(ServerMessage, frozen=True, kw_only=True):
    id: int


class Error(ServerMessage, frozen=True, kw_only=True):
    id: int
    code: str
    reason: str


# --- events --------------------------------------------------------------------------------------------------


class Offer(ServerMessage, frozen=True, kw_only=True):
    offer: int
    sdp: str
    slots: tuple[SlotContent, ...]


class SlotsChanged(ServerMessage, frozen=True, kw_only=True):
    """M-lines that were offered before carry other tracks, or none any more."""

    slots: tuple[SlotContent, ...] = ()
    freed: tuple[str, ...] = ()  # mids


class ParticipantJoined(ServerMessage, frozen=True, kw_only=True):
    participant: Participant


class ParticipantChanged(ServerMessage, frozen=True, kw_only=True):
    identity: str
    state: ParticipantState


class ParticipantLeft(ServerMessage, frozen=True, kw_only=True):
    identity: str
    reason: LeaveReason


class ViewersChanged(ServerMessage, frozen=True, kw_only=True):
    """How many watch beside those who are listed."""

    count: int


class ParticipantQuality(Struct, frozen=True, kw_only=True):
    identity: str
    quality: Quality | None  # None: nothing is sent or received


class QualityChanged(ServerMessage, frozen=True, kw_only=True):
    """Of these participants the level is another one; the others' are as they were. May include oneself."""

    participants: tuple[ParticipantQuality, ...]


class TrackPublished(ServerMessage, frozen=True, kw_only=True):
    identity: str
    track: TrackDescription


class TrackUnpublished(ServerMessage, frozen=True, kw_only=True):
    identity: str
    track: str


class TrackMuted(ServerMessage, frozen=True, kw_only=True):
    identity: str
    track: str
    muted: bool


RosterEvent = (
    ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | ViewersChanged
    | QualityChanged
    | TrackPublished
    | TrackUnpublished
    | TrackMuted
    | HandChanged
    | StageChanged
    | AttributesChanged
)


class RosterChanged(ServerMessage, frozen=True, kw_only=True):
    """What happened in a large room within a moment, in order."""

    events: tuple[RosterEvent, ...]


class LayerChanged(ServerMessage, frozen=True, kw_only=True):
    track: str
    rid: str


class Speakers(ServerMessage, frozen=True, kw_only=True):
    """`recent`: who spoke, the last first. `speaking`: whether the first still does."""

    recent: tuple[str, ...]
    speaking: bool


class SetEncodings(ServerMessage, frozen=True, kw_only=True):
    """To a publisher: send these layers of the track, and no others. Nobody would show them."""

    track: str
    rids: tuple[str, ...]


class TransportChanged(ServerMessage, frozen=True, kw_only=True):
    connection: ConnectionName
    state: TransportState


class Reset(ServerMessage, frozen=True, kw_only=True):
    """These connections exist no more on our side, and are to be built anew."""

    connections: tuple[ConnectionName, ...]


class TokenExpiring(ServerMessage, frozen=True, kw_only=True):
    """Send `refresh` with another token, or the session ends."""

    in_s: float


class Closing(ServerMessage, frozen=True, kw_only=True):
    code: str
    reason: str


AnyAnswer = Joined | Resumed | Resynced | Published | Explanation | Ok | Error
AnyEvent = (
    Offer
    | SlotsChanged
    | ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | ViewersChanged
    | QualityChanged
    | RosterChanged
    | TrackPublished
    | TrackUnpublished
    | TrackMuted
    | LayerChanged
    | Speakers
    | SetEncodings
    | TransportChanged
    | Reset
    | TokenExpiring
    | Closing
    | AnyModerationEvent
    | AnyCorrespondenceEvent
)
AnyServerMessage = AnyAnswer | AnyEvent
AnyMessage = AnyClientMessage | AnyServerMessage
