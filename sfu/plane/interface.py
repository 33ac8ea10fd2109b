"""The plane's methods: what Python says to the per-packet engine, and what the engine says back.

Both engines offer exactly this: the readable twin (`sfu/plane/fallback/`), which is the specification, and a
compiled one. Python decides ("this Slot carries that Track, at this layer"); the plane repeats the decision
for every packet. So nothing here is called per packet, except `on_datagrams`, which takes a whole batch.

    datagrams ─► on_datagrams(batch, now) ─► datagrams to send     logic: no socket, no clock, `now` passed in
                          │
                          ├─► events (STUN, DTLS, RTCP, switches)   take_events(), or on_events once started
                          └─► transport-cc feedback, matched        poll_feedback(now), for all Transports at once

Two drivers, one logic: tests and the simulator call `on_datagrams`, `on_timeout` and `take_output` themselves; a
server calls `start(loop, on_events)`, and from then on the plane reads and writes its own sockets, wakes itself and
calls `on_events` on the loop's thread.

Transports, Tracks and Slots are named by integers the caller chooses and never re-uses.
Lifetimes: remove Slots and Tracks before their Transport; removing a Transport removes what still hangs on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from sfu.core.transport_feedback import FeedbackBatch
from sfu.core.types import Codec, Kind, PayloadFormat
from sfu.plane.config import PlaneConfig as PlaneConfig
from sfu.wire.extensions import ExtensionIds


class Path(NamedTuple):
    """Which of our sockets, and the remote address: a reply leaves from where its request came in."""

    local: int  # index into Plane.addresses
    host: str
    port: int


class Datagram(NamedTuple):
    payload: bytes
    path: Path


class SinkFrame(NamedTuple):
    """`frame` is as `sfu.wire.tap` describes."""

    sink: int
    frame: bytes


# --- configuration -------------------------------------------------------------------------------------------


# --- what Python says ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Keys exported from DTLS (RFC 5764). `profile` is the OpenSSL name, e.g. `SRTP_AEAD_AES_128_GCM`;
    each key is master key and salt in one."""

    profile: str
    receive_key: bytes = field(repr=False)
    send_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """One published source. `rids` from lowest to highest quality; empty: one layer without a rid.

    The plane learns SSRC ↔ (mid, rid) from header extensions and keeps the table for as long as the Track lives:
    browsers stop sending MID and RID once a receiver report names the SSRC.
    """

    mid: str
    kind: Kind
    formats: tuple[PayloadFormat, ...]
    rids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """A subscriber's receive position: one m-line with its SSRCs, which stay the same whatever it carries.

    `payload_types` maps what a Track's packets may be to (media, RTX) payload types of the subscriber;
    RTX `None`: the subscriber has no RTX for it. `first_sequence_number` is below 32768 (SRTP rollover ambiguity).
    """

    mid: str
    kind: Kind
    clock_rate: int
    ssrc: int
    rtx_ssrc: int | None
    payload_types: Mapping[Codec, tuple[int, int | None]]
    first_sequence_number: int
    first_timestamp: int


# --- what the plane says -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StunReceived:
    payload: bytes
    path: Path
    transport: int | None  # who has validated this address, if anybody


@dataclass(frozen=True, slots=True)
class ConsentRenewed:
    """A check from the selected path that only repeats what is known (`set_credentials`). It has been answered."""

    path: Path
    transport: int
    at_s: float


@dataclass(frozen=True, slots=True)
class StrayReceived:
    """SRTP or SRTCP, as it came, from an address that nobody has validated: perhaps of a remote whose NAT has just
    given it another port. `has_moved` tells. Of many, few are told."""

    payload: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class DtlsReceived:
    payload: bytes
    transport: int


@dataclass(frozen=True, slots=True)
class RtcpReceived:
    payload: bytes  # decrypted, a whole compound packet
    transport: int
    at_s: float


@dataclass(frozen=True, slots=True)
class SsrcLearned:
    """An SSRC was matched to a Track's layer, by its mid and rid extensions or because it was announced."""

    track: int
    layer: int
    ssrc: int
    rtx: bool


