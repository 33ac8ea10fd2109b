"""The memories: a layer's packets, audio's recent numbers, and what a Slot has sent."""

from __future__ import annotations

from sfu.core.types import Codec, DropReason
from sfu.plane.fallback.history import RECENT_NUMBERS, History, RecentNumbers
from sfu.plane.fallback.outbox import Outbox
from sfu.plane.fallback.packets import MediaPacket
from sfu.plane.fallback.pictures import PictureFields
from sfu.plane.fallback.publishing import Track
from sfu.plane.fallback.retransmission import Sent, SentPackets
from sfu.plane.fallback.transport import Transport
from sfu.plane.interface import Counters, PlaneConfig
from tests.support.rtp import VIDEO

UNCHANGED = PictureFields(0, 0, False)


def packet(number: int) -> MediaPacket:
    return MediaPacket(number, 0, False, Codec.VP8, b"x", (), 0.0)


def test_history_knows_duplicates_and_what_is_too_old() -> None:
    history = History(4)
    assert [history.admit(packet(n)) for n in (10, 12, 12, 11, 10)] == [
        None,
        None,
        DropReason.DUPLICATE,
        None,
        DropReason.DUPLICATE,
    ]
    assert history.admit(packet(14)) is None
    assert history.admit(packet(10)) is DropReason.TOO_OLD
    assert [history.lacks(n) for n in (10, 11, 13, 15)] == [False, False, True, False]
    assert [each.sequence_number for each in history.after(11)] == [12, 14]


def test_after_a_jump_nothing_old_is_found() -> None:
    history = History(4)
    history.admit(packet(-1))
    history.admit(packet(100))
    assert history.get(-1) is None
    assert history.get(100) is not None
    assert [each.sequence_number for each in history.after(98)] == [100]


def test_recent_numbers_of_audio() -> None:
    recent = RecentNumbers()
    assert [recent.admit(packet(n)) for n in (5, 7, 6, 6, 5, -3)] == [
        None,
        None,
        None,
        DropReason.DUPLICATE,
        DropReason.DUPLICATE,
        None,
    ]
    assert recent.admit(packet(1 << 40)) is None
    assert recent.admit(packet((1 << 40) - RECENT_NUMBERS)) is DropReason.TOO_OLD
    assert recent.admit(packet((1 << 40) - RECENT_NUMBERS + 1)) is None


def test_a_sent_packet_in_the_place_of_an_older_one_may_be_repeated_at_once() -> None:
    config = PlaneConfig()
    outbox = Outbox(Counters(), 10)
    layer = Track(1, Transport(1, config, outbox), VIDEO, config, outbox).layers[0]
    assert layer.history is not None
    layer.history.admit(packet(7))
    sent = SentPackets(8, repeat_after_s=0.1)
    sent.note(Sent(100, 0, layer, 7, UNCHANGED))
    assert sent.find(100) is not None and not sent.is_answered(100, 1.0)
    sent.note_repeated(100, 1.0)
    assert sent.is_answered(100, 1.0)
    sent.note(Sent(108, 0, layer, 7, UNCHANGED))
    assert sent.find(100) is None
    assert sent.find(108) is not None and not sent.is_answered(108, 1.0)
