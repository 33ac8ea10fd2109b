"""RTCP that is authentic but nonsense, from publishers and subscribers: counted or ignored, never an error of ours, and
the others of the room go on receiving."""

from __future__ import annotations

from random import Random

from sfu.wire import rtcp, twcc
from sfu.wire.feedback import FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from sfu.wire.rtcp import Goodbye, ReceiverReport, ReportBlock, RtcpPacket, SenderReport, SourceDescription
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import Call


def test_nonsense_in_rtcp_is_no_error_of_ours(seed: int) -> None:
    draw = Random(seed)
    call = Call(seed)
    publisher, subscriber, witness = Publisher(call, "ann"), Subscriber(call, "bob"), Subscriber(call, "cid")
    for receiver in (subscriber, witness):
        receiver.subscribe(publisher.video)
        receiver.subscribe(publisher.audio)
    publisher.start()
    witness.start()
    ssrcs = [layer.ssrc for layer in publisher.layers] + [r.ssrc for r in subscriber.receptions.values()] + [0, 7]

    def number(bits: int) -> int:
        return draw.choice([0, 1, (1 << bits) - 1, 1 << bits - 1, draw.randrange(1 << bits)])

    def block() -> ReportBlock:
        lost = draw.randrange(-(1 << 23), 1 << 23)
        return ReportBlock(draw.choice(ssrcs), number(8), lost, number(32), number(32), number(32), number(32))

    def packet() -> RtcpPacket | bytes:
        ssrc = draw.choice(ssrcs)
        blocks = tuple(block() for _ in range(draw.randrange(4)))
        kinds: list[RtcpPacket | bytes] = [
            SenderReport(ssrc, number(64), number(32), number(32), number(32), blocks),
            ReceiverReport(ssrc, blocks),
            Nack(1, ssrc, tuple(number(16) for _ in range(draw.randrange(1, 300)))),
            PictureLossIndication(1, ssrc),
            FullIntraRequest(1, tuple((draw.choice(ssrcs), number(8)) for _ in range(3))),
            ReceiverEstimate(1, number(60), (ssrc,)),
            SourceDescription(ssrc, "x" * draw.randrange(256)),
            Goodbye((ssrc,)),
            twcc.build(1, ssrc, number(8), [(number(16), draw.random())]),
            draw.randbytes(draw.randrange(60)),
        ]
        return draw.choice(kinds)

    def speak() -> None:
        compound = bytearray()
        for _ in range(draw.randrange(1, 4)):
            chosen = packet()
            compound += chosen if isinstance(chosen, bytes) else chosen.pack()
        if draw.random() < 0.3 and len(compound) > 8:
            compound[draw.randrange(8, len(compound))] = draw.randrange(256)
        # SRTCP itself wants a header, with the SSRC in it that its replay list goes by.
        compound[:8] = (bytes(compound[:4]) + b"\0\0\0\1") if len(compound) >= 8 else b"\x80\xc9\0\1\0\0\0\1"
        draw.choice([publisher, subscriber]).send_rtcp(bytes(compound)[:1400])

    call.every(0.003, speak)
    call.run(4.0)
    assert call.router.counters.internal_errors == 0
    assert call.router.counters.rtcp_malformed > 5
    video, audio = witness.receptions.values()
    call.run(0.5)
    assert max(at for at, *_ in video.packets.values()) > call.now - 0.2
    assert len(audio.packets) > 4.0 * 50 * 0.95
    for _, report in video.reports:
        assert rtcp.parse(report.pack()).malformed == 0
