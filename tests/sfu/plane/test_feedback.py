"""Transport-cc feedback from subscribers, matched with what was sent to them."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sfu.core.transport_feedback import NO_FEEDBACK
from sfu.plane.interface import PlaneConfig, RtcpReceived
from sfu.wire import framing
from sfu.wire.rtcp import ReceiverReport, pack_compound
from tests.support.planes import PLANES, MakePlane, Scene, feedback
from tests.support.rtp import PUBLISHER_IDS, SUBSCRIBER_IDS, VIDEO, VideoSource, video_slot


class Watched:
    """A subscriber that is sent one packet whenever `send` says so, and reports on them."""

    def __init__(self, make_plane: MakePlane, config: PlaneConfig | None = None) -> None:
        self.scene = Scene(make_plane, VIDEO, config=config)
        self.scene.subscribe(spec=video_slot())
        self.source = VideoSource(ssrc=4)
        self.sent_at: list[float] = []  # by transport-cc number
        self.sizes: list[int] = []

    def send(self, count: int = 1, after_s: float = 0.0) -> None:
        """That many packets at once."""
        self.scene.now += after_s
        packets = self.source.frame(count, key=not self.sent_at)
        publisher = self.scene.publisher
        for datagram in self.scene.plane.on_datagrams([publisher.protect(each) for each in packets], self.scene.now):
            self.sent_at.append(self.scene.now)
            self.sizes.append(len(datagram.payload))

    def send_at(self, *times_s: float) -> None:
        """At these times after the first."""
        start = self.scene.now
        for time_s in times_s:
            self.scene.now = start + time_s
            self.send()


@pytest.fixture
def watched(make_plane: MakePlane) -> Watched:
    return Watched(make_plane)


# --- matching --------------------------------------------------------------------------------------------------


def test_what_arrived_is_summed_up_with_the_round_trip_of_the_newest(watched: Watched) -> None:
    watched.send(3)
    watched.send(2, after_s=0.02)
    watched.scene.report({0: 5.0, 1: 5.0005, 2: 5.001, 3: 5.02}, after_s=0.03)
    (report,) = watched.scene.poll().reports
    assert (report["transport"], report["at_s"]) == (100, watched.scene.now)
    assert report["rtt_s"] == pytest.approx(0.03)
    assert (report["acked_packets"], report["lost_packets"], report["reordered_packets"]) == (4, 0, 0)
    assert report["acked_bytes"] == sum(watched.sizes[:4])
    assert report["in_flight_bytes"] == watched.sizes[4]


def test_a_batch_has_what_is_new_and_then_nothing(watched: Watched) -> None:
    assert [len(column) for column in watched.scene.poll()] == [0, 0, 0]
    watched.send(2)
    watched.scene.report({0: 5.0})
    watched.scene.report({1: 5.1})
    (report,) = watched.scene.poll().reports
    assert report["acked_packets"] == 2
    for column, empty in zip(watched.scene.poll(), NO_FEEDBACK, strict=True):
        assert len(column) == 0 and column.dtype == empty.dtype


def test_what_is_missing_counts_once_and_may_still_arrive(watched: Watched) -> None:
    watched.send(5)
    watched.scene.report({0: 5.0, 1: None, 2: None, 3: 5.1})
    (first,) = watched.scene.poll().reports
    assert (first["acked_packets"], first["lost_packets"], first["reordered_packets"]) == (2, 2, 0)
    watched.scene.report({1: None, 2: 5.2, 3: None, 4: 5.2})
    (second,) = watched.scene.poll().reports
    assert (second["acked_packets"], second["lost_packets"], second["reordered_packets"]) == (2, 0, 1)
    assert second["acked_bytes"] == watched.sizes[2] + watched.sizes[4]
    watched.scene.report({0: None, 2: 5.2, 3: 5.3})
    (third,) = watched.scene.poll().reports
    assert (third["acked_packets"], third["lost_packets"], third["reordered_packets"]) == (0, 0, 0)
    assert isnan(third["rtt_s"])


def test_only_what_is_newer_than_all_before_tells_the_round_trip(watched: Watched) -> None:
    watched.send(3)
    watched.scene.report({0: 5.0, 2: 5.0}, after_s=0.04)
    watched.scene.report({1: 5.0}, after_s=1.0)
    (report,) = watched.scene.poll().reports
    assert report["rtt_s"] == pytest.approx(0.04)
    watched.scene.report({1: 5.0}, after_s=1.0)
    assert isnan(watched.scene.poll().reports["rtt_s"][0])


def test_what_a_later_report_passes_over_is_in_flight_no_more(watched: Watched) -> None:
    watched.send(10)
    watched.scene.report({4: None})
    (report,) = watched.scene.poll().reports
    assert report["in_flight_bytes"] == sum(watched.sizes[5:])
    watched.scene.report({2: 5.0})
    (report,) = watched.scene.poll().reports
    assert (report["in_flight_bytes"], report["acked_packets"]) == (sum(watched.sizes[5:]), 1)


@pytest.mark.parametrize("first", [3, 4, 5000, 40_000, 65_533])
def test_what_was_never_sent_cannot_arrive(watched: Watched, first: int) -> None:
    watched.send(3)
    watched.scene.report({first: 5.0, first + 1: 5.1, first + 2: None})
    (report,) = watched.scene.poll().reports
    assert (report["acked_packets"], report["lost_packets"], report["in_flight_bytes"]) == (0, 0, sum(watched.sizes))


def test_a_remote_that_was_sent_nothing_may_report_all_the_same(make_plane: MakePlane) -> None:
    scene = Scene(make_plane)
    scene.subscribe()
    for first in (0, 65_535):
        scene.report({first: 5.0})
    (report,) = scene.poll().reports
    assert (report["acked_packets"], report["lost_packets"], report["in_flight_bytes"]) == (0, 0, 0)


def test_numbers_and_the_remotes_clock_wrap(watched: Watched) -> None:
    wrap_s = (1 << 24) * 0.064
    for _ in range(65_530):
        watched.send()
    watched.scene.report({65_529: wrap_s - 0.05})
    assert watched.scene.poll().reports["acked_packets"][0] == 1
    for _ in range(4):
        watched.send(3, after_s=0.02)
    watched.scene.report({65_530 + index: wrap_s - 0.04 + 0.02 * (index // 3) for index in range(7)}, after_s=0.05)
    watched.scene.report({65_537: wrap_s, 65_538: wrap_s, 65_539: wrap_s + 0.02, 65_541: wrap_s + 0.03}, after_s=0.05)
    batch = watched.scene.poll()
    assert batch.reports["acked_packets"][0] == 11
    assert batch.reports["in_flight_bytes"][0] == 0
    assert batch.groups["arrived_delta_s"].tolist() == pytest.approx([0.01, 0.02, 0.02])
    assert batch.groups["sent_delta_s"].tolist() == pytest.approx([0.02, 0.02, 0.02])


def test_what_left_too_long_ago_is_forgotten(make_plane: MakePlane) -> None:
    watched = Watched(make_plane, PlaneConfig(packets_in_flight=8))
    watched.send(20)
    watched.scene.report({11: 5.0, 12: 5.0})
    (report,) = watched.scene.poll().reports
    assert (report["acked_packets"], report["in_flight_bytes"]) == (1, sum(watched.sizes[13:]))
    watched.send(30)
    watched.scene.report({0: 6.0})
    (report,) = watched.scene.poll().reports
    assert (report["acked_packets"], report["in_flight_bytes"]) == (0, sum(watched.sizes[-8:]))


def test_without_the_extension_nothing_is_matched(make_plane: MakePlane) -> None:
    watched = Watched(make_plane)
    watched.scene.plane.set_extensions(100, PUBLISHER_IDS, replace(SUBSCRIBER_IDS, transport_cc=0))
    watched.send(3)
    watched.scene.report({0: 5.0, 1: 5.0})
    (report,) = watched.scene.poll().reports
    assert (report["acked_packets"], report["in_flight_bytes"]) == (0, 0)


def test_each_remote_has_its_own_numbers_and_rows_are_by_transport(make_plane: MakePlane) -> None:
    scene = Scene(make_plane, VIDEO)
    for number in (102, 100, 101):
        scene.subscribe(number, spec=video_slot(7000 + 10 * number))
    scene.send(*VideoSource(ssrc=4).frame(4, key=True))
    scene.report({0: 5.0, 1: 6.0, 2: 7.0}, transport=102)
    scene.report({0: 5.0}, transport=101)
    scene.report({0: 5.0, 1: None, 3: 5.05}, transport=100)
    batch = scene.poll()
    assert batch.reports["transport"].tolist() == [100, 101, 102]
    assert batch.reports["acked_packets"].tolist() == [2, 1, 3]
    assert batch.reports["lost_packets"].tolist() == [2, 0, 0]


def test_a_remote_that_goes_takes_its_reports_along(watched: Watched) -> None:
    watched.send(2)
    watched.scene.report({0: 5.0})
    watched.scene.plane.remove_transport(100)
    assert len(watched.scene.poll().reports) == 0


# --- what Python hears of it -----------------------------------------------------------------------------------


def test_python_hears_of_feedback_only_when_there_is_more_in_the_compound(watched: Watched) -> None:
    watched.send(3)
    report = feedback({0: 5.0})
    other = ReceiverReport(5, ())
    alone, mixed = pack_compound([report]), pack_compound([other, feedback({1: 5.0})])
    remote, plane = watched.scene.remotes[100], watched.scene.plane
    plane.on_datagrams([remote.protect_rtcp(alone), remote.protect_rtcp(mixed)], watched.scene.now)
    assert [event.payload for event in watched.scene.events(RtcpReceived)] == [mixed]
    assert watched.scene.poll().reports["acked_packets"].tolist() == [2]


GOOD = feedback({0: 5.0, 1: 5.01}).pack()
HEADER = GOOD[4:20]
# Bodies whose claims do not hold; the chunk behind HEADER speaks of its two packets.
BROKEN = {
    "shorter than its header": HEADER[:12],
    "about no packets": HEADER[:10] + b"\0\0" + HEADER[12:] + b"\x20\x02\x00\x00",
    "about more packets than the limit": HEADER[:10] + b"\x10\x01" + HEADER[12:] + b"\x1f\xff\x00\x00",
    "ends in its chunks": HEADER,
    "a vector that is not the last ends too early": HEADER[:10] + b"\0\x20" + HEADER[12:] + b"\x80\0\x80\0",
    "ends in its small deltas": HEADER[:10] + b"\0\x03" + HEADER[12:] + b"\x20\x03\0\0",
    "ends in its large deltas": HEADER + b"\x40\x02\0\0",
    "a reserved status in a run": HEADER + b"\x60\x02\0\0",
    "a reserved status in a vector": HEADER + b"\xf0\0\0\0",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_feedback_that_cannot_be_read_is_counted_and_changes_nothing(watched: Watched, body: bytes) -> None:
    watched.send(3)
    broken = framing.frame(framing.TRANSPORT_FEEDBACK, 15, body)
    remote, plane = watched.scene.remotes[100], watched.scene.plane
    plane.on_datagrams([remote.protect_rtcp(broken)], watched.scene.now)
    assert watched.scene.dropped("malformed_feedback") == 1
    assert watched.scene.events(RtcpReceived) == [] and len(watched.scene.poll().reports) == 0
    plane.on_datagrams([remote.protect_rtcp(broken + GOOD)], watched.scene.now)
    assert watched.scene.dropped("malformed_feedback") == 2
    assert watched.scene.poll().reports["acked_packets"].tolist() == [2]


def test_a_status_beyond_the_count_is_not_looked_at(watched: Watched) -> None:
    watched.send(3)
    body = HEADER + b"\xd7\xff\x00\x00"  # two small deltas, then reserved ones
    compound = framing.frame(framing.TRANSPORT_FEEDBACK, 15, body)
    watched.scene.plane.on_datagrams([watched.scene.remotes[100].protect_rtcp(compound)], watched.scene.now)
    assert watched.scene.poll().reports["acked_packets"].tolist() == [2]


def test_a_compound_has_so_many_feedbacks_and_no_more(watched: Watched) -> None:
    watched.send(6)
    compound = b"".join(feedback({number: 5.0}).pack() for number in range(6))
    watched.scene.plane.on_datagrams([watched.scene.remotes[100].protect_rtcp(compound)], watched.scene.now)
    assert watched.scene.poll().reports["acked_packets"].tolist() == [4]
    assert watched.scene.dropped("malformed_feedback") == 2
    assert watched.scene.events(RtcpReceived) == []


@pytest.mark.parametrize(
    "tail", [b"\x8f\xcd", b"\x4f\xcd\x00\x00", b"\x8f\xcd\x00\x09\x00\x00\x00\x00"], ids=["cut", "version", "length"]
)
def test_where_the_walk_ends_early_python_may_look_itself(watched: Watched, tail: bytes) -> None:
    watched.send(2)
    watched.scene.plane.on_datagrams([watched.scene.remotes[100].protect_rtcp(GOOD + tail)], watched.scene.now)
    assert watched.scene.poll().reports["acked_packets"].tolist() == [2]
    assert [event.payload for event in watched.scene.events(RtcpReceived)] == [GOOD + tail]


def test_padding_is_not_read_as_deltas(watched: Watched) -> None:
    watched.send(2)
    padded = bytearray(framing.frame(framing.TRANSPORT_FEEDBACK, 15, GOOD[4:]))
    body = bytes(padded[4:]) + b"\0\0\0\x04"
    good = bytes((padded[0] | 0x20,)) + bytes(padded[1:2]) + (len(body) // 4).to_bytes(2, "big") + body
    too_long = good[:-1] + bytes((len(body) + 1,))
    remote = watched.scene.remotes[100]
    watched.scene.plane.on_datagrams([remote.protect_rtcp(too_long), remote.protect_rtcp(good)], watched.scene.now)
    assert watched.scene.poll().reports["acked_packets"].tolist() == [2]
    assert watched.scene.dropped("malformed_feedback") == 1


# --- groups ----------------------------------------------------------------------------------------------------

# name: times of sending, times of arrival (ms; None: lost) → (sent delta, arrived delta) of the groups told (ms)
GROUPS: dict[str, tuple[list[float], list[float | None], list[tuple[float, float]]]] = {
    "the first has nothing before it, the last is not complete": ([0, 20, 40], [0, 20, 40], [(20, 20)]),
    "five milliseconds are one group, six are two": (
        [0, 20, 25, 40, 46, 60],
        [0, 20, 25, 40, 46, 60],
        [(25, 25), (15, 15), (6, 6)],
    ),
    "the span is that of the first packet": ([0, 20, 24, 28, 50], [0, 30, 34, 39, 60], [(24, 34), (4, 5)]),
    "a queue that grows": ([0, 20, 40, 60], [0, 22, 44, 66], [(20, 22), (20, 22)]),
    "what arrives in a burst was held up together": (
        [0, 20, 40, 60, 80, 100],
        [0, 90, 92, 94, 130, 150],
        [(60, 94), (20, 36)],
    ),
    "a busy link is no burst, though its packets follow each other": (
        [0, 10, 10, 10, 20, 20, 20, 30],
        [0, 10, 14, 18, 22, 26, 30, 34],
        [(10, 18), (10, 12)],
    ),
    "no burst is longer than 100 ms": (
        [0, *(20 + 6 * index for index in range(40)), 400],
        [0, *(300 + 4 * index for index in range(40)), 500],
        [(164, 396), (90, 60)],
    ),
    "what takes longer than 50 ms to arrive is told in parts": (
        [0, 20, 20, 20, 20, 20, 60],
        [0, 20, 40, 60, 80, 100, 120],
        [(20, 60), (0, 40)],
    ),
    "what is lost is in no group": ([0, 20, 40, 60, 80], [0, None, 40, None, 80], [(40, 40)]),
    "groups that overtake each other": ([0, 20, 40, 60, 80], [0, 20, 60, 50, 80], [(20, 20), (20, 40), (20, -10)]),
    "within a group the last one to arrive counts": ([0, 20, 21, 22, 40], [0, 23, 21, 22, 40], [(22, 23)]),
    "a clock that jumps ahead": ([0, 20, 40, 60, 80], [0, 20, 5040, 5060, 5080], [(20, 20), (20, 20)]),
    "a clock that is set back": ([0, 20, 40, 60, 80], [5000, 5020, 40, 60, 80], [(20, 20), (20, 20)]),
}


@pytest.mark.parametrize(("sent_ms", "arrived_ms", "expected"), GROUPS.values(), ids=GROUPS)
def test_packets_sent_together_are_one_group(
    watched: Watched, sent_ms: list[float], arrived_ms: list[float | None], expected: list[tuple[float, float]]
) -> None:
    watched.send_at(*(at / 1000 for at in sent_ms))
    for number, at in enumerate(arrived_ms):
        if number == 0 or at is not None:
            watched.scene.report({number: None if at is None else 50 + at / 1000})
    batch = watched.scene.poll()
    got = [(row["sent_delta_s"] * 1000, row["arrived_delta_s"] * 1000) for row in batch.groups]
    assert got == [pytest.approx(pair, abs=1e-6) for pair in expected]
    assert batch.reports["groups"].tolist() == [len(expected)]


def test_a_group_tells_when_its_last_packet_left_and_arrived_and_its_bytes(watched: Watched) -> None:
    watched.send()
    watched.send(after_s=0.02)
    watched.send(2, after_s=0.004)
    watched.send(after_s=0.02)
    watched.scene.report({0: 5.0, 1: 5.02, 2: None, 3: 5.0245, 4: 5.05}, after_s=0.02)
    (group,) = watched.scene.poll().groups
    assert (group["sent_at_s"], group["arrived_at_s"]) == (watched.sent_at[3], pytest.approx(5.0245))
    assert group["bytes"] == watched.sizes[1] + watched.sizes[3]


def test_a_group_tells_how_long_nothing_of_it_arrived(watched: Watched) -> None:
    watched.send()
    watched.send(3, after_s=0.02)
    watched.send(after_s=0.02)
    watched.send(after_s=0.02)
    watched.scene.report({0: 5.0, 1: 5.01, 2: 5.04, 3: 5.05, 4: 5.09, 5: 5.1}, after_s=0.02)
    assert watched.scene.poll().groups["longest_gap_s"].tolist() == pytest.approx([0.03, 0.04])


def test_what_is_reported_late_joins_no_group(watched: Watched) -> None:
    watched.send_at(0.0, 0.02, 0.04, 0.06, 0.08)
    watched.scene.report({0: 5.0, 1: 5.02, 2: None, 3: 5.06})
    watched.scene.report({2: 5.061, 3: None, 4: 5.08})
    batch = watched.scene.poll()
    assert batch.groups["sent_delta_s"].tolist() == pytest.approx([0.02, 0.04])
    assert batch.groups["bytes"].sum() == watched.sizes[1] + watched.sizes[3]
    assert batch.reports["acked_bytes"][0] == sum(watched.sizes)


def test_a_slow_way_back_is_no_jump_of_the_remotes_clock(watched: Watched) -> None:
    watched.send_at(0.0, 0.02, 0.04, 0.06)
    watched.scene.report({0: 5.0, 1: 5.02})
    watched.scene.report({2: 5.04, 3: 5.06}, after_s=10.0)
    assert watched.scene.poll().groups["arrived_delta_s"].tolist() == pytest.approx([0.02, 0.02])


def test_when_nobody_polls_the_oldest_groups_go(make_plane: MakePlane) -> None:
    watched = Watched(make_plane, PlaneConfig(groups_pending=5))
    for number in range(20):
        watched.send(after_s=0.02)
        watched.scene.report({number: 5.0 + 0.02 * number})
    batch = watched.scene.poll()
    assert batch.groups["sent_at_s"].tolist() == watched.sent_at[14:19]
    assert batch.reports["acked_packets"].tolist() == [20]
    assert watched.scene.plane.counters.feedback_forgotten == 18 - 5


# --- whatever is reported --------------------------------------------------------------------------------------

arrival = st.one_of(st.none(), st.integers(0, 8000), st.integers(7900, 7920))
reports = st.tuples(st.integers(-10, 200), st.lists(arrival, min_size=1, max_size=30))
steps = st.lists(st.one_of(st.integers(1, 20), reports), min_size=1, max_size=40)


@pytest.mark.parametrize("name", sorted(PLANES))
@settings(max_examples=60)
@given(script=steps)
def test_only_the_first_word_about_a_packet_counts(name: str, script: list[int | tuple[int, list[int | None]]]) -> None:
    watched = Watched(PLANES[name], PlaneConfig(packets_in_flight=64))
    acked: set[int] = set()
    lost: set[int] = set()
    highest = -1
    for step in script:
        if isinstance(step, int):
            watched.send(step, after_s=0.003)
            continue
        first, arrivals = step
        statuses = {first + index: None if at is None else at / 1000 for index, at in enumerate(arrivals)}
        watched.scene.report(statuses)
        known = range(max(0, len(watched.sizes) - 64), len(watched.sizes))
        statuses = {number: at for number, at in statuses.items() if number in known}
        newly_lost = {number for number, at in statuses.items() if at is None} - acked - lost
        newly_acked = {number for number, at in statuses.items() if at is not None} - acked
        highest = max([highest, *statuses])
        (report,) = watched.scene.poll().reports
        assert report["acked_packets"] == len(newly_acked)
        assert report["acked_bytes"] == sum(watched.sizes[number] for number in newly_acked)
        assert report["lost_packets"] == len(newly_lost)
        assert report["reordered_packets"] == len(newly_acked & lost)
        flying = range(max(highest + 1, known.start), len(watched.sizes))
        assert report["in_flight_bytes"] == sum(watched.sizes[number] for number in flying)
        acked |= newly_acked
        lost |= newly_lost
