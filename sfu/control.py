"""The contract between signaling and a Worker: Commands, their Replies, and Notices that come unasked.

Signaling never calls a Worker object: in one process or across a socket, these messages are all that passes, so that
one Worker or many, embedded or not, look the same. SDP does not appear here; it stops at signaling.

    signaling ── Command(call) ──► Worker        every Command gets exactly one Reply or Refusal, in order per room
    signaling ◄── Reply(call) ─── Worker
    signaling ◄── Notice ──────── Worker        in the order in which things happened

Frames are msgpack maps; the `type` key names the message. Ids are opaque strings chosen by signaling; a Transport,
Track or Subscription id is never used twice. Errors are `Refused` with a stable code.
"""

from __future__ import annotations

from typing import Any, cast

import msgpack
import msgspec
from msgspec import Struct, field

from sfu.control_figures import LayerStatistics as LayerStatistics
from sfu.control_figures import ParticipantQuality as ParticipantQuality
from sfu.control_figures import QualityChanged as QualityChanged
from sfu.control_figures import ReceivedFrames as ReceivedFrames
from sfu.control_figures import StreamQuality as StreamQuality
from sfu.control_figures import SubscriptionStatistics as SubscriptionStatistics
from sfu.control_figures import TrackStatistics as TrackStatistics
from sfu.control_messages import CloseMessages as CloseMessages
from sfu.control_messages import DrainMessages as DrainMessages
from sfu.control_messages import MessageHeard as MessageHeard
from sfu.control_messages import MessagesGone as MessagesGone
from sfu.control_messages import OpenMessages as OpenMessages
from sfu.control_messages import PermitMessages as PermitMessages
from sfu.control_messages import SayMessage as SayMessage
from sfu.control_messages import SendMessage as SendMessage
from sfu.control_reports import FramesReport as FramesReport
from sfu.control_reports import ReportReception as ReportReception
from sfu.control_reports import SetTrackStrained as SetTrackStrained
from sfu.control_sinks import CloseSink as CloseSink
from sfu.control_sinks import LayerTapped as LayerTapped
from sfu.control_sinks import OpenSink as OpenSink
from sfu.control_sinks import SinkLost as SinkLost
from sfu.control_sinks import TapTrack as TapTrack
from sfu.control_sinks import TrackTapped as TrackTapped
from sfu.control_sinks import UntapTrack as UntapTrack
from sfu.control_values import Candidate as Candidate
from sfu.control_values import Command as Command
from sfu.control_values import Fingerprint as Fingerprint
from sfu.control_values import IceParameters as IceParameters
from sfu.control_values import Message as Message
from sfu.control_values import RemoteParameters as RemoteParameters
from sfu.control_values import Reply as Reply
from sfu.control_values import SsrcGroup as SsrcGroup
from sfu.core.types import Codec, Kind, PayloadFormat

# One frame holds one message. The largest, Statistics of a Worker with a thousand Subscriptions, is a fifth of it.
MAX_FRAME_BYTES = 1 << 20


# --- Commands ------------------------------------------------------------------------------------------------


class OpenTransport(Command, frozen=True, kw_only=True):
    """Make a Transport and its local ICE credentials. Reply: TransportOpened."""

    room: str
    participant: str
    transport: str
    may_send_messages: bool = False  # to the others in the room, over its data channels; receiving is for everybody
    keeps_messages: int = 0  # so many of its messages the room keeps from now on, for who comes later
    replays_messages: bool = False  # this one is to hear those that are kept


class ConnectTransport(Command, frozen=True, kw_only=True):
    """The remote's parameters are known: DTLS may begin. Again with new ICE parameters: an ICE restart. Reply: Done."""

    transport: str
    remote: RemoteParameters


class RestartIce(Command, frozen=True, kw_only=True):
    """New local credentials; the old ones stay valid until the new ones are used. Reply: TransportOpened."""

    transport: str


class CloseTransport(Command, frozen=True, kw_only=True):
    """With its Tracks and Subscriptions. Reply: Done."""

    transport: str


class AddTrack(Command, frozen=True, kw_only=True):
    """A participant publishes on this Transport. Reply: Done."""

    transport: str
    track: str
    mid: str
    kind: Kind
    formats: list[PayloadFormat]
    rids: list[str] = field(default_factory=list)  # ascending quality
    is_screen: bool = False  # a screen that is shared, or its sound
    pixels: int | None = None  # of the best layer, if the publisher says so
    ssrcs: list[SsrcGroup] = field(default_factory=list)  # only without rids


class RemoveTrack(Command, frozen=True, kw_only=True):
    """Its Subscriptions end with it. Reply: Done."""

    track: str


