"""What a Worker is told at start: every limit and interval, each with its reason. Nothing is read from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfu.core.messages import MessageLimits
from sfu.net.config import TransportConfig
from sfu.plane.interface import PlaneConfig


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    # Where
    worker_index: int = 0  # begins our username fragments, so that a check can be told its Worker
    udp_port: int = 0  # one for all media; 0: any that is free on all addresses
    addresses: tuple[str, ...] = ()  # local addresses to listen on; empty: those of all interfaces
    loopback: bool = False  # also 127.0.0.1 and ::1, when `addresses` is empty: development on one machine
    announce: tuple[str, ...] = ()  # `ADDR[:PORT]` that a router or a cloud maps to one of ours; PORT is Worker 0's

    # Limits, against a signaling server gone wrong as much as against clients
    transports: int = 2000  # two per participant: far beyond what one core can forward
    tracks_per_transport: int = 16  # camera, microphone, screen and its sound, several times over
    layers_per_track: int = 4  # browsers send three
    formats_per_track: int = 32  # Chromium offers about twenty payload types for one video m-line
    pixels_per_picture: int = 16384 * 16384  # the largest picture any codec here can have, and so any tile
    slots_per_transport: int = 256  # an audio and a video one for 128 others; SDP beyond that chokes browsers
    slots_ever_per_transport: int = 4096  # an SSRC is never used twice in a DTLS session, so its Slots are counted

    sinks: int = 256  # recordings and taps: each is a socket and a queue of the kernel

    # Forwarding
    least_budget_bps: int = 0  # is spent on each whatever its path is estimated to carry: for networks that are known
    enough_bps: int = 4_000_000  # towards one subscriber; beyond it no picture gets better. A shared screen at its best
    # with a face beside it, or two 720p cameras: more is hardly seen, and people pay for it. Higher: four in a grid of
    # 1080 lines at their best take 5.1 Mbit/s. Who gives no feedback is sent so much
    budget_bps: int = 10_000_000  # the same where it takes more that all are seen: 49 smallest pictures are 7.4 Mbit/s,
    # and a camera or screen that comes in one layer over WHIP up to 6. No estimate goes above it
    estimation_interval_s: float = 0.05  # how often all paths are looked at: half of a remote's pace of reporting.
    # Higher: fewer wake-ups, but overuse is answered later
    estimation_rest_s: float = 0.25  # the same while nobody reports: the first report waits so long at most
    trace_estimates: str = ""  # for debugging: a file of which each Worker writes one, with its number behind the name
    receiver_estimate_lasts_s: float = 15.0  # REMB, from who has no transport-cc: browsers send one a second, and who
    # has stopped may have crashed. Lower: the budget jumps up when a few are lost
    layer_stopped_after_s: float = 1.0  # silent while others flow; sooner if it had many frames (core/flow.py). Lower:
    # shorter freezes; higher: fewer switches
    layer_steady_after_s: float = 1.0  # a layer that returns is trusted then. Lower: pictures jump at an uplink's limit
    flow_interval_s: float = 0.25  # how often layers are looked at: four looks until one counts as stopped
    look_back_s: float = 0.1  # so much of a voice that begins to be heard is made up for. Higher: all of it is late
    loudest: int = 3  # voices that are forwarded at once in a room where more have a microphone. Nobody follows more
    levels_interval_s: float = 0.05  # how often levels are looked at. Lower: less of a first syllable is lost, at 20
    # wake-ups a second while several microphones are on
    levels_rest_s: float = 0.25  # the same where nobody has to be chosen, because no room has more than one: a lecture.
    # With what else is looked at each 250 ms. Ends when one begins to speak, until that is sure: as long as that takes,
    # so that little of it is lost. Higher: who speaks is seen to lag
    quality_interval_s: float = 2.0  # how often everybody's quality is looked at: a hundred packets of a voice, two or
    # three reports of a browser. Lower: known sooner, from less
    pause_layers_after_s: float = 5.0  # a layer that nobody would show is paused then; LiveKit waits as long
    step_up_after_s: float = 4.0  # a picture changed for want of bandwidth rests so long before it gets larger. Lower:
    # pictures jump on a link at its limit; higher: they stay blurred after a short dip
    exceed_again_after_s: float = (
        12.0  # what is too dear for the budget, on stage, is tried again. Lower: sound is held up by its
    )
    # key frames more often; higher: who sees nothing else waits longer for a picture
    allocation_interval_s: float = 1.0  # bitrates change by themselves; everything else reallocates at once
    allocation_rest_s: float = 4.0  # the same for who has all it could have for half of its budget. A third of what
    # subscribers cost Python was this, once a second
    allocation_looks_until_rest: int = 3  # at which that was so already: measured bitrates have settled by then

    # RTCP
    key_frame_spacing_s: float = 0.5  # per Track. Galene waits 500 ms, Signal 200 to 500. Lower: video returns sooner,
    # for more of the publisher's uplink
    key_frames_per_subscriber_s: float = (
        0.5  # lasting rate at which one Subscription's PLIs are honoured: a receiver that
    )
    key_frames_per_subscriber_burst: int = 5  # never decodes must not cost the room a key frame every half second
    feedback_interval_s: float = 0.1  # transport-cc to who publishes, by the plane. libwebrtc's receivers take 50 to
    # 250 ms. Lower: more packets; higher: publishers' estimates follow later
    report_interval_s: float = 1.0  # RFC 3550's 5 s are for multicast; WebRTC endpoints report every second
    report_round_s: float = 0.25  # all Transports' reports leave at common moments: ten made at once take half the time
    # of ten one by one. Higher: larger bursts
    round_s: float = 0.05  # and all that is periodic falls on multiples of this, to share wake-ups
    recovery_share: float = 0.5  # of the budget, for RTX: answering every NACK on a congested path drowns it (5 000
    # drops in 20 s, measured)

    # Timing
    timer_slack_s: float = 0.005  # timers due within this run together: 200 wake-ups per second at most

    plane: PlaneConfig = field(default_factory=PlaneConfig)
    transport: TransportConfig = field(default_factory=TransportConfig)
    messages: MessageLimits = field(default_factory=MessageLimits)
