"""Bare sending, as a floor and as a flood: so many datagrams, to where they are meant for, at the pace asked for."""

from __future__ import annotations

import os
import socket

import pytest
from pylibsrtp import Policy, Session

from loadtest import plans
from loadtest.floor import HEADER_BYTES, _frames, measure_floor
from loadtest.strangers import STUN, Strangers
from loadtest.traffic import addresses
from sfu.plane import open_plane
from sfu.plane.interface import SrtpKeys
from sfu.plane.srtp import PROFILES, open_sessions
from sfu.wire import rtp

if open_plane(()).name != "compiled":
    pytest.skip("nothing is compiled here", allow_module_level=True)

from loadtest.traffic.compiled._engine import Bursts, Relay, drain

RATES = plans.Rates()
GCM = "SRTP_AEAD_AES_128_GCM"


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


@pytest.mark.parametrize("profile", PROFILES)
async def test_the_second_floor_is_srtp_that_its_receivers_can_read(profile: str) -> None:
    """Nothing may be refused, and no sample fail to decrypt, or there is no figure."""
    cores = sorted(os.sched_getaffinity(0))
    plan = plans.meeting(3)
    cost_us, packets = await measure_floor(plan, RATES, (cores[0], cores[-1]), 0.5, profile)
    assert 100 <= packets <= 900  # 1200 a second; what a busy machine misses is left out
    assert cost_us > 0.05


def test_a_relay_encrypts_for_each_with_his_own_key() -> None:
    with receiver() as inner, receiver() as one, receiver() as other:
        sender, *keys = (SrtpKeys(GCM, os.urandom(28), os.urandom(28)) for _ in range(3))
        to = [addresses.pack(each.getsockname()) for each in (one, other)]
        relay = Relay(
            inner.fileno(),
            list(zip(to, keys, strict=True)),
            [(77, open_sessions(sender, 1024)[0], [0, 1]), (78, open_sessions(sender, 1024)[0], [1])],
        )
        packets = [
            rtp.build(payload_type=96, sequence_number=number, timestamp=0, ssrc=ssrc, payload=bytes(50 + ssrc))
            for number, ssrc in ((1, 77), (2, 77), (1, 78))
        ]
        session = Session(Policy(sender.receive_key, Policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILES[GCM]))
        for packet in packets:
            inner.sendto(session.protect(packet), inner.getsockname())
        while relay.sent < 5:
            relay.run(0.01)
        assert (relay.sent, relay.refused) == (5, 0)
        for each, key, expected in ((one, keys[0], packets[:2]), (other, keys[1], packets)):
            opener = Session(Policy(key.send_key, Policy.SSRC_ANY_INBOUND, srtp_profile=PROFILES[GCM]))
            assert [opener.unprotect(each.recv(2000)) for _ in expected] == expected


def test_what_a_relay_cannot_decrypt_is_refused() -> None:
    with receiver() as inner:
        keys = SrtpKeys(GCM, os.urandom(28), os.urandom(28))
        relay = Relay(inner.fileno(), [], [(77, open_sessions(keys, 1024)[0], [])])
        inner.sendto(
            rtp.build(payload_type=96, sequence_number=1, timestamp=0, ssrc=77, payload=bytes(50)), inner.getsockname()
        )
        while not relay.refused:
            relay.run(0.01)
        assert (relay.sent, relay.refused) == (0, 1)


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
