"""What tries the generator is itself true: every packet of it arrives, once, and is one that was sent."""

from __future__ import annotations

import os

import pytest

from sfu.plane import open_plane

if open_plane(()).name != "compiled":
    pytest.skip("nothing is compiled here", allow_module_level=True)

from loadtest.bench_generator import PROFILE, Setting
from loadtest.traffic import addresses
from loadtest.traffic.compiled._engine import Fan
from loadtest.traffic.counts import StreamCounts
from loadtest.traffic.streams import video
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import open_sessions
from tests.loadtest.traffic.wires import bound_socket, running_engine, until


def test_a_fan_reaches_everybody_with_one_stream() -> None:
    key = os.urandom(28)
    keys = SrtpKeys(PROFILE, key, key)
    with running_engine() as engine, bound_socket() as sender, bound_socket() as one, bound_socket() as other:
        receivers = [one, other]
        for number, receiver in enumerate(receivers):
            engine.attach(number, receiver.fileno(), sender.getsockname(), open_sessions(keys, 1024))
        to = [addresses.pack(receiver.getsockname()) for receiver in receivers]
        fan = Fan(sender.fileno(), to, open_sessions(keys, 1024)[1], video(7, 96, packets_per_frame=4))
        fan.run(0.2, 4000)
        fan.run(0.2, 4000)
        assert fan.sent >= 8 and fan.refused == 0
        until(lambda: engine.counts()[0]["received"] == fan.sent)
        sums, _, _, streams = engine.counts()
        assert (sums["sampled"], sums["undecryptable"], sums["unmarked"]) == (fan.sent, 0, 0)
        counted = [StreamCounts(*stream) for stream in streams]
        assert [(each.ssrc, each.source_ssrc, each.lost, each.duplicates) for each in counted] == [(7, 7, 0, 0)] * 2
        for number in range(2):
            engine.detach(number)


def test_a_step_tells_what_came_of_what_was_sent() -> None:
    with Setting(max(os.sched_getaffinity(0)), 10) as setting:
        step = setting.step(20_000, 0.5)
    assert step.sent_pps > 0 and step.received_pps > 0 and step.own_pps > 0 and step.cpu > 0
    assert step.undecryptable == 0
