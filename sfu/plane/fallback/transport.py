"""One remote: the addresses it may send from, its keys, how it numbers extensions, and which SSRCs it uses.

Everything that leaves towards the remote goes through `send_rtp`, so that transport-cc numbers follow the order of
sending, and only this class touches the SRTP session.
"""

from __future__ import annotations

import math

from sfu.core.types import DropReason
from sfu.plane.fallback.arrivals import Arrivals
from sfu.plane.fallback.feedback import Feedback
from sfu.plane.fallback.flight import Departure
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.packets import PASSED_ON, passed_on_ids
from sfu.plane.fallback.probing import Probing
from sfu.plane.fallback.publishing import PassedOn, Track, TrackLayer
from sfu.plane.fallback.recovery import Recovery
from sfu.plane.fallback.reporting import Reporting
from sfu.plane.fallback.slot import Slot
from sfu.plane.fallback.srtp import SrtpRefused, SrtpSession
from sfu.plane.interface import Path, PlaneConfig, SrtpKeys
from sfu.wire import extensions, stun
from sfu.wire.addresses import shortened
from sfu.wire.extensions import ExtensionIds

# Header extensions that are looked at, and those written afresh.
_READ = ("mid", "rid", "repaired_rid", "transport_cc", "dependency_descriptor")
_WRITTEN = ("mid", "abs_send_time", "transport_cc", "dependency_descriptor")

LONGEST_FRAGMENT, LONGEST_PASSWORD = 32, 64  # ours have 10 and 24 characters


class Source:
    """What one SSRC of a publisher carries. `layer` is `None` once another SSRC has taken its place: packets of
    it that are still under way shall not take it back."""

    __slots__ = ("layer", "rtx", "track")

    def __init__(self, track: Track, layer: TrackLayer | None, rtx: bool) -> None:
        self.track = track
        self.layer = layer
        self.rtx = rtx


