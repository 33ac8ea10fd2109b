"""Whatever loss, reordering, repairs and wishes do: the subscriber sees one VP8 stream without a contradiction."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from sfu.plane.interface import Datagram, PlaneConfig
from sfu.wire import rtx, vp8
from sfu.wire.serial import Unwrapper
from tests.support.planes import PLANES, MakePlane, Scene
from tests.support.rtp import SIMULCAST, VP8, VP8_RTX, Received, Remote, media_packet, vp8_payload

LAYERS = ("q", "h")
TEMPORAL_PATTERN = (0, 2, 1, 2)


@dataclass(frozen=True)
class Frame:
    layer: int
    packets: int
    key: bool
    sync: bool
    fates: tuple[tuple[str, int], ...]  # of each packet: what becomes of it, and how many steps later


@dataclass(frozen=True)
class Wish:
    layer: int | None
    max_temporal_id: int | None


fate = st.one_of(
    st.just(("arrives", 0)),
    st.tuples(st.sampled_from(("arrives", "repaired", "twice")), st.integers(0, 12)),
    st.just(("lost", 0)),
)
in_time = st.just(("arrives", 0))


def frames(fates: st.SearchStrategy[tuple[str, int]]) -> st.SearchStrategy[Frame]:
    return st.builds(
        lambda layer, key, sync, chosen: Frame(layer, len(chosen), key, sync, tuple(chosen)),
        st.integers(0, 1),
        st.integers(0, 5).map(lambda drawn: drawn == 0),
        st.booleans(),
        st.lists(fates, min_size=1, max_size=3),
    )


wishes = st.builds(Wish, st.sampled_from((0, 1, 0, 1, None)), st.sampled_from((0, 1, 2, None)))


@dataclass
class Source:
    """A layer: each packet's payload ends with the frame's index, to be recognised at the far end."""

    layer: int
    scene: Scene
    next_number: int
    next_timestamp: int
    next_picture_id: int
    tl0: int = 250
    next_rtx: int = 7
    made: int = 0
    temporal: dict[bytes, int] = field(default_factory=dict)  # marks → temporal id

    def packets(self, frame: Frame) -> tuple[bytes, list[tuple[Datagram, Datagram]]]:
        """The frame's mark; each packet as it is sent, and as it would come back by RTX."""
        temporal_id = 0 if frame.key else TEMPORAL_PATTERN[self.made % 4]
        self.tl0 += temporal_id == 0
        mark = bytes((0xF0 | self.layer, self.made >> 8, self.made & 0xFF))
        self.temporal[mark] = temporal_id
        pairs = []
        for index in range(frame.packets):
            payload = mark_payload(frame, self, temporal_id, index) + mark
            pairs.append(self._pair(payload, index == frame.packets - 1))
        self.made += 1
        self.next_picture_id += 1
        self.next_timestamp += 3000
        return mark, pairs

    def _pair(self, payload: bytes, marker: bool) -> tuple[Datagram, Datagram]:
        rid, number, timestamp = LAYERS[self.layer], self.next_number, self.next_timestamp
        wrapped = rtx.wrap(payload, number & 0xFFFF)
        sent = media_packet(VP8, number, timestamp, 40 + self.layer, payload, marker=marker, mid="0", rid=rid)
        repair = media_packet(
            VP8_RTX, self.next_rtx, timestamp, 50 + self.layer, wrapped, marker=marker, mid="0", repaired_rid=rid
        )
        self.next_number += 1
        self.next_rtx += 1
        return self.scene.publisher.protect(sent), self.scene.publisher.protect(repair)


def mark_payload(frame: Frame, source: Source, temporal_id: int, index: int) -> bytes:
    return vp8_payload(
        source.next_picture_id,
        source.tl0,
        temporal_id=temporal_id,
        sync=frame.sync and temporal_id > 0,
        key=frame.key,
        start=index == 0,
        size=3,
    )


@dataclass
class Outcome:
    sent: list[Received] = field(default_factory=list)  # in the order of leaving
    disturbed: int = 0  # packets that did not arrive in their place