class SetTrackMuted(Command, frozen=True, kw_only=True):
    """A muted Track is not forwarded and nobody asks it for key frames. Reply: Done."""

    track: str
    muted: bool


class AddSlot(Command, frozen=True, kw_only=True):
    """A receive position on a subscribing Transport. The Worker chooses SSRCs. Reply: SlotAdded."""

    transport: str
    slot: str
    mid: str
    kind: Kind
    payload_types: dict[Codec, tuple[int, int | None]]  # codec -> media and RTX payload type


class ConfigureSlot(Command, frozen=True, kw_only=True):
    """What the subscriber's answer left of a Slot's payload types, in place of those before. A Track in none of these
    codecs is not forwarded: `codec` is the reason. Reply: Done."""

    slot: str
    payload_types: dict[Codec, tuple[int, int | None]]  # as in AddSlot; without RTX it has none


class RemoveSlot(Command, frozen=True, kw_only=True):
    slot: str


class Subscribe(Command, frozen=True, kw_only=True):
    """Let a Track flow through a free Slot. Reply: Done."""

    subscription: str
    slot: str
    track: str
    max_layer: int | None = None  # index into the Track's rids; None: the best


class LimitLayer(Command, frozen=True, kw_only=True):
    """Change `max_layer`. Reply: Done."""

    subscription: str
    max_layer: int | None


class Unsubscribe(Command, frozen=True, kw_only=True):
    """The Slot is free again. Reply: Done."""

    subscription: str


class Tile(Struct, frozen=True, kw_only=True):
    """What a subscriber shows of one video Track: see sfu/core/layout.py."""

    track: str
    width: int
    height: int
    frame_rate: float | None = None
    on_stage: bool = False
    selected: bool = False


class SetLayout(Command, frozen=True, kw_only=True):
    """What the participant at the other end of this Transport shows. `tiles` in the order shown, also of Tracks that it
    does not receive (yet); `None`: it does not say. Reply: Done."""

    transport: str
    tiles: list[Tile] | None = None
    last_n: int | None = None
    max_bps: int | None = None


class Explain(Command, frozen=True, kw_only=True):
    """Why a Transport receives what it does. Reply: Explanation."""

    transport: str


class ReadStatistics(Command, frozen=True, kw_only=True):
    """Counters of the Worker, its Tracks and Subscriptions. Reply: Statistics."""

    room: str | None = None
    subscriptions: bool = True  # there are as many as people squared, and `Explain` tells of one Transport's


class Describe(Command, frozen=True, kw_only=True):
    """Everything known of one Transport, or of one Subscription with its Slot and Track, for operators. Exactly one is
    named. Reply: Description."""

    transport: str | None = None
    subscription: str | None = None


class ReadLoad(Command, frozen=True, kw_only=True):
    """How much there is to do; asked each second of a Worker in its own process, as a sign of life. Reply: Load."""


class ReadMetrics(Command, frozen=True, kw_only=True):
    """Everything that is counted, for a scrape. Reply: Metrics."""


AnyCommand = (
    OpenTransport
    | ConnectTransport
    | RestartIce
    | CloseTransport
    | PermitMessages
    | OpenMessages
    | SayMessage
    | DrainMessages
    | CloseMessages
    | SendMessage
    | AddTrack
    | RemoveTrack
    | SetTrackMuted
    | AddSlot
    | ConfigureSlot
    | RemoveSlot
    | Subscribe
    | LimitLayer
    | Unsubscribe
    | SetLayout
    | ReportReception
    | SetTrackStrained
    | OpenSink
    | TapTrack
    | UntapTrack
    | CloseSink
    | Explain
    | ReadStatistics
    | Describe
    | ReadLoad
    | ReadMetrics
)


# --- Replies -------------------------------------------------------------------------------------------------


class Done(Reply, frozen=True, kw_only=True):
    pass


class Failed(Reply, frozen=True, kw_only=True):
    """A Command that was declined, with a stable code: `unknown_transport`, `limit`, …, or `internal`."""

    code: str
    reason: str


class TransportOpened(Reply, frozen=True, kw_only=True):
    ice: IceParameters
    fingerprints: list[Fingerprint]
    candidates: list[Candidate]


class SlotAdded(Reply, frozen=True, kw_only=True):
    ssrc: int
    rtx_ssrc: int | None


class CpuSeconds(Struct, frozen=True, kw_only=True):
    """Of the process the Worker runs in, since it began. What is not the plane's is control: Python's part, and with an
    embedded Worker signaling's too."""

    process: float
    plane: float  # its thread's; 0 for a plane without one, which is all control


class Statistics(Reply, frozen=True, kw_only=True):
    tracks: list[TrackStatistics]
    subscriptions: list[SubscriptionStatistics]
    participants: list[ParticipantQuality]
    counters: dict[str, int]  # of the whole plane
    dropped: dict[str, int]  # by DropReason
    cpu_s: CpuSeconds


