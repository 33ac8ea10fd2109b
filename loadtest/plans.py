"""The scenarios as plans: who is in which room, what everybody publishes, and whom everybody receives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from loadtest.traffic import OutgoingStream, audio, video

FIXED_SUBSCRIPTIONS = 9  # of a meeting: as many tiles as a page shows, until the server selects

# Simulcast: of each layer, lowest first, the part of the top layer's packets and their size. About a twelfth, a third
# and the whole of its rate, as 320 × 180, 640 × 360 and 1280 × 720 have.
RIDS = ("q", "h", "f")
_LAYERS = ((1 / 5, 500), (2 / 5, 1000), (1.0, 1200))


@dataclass(frozen=True, slots=True)
class Rates:
    """What a publisher sends. A track's packets come in frames: video 30 a second, audio 50."""

    video_packets_per_s: float = 150.0
    video_packets_per_frame: int = 5
    video_bytes: int = 1200
    audio_packets_per_s: float = 50.0
    audio_bytes: int = 100
    layers: int = 1

    @property
    def rids(self) -> tuple[str, ...]:
        return RIDS[-self.layers :] if self.layers > 1 else ()

    def audio(self, ssrc: int, payload_type: int, mid: str) -> OutgoingStream:
        return audio(
            ssrc, payload_type, packets_per_s=self.audio_packets_per_s, payload_bytes=self.audio_bytes, mid=mid
        )

    def video(self, ssrc: int, payload_type: int, mid: str, rid: str) -> OutgoingStream:
        share, bytes_at_most = _LAYERS[RIDS.index(rid)] if rid else _LAYERS[-1]
        packets_per_frame = max(1, round(self.video_packets_per_frame * share))
        frames_per_s = self.video_packets_per_s / self.video_packets_per_frame
        return video(
            ssrc,
            payload_type,
            packets_per_s=frames_per_s * packets_per_frame,
            packets_per_frame=packets_per_frame,
            payload_bytes=self.video_bytes if rid in ("", RIDS[-1]) else min(self.video_bytes, bytes_at_most),
            mid=mid,
            rid=rid,
        )


@dataclass(frozen=True, slots=True)
class Seat:
    """One participant. `receives`: seats of the same room by name, all that each of them publishes; `None`: whoever
    publishes there, whatever the plan says."""

    room: str
    name: str
    sends_audio: bool = False
    sends_video: bool = False
    receives: tuple[str, ...] | None = ()

    @property
    def tracks(self) -> int:
        return self.sends_audio + self.sends_video


@dataclass(frozen=True, slots=True)
class Plan:
    """`seats` join in this order: whoever is received before whoever receives, as far as that goes. `is_selected`: the
    server chooses whose sound is sent, so only pictures are waited for."""

    name: str
    seats: tuple[Seat, ...]
    is_selected: bool = False
    _tracks: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tracks = {(seat.room, seat.name): seat.sends_video if self.is_selected else seat.tracks for seat in self.seats}
        object.__setattr__(self, "_tracks", tracks)

    def expected_tracks(self, seat: Seat) -> int:
        """How many tracks arrive at this seat when everybody is there."""
        return sum(self._tracks[seat.room, name] for name in self.heard_by(seat))

    def heard_by(self, seat: Seat) -> tuple[str, ...]:
        if seat.receives is not None:
            return seat.receives
        return tuple(name for room, name in self._tracks if room == seat.room and name != seat.name)

    def forwarded_per_s(self, rates: Rates) -> float:
        """Packets that leave the server, of the top layer with simulcast."""
        seats = {(seat.room, seat.name): seat for seat in self.seats}
        return sum(_sent_per_s(seats[seat.room, name], rates) for seat in self.seats for name in self.heard_by(seat))

    def sent_per_s(self, rates: Rates) -> float:
        """Packets that publishers send, without the lower layers."""
        return sum(_sent_per_s(seat, rates) for seat in self.seats)


def one_to_many(subscribers: int, rooms: int = 1) -> Plan:
    """In each room one publisher, whom all others receive."""
    seats = []
    for room in _rooms(rooms):
        seats.append(Seat(room, "publisher", sends_audio=True, sends_video=True))
        seats += [Seat(room, f"subscriber-{index}", receives=("publisher",)) for index in range(subscribers)]
    return Plan(f"1 → {subscribers}", tuple(seats))


def meeting(participants: int, rooms: int = 1) -> Plan:
    """Everybody publishes, and receives the next nine round the table."""
    names = [f"participant-{index}" for index in range(participants)]
    seats = [
        Seat(room, name, sends_audio=True, sends_video=True, receives=_next_to(names, index, FIXED_SUBSCRIPTIONS))
        for room in _rooms(rooms)
        for index, name in enumerate(names)
    ]
    return Plan(f"{participants} × {min(participants - 1, FIXED_SUBSCRIPTIONS) + 1} meeting", tuple(seats))


def audio_only(participants: int, rooms: int = 1) -> Plan:
    """Everybody speaks, and hears everybody else."""
    names = [f"participant-{index}" for index in range(participants)]
    seats = [
        Seat(room, name, sends_audio=True, receives=_next_to(names, index, participants))
        for room in _rooms(rooms)
        for index, name in enumerate(names)
    ]
    return Plan(f"{participants} voices", tuple(seats))


def open_meeting(participants: int, rooms: int = 1) -> Plan:
    """Everybody publishes, and receives all others, whoever they are: people come and go."""
    seats = [
        Seat(room, f"participant-{index}", sends_audio=True, sends_video=True, receives=None)
        for room in _rooms(rooms)
        for index in range(participants)
    ]
    return Plan(f"{participants} × {participants} meeting with churn", tuple(seats))


def gallery(participants: int, rooms: int = 1) -> Plan:
    """The same people, and the server selects."""
    return replace(open_meeting(participants, rooms), name=f"{participants} people", is_selected=True)


def _sent_per_s(seat: Seat, rates: Rates) -> float:
    return seat.sends_audio * rates.audio_packets_per_s + seat.sends_video * rates.video_packets_per_s


def _next_to(names: list[str], index: int, most: int) -> tuple[str, ...]:
    others = names[index + 1 :] + names[:index]
    return tuple(others[:most])


def _rooms(count: int) -> list[str]:
    return [f"load-{index}" for index in range(count)]
