"""Our end of the link: Commands in order, exactly one answer each, and a Worker in this process at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sfu import control
from sfu.config import WorkerConfig
from sfu.control import (
    AnyNotice,
    AnyReply,
    CloseTransport,
    Done,
    Failed,
    IceParameters,
    LayerChanged,
    OpenTransport,
    ReadLoad,
    TransportChanged,
    TransportOpened,
)
from signaling.embedded import EmbeddedWorker
from signaling.link import Link
from tests.signaling.servers import WAIT_S


class Wire:
    """A link whose frames lead here."""

    def __init__(self, reply_timeout_s: float = 60.0) -> None:
        self.frames: list[bytes] = []
        self.notices: list[AnyNotice] = []
        self.replies: list[AnyReply] = []
        self.link = Link(self.frames.append, self.notices.append, reply_timeout_s)

    def call(self, number: int) -> None:
        self.link.call(CloseTransport(call=number, transport=f"t{number}"), self.replies.append)

    def open(self, number: int, transport: str) -> None:
        command = OpenTransport(call=number, room="demo", participant="ada", transport=transport)
        self.link.call(command, self.replies.append)

    def opened(self, number: int) -> None:
        ice = IceParameters("0", "p")
        self.link.on_frame(control.encode(TransportOpened(call=number, ice=ice, fingerprints=[], candidates=[])))

    def lose(self) -> list[str]:
        """Which Transports are said to be gone."""
        self.notices.clear()
        self.link.lose("worker_lost")
        for notice in self.notices:
            assert isinstance(notice, TransportChanged) and (notice.state, notice.reason) == ("gone", "worker_lost")
        return [notice.transport for notice in self.notices if isinstance(notice, TransportChanged)]

    def refused(self) -> list[tuple[int, str]]:
        return [(reply.call, reply.code) for reply in self.replies if isinstance(reply, Failed)]


async def test_commands_leave_as_frames_in_order() -> None:
    wire = Wire()
    for number in (1, 2, 3):
        wire.call(number)
    commands = [control.decode(frame, control.AnyCommand) for frame in wire.frames]
    assert [command.call for command in commands] == [1, 2, 3]
    wire.link.close()


async def test_each_reply_finds_its_call() -> None:
    wire = Wire()
    for number in (1, 2):
        wire.call(number)
    for number in (2, 1):
        wire.link.on_frame(control.encode(Done(call=number)))
    assert wire.replies == [Done(call=2), Done(call=1)]


async def test_notices_come_as_they_are() -> None:
    wire = Wire()
    notice = LayerChanged(subscription="1/subscription/1", layer=1, timestamp=5)
    wire.link.on_frame(control.encode(notice))
    assert wire.notices == [notice]


async def test_a_silent_worker_is_answered_for() -> None:
    wire = Wire(reply_timeout_s=0.02)
    answered: asyncio.Queue[AnyReply] = asyncio.Queue()
    for number in (1, 2):
        wire.link.call(CloseTransport(call=number, transport="t"), answered.put_nowait)
    for number in (1, 2):
        reply = await asyncio.wait_for(answered.get(), WAIT_S)
        assert isinstance(reply, Failed) and (reply.call, reply.code) == (number, "timeout")
    wire.link.on_frame(control.encode(Done(call=1)))
    assert answered.empty(), "too late: it was answered"


async def test_a_closed_link_answers_what_is_open_and_what_comes() -> None:
    wire = Wire()
    wire.call(1)
    wire.link.close()
    wire.call(2)
    assert [reply.call for reply in wire.replies] == [1], "never before `call` returns"
    await asyncio.sleep(0)
    assert [reply.call for reply in wire.replies] == [1, 2]
    assert {reply.code for reply in wire.replies if isinstance(reply, Failed)} == {"closed"}
    assert len(wire.frames) == 1


@pytest.mark.parametrize("frame", [b"", b"\x81\xa4type\xa4Done", b"\xff" * 10])
async def test_a_frame_that_cannot_be_read_harms_nobody(frame: bytes) -> None:
    wire = Wire()
    wire.call(1)
    wire.link.on_frame(frame)
    wire.link.on_frame(control.encode(Done(call=1)))
    assert wire.replies == [Done(call=1)]
    wire.link.close()


# --- a Worker that is lost, and another in its place -------------------------------------------------------------


async def test_who_had_a_transport_in_a_lost_worker_hears_that_it_is_gone() -> None:
    wire = Wire()
    for number, name in enumerate(("open", "closed", "asked for", "refused", "gone"), 1):
        wire.open(number, name)
    for number in (1, 2, 5):
        wire.opened(number)
    wire.link.call(CloseTransport(call=6, transport="closed"), wire.replies.append)
    wire.link.on_frame(control.encode(Failed(call=4, code="limit", reason="")))
    wire.link.on_frame(control.encode(TransportChanged(transport="gone", state="gone")))
    assert wire.link.transport_count == 2
    wire.replies.clear()
    assert wire.lose() == ["open", "asked for"]
    assert wire.refused() == [(3, "closed"), (6, "closed")]
    assert wire.lose() == [], "each is told once"
    wire.link.close()


async def test_the_loss_is_told_before_calls_are_refused_and_what_is_called_then_waits_for_the_next_worker() -> None:
    wire, order = Wire(), list[str]()

    def on_notice(notice: AnyNotice) -> None:
        order.append("told")
        wire.open(10, "new")

    link = wire.link = Link(wire.frames.append, on_notice, 60.0)
    link.call(OpenTransport(call=1, room="r", participant="p", transport="old"), lambda reply: order.append("refused"))
    wire.frames.clear()
    link.lose("worker_lost")
    assert order == ["told", "refused"]
    assert wire.frames == [] and wire.replies == []
    other: list[bytes] = []
    link.open(other.append)
    wire.call(11)
    commands = [control.decode(frame, control.AnyCommand) for frame in other]
    assert [command.call for command in commands] == [10, 11], "in the order of the calls"
    link.close()


async def test_what_waits_for_a_worker_has_all_its_time_when_there_is_one() -> None:
    wire = Wire(reply_timeout_s=0.05)
    answered: asyncio.Queue[AnyReply] = asyncio.Queue()
    wire.call(1)
    wire.lose()
    wire.link.call(CloseTransport(call=2, transport="t"), answered.put_nowait)
    await asyncio.sleep(0.15)  # longer than a Reply is waited for
    assert answered.empty()
    wire.link.open(wire.frames.append)
    wire.link.on_frame(control.encode(Done(call=2)))
    assert answered.get_nowait() == Done(call=2)
    wire.link.call(CloseTransport(call=3, transport="t"), answered.put_nowait)
    assert isinstance(reply := await asyncio.wait_for(answered.get(), WAIT_S), Failed) and reply.code == "timeout"
    wire.link.close()


async def test_a_link_without_a_worker_refuses_what_waits_when_the_next_one_cannot_start_either() -> None:
    wire = Wire()
    wire.link = Link(None, wire.notices.append, 60.0)
    wire.open(1, "t")
    assert wire.frames == [] and wire.replies == []
    assert wire.lose() == ["t"] and wire.refused() == [(1, "closed")]
    wire.open(2, "u")
    wire.link.close()
    assert wire.refused() == [(1, "closed"), (2, "closed")]


async def test_one_that_fails_to_listen_keeps_nobody_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    wire.open(1, "t")
    wire.link.call(CloseTransport(call=2, transport="u"), lambda reply: [][0])
    wire.call(3)
    assert wire.lose() == ["t"] and wire.refused() == [(1, "closed"), (3, "closed")]
    assert "IndexError" in caplog.text


async def test_calls_of_nobodys_session_have_numbers_below_zero() -> None:
    wire = Wire()
    for _ in range(2):
        wire.link.ask(lambda call: ReadLoad(call=call), wire.replies.append)
    wire.call(1)
    assert [control.decode(frame).call for frame in wire.frames] == [-1, -2, 1]
    wire.link.close()


# --- the Worker in this process --------------------------------------------------------------------------------


@pytest.fixture
async def worker() -> AsyncIterator[EmbeddedWorker]:
    embedded = EmbeddedWorker(WorkerConfig(addresses=("127.0.0.1",)), lambda notice: None, 60.0)
    await embedded.open()
    yield embedded
    await embedded.close()


async def reply_to(worker: EmbeddedWorker, make: Callable[[], control.AnyCommand]) -> AnyReply:
    answered: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
    worker.link.call(make(), answered.set_result)
    return await asyncio.wait_for(answered, WAIT_S)


async def test_a_real_worker_answers(worker: EmbeddedWorker) -> None:
    opened = await reply_to(worker, lambda: OpenTransport(call=1, room="demo", participant="ada", transport="t"))
    assert isinstance(opened, TransportOpened)
    assert {candidate.port for candidate in opened.candidates} == {worker.udp_port}
    failed = await reply_to(worker, lambda: CloseTransport(call=2, transport="unknown"))
    assert isinstance(failed, Failed) and failed.code == "unknown_transport"
    assert await reply_to(worker, lambda: CloseTransport(call=3, transport="t")) == Done(call=3)


async def test_a_taken_port_is_an_os_error(worker: EmbeddedWorker) -> None:
    config = WorkerConfig(addresses=("127.0.0.1",), udp_port=worker.udp_port)
    second = EmbeddedWorker(config, lambda notice: None, 60.0)
    with pytest.raises(OSError, match="in use"):
        await second.open()
    await second.close()
