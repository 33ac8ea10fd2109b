"""A subscriber behind a path of its own, as a browser is one: it reports on every packet, and asks for what it misses.

What it is sent is not decrypted: the headers say all that is needed (RFC 3711 leaves them in the clear), and it halves
the time that a scenario takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from random import Random

from sfu.control import AddSlot, LayerChanged, SlotAdded, Subscribe
from sfu.core.feedback import ArrivalFeedback
from sfu.core.types import Codec
from sfu.wire import rtp, twcc, vp8
from sfu.wire.demux import Kind, classify
from sfu.wire.feedback import Nack
from sfu.wire.serial import Unwrapper
from tests.sim.call import IDS, Call, Remote
from tests.sim.link import Conditions, Link

FEEDBACK_S = 0.1  # libwebrtc's receivers report every 50 to 250 ms
NACK_S = 0.05
GIVE_UP_S = 1.0  # a packet that has not come by then leaves a hole
CODECS: Mapping[str, Mapping[Codec, tuple[int, int | None]]] = {
    "audio": {Codec.OPUS: (111, None)},
    "video": {Codec.VP8: (96, 97)},
}


class Picture:
    """What one video Slot's SSRC brings: when frames were whole. A frame is whole with all before it, but for a key
    frame: with that a decoder goes on, whatever was missing."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.frames: list[float] = []
        self.bytes = 0
        self._numbers = Unwrapper()
        self._next: int | None = None
        self._waiting: dict[int, bool] = {}  # number -> does it end a frame?
        self._missing_since: dict[int, float] = {}
        self._key_frame: int | None = None  # the first packet of one that is not whole yet

    def on_packet(self, number: int, ends_frame: bool, now: float, *, starts_key_frame: bool = False) -> None:
        unwrapped = self._numbers.unwrap(number)
        if starts_key_frame:
            self._key_frame = unwrapped
        if self._next is None:
            self._next = unwrapped
        if unwrapped < self._next or unwrapped in self._waiting:
            return
        for missing in range(max([self._next - 1, *self._waiting]) + 1, unwrapped):
            self._missing_since.setdefault(missing, now)
        self._missing_since.pop(unwrapped, None)
        self._waiting[unwrapped] = ends_frame
        if self._key_frame is not None and self._is_whole(self._key_frame):
            self._skip_to(self._key_frame)
        self._advance(now)

    def missing(self, now: float) -> tuple[int, ...]:
        """To be asked for. What has been missing for too long is given up, and what follows it shown."""
        for number, since in list(self._missing_since.items()):
            if now - since > GIVE_UP_S:
                del self._missing_since[number]
                self._waiting[number] = False
        self._advance(now)
        return tuple(number & 0xFFFF for number in self._missing_since)

    def longest_freeze_s(self, since: float, until: float) -> float:
        times = [since, *(at for at in self.frames if since < at < until), until]
        return max(after - before for before, after in pairwise(times))

    def _is_whole(self, number: int) -> bool:
        while self._waiting.get(number) is False:
            number += 1
        return number in self._waiting

    def _skip_to(self, number: int) -> None:
        self._key_frame = None
        self._next = max(number, self._next or 0)
        self._waiting = {later: ends for later, ends in self._waiting.items() if later >= number}
        self._missing_since = {later: since for later, since in self._missing_since.items() if later > number}

    def _advance(self, now: float) -> None:
        while self._next is not None and self._next in self._waiting:
            if self._waiting.pop(self._next):
                self.frames.append(now)
            self._next += 1


