"""What one bot saw and heard of one other: counted from packets, decoded frames and samples, and judged at the end.

Pure: fed with what was decoded, and when. Times are of the event loop's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from signaling.demo import strip
from signaling.demo.strip import Mark

PITCH_TOLERANCE_HZ = 15.0  # Opus at 32 kbit/s moves a sine by less than 2; neighbours are 110 apart
RATE_WINDOW_S = 1.0


@dataclass(slots=True)
class Traffic:
    """Packets of one Track as they arrived here, over all Slots it used."""

    packets: int = 0
    octets: int = 0
    recovered: int = 0
    lost: int = 0
    bitrate_bps: float = 0.0
    _expected: dict[int, int] = field(default_factory=dict)  # next number, by SSRC
    _window: tuple[float, int] | None = None

    def on_packet(self, ssrc: int, sequence_number: int, octets: int, recovered: bool, now: float) -> None:
        """Packets come in order; a jump is what was lost for good."""
        self.packets += 1
        self.octets += octets
        self.recovered += recovered
        expected = self._expected.get(ssrc, sequence_number)
        self.lost += max(0, sequence_number - expected)
        self._expected[ssrc] = sequence_number + 1
        if self._window is None:
            self._window = (now, self.octets)
        start, before = self._window
        if now - start >= RATE_WINDOW_S:
            self.bitrate_bps = (self.octets - before) * 8 / (now - start)
            self._window = (now, self.octets)


@dataclass(slots=True)
class VideoMeasure:
    """`unreadable` pictures had no strip that could be believed; `foreign` ones were of another sender;
    `backward` ones repeated a frame or came before one already shown."""

    traffic: Traffic = field(default_factory=Traffic)
    decoded: int = 0
    unreadable: int = 0
    foreign: int = 0
    backward: int = 0
    first_at_s: float | None = None
    size: tuple[int, int] = (0, 0)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    first_number: int | None = None
    last_number: int | None = None
    _track: str = ""

    def on_picture(self, size: tuple[int, int], mark: Mark | None, sender: int, track: str, now: float) -> None:
        """`track` is what the picture came from: another one begins to count anew."""
        if track != self._track:
            self._track = track
            self.first_number = self.last_number = None
        switched = size != self.size
        self.decoded += 1
        self.size = size
        self.sizes.add(size)
        if self.first_at_s is None:
            self.first_at_s = now
        if mark is None:
            self.unreadable += 1
        elif mark.sender != sender:
            self.foreign += 1
        else:
            if self.first_number is None:
                self.first_number = mark.frame_number
            if self.last_number is not None:
                ahead = (mark.frame_number - self.last_number) % strip.FRAME_NUMBERS
                # A switch of layers may show the same picture again, at the other size.
                if not (0 < ahead < strip.FRAME_NUMBERS // 2 or (ahead == 0 and switched)):
                    self.backward += 1
            self.last_number = mark.frame_number

    def faults(self, least: int) -> list[str]:
        """What is wrong with it, in words; `least` is how many pictures there should be."""
        faults = []
        if self.decoded < least:
            faults.append(f"{self.decoded} pictures decoded, not {least}")
        if self.foreign:
            faults.append(f"{self.foreign} pictures of another sender")
        if self.backward:
            faults.append(f"{self.backward} pictures did not advance")
        if self.unreadable > self.decoded // 10:
            faults.append(f"{self.unreadable} of {self.decoded} pictures without a readable number")
        return faults


@dataclass(slots=True)
class AudioMeasure:
    """`right` and `wrong` count windows of 100 ms by the pitch that was heard in them."""

    traffic: Traffic = field(default_factory=Traffic)
    decoded: int = 0
    right: int = 0
    wrong: int = 0
    silent: int = 0
    first_at_s: float | None = None
    last_hz: float | None = None

    def on_frame(self, now: float) -> None:
        self.decoded += 1
        if self.first_at_s is None:
            self.first_at_s = now

    def on_window(self, heard_hz: float | None, expected_hz: float) -> None:
        self.last_hz = heard_hz
        if heard_hz is None:
            self.silent += 1
        elif abs(heard_hz - expected_hz) <= PITCH_TOLERANCE_HZ:
            self.right += 1
        else:
            self.wrong += 1

    def faults(self, least: int) -> list[str]:
        """`least` is how many windows with the right pitch there should be."""
        faults = []
        if self.right < least:
            faults.append(f"the right tone in {self.right} windows, not {least}")
        # The first windows may hold the codec's start, and those after a loss what it makes up.
        if self.wrong > max(2, self.right // 10):
            faults.append(f"a wrong tone in {self.wrong} windows, last {self.last_hz:.0f} Hz")
        return faults
