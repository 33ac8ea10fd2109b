"""Limits of the plane, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlaneConfig:
    history_packets: int = 512  # per video layer: about 2 s at 2.5 Mbit/s; a NACK later than that helps nobody
    sent_packets: int = 1024  # per Slot, to answer NACKs: a NACK names sequence numbers of the last second or two
    srtp_window: int = 1024  # replay window: reordering beyond this is loss
    batch_datagrams: int = 32  # per socket and wake-up: timers must run under a flood (libuv stops there too)
    strangers_per_batch: int = 16  # datagrams from unknown addresses that go up in one batch: STUN first, rest dropped
    stray_interval_s: float = (
        0.02  # SRTP from unknown addresses goes up one by one, so far apart: what a flood of it may
    )
    # cost. Higher: who has a new address is found later
    moved_silent_s: float = (
        0.1  # who may have moved has said nothing at its old address for so long: reordering is over
    )
    paths_per_transport: int = 8  # validated addresses: Wi-Fi, mobile, IPv4, IPv6 and some stale ones
    ssrcs_per_transport: int = 64  # 3 layers and their RTX for ten Tracks
    arrivals_per_transport: int = 4096  # transport-cc numbers not yet taken: 20 times what one feedback covers
    pending_events: int = 4096  # events not yet taken; strangers' are refused from half of it on
    clock_tolerance_s: float = 5.0  # sender reports further from arrival times are disbelieved: no queue is so long
    rtx_repeat_after_s: float = 0.1  # the same packet is not resent sooner: a NACK repeats about once per RTT
    recovery_bps: int = 4_000_000  # RTX towards one Transport until `set_recovery_rate`: half of what a home line takes
    report_patience_s: float = 0.25  # remotes' reports wait until Python is awake, or so long: nobody awaits an
    # answer, and they say when they came. Python takes ten at once in half the time of ten one by one. Higher: later
    # round-trip times
    recovery_burst_s: float = 0.1  # at once, of that: 40 packets. Lower: repairs wait; higher: they fill a full queue
    rtx_waiting: int = 256  # per Transport: what 0.6 s at that rate carry; more would only come when it is too late
    rtx_wait_s: float = 0.5  # what waited longer is not sent: whoever still misses it has asked several times again
    packets_in_flight: int = (
        4096  # per Transport, until feedback: 2 s at 20 Mbit/s. Lower: a slow feedback finds nothing
    )
    groups_pending: int = 512  # per Transport, until polled: 2.5 s of one each 5 ms; the oldest go
    socket_buffer_bytes: int = 4 << 20  # asked of the kernel: 208 kB, the default, holds 90 packets
    sink_buffer_bytes: int = 4 << 20  # per local sink, asked of the kernel: 3 600 packets, 2 s of ten cameras
    audio_kept_packets: int = 8  # per audio layer, to look back: 160 ms, a little more than is asked for
    levels_per_track: int = 256  # audio levels not yet taken: 5 s of 20 ms packets; what comes then is not noted