@dataclass(frozen=True, slots=True)
class KeyFrameReceived:
    track: int
    layer: int


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Unwrapped sequence numbers `first … last` of this layer were jumped over. Video only; at most
    `history_packets` of them (a longer jump is a restart, not a loss)."""

    track: int
    layer: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Switched:
    """The Slot carries this layer from now on; `timestamp` is the first RTP timestamp sent of it."""

    slot: int
    track: int
    layer: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class SinkGone:
    """Nobody reads this sink any more; told once. What it should get is dropped until `remove_sink`."""

    sink: int


Event = (
    StunReceived
    | ConsentRenewed
    | StrayReceived
    | DtlsReceived
    | RtcpReceived
    | SsrcLearned
    | KeyFrameReceived
    | GapSeen
    | Switched
    | SinkGone
)


LONGEST_CNAME_BYTES = 32  # ours have 12
COUNTED_SPATIAL_LAYERS = 3
COUNTED_TEMPORAL_LAYERS = 4  # more than any encoder makes; what is above counts for the last


@dataclass(frozen=True, slots=True)
class LayerReception:
    """What arrived of one layer, for receiver reports (RFC 3550 §6.4.1) and to know which layers flow."""

    layer: int
    ssrc: int
    rtx_ssrc: int | None
    packets: int
    bytes: int  # RTP payload
    first_sequence_number: int  # unwrapped, as are all here
    highest_sequence_number: int
    jitter: float  # in RTP timestamp units
    last_at_s: float
    layer_bytes: tuple[tuple[int, ...], ...] = ()  # RTP payload by spatial, temporal id, of packets that say theirs
    codec: Codec | None = None  # of the last packet with a payload that could be read
    frames: int = 0  # that have begun to arrive, each newer than the last; of sound every packet is one
    freezes: int = 0  # gaps between two frames that browsers would call so; pauses that were meant count, too
    frozen_s: float = 0.0  # how long these took
    restored: int = 0  # packets that were lost and came back by RTX or RED: none of `packets`
    temporal_frames: tuple[int, ...] = ()  # `frames` by temporal id, of those that say theirs


@dataclass(frozen=True, slots=True)
class SlotTransmission:
    """What left through one Slot, for sender reports. `timestamp_at_s` pairs an RTP timestamp of the outgoing
    line with the server time of its capture; `None` before the first packet."""

    track: int | None
    layer: int | None  # being sent now; None: nothing yet
    packets: int
    octets: int
    retransmitted: int
    timestamp_at_s: tuple[int, float] | None


@dataclass(slots=True)
class Counters:
    """Read without a lock at scrape time; only ever grow. `dropped` is keyed by DropReason."""

    received_datagrams: int = 0
    received_rtp: int = 0
    received_rtcp: int = 0
    received_stun: int = 0
    received_dtls: int = 0
    recovered: int = 0  # media packets that came back through a publisher's RTX, or out of its RED
    forwarded: int = 0
    retransmitted: int = 0
    probes: int = 0  # datagrams sent for `probe` alone, by RTX or padding
    feedback_forgotten: int = 0  # groups and clusters that nobody polled in time
    transport_feedback_sent: int = 0
    sent_datagrams: int = 0
    sent_bytes: int = 0
    sink_frames: int = 0  # handed to local sinks
    dropped: dict[str, int] = field(default_factory=dict)


# --- the methods ---------------------------------------------------------------------------------------------


class Plane(Protocol):
    name: str  # "fallback" or "compiled", reported at start-up
    addresses: tuple[str, ...]  # local addresses, in the order of Path.local
    port: int

    @property
    def counters(self) -> Counters: ...

    @property
    def cpu_s(self) -> float:
        """CPU time of its own thread since `start`. 0 without one: a plane on the event loop cannot be told from it."""

    # Drivers
    def start(self, loop: asyncio.AbstractEventLoop, on_events: Callable[[list[Event]], None]) -> None:
        """Open the sockets (`addresses`, `port`; port 0 picks a free one, the same on all) and run."""

    def close(self) -> None:
        """Stop and close the sockets; idempotent."""

    def on_datagrams(self, batch: Sequence[Datagram], now: float) -> list[Datagram]:
        """Logic alone: a received batch in, the datagrams it causes out, in order."""

    def take_events(self) -> list[Event]: ...

    def take_pending(self, by: float) -> list[Event]:
        """Started: what one turn of the event loop should deal with, also what waits for company, if any of it should
        be told by then. More is told by `on_events`, as if nobody had asked."""

    def take_output(self) -> list[Datagram]:
        """Logic alone: what control methods (`send`, `send_rtcp`, `retransmit`, `probe`) caused, in order."""

    def next_timeout(self) -> float | None:
        """Logic alone: when `on_timeout` has something to send; `None` while nothing waits."""

    def on_timeout(self, now: float) -> list[Datagram]:
        """Logic alone: what was due by now, RTX that waited and probes, in order."""

    def take_sink_output(self) -> list[SinkFrame]:
        """Logic alone: what is for local sinks, in order."""

    # Transports
    def add_transport(self, transport: int) -> None: ...

    def bind(self, transport: int, path: Path) -> None:
        """The path has answered a connectivity check with valid integrity. If another Transport had it, that
        one loses it. Beyond `paths_per_transport` the oldest that is not selected goes."""

    def select(self, transport: int, path: Path) -> None:
        """Send there from now on (USE-CANDIDATE, or the first valid check). The path must be bound."""

    def set_credentials(self, transport: int, username_fragment: str, password: str) -> None:
        """Ours, that this remote's checks name and prove. From here on the plane itself answers those that come from
        the selected path and ask for nothing: they renew consent (RFC 7675), and decide nothing. `ConsentRenewed`
        tells of them when Python is awake anyhow. Raises ValueError for what is not as our ICE makes it."""

    def has_moved(self, transport: int, stray: bytes, now: float) -> bool:
        """Whether this stray is authentic and new, and nothing authentic has come from this remote for
        `moved_silent_s`. What the stray carries is not used. Paths stay as they are."""

    def set_keys(self, transport: int, keys: SrtpKeys) -> None:
        """Once per DTLS session. From here on only the plane uses these keys. What has sent already goes on with its
        roll-over counters (RFC 3711 §3.3.1), so a remote that begins anew needs another Transport."""

    def set_extensions(self, transport: int, receive: ExtensionIds, send: ExtensionIds) -> None:
        """How this remote numbers header extensions, in either direction."""

    def remove_transport(self, transport: int) -> None: ...

    def send(self, path: Path, payload: bytes) -> None:
        """STUN answers and the like: as it is."""

    def send_dtls(self, transport: int, payload: bytes) -> None:
        """To the selected path; dropped and counted while there is none."""

    def send_rtcp(self, transport: int, compound: bytes, now: float) -> None:
        """Protect and send; dropped and counted without keys."""

    def set_reporter(self, transport: int, ssrc: int, cname: str) -> None:
        """Who our reports on this Transport are by: `ssrc` where they speak of no Slot. Before the first of them.
        Raises ValueError for a CNAME of more than LONGEST_CNAME_BYTES."""

    def set_feedback_interval(self, transport: int, interval_s: float | None, now: float) -> None:
        """Transport-cc feedback about what comes of this remote leaves so often from now on, whenever anything has
        come; `None`: never. In the reporter's name, at multiples of the interval."""

    def send_reports(self, transports: Sequence[int], ntp_time: int, now: float) -> None:
        """To each of these a report of every Slot that has sent since the last but one, and a block about every layer
        that arrives (RFC 3550 §6.4). `ntp_time` is `now`, in 64 bits. Dropped and counted without keys."""

    def poll_reports(self) -> NDArray[Any]:
        """Rows of `sfu.core.report_blocks.BLOCK`: what remotes have reported of Slots since the last call. A compound
        of nothing else is not told as RtcpReceived."""

    def set_recovery_rate(self, transport: int, rate_bps: float) -> None:
        """What RTX may take on the way to this remote, from now on. Raises ValueError unless it is positive."""

    def probe(self, transport: int, rate_bps: float, packets: int, cluster: int, now: float) -> bool:
        """Send so many datagrams at this rate beside the media, the first one now: recent packets once more by RTX,
        then padding. How they fared comes under the name `cluster` in `FeedbackBatch.clusters`. A cluster that still
        runs ends here. False, and nothing happens, if the remote cannot take them or would not report on them: not
        connected, no Slot with RTX, no transport-cc. Raises ValueError unless rate and number are positive."""

    def poll_feedback(self, now: float) -> FeedbackBatch:
        """What remotes have reported since the last call, of all Transports (see `sfu/core/transport_feedback.py`)."""

    # Publishing
    def add_track(self, track: int, transport: int, spec: TrackSpec) -> None: ...

    def announce_ssrc(self, track: int, layer: int, ssrc: int, rtx: bool) -> None:
        """An SSRC known from signaling, before its first packet."""

    def set_clock(self, track: int, layer: int, rtp_timestamp: int, at_s: float) -> None:
        """A sender report mapped to the server's clock: this timestamp was captured at `at_s`."""

    def remove_track(self, track: int) -> None: ...

    def reception(self, track: int) -> list[LayerReception]:
        """Layers of which anything has arrived."""

    def missing(self, track: int, layer: int, sequence_numbers: Sequence[int]) -> list[int]:
        """Those of these (unwrapped) that have still not arrived and would still be of use."""

    def poll_levels(self) -> NDArray[Any]:
        """Rows of `sfu.core.audio_levels.LEVEL` since the last call."""

    # Subscribing
    def add_slot(self, slot: int, transport: int, spec: SlotSpec) -> None: ...

    def set_payload_types(self, slot: int, payload_types: Mapping[Codec, tuple[int, int | None]]) -> None:
        """In place of those in its `SlotSpec`, from the next packet on. A codec that is not among them is not sent any
        more, by RTX neither; SSRCs and numbers go on, so that no key sees one of them twice."""

    def set_route(self, slot: int, track: int | None) -> None:
        """What the Slot carries; `None` clears it. SSRC and sequence numbers go on. Starts without a layer."""

    def set_layer(
        self,
        slot: int,
        layer: int | None,
        max_temporal_id: int | None = None,
        max_spatial_id: int | None = None,
        *,
        look_back: tuple[float, float] | None = None,
    ) -> None:
        """The layer to send, from its next key frame on (audio: at once); until then the current one goes on.
        `None` pauses, and what was sent is not repeated any more. Of a layer that has layers within (SVC),
        `max_temporal_id` and `max_spatial_id` drop what is above them; lowered, they work from the next picture on,
        raised from where nothing is missing: of temporal layers that comes by itself, of spatial ones it is mostly a
        key frame, which the caller asks for.

        `look_back`, for sound: (since, now). What has arrived since then is sent at once, with the timestamps that it
        would have had, so that who begins to be heard loses no syllable. Not if the Slot has sent anything since."""

    def remove_slot(self, slot: int) -> None: ...

    def retransmit(self, slot: int, sequence_numbers: Sequence[int], now: float) -> int:
        """Answer a NACK (16 bit numbers as the subscriber knows them) by RTX. Returns how many were taken: sent, or
        waiting for the Transport's recovery rate."""

    def transmission(self, slot: int) -> SlotTransmission: ...

    # Local sinks
    def add_sink(self, sink: int, address: str) -> None:
        """A reader with frames of its own: the path of its bound Unix datagram socket, or an abstract name after an
        `@`. Raises OSError when nobody is there. Logic alone looks for nobody."""

    def set_tap(self, sink: int, track: int, layers: Collection[int]) -> None:
        """These layers of the Track go to the sink from now on; none: nothing of it."""

    def remove_sink(self, sink: int) -> None: ...

    # For people: what is known of one of them, as JSON could say it
    def describe_transport(self, transport: int) -> dict[str, object]: ...

    def describe_track(self, track: int) -> dict[str, object]: ...

    def describe_slot(self, slot: int) -> dict[str, object]: ...