class Transport:
    def __init__(self, id: int, config: PlaneConfig, outbox: Outbox) -> None:
        self.id = id
        self._config = config
        self._outbox = outbox
        self._paths: dict[Path, None] = {}  # validated; the latest check last
        self.selected: Path | None = None
        self._username = self._password = b""  # of checks that are answered here
        self.srtp: SrtpSession | None = None
        self.receive_ids = ExtensionIds()
        self.receive_passed_on = tuple(passed_on_ids(self.receive_ids).items())
        self._send_ids = ExtensionIds()
        self._send_passed_on = passed_on_ids(self._send_ids)
        # Publishing
        self.tracks: dict[str, Track] = {}  # by mid
        self.sources: dict[int, Source] = {}  # by SSRC
        self.heard_at = -math.inf  # of SRTP and SRTCP
        self._heard: set[bytes] = set()  # SSRCs as on the wire, of which libsrtp keeps state
        self.arrivals = Arrivals(config)
        # Subscribing
        self.slots: dict[int, Slot] = {}
        self._used_ssrcs: set[int] = set()  # outgoing ones, those of removed Slots too
        self.feedback = Feedback(config, outbox.counters)
        self.recovery = Recovery(config)
        self.probing = Probing(self, outbox)
        self.reporting = Reporting(self)

    # --- addresses -----------------------------------------------------------------------------------------

    def bind(self, path: Path) -> Path | None:
        """Returns the path that had to go, if any."""
        self._paths.pop(path, None)
        self._paths[path] = None
        if len(self._paths) <= self._config.paths_per_transport:
            return None
        oldest = next(known for known in self._paths if known != self.selected)
        del self._paths[oldest]
        return oldest

    def unbind(self, path: Path) -> None:
        del self._paths[path]
        if self.selected == path:
            self.selected = None

    def select(self, path: Path) -> None:
        if path not in self._paths:
            raise KeyError(f"transport {self.id} has not validated {path}")
        self.selected = path

    def set_credentials(self, username_fragment: str, password: str) -> None:
        if not 0 < len(username_fragment) <= LONGEST_FRAGMENT or len(password) > LONGEST_PASSWORD:
            raise ValueError("credentials are not as our ICE makes them")
        self._username, self._password = f"{username_fragment}:".encode(), password.encode()

    def answer_to_check(self, check: bytes, path: Path) -> bytes | None:
        """`None`: the check is not one that only renews consent."""
        if path != self.selected or not self._username:
            return None
        return stun.answer_to_check(check, self._username, self._password, path.host, path.port)

    @property
    def paths(self) -> list[Path]:
        return list(self._paths)

    # --- sending -------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        return self.srtp is not None and self.selected is not None

    def set_keys(self, keys: SrtpKeys) -> None:
        self.srtp = SrtpSession(keys, self._config.srtp_window)

    def set_extensions(self, receive: ExtensionIds, send: ExtensionIds) -> None:
        self.receive_ids = receive
        self.receive_passed_on = tuple(passed_on_ids(receive).items())
        self._send_ids = send
        self._send_passed_on = passed_on_ids(send)

    def reserve_ssrc(self, ssrc: int) -> None:
        """An SSRC is given out once per Transport: its numbers begin anew, and the key has seen them all (SRTP
        would encrypt two packets with one nonce). Raises ValueError."""
        if ssrc in self._used_ssrcs:
            raise ValueError(f"SSRC {ssrc} was used on transport {self.id} before")
        self._used_ssrcs.add(ssrc)

    def extension_block(self, mid: bytes, passed_on: PassedOn, descriptor: bytes | None, now: float) -> bytes:
        """For the packet that leaves next. `descriptor` is the dependency one."""
        ids = self._send_ids
        elements: list[tuple[int, bytes]] = []
        if ids.mid:
            elements.append((ids.mid, mid))
        if ids.abs_send_time:
            elements.append((ids.abs_send_time, extensions.abs_send_time(now)))
        if ids.transport_cc:
            elements.append((ids.transport_cc, (self.feedback.flight.next_number & 0xFFFF).to_bytes(2, "big")))
        for index, value in passed_on:
            if index in self._send_passed_on:
                elements.append((self._send_passed_on[index], value))
        if descriptor is not None and ids.dependency_descriptor:
            elements.append((ids.dependency_descriptor, descriptor))
        return extensions.pack(elements)

    def send_rtp(self, packet: bytes, now: float, cluster: int = 0) -> int | DropReason:
        """The datagram's size, or why it could not leave. `cluster` is the serial number of what it probes for."""
        if self.srtp is None or self.selected is None:
            return DropReason.NOT_CONNECTED
        try:
            datagram = self.srtp.protect(packet)
        except SrtpRefused as refused:
            return refused.reason
        self._outbox.send(self.selected, datagram)
        if self._send_ids.transport_cc:
            self.feedback.flight.note(Departure(now, len(datagram), cluster))
        return len(datagram)

    def send_rtcp(self, compound: bytes) -> DropReason | None:
        if self.srtp is None or self.selected is None:
            return DropReason.NOT_CONNECTED
        try:
            self._outbox.send(self.selected, self.srtp.protect_rtcp(compound))
        except SrtpRefused as refused:
            return refused.reason
        return None

    def send_dtls(self, payload: bytes) -> DropReason | None:
        if self.selected is None:
            return DropReason.NOT_CONNECTED
        self._outbox.send(self.selected, payload)
        return None

    # --- sending later -------------------------------------------------------------------------------------

    @property
    def numbers_departures(self) -> bool:
        """The remote reports on what it gets."""
        return self._send_ids.transport_cc != 0

    def next_timeout(self) -> float | None:
        times = (self.recovery.next_timeout(), self.probing.next_timeout(), self.arrivals.next_timeout())
        return min((at for at in times if at is not None), default=None)

    def on_timeout(self, now: float) -> None:
        self.recovery.send_due(now)
        self.probing.send_due(now)
        self._send_feedback(now)
        self.note_later()

    def _send_feedback(self, now: float) -> None:
        ssrcs = (layer.ssrc for track in self.tracks.values() for layer in track.layers if layer.ssrc is not None)
        for packet in self.arrivals.on_timeout(self.reporting.ssrc, next(ssrcs, None), now):
            refusal = self.send_rtcp(packet)
            if refusal is None:
                self._outbox.counters.transport_feedback_sent += 1
            else:
                self._outbox.drop(refusal)

    def note_later(self) -> None:
        """After anything that changes whether something waits to be sent."""
        if self.next_timeout() is None:
            self._outbox.later.pop(self, None)
        else:
            self._outbox.later.setdefault(self)

    # --- receiving -----------------------------------------------------------------------------------------

    def may_hear(self, ssrc: bytes) -> bool:
        """Whether a packet of this SSRC may be decrypted: libsrtp keeps state for each, and so must be limited."""
        return ssrc in self._heard or len(self._heard) < self._config.ssrcs_per_transport

    def hear(self, ssrc: bytes, now: float) -> None:
        """It has come from this remote, without doubt."""
        self._heard.add(ssrc)
        self.heard_at = now

    def forget(self, ssrc: int) -> None:
        """Its Track is gone."""
        self.sources.pop(ssrc, None)
        self._heard.discard(ssrc.to_bytes(4, "big"))

    def note_arrival(self, number: bytes, now: float) -> None:
        """`number` is the transport-cc element."""
        if self.arrivals.note(number, now):
            self.note_later()

    def set_feedback_interval(self, interval_s: float | None, now: float) -> None:
        self.arrivals.set_interval(interval_s, now)
        self.note_later()

    # --- for people ----------------------------------------------------------------------------------------

    def describe(self) -> dict[str, object]:
        return {
            "transport": self.id,
            "paths": [_described(path) for path in self._paths],
            "selected": None if self.selected is None else _described(self.selected),
            "has_keys": self.srtp is not None,
            "receive_extensions": _negotiated(self.receive_ids, (*_READ, *PASSED_ON)),
            "send_extensions": _negotiated(self._send_ids, (*_WRITTEN, *PASSED_ON)),
            "tracks": sorted(track.id for track in self.tracks.values()),
            "slots": sorted(self.slots),
            "sources": [
                {
                    "ssrc": ssrc,
                    "rtx": source.rtx,
                    "track": source.track.id,
                    "layer": None if source.layer is None else source.layer.index,
                }
                for ssrc, source in sorted(self.sources.items())
            ],
            "heard_ssrcs": len(self._heard),
            "next_transport_number": self.feedback.flight.next_number & 0xFFFF,
            "in_flight_bytes": self.feedback.flight.in_flight_bytes,
        }


def _described(path: Path) -> dict[str, object]:
    return {"local": path.local, "host": shortened(path.host), "port": path.port}


def _negotiated(ids: ExtensionIds, names: tuple[str, ...]) -> dict[str, int]:
    return {name: number for name in names if (number := getattr(ids, name))}