class SubscriptionExplanation(Struct, frozen=True, kw_only=True):
    """`reason` is a value of LimitedBy, or `key_frame`: what is wanted is on its way. `since_s`: for how long it has
    been so. `missing_bps`: so much more budget would make it better."""

    subscription: str
    track: str
    reason: str
    since_s: float
    layer: int | None  # being sent
    wanted_layer: int | None
    ideal_layer: int | None  # if bandwidth were no object
    frame_rate: float | None  # of what is wanted, where that has temporal layers
    bitrate_bps: int  # of what is wanted
    missing_bps: int
    tile_pixels: int | None  # None: it does not say
    frames: ReceivedFrames | None
    quality: StreamQuality


class Explanation(Reply, frozen=True, kw_only=True):
    budget_bps: int
    estimate_bps: int | None  # of what the path carries; None: this remote does not report
    subscriptions: list[SubscriptionExplanation]
    quality: ParticipantQuality | None = None  # of who it is; None: not looked at yet


class Description(Reply, frozen=True, kw_only=True):
    text: str  # JSON; what stands in it may change with any version


class Load(Reply, frozen=True, kw_only=True):
    forwarded: int  # packets since it began


class MetricSample(Struct, frozen=True, kw_only=True):
    name: str
    labels: dict[str, str]
    value: float


class MetricFamily(Struct, frozen=True, kw_only=True):
    name: str
    text: str
    kind: str  # of Prometheus: counter, gauge, info
    samples: list[MetricSample]


class Metrics(Reply, frozen=True, kw_only=True):
    families: list[MetricFamily]


AnyReply = (
    Done | Failed | TransportOpened | SlotAdded | TrackTapped | Statistics | Explanation | Description | Load | Metrics
)


# --- Notices -------------------------------------------------------------------------------------------------


class TransportChanged(Message, frozen=True, kw_only=True):
    """`state` is a value of TransportState. After `gone` the Transport no longer exists."""

    transport: str
    state: str
    reason: str = ""


class LayerChanged(Message, frozen=True, kw_only=True):
    """A Subscription carries another layer from now on."""

    subscription: str
    layer: int
    timestamp: int  # first RTP timestamp of it


class SpeakersChanged(Message, frozen=True, kw_only=True):
    """`recent`: participants, the last to speak first. `speaking`: whether the first still does."""

    room: str
    recent: list[str]
    speaking: bool


class LoudestChanged(Message, frozen=True, kw_only=True):
    """In a room where more are to be heard than are forwarded at once: the audio Tracks that are worth it now, and
    those that do not say how loud they are. Everybody's again: `tracks` is empty."""

    room: str
    tracks: list[str]


class LayersWanted(Message, frozen=True, kw_only=True):
    """Nobody would show more of this Track than `best_layer`, or any layer below -1: its publisher may as well not send
    what is above, until told otherwise. At first all layers are wanted."""

    transport: str  # that publishes it
    track: str
    best_layer: int


# Of something that signaling has named.
SessionNotice = TransportChanged | LayerChanged | LayersWanted | LayerTapped | SinkLost | MessageHeard | MessagesGone
# Of a room.
RoomNotice = SpeakersChanged | LoudestChanged | QualityChanged
AnyNotice = SessionNotice | RoomNotice

AnyMessage = AnyCommand | AnyReply | AnyNotice


def subject(notice: SessionNotice) -> str:
    """What it is about, by signaling's name for it."""
    match notice:
        case LayerChanged(subscription=name) | SinkLost(sink=name) | LayerTapped(sink=name):
            return name
        case TransportChanged(transport=name) | LayersWanted(transport=name):
            return name
        case MessageHeard(correspondent=name) | MessagesGone(correspondent=name):
            return name


class MalformedFrame(ValueError):
    """Not msgpack, too large, or not the message it should be."""


def encode(message: AnyMessage) -> bytes:
    """One message as one msgpack frame."""
    return cast(bytes, msgpack.packb(msgspec.to_builtins(message, builtin_types=(bytes,))))


def decode(frame: bytes, expected: Any = AnyMessage) -> Any:
    """A frame back to a message of the union `expected`. Raises MalformedFrame."""
    if len(frame) > MAX_FRAME_BYTES:
        raise MalformedFrame(f"{len(frame)} bytes are more than {MAX_FRAME_BYTES}")
    try:
        values = msgpack.unpackb(frame)
        return msgspec.convert(values, expected, builtin_types=(bytes,))
    except (ValueError, msgpack.UnpackException, msgspec.ValidationError) as error:
        raise MalformedFrame(str(error)) from error