def play(make_plane: MakePlane, script: list[Frame | Wish]) -> Outcome:
    scene = Scene(make_plane, SIMULCAST, config=PlaneConfig(history_packets=64, sent_packets=128))
    subscriber: Remote = scene.subscribe()
    sources = [Source(0, scene, 65500, 1 << 31, 32760), Source(1, scene, 5, 99, 3)]
    due: dict[int, list[tuple[bytes, Datagram]]] = {}
    outcome = Outcome()
    limit = 3
    limits: dict[bytes, int] = {}  # mark → what held when its first packet came: a frame is not cut off
    for step, item in enumerate([*script, *([None] * 13)]):
        if isinstance(item, Wish):
            scene.plane.set_layer(100, item.layer, item.max_temporal_id)
            limit = 3 if item.max_temporal_id is None else item.max_temporal_id
        elif isinstance(item, Frame):
            source = sources[item.layer]
            mark, packets = source.packets(item)
            for (media, repair), (what, later) in zip(packets, item.fates, strict=True):
                outcome.disturbed += (what, later) not in (("arrives", 0), ("twice", 0))
                if what in ("arrives", "twice"):
                    due.setdefault(step + later, []).append((mark, media))
                if what in ("repaired", "twice"):
                    due.setdefault(step + later, []).append((mark, repair))
        scene.now += 0.033
        arriving = due.pop(step, [])
        for mark, _ in arriving:
            limits.setdefault(mark, limit)
        output = scene.plane.on_datagrams([datagram for _, datagram in arriving], scene.now)
        for got in map(subscriber.open, output):  # raises at a number sent twice
            if got.payload:
                mark = got.payload[-3:]
                assert sources[mark[0] & 1].temporal[mark] <= max(limit, limits[mark])
            outcome.sent.append(got)
    return outcome


def check(outcome: Outcome) -> None:
    unwrap, pictures = Unwrapper(), Unwrapper(15)
    by_number: dict[int, Received] = {}
    for got in outcome.sent:
        assert by_number.setdefault(unwrap.unwrap(got.number), got) is got
    if not by_number:
        return
    numbers = sorted(by_number)
    assert numbers[-1] - numbers[0] + 1 - len(numbers) <= outcome.disturbed, "a gap that is nobody's loss"
    media = [by_number[number] for number in numbers if by_number[number].payload]
    frames: list[tuple[bytes, int, int]] = []
    for got in media:
        described = vp8.parse(got.payload)
        assert described is not None and described.picture_id is not None
        assert frames or described.key_frame
        frames.append((got.payload[-3:], got.timestamp, described.picture_id))
    for (mark, timestamp, picture), (next_mark, next_timestamp, next_picture) in itertools.pairwise(frames):
        advance = (next_timestamp - timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        if advance == 0:
            assert (next_mark, next_picture) == (mark, picture)
        else:
            # Mostly another frame; the same one once more if it was cut off by a pause, and its first packet comes
            # late enough for the Slot to start again with it.
            assert advance > 0
            step = pictures.unwrap(next_picture) - pictures.unwrap(picture)
            assert 1 <= step <= 1 + outcome.disturbed


@pytest.mark.parametrize("name", sorted(PLANES))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(st.one_of(frames(fate), frames(fate), wishes), min_size=5, max_size=60))
def test_one_stream_without_a_contradiction(name: str, script: list[Frame | Wish]) -> None:
    check(play(PLANES[name], [Frame(0, 1, True, False, (("arrives", 0),)), *script]))


@pytest.mark.parametrize("name", sorted(PLANES))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(st.one_of(frames(in_time), frames(in_time), wishes), min_size=5, max_size=60))
def test_no_gap_at_all_when_everything_arrives_in_order(name: str, script: list[Frame | Wish]) -> None:
    outcome = play(PLANES[name], [Frame(0, 1, True, False, (("arrives", 0),)), *script])
    assert outcome.disturbed == 0
    check(outcome)
