"""RTX has a rate of its own: what is beyond it waits in order, for a while."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sfu.plane.interface import Datagram, PlaneConfig
from sfu.wire import rtx
from tests.support.planes import PLANES, MakePlane, Scene
from tests.support.rtp import VIDEO, Received, VideoSource, video_slot

# Three datagrams of about 90 bytes at once, and one each 10 ms.
CONFIG = PlaneConfig(recovery_bps=72_000, recovery_burst_s=0.025, rtx_waiting=8, rtx_wait_s=0.2)


def watched(make_plane: MakePlane, frames: int = 40, config: PlaneConfig = CONFIG) -> Scene:
    """Subscriber 100 has been sent numbers 100 … 99 + `frames`."""
    scene = Scene(make_plane, VIDEO, config=config)
    scene.subscribe(spec=video_slot())
    source = VideoSource(ssrc=4)
    for index in range(frames):
        scene.send(*source.frame(key=index == 0))
    return scene


def numbers(received: list[Received]) -> list[int]:
    return [rtx.unwrap(packet.payload)[0] for packet in received]


def opened(scene: Scene, left: list[tuple[float, Datagram]]) -> list[Received]:
    return scene.remotes[100].open_all([datagram for _, datagram in left])


def test_a_burst_leaves_at_once_and_the_rest_as_there_is_room(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.next_timeout() is None
    assert scene.plane.retransmit(100, range(100, 108), scene.now) == 8
    output = scene.plane.take_output()
    at_once = numbers(scene.remotes[100].open_all(output))
    assert at_once == [100, 101, 102]
    size = len(output[0].payload)
    start = scene.now
    left = scene.run_until(start + 1.0)
    assert numbers(opened(scene, left)) == [103, 104, 105, 106, 107]
    owed = 3 * size - 72_000 * 0.025 / 8
    due = [start + (owed + index * size) * 8 / 72_000 for index in range(5)]
    assert [at for at, _ in left] == pytest.approx(due)
    assert scene.plane.next_timeout() is None
    assert scene.plane.counters.retransmitted == 8
    assert scene.plane.transmission(100).retransmitted == 8


def test_nothing_leaves_before_its_time(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.plane.retransmit(100, range(100, 105), scene.now)
    scene.plane.take_output()
    due = scene.plane.next_timeout()
    assert due is not None
    assert scene.plane.on_timeout(due - 1e-6) == []
    assert len(scene.plane.on_timeout(due)) == 1


def test_what_is_asked_for_later_waits_behind_what_waits(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.plane.retransmit(100, range(100, 106), scene.now)
    scene.plane.take_output()
    scene.now += 0.02  # two of the three have had their turn, unless nobody came to send them
    assert scene.plane.retransmit(100, [110], scene.now) == 1
    assert numbers(scene.remotes[100].open_all(scene.plane.take_output())) == [103, 104]
    assert numbers(opened(scene, scene.run_until(scene.now + 1))) == [105, 110]


def test_what_waits_already_is_not_taken_again(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.retransmit(100, [*range(100, 106), 104, 105, 100], scene.now) == 6
    assert scene.dropped("rtx_repeated") == 3
    scene.now += 0.15  # longer than a repetition takes
    scene.plane.take_output()
    assert len(scene.plane.on_timeout(scene.now)) == 3
    assert scene.plane.retransmit(100, [105], scene.now) == 0
    assert scene.plane.retransmit(100, [100], scene.now) == 1


def test_beyond_the_queue_nothing_is_taken(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    assert scene.plane.retransmit(100, range(100, 115), scene.now) == 3 + 8
    assert scene.dropped("rtx_limit") == 4
    assert scene.plane.retransmit(100, [112], scene.now) == 0
    scene.run_until(scene.now + 1)
    assert scene.plane.retransmit(100, [112], scene.now) == 1


def test_what_has_waited_too_long_is_dropped_and_may_be_asked_for_again(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.plane.retransmit(100, range(100, 106), scene.now)
    scene.plane.take_output()
    scene.now += 0.21
    assert scene.plane.on_timeout(scene.now) == []
    assert scene.dropped("rtx_late") == 3
    assert scene.plane.next_timeout() is None
    assert numbers(scene.retransmit(103)) == [103]


def test_what_has_left_the_history_while_it_waited_is_dropped(make_plane: MakePlane) -> None:
    config = PlaneConfig(
        history_packets=8, sent_packets=16, recovery_bps=72_000, recovery_burst_s=0.025, rtx_wait_s=60.0
    )
    scene = Scene(make_plane, VIDEO, config=config)
    scene.subscribe(spec=video_slot())
    source = VideoSource(ssrc=4)
    for index in range(8):
        scene.send(*source.frame(key=index == 0))
    assert scene.plane.retransmit(100, range(100, 108), scene.now) == 8
    scene.plane.take_output()
    scene.send(*(packet for _ in range(5) for packet in source.frame()), after_s=0.0)
    assert numbers(opened(scene, scene.run_until(scene.now + 1))) == [105, 106, 107]
    assert scene.dropped("not_in_history") == 2


@pytest.mark.parametrize("what", ["route", "slot", "transport", "path"])
def test_what_waits_for_somebody_who_goes_is_dropped(make_plane: MakePlane, what: str) -> None:
    scene = watched(make_plane)
    scene.plane.retransmit(100, range(100, 106), scene.now)
    scene.plane.take_output()
    if what == "route":
        scene.plane.set_route(100, None)
    elif what == "slot":
        scene.plane.remove_slot(100)
    elif what == "transport":
        scene.plane.remove_transport(100)
    else:
        scene.connect(1000)
        scene.plane.bind(1000, scene.remotes[100].path)
    assert scene.run_until(scene.now + 1) == []
    assert scene.plane.next_timeout() is None
    assert scene.dropped("not_connected" if what == "path" else "not_in_history") == 3


def test_two_slots_share_their_transports_rate_in_the_order_of_asking(make_plane: MakePlane) -> None:
    scene = watched(make_plane, 0)
    scene.plane.add_slot(200, 100, video_slot(9000, "v1"))
    scene.plane.set_route(200, 11)
    scene.plane.set_layer(200, 0)
    source = VideoSource(ssrc=4)
    for index in range(5):
        scene.send(*source.frame(key=index == 0))
    scene.plane.retransmit(100, [100, 101], scene.now)
    scene.plane.retransmit(200, [100, 101, 102], scene.now)
    scene.plane.retransmit(100, [102], scene.now)
    got = scene.remotes[100].open_all(scene.plane.take_output()) + opened(scene, scene.run_until(scene.now + 1))
    assert [packet.header.ssrc for packet in got] == [7001, 7001, 9001, 9001, 9001, 7001]
    assert [packet.number for packet in got if packet.header.ssrc == 7001] == [100, 101, 102]


def test_remotes_do_not_wait_for_each_other(make_plane: MakePlane) -> None:
    scene = watched(make_plane, 0)
    scene.subscribe(101, spec=video_slot())
    source = VideoSource(ssrc=4)
    for index in range(8):
        scene.send(*source.frame(key=index == 0))
    scene.plane.retransmit(100, range(100, 106), scene.now)
    assert scene.plane.retransmit(101, range(100, 106), scene.now) == 6
    by_path = [datagram.path.port for datagram in scene.plane.take_output()]
    assert by_path == [5100] * 3 + [5101] * 3
    by_path = [datagram.path.port for _, datagram in scene.run_until(scene.now + 1)]
    assert by_path == [5100, 5101] * 3


def test_the_rate_may_be_set_and_takes_effect_at_once(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.plane.retransmit(100, range(100, 106), scene.now)
    scene.plane.take_output()
    slow = scene.plane.next_timeout()
    scene.plane.set_recovery_rate(100, 720_000)
    fast = scene.plane.next_timeout()
    assert slow is not None and fast is not None
    assert fast - scene.now == pytest.approx((slow - scene.now) / 10)
    assert len(scene.run_until(scene.now + 0.005)) == 3
    for rate in (0, -1):
        with pytest.raises(ValueError, match="positive"):
            scene.plane.set_recovery_rate(100, rate)
    with pytest.raises(KeyError):
        scene.plane.set_recovery_rate(5, 1000)


def test_what_nobody_uses_is_not_saved_up_beyond_the_burst(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    for _ in range(2):
        assert len(scene.retransmit(*range(100, 120))) == 3
        scene.run_until(scene.now + 10)


nacks = st.tuples(st.floats(0, 0.05), st.lists(st.integers(90, 145), max_size=30))


@pytest.mark.parametrize("name", sorted(PLANES))
@settings(max_examples=60)
@given(script=st.lists(nacks, max_size=60), rate_bps=st.sampled_from([20_000, 72_000, 500_000]))
def test_no_storm_of_nacks_gets_more_than_the_rate(
    name: str, script: list[tuple[float, list[int]]], rate_bps: int
) -> None:
    scene = watched(PLANES[name])
    scene.plane.set_recovery_rate(100, rate_bps)
    left: list[tuple[float, int, int]] = []  # (when, size, original number)

    def note(at: float, output: list[Datagram]) -> None:
        for datagram in output:
            received = scene.remotes[100].open(datagram)
            left.append((at, len(datagram.payload), rtx.unwrap(received.payload)[0]))

    taken = 0
    for after_s, asked in script:
        for at, datagram in scene.run_until(scene.now + after_s):
            note(at, [datagram])
        taken += scene.plane.retransmit(100, asked, scene.now)
        note(scene.now, scene.plane.take_output())
    for at, datagram in scene.run_until(scene.now + 100):
        note(at, [datagram])
    assert len(left) == taken - scene.dropped("rtx_late")
    longest = max((size for _, size, _ in left), default=0)
    for first in range(len(left)):
        spent = 0
        for at, size, _ in left[first:]:
            spent += size
            assert spent <= rate_bps / 8 * (CONFIG.recovery_burst_s + at - left[first][0]) + longest + 1e-3
    last: dict[int, float] = {}
    for at, _, number in left:
        assert at - last.get(number, -1.0) >= CONFIG.rtx_repeat_after_s - 1e-9
        last[number] = at