class Receiver(Remote):
    reports_arrivals = True

    def __init__(
        self,
        call: Call,
        name: str,
        path: Conditions | None = None,
        back: Conditions | None = None,
        room: str = "room",
    ) -> None:
        """`path`: to it. `back`: for what it reports and asks for; as late as `path` and nothing else, if not given."""
        super().__init__(call, name, room)
        random = Random(call.random.random())
        self.downlink = self.down = Link(random, path)
        self.uplink = self.up = Link(random, back or Conditions(delay_s=self.down.conditions.delay_s))
        self.pictures: dict[str, Picture] = {}
        self.sounds: dict[str, list[float]] = {}  # when packets came
        self.bytes = 0
        self._by_ssrc: dict[int, Picture] = {}
        self._repairs: dict[int, Picture] = {}
        self._sounds_by_ssrc: dict[int, list[float]] = {}
        self._arrivals: list[tuple[int, float]] = []
        self._transport_numbers = Unwrapper()
        self._feedback = ArrivalFeedback()
        self._slots = 0
        self._busy_until = 0.0
        self._notices_seen = 0
        self._switches: set[int] = set()  # timestamps of key frames that the server has switched at

    def subscribe(self, track: str) -> None:
        kind = "audio" if track.endswith("-audio") else "video"
        slot = f"{self.name}-slot{self._slots}"
        mid, self._slots = str(self._slots), self._slots + 1
        added = self.call.tell(AddSlot, transport=self.name, slot=slot, mid=mid, kind=kind, payload_types=CODECS[kind])
        assert isinstance(added, SlotAdded)
        if kind == "video":
            picture = self.pictures[track] = self._by_ssrc[added.ssrc] = Picture(added.ssrc)
            assert added.rtx_ssrc is not None
            self._repairs[added.rtx_ssrc] = picture
        else:
            self.sounds[track] = self._sounds_by_ssrc[added.ssrc] = []
        self.call.tell(Subscribe, subscription=f"{self.name}/{track}", slot=slot, track=track, max_layer=None)

    def start(self) -> None:
        self.call.every(FEEDBACK_S, self._report)
        self.call.every(NACK_S, self._ask_again)

    def be_busy(self, seconds: float) -> None:
        """Its machine is: what comes meanwhile has arrived when it is looked at, and nothing is reported."""
        self._busy_until = max(self._busy_until, self.call.now + seconds)

    def receive(self, datagram: bytes) -> None:
        if self.call.now < self._busy_until:
            self.call.at(self._busy_until, lambda: self.receive(datagram))
            return
        if classify(datagram) is not Kind.RTP:
            return
        now = self.call.now
        self.bytes += len(datagram)
        header = rtp.parse(bytes((datagram[0] & ~0x20,)) + datagram[1:])  # how much is padding is encrypted
        number = self._transport_numbers.unwrap(int.from_bytes(header.extensions[IDS.transport_cc], "big"))
        self._arrivals.append((number, now))
        if header.ssrc in self._by_ssrc:
            starts = header.timestamp in self._seen_switches() and self._starts_picture(datagram)
            self._by_ssrc[header.ssrc].on_packet(header.sequence_number, header.marker, now, starts_key_frame=starts)
        elif header.ssrc in self._repairs:
            self._on_repair(datagram, header.marker, self._repairs[header.ssrc], now)
        else:
            self._sounds_by_ssrc[header.ssrc].append(now)

    def _on_repair(self, datagram: bytes, ends_frame: bool, picture: Picture, now: float) -> None:
        packet = self._srtp.unprotect(datagram)
        header = rtp.parse(packet)
        if header.payload_end - header.payload_offset >= 2:  # else it is padding
            original = int.from_bytes(packet[header.payload_offset : header.payload_offset + 2], "big")
            starts = header.timestamp in self._seen_switches() and _starts_picture(packet[header.payload_offset + 2 :])
            picture.on_packet(original, ends_frame, now, starts_key_frame=starts)

    def _seen_switches(self) -> set[int]:
        """What is a key frame stands in the payload; that a switch begins with one is known without decrypting."""
        for notice in self.call.notices[self._notices_seen :]:
            if isinstance(notice, LayerChanged):
                self._switches.add(notice.timestamp)
        self._notices_seen = len(self.call.notices)
        return self._switches

    def _starts_picture(self, datagram: bytes) -> bool:
        packet = self._srtp.unprotect(datagram)
        return _starts_picture(packet[rtp.parse(packet).payload_offset :])

    def _report(self) -> None:
        if self.call.now < self._busy_until:
            return
        arrivals, self._arrivals = sorted(set(self._arrivals)), []
        if not arrivals:
            return
        for report in self._feedback.reports(arrivals):
            packed = twcc.build(1, next(iter(self._by_ssrc)), report.feedback_count, report.arrivals, report.first)
            self.send_rtcp(packed)

    def _ask_again(self) -> None:
        for picture in self.pictures.values():
            missing = picture.missing(self.call.now)
            if missing:
                self.send_rtcp(Nack(1, picture.ssrc, missing[-200:]).pack())


def _starts_picture(payload: bytes) -> bool:
    described = vp8.parse(payload) if payload else None
    return described is not None and described.start_of_partition and described.key_frame
