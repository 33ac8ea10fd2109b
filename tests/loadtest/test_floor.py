"""Bare sending, as a floor and as a flood: so many datagrams, to where they are meant for, at the pace asked for."""

from __future__ import annotations

import os
import socket

import pytest

from loadtest import plans
from loadtest.floor import HEADER_BYTES, _frames, measure_floor
from loadtest.strangers import STUN, Strangers
from loadtest.traffic import addresses
from sfu.plane import open_plane

if open_plane(()).name != "compiled":
    pytest.skip("nothing is compiled here", allow_module_level=True)

from loadtest.traffic.compiled._engine import Bursts, drain

RATES = plans.Rates()


def receiver() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(60)
    return made


def test_the_floor_sends_to_whom_the_plan_says() -> None:
    frames = _frames(plans.one_to_many(3), RATES)
    assert [(each.packets, each.bytes, each.per_s, each.receivers) for each in frames] == [
        (5, HEADER_BYTES + 1200, 30.0, (1, 2, 3)),
        (1, HEADER_BYTES + 100, 50.0, (1, 2, 3)),
    ]
    meeting = _frames(plans.meeting(3, rooms=2), RATES)
    assert [each.receivers for each in meeting[::2]] == [(1, 2), (0, 2), (0, 1), (4, 5), (3, 5), (3, 4)]


async def test_the_floor_is_what_the_kernel_takes_for_that_many_packets() -> None:
    cores = sorted(os.sched_getaffinity(0))
    cost_us, packets = await measure_floor(plans.one_to_many(3), RATES, (cores[0], cores[-1]), duration_s=0.5)
    assert 50 <= packets <= 320  # 200 a second to each; what a busy machine misses is left out
    assert cost_us > 0.05


def test_a_run_reaches_everybody_cut_into_its_packets() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, receiver() as one, receiver() as other:
        packed = [addresses.pack(each.getsockname()) for each in (one, other)]
        bursts = Bursts([(sender.fileno(), packed, b"noise", 3, 60.0, 0.0)])
        while not bursts.sent:  # a window may be over before this process gets a core
            assert bursts.run(0.01) > 0
        assert (bursts.sent, bursts.refused) == (6, 0)
        for each in (one, other):
            assert [each.recv(100) for _ in range(3)] == [b"noise"] * 3


def test_draining_counts_what_came_in_all_sockets() -> None:
    with receiver() as one, receiver() as other:
        for each in (one, other, other):
            each.sendto(b"x", each.getsockname())
        assert drain([one.fileno(), other.fileno()], 0.01, 0.001) == 3


@pytest.mark.parametrize("packets", [0, 65])
def test_what_one_run_cannot_hold_is_refused(packets: int) -> None:
    with pytest.raises(ValueError, match="run"):
        Bursts([(0, [], b"noise", packets, 1.0, 0.0)])


def test_strangers_come_from_many_addresses() -> None:
    with receiver() as server:
        strangers = Strangers([server.getsockname()], 20_000, stun=True)
        with strangers.running():
            sources = set()
            for _ in range(64):
                datagram, source = server.recvfrom(100)
                assert datagram == STUN
                sources.add(source)
        assert len(sources) > 8
        assert strangers.sent >= 64
