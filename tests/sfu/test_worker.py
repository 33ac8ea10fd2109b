"""A Worker with its sockets: remotes over loopback complete ICE and DTLS, media flows, and everything ends in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from math import inf
from pathlib import Path

import pytest

from sfu.config import WorkerConfig
from sfu.control import (
    AddSlot,
    AddTrack,
    AnyCommand,
    AnyNotice,
    ConnectTransport,
    Done,
    LayerChanged,
    OpenTransport,
    RemoteParameters,
    SlotAdded,
    Subscribe,
    TransportChanged,
    TransportOpened,
)
from sfu.core.estimation.traced import replay
from sfu.core.types import Codec
from sfu.plane.fallback.srtp import SrtpSession
from sfu.plane.interface import Event, PlaneConfig, RtcpReceived, SrtpKeys
from sfu.wire import extensions, rtcp, rtp
from sfu.wire.demux import Kind, classify
from sfu.wire.extensions import ExtensionIds
from sfu.wire.feedback import PictureLossIndication
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport
from sfu.worker import Worker, open_worker
from tests.sim.actors import AUDIO_FORMATS, VIDEO_FORMATS, vp8_payload
from tests.support.ice import PATIENCE_S, RemoteAgent, RemoteEnd, until

IDS = ExtensionIds(mid=1, rid=2, transport_cc=5)


class Running:
    """A Worker and the Notices it gave."""

    def __init__(self) -> None:
        self.worker: Worker
        self.notices: list[AnyNotice] = []

    async def connect(self, name: str) -> Remote:
        opened = self.worker.on_command(OpenTransport(call=1, room="room", participant=name, transport=name))
        assert isinstance(opened, TransportOpened)
        (candidate,) = opened.candidates
        agent = await RemoteAgent.open(candidate.host, (candidate.host, candidate.port))
        end = RemoteEnd(agent, opened.fingerprints, is_client=True)
        theirs = end.parameters()
        remote = RemoteParameters(
            ice=theirs.ice,
            fingerprints=theirs.fingerprints,
            dtls_client=theirs.dtls_client,
            receive_extensions=IDS,
            send_extensions=IDS,
        )
        self.tell(ConnectTransport(call=2, transport=name, remote=remote))
        await agent.check(opened.ice, nominate=True)
        await end.session.handshake(PATIENCE_S)
        await until(lambda: TransportChanged(transport=name, state="connected") in self.notices)
        return Remote(end)

    def tell(self, command: AnyCommand) -> None:
        assert self.worker.on_command(command) == Done(call=command.call)


class Remote:
    """SRTP over what RemoteEnd has negotiated."""

    def __init__(self, end: RemoteEnd) -> None:
        self.end = end
        (keys,) = end.keys
        self._srtp = SrtpSession(SrtpKeys(keys.profile, keys.receive_key, keys.send_key), 1024)
        self.packets: list[rtp.RtpHeader] = []
        self.rtcp: list[rtcp.RtcpPacket] = []
        feed = end.agent.on_datagram

        def on_datagram(datagram: bytes) -> None:
            kind = classify(datagram)
            if kind is Kind.RTP:
                self.packets.append(rtp.parse(self._srtp.unprotect(datagram)))
            elif kind is Kind.RTCP:
                self.rtcp += rtcp.parse(self._srtp.unprotect_rtcp(datagram)).packets
            else:
                feed(datagram)

        end.agent.on_datagram = on_datagram

    async def close(self) -> None:
        await self.end.close()
        await self.end.agent.close()

    def send(self, number: int, *, key_frame: bool) -> None:
        elements = [(IDS.mid, b"0"), (IDS.rid, b"f"), (IDS.transport_cc, number.to_bytes(2, "big"))]
        payload = vp8_payload(number, number, key_frame=key_frame, first=True, size=500)
        packet = rtp.build(
            payload_type=96,
            sequence_number=number,
            timestamp=3000 * number,
            ssrc=77,
            payload=payload,
            marker=True,
            extension=extensions.pack(elements),
        )
        self.end.agent.send(self._srtp.protect(packet))

    def send_rtcp(self, compound: bytes) -> None:
        self.end.agent.send(self._srtp.protect_rtcp(compound))


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    running = Running()
    running.worker = await open_worker(WorkerConfig(addresses=("127.0.0.1",)), running.notices.append)
    yield running
    await running.worker.aclose()
    await running.worker.aclose()


async def watching(running: Running) -> tuple[Remote, Remote, SlotAdded]:
    """Ann publishes, and Bob sees it."""
    ann, bob = await running.connect("ann"), await running.connect("bob")
    running.tell(
        AddTrack(call=3, transport="ann", track="TR", mid="0", kind="video", formats=VIDEO_FORMATS, rids=["q", "f"])
    )
    running.tell(AddTrack(call=3, transport="ann", track="TA", mid="1", kind="audio", formats=AUDIO_FORMATS))
    slot = running.worker.on_command(
        AddSlot(call=4, transport="bob", slot="SL", mid="0", kind="video", payload_types={Codec.VP8: (100, 101)})
    )
    assert isinstance(slot, SlotAdded)
    running.tell(Subscribe(call=5, subscription="SU", slot="SL", track="TR"))
    number = 0
    while not bob.packets:
        # The second layer's first key frame may come before anybody waits for it: then it is asked for.
        number += 1
        ann.send(number, key_frame=number % 10 == 1)
        await asyncio.sleep(0.01)
    return ann, bob, slot


async def test_media_flows_from_one_remote_to_another(running: Running) -> None:
    worker = running.worker
    ann, bob, slot = await watching(running)
    assert bob.packets[0].ssrc == slot.ssrc and bob.packets[0].payload_type == 100
    await until(lambda: any(isinstance(packet, SenderReport) for packet in bob.rtcp))
    await until(lambda: len(ann.rtcp) >= 3)  # transport-cc, a receiver report, its SDES
    changed = [notice for notice in running.notices if isinstance(notice, LayerChanged)]
    assert changed[0].subscription == "SU" and changed[0].timestamp == bob.packets[0].timestamp
    assert worker.router.counters.internal_errors == 0
    assert worker.router.counters.timer_wakeups > 0 and worker.router.counters.timer_lateness_s >= 0.0
    for remote in (ann, bob):
        await remote.close()


async def test_reports_are_taken_by_the_last_who_is_due_before_they_would_wake_somebody(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane, taken = running.worker.plane, set[type]()
    take_pending = plane.take_pending

    def noting(by: float) -> list[Event]:
        events = take_pending(by)
        if by < inf:  # a turn that was to be anyhow
            taken.update(map(type, events))
        return events

    monkeypatch.setattr(plane, "take_pending", noting)
    ann, bob, _ = await watching(running)
    while RtcpReceived not in taken:
        bob.send_rtcp(ReceiverReport(1, ()).pack())
        await asyncio.sleep(0.1)
    for remote in (ann, bob):
        await remote.close()


async def test_reports_wait_while_others_will_be_due_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running()
    config = WorkerConfig(addresses=("127.0.0.1",), plane=PlaneConfig(report_patience_s=1e6))
    running.worker = worker = await open_worker(config, running.notices.append)
    if worker.plane.name != "compiled":
        pytest.skip("the readable plane tells at once")
    ann, bob, slot = await watching(running)
    told: list[Event] = []
    on_events = worker.router.on_events

    def noting(events: Sequence[Event], now: float) -> None:
        told.extend(events)
        on_events(events, now)

    monkeypatch.setattr(worker.router, "on_events", noting)
    received = worker.plane.counters.received_rtcp
    bob.send_rtcp(ReceiverReport(1, ()).pack())
    await until(lambda: worker.plane.counters.received_rtcp > received)
    wakeups = worker.router.counters.timer_wakeups
    await until(lambda: worker.router.counters.timer_wakeups > wakeups + 2)
    assert not any(isinstance(event, RtcpReceived) for event in told)
    bob.send_rtcp(PictureLossIndication(1, slot.ssrc).pack())  # cannot wait, and so nothing does
    await until(lambda: sum(isinstance(event, RtcpReceived) for event in told) == 2)
    for remote in (ann, bob):
        await remote.close()
    await worker.aclose()


async def test_what_a_subscriber_reports_gives_a_round_trip_without_a_turn_of_its_own(running: Running) -> None:
    ann, bob, slot = await watching(running)
    await until(lambda: any(isinstance(packet, SenderReport) for packet in bob.rtcp))
    report = next(packet for packet in bob.rtcp if isinstance(packet, SenderReport))
    block = ReportBlock(slot.ssrc, 0, 0, 1, 0, rtcp.ntp_middle32(report.ntp_time), 0)
    bob.send_rtcp(ReceiverReport(1, (block,)).pack())
    endpoint = running.worker.router.registry.endpoints["bob"]
    await until(lambda: endpoint.rtt_s is not None)
    for remote in (ann, bob):
        await remote.close()


async def test_a_farewell_ends_a_transport_at_once_and_signaling_is_told(running: Running) -> None:
    ann = await running.connect("ann")
    await ann.close()
    await until(lambda: isinstance(running.notices[-1], TransportChanged) and running.notices[-1].state == "gone")
    assert not running.worker.router.registry.endpoints


async def test_a_worker_with_nothing_to_do_sleeps(running: Running) -> None:
    assert running.worker.router.next_timeout() is None


async def test_notices_follow_the_reply_of_the_command_that_caused_them(running: Running) -> None:
    opened = running.worker.on_command(OpenTransport(call=1, room="room", participant="ann", transport="ann"))
    assert isinstance(opened, TransportOpened) and running.notices == []


async def test_a_listener_that_fails_does_not_stop_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    running = Running()
    failures = 0

    def on_notice(notice: AnyNotice) -> None:
        nonlocal failures
        running.notices.append(notice)
        failures += 1
        raise RuntimeError("the listener's own bug")

    running.worker = await open_worker(WorkerConfig(addresses=("127.0.0.1",)), on_notice)
    with caplog.at_level(logging.ERROR):
        ann = await running.connect("ann")
        bob = await running.connect("bob")
    assert failures == 2 and running.worker.router.counters.internal_errors == 2
    for remote in (ann, bob):
        await remote.close()
    await running.worker.aclose()


async def test_what_its_estimator_is_told_is_traced_when_asked_for(tmp_path: Path) -> None:
    running = Running()
    config = WorkerConfig(worker_index=3, addresses=("127.0.0.1",), trace_estimates=str(tmp_path / "estimates"))
    running.worker = await open_worker(config, running.notices.append)
    ann, bob, _ = await watching(running)
    trace = tmp_path / "estimates.3"
    await until(lambda: '"take_probes"' in trace.read_text())  # a tick: media may well flow before the first
    for remote in (ann, bob):
        await remote.close()
    await running.worker.aclose()
    lines = trace.read_text().splitlines()
    assert lines[0] == f'["begin",{config.transports},{config.budget_bps}]'
    assert '"set_goal"' in "".join(lines) and list(replay(lines))


async def test_offers_all_addresses_and_what_is_announced(running: Running) -> None:
    config = WorkerConfig(addresses=("127.0.0.1", "127.0.0.2"), announce=("203.0.113.7:40000",))
    worker = await open_worker(config, running.notices.append)
    opened = worker.on_command(OpenTransport(call=1, room="room", participant="ann", transport="ann"))
    assert isinstance(opened, TransportOpened)
    port = worker.plane.port
    assert [(candidate.host, candidate.port) for candidate in opened.candidates] == [
        ("203.0.113.7", 40000),
        ("127.0.0.1", port),
        ("127.0.0.2", port),
    ]
    await worker.aclose()


async def test_a_port_that_is_taken_and_a_name_to_announce_are_said_at_start(running: Running) -> None:
    taken = WorkerConfig(addresses=("127.0.0.1",), udp_port=running.worker.plane.port)
    with pytest.raises(OSError, match=r"(?i)address already in use"):
        await open_worker(taken, running.notices.append)
    with pytest.raises(ValueError, match="example"):
        await open_worker(WorkerConfig(addresses=("127.0.0.1",), announce=("example.org",)), running.notices.append)
